package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
)

// binaries builds the programs once for all tests of the package, as the
// launcher does, and returns the folder that holds them.
var binaries = sync.OnceValues(func() (string, error) {
	if err := os.MkdirAll(workDir, 0o700); err != nil {
		return "", err
	}
	c := exec.Command("go", "build", "-trimpath", "-o", workDir+string(filepath.Separator),
		"./cmd/start_trader", "./cmd/traderctl", "./cmd/gatewaysim", "./scripts/recompute", "./scripts/examples/go/dip")
	c.Dir = filepath.Join("..", "..")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return workDir, nil
})

// workDir holds the programs while the tests run; TestMain removes it.
var workDir = filepath.Join(os.TempDir(), fmt.Sprintf("start_trader-test-%d", os.Getpid()))

func binary(t *testing.T, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// transcript keeps what a process says while it is read.
type transcript struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// process is a program that a test started, and ends at the latest with the
// test.
type process struct {
	name string
	cmd  *exec.Cmd
	said *transcript // standard output and error
	temp string      // its TMPDIR
	done chan struct{}
}

// start runs a program with a clean environment and a fresh temporary folder.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return startWith(t, binary(t, name), nil, args...)
}

// startWith is start for a program anywhere, with more environment.
func startWith(t *testing.T, path string, env []string, args ...string) *process {
	t.Helper()
	name := filepath.Base(path)
	p := &process{name: name, said: &transcript{}, temp: t.TempDir(), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append([]string{
		"TMPDIR=" + p.temp, "HOME=" + p.temp, "PATH=" + os.Getenv("PATH"),
		"TRADER_BROKER__IBKR__RESTART_AT=off", "TRADER_BROKER__IBKR__LOGIN_AT=off", // tests run near midnight, too
	}, env...)
	p.cmd.Dir = p.temp
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState says it all
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("%s %v said:\n%s", name, args, tail(p.said.String(), 6000))
		}
	})
	return p
}

func tail(s string, most int) string {
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// wait waits for the end of the process and returns its exit code.
func (p *process) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	watch := begin()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return p.cmd.ProcessState.ExitCode()
		case <-tick.C:
			if watch.over(within) {
				t.Fatalf("%s has not ended within %v (%v by the clock)", p.name, within, time.Since(watch.began))
			}
		}
	}
}

// ends fails the test unless the process ends in time with this code.
func (p *process) ends(t *testing.T, code int, within time.Duration) {
	t.Helper()
	if got := p.wait(t, within); got != code {
		t.Fatalf("%s: exit %d, want %d", p.name, got, code)
	}
}

// says fails the test unless the process said all of the texts.
func (p *process) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if said := p.said.String(); !strings.Contains(said, text) {
			t.Errorf("%s says nothing about %q", p.name, text)
		}
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// killed ends the process as a power cut would.
func (p *process) killed(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	p.wait(t, 5*time.Second)
}

// leavesNoTemp fails the test when the process left something in its TMPDIR.
func (p *process) leavesNoTemp(t *testing.T) {
	t.Helper()
	if left := files(t, p.temp); len(left) > 0 {
		t.Errorf("%s left %v in its temporary folder", p.name, left)
	}
}

// awaits polls until ok, and fails the test by the wait's name when it is not
// in time. last is what was seen.
func awaits(t *testing.T, name string, within time.Duration, look func() (last string, ok bool)) {
	t.Helper()
	watch := begin()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		late := watch.over(within) // before the look, which is the last one then
		last, ok := look()
		if ok {
			return
		}
		if late {
			t.Fatalf("%s: not within %v (%v by the clock); last seen: %s", name, within, time.Since(watch.began), last)
		}
		<-tick.C
	}
}

// client keeps no connection, so that no goroutine outlives a test.
var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get asks a trader; status 0 means that nothing answers.
func get(addr, path string) (status int, body string) {
	res, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// readiness is the answer of /readyz.
type readiness struct{ State, Rung, Cause, Advice string }

func ready(addr string) (status int, r readiness) {
	status, body := get(addr, "/readyz")
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return 0, readiness{Cause: body}
	}
	return status, r
}

