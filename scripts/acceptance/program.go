package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build builds the release binaries into a folder, as the launcher does. Root is
// the project's.
func Build(root, folder string) error {
	c := exec.Command("go", "build", "-trimpath", "-o", folder+string(filepath.Separator), "./cmd/start_trader", "./cmd/traderctl")
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// program is the one under test.
type program struct {
	name string
	cmd  *exec.Cmd
	out  transcript // standard output alone
	said transcript // both
	done chan struct{}
}

// transcript keeps what a program says while it is read, the newest of it.
type transcript struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// maxSaid bounds what is kept of a program's words.
const maxSaid = 4 << 20

func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len()+len(b) > maxSaid {
		w.buf.Reset()
	}
	return w.buf.Write(b)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// start starts a program with a clean environment; its folder is its home.
func start(binary, folder string, env, args []string) (*program, error) {
	p := &program{name: filepath.Base(binary), done: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append([]string{"TMPDIR=" + folder, "HOME=" + folder, "PATH=" + os.Getenv("PATH"), "GOMAXPROCS=2"}, env...)
	p.cmd.Dir = folder
	p.cmd.Stdout, p.cmd.Stderr = io.MultiWriter(&p.out, &p.said), &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState says it all
	}()
	return p, nil
}

func (p *program) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the end of the program and returns its exit code.
func (p *program) wait(within time.Duration) (int, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-timer.C:
		return 0, fmt.Errorf("%s has not ended within %v", p.name, within)
	}
}

// kill ends the program at once, if it has not ended.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// stopWithin is how long an orderly stop may take: contract, section 1.
const stopWithin = 10 * time.Second

// stop asks for an orderly stop and returns how it was not one.
func (p *program) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	code, err := p.wait(stopWithin)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s was asked to stop and ended with %d, not 0", p.name, code)
	}
	return err
}

// client keeps no connection, so that no goroutine outlives a scenario.
var client = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// address returns where a trader serves, "" before it does.
func address(data string) string {
	b, err := os.ReadFile(filepath.Join(data, "trader.json"))
	if err != nil {
		return ""
	}
	var a struct{ HTTP string }
	if json.Unmarshal(b, &a) != nil {
		return ""
	}
	return a.HTTP
}

// read asks a trader for a text.
func read(addr, path string) (text string, err error) {
	_, b, err := ask(addr, path)
	return string(b), err
}

// get asks a trader for a document.
func get(addr, path string) (status int, doc any, err error) {
	status, b, err := ask(addr, path)
	if err != nil {
		return 0, nil, err
	}
	doc, err = decodeJSON(b)
	return status, doc, err
}

func ask(addr, path string) (status int, body []byte, err error) {
	res, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// tail returns the end of a text.
func tail(text string, most int) string {
	text = strings.TrimRight(text, "\n")
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