func awaitsReady(t *testing.T, addr string, within time.Duration) {
	t.Helper()
	awaits(t, "ready", within, func() (string, bool) {
		status, r := ready(addr)
		return fmt.Sprintf("%d %+v", status, r), status == http.StatusOK && r.State == "ready"
	})
}

func awaitsNotReady(t *testing.T, addr string, within time.Duration) readiness {
	t.Helper()
	var r readiness
	awaits(t, "503 with cause and advice", within, func() (string, bool) {
		status := 0
		status, r = ready(addr)
		return fmt.Sprintf("%d %+v", status, r), status == http.StatusServiceUnavailable &&
			r.State == "waiting" && r.Cause != "" && r.Advice != ""
	})
	return r
}

// trader is a running start_trader with an HTTP address.
type trader struct {
	*process
	data, addr string
}

// startTrader starts one on a free port and waits until it serves.
func startTrader(t *testing.T, args ...string) trader {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	return startTraderOn(t, data, args...)
}

func startTraderOn(t *testing.T, data string, args ...string) trader {
	t.Helper()
	return startTraderWith(t, binary(t, "start_trader"), nil, data, args...)
}

// startTraderWith is startTraderOn for another build of it, with more
// environment.
func startTraderWith(t *testing.T, path string, env []string, data string, args ...string) trader {
	t.Helper()
	p := startWith(t, path, env, append([]string{"--http", "127.0.0.1:0", "--data", data}, args...)...)
	var a struct{ HTTP string }
	awaits(t, "the trader's address", 10*time.Second, func() (string, bool) {
		b, err := os.ReadFile(filepath.Join(data, "trader.json"))
		if err != nil {
			return err.Error(), p.gone()
		}
		return string(b), json.Unmarshal(b, &a) == nil && a.HTTP != ""
	})
	if a.HTTP == "" {
		t.Fatal("the trader ended before it served")
	}
	return trader{p, data, a.HTTP}
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// startGateway starts gatewaysim and returns it with its address.
func startGateway(t *testing.T, listen string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, "gatewaysim", append([]string{"--json", "--listen", listen}, args...)...)
	var told struct{ Listen string }
	awaits(t, "the gateway's address", 10*time.Second, func() (string, bool) {
		line, _, _ := strings.Cut(p.said.String(), "\n")
		return line, json.Unmarshal([]byte(line), &told) == nil && told.Listen != "" || p.gone()
	})
	if told.Listen == "" {
		t.Fatal("gatewaysim ended before it listened")
	}
	return p, told.Listen
}

// freeAddr returns a loopback address on which nothing listens now. Its port is
// below those that systems give out by themselves (from 32768 on), or another
// program's connection might have it before who is to listen there.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		ln, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = ln.Close()
		return addr
	}
	t.Fatal("a hundred ports are in use")
	return ""
}

// files lists what is in a folder and below, folders with a slash behind.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if d.IsDir() {
			name += "/"
		}
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// shared returns the path of a file of recorded market data, "" where there is
// none: the data is not part of the project.
func shared(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return path
}

// ownDay writes a day that the project's own model makes, and returns its
// path.
func ownDay(t *testing.T, seed uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprintf("AAPL-1m-seed%d.csv", seed))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) // a Wednesday
	if err := errors.Join(tape.WriteBars(f, "AAPL", seed, day), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// sockets returns the states of the machine's TCP sockets on a port, as the
// kernel numbers them, without those that only wait for their time to pass.
func sockets(t *testing.T, port int) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("sockets are not checked: this is not Linux")
		return nil
	}
	const timeWait = "06"
	var list []string
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] == timeWait {
				continue
			}
			if hex := fmt.Sprintf(":%04X", port); strings.HasSuffix(f[1], hex) || strings.HasSuffix(f[2], hex) {
				list = append(list, f[1]+" "+f[2]+" state "+f[3])
			}
		}
	}
	return list
}
