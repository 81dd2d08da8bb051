package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// trader is a started bin/start_trader.
type trader struct {
	cmd   *exec.Cmd
	addr  string // of its HTTP side
	data  string // its folder
	log   string // file with what it wrote
	began time.Time
	ended chan struct{} // closed when it has exited; err is set
	err   error
}

const (
	readyWait = 30 * time.Second
	stopWait  = 15 * time.Second // the trader's own bound is 10 s
	// pollEvery is the grain of the start-up figure. A poll costs the machine
	// far less than this.
	pollEvery = 2 * time.Millisecond
)

// startTrader starts the binary with a data folder and an HTTP port of its
// own.
func startTrader(p plan, args ...string) (*trader, error) {
	data, err := os.MkdirTemp(p.folder, "data-")
	if err != nil {
		return nil, err
	}
	return startIn(filepath.Join(p.bin, "start_trader"), data, nil, args...)
}

// startIn starts a program with a data folder, which may be one that a trader
// had before, and with more of an environment.
func startIn(program, data string, env []string, args ...string) (*trader, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	t := &trader{addr: addr, data: data, log: data + ".log", ended: make(chan struct{})}
	log, err := os.OpenFile(t.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	t.cmd = exec.Command(program, append(args, "--data", data, "--http", addr)...)
	t.cmd.Env = append(append(os.Environ(), "TRADER_BROKER__IBKR__RESTART_AT=off"), env...) // a gateway of a bench does not restart at night
	t.cmd.Stdout, t.cmd.Stderr = log, log
	t.began = time.Now()
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which stop ends
		t.err = t.cmd.Wait()
		close(t.ended)
	}()
	return t, nil
}

// freePort returns an address that nobody listens on at the moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitReady asks /readyz until it says 200, and returns how long after the
// start that was.
func (t *trader) awaitReady(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+"/readyz", nil)
		if err != nil {
			return 0, err
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close() // only the code counts
			if resp.StatusCode == http.StatusOK {
				return time.Since(t.began), nil
			}
		}
		select {
		case <-poll.C:
		case <-t.ended:
			return 0, t.fault("it ended before it was ready: %v", t.err)
		case <-ctx.Done():
			return 0, t.fault("not ready within %v", readyWait)
		}
	}
}

// stop ends the trader in order. It must exit with code 0.
func (t *trader) stop() error {
	select {
	case <-t.ended:
		return t.fault("it ended by itself: %v", t.err)
	default:
	}
	if err := t.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-t.ended:
		if t.err != nil {
			return t.fault("stop: %v", t.err)
		}
		return nil
	case <-time.After(stopWait):
		return errors.Join(t.fault("it did not stop within %v", stopWait), t.cmd.Process.Kill())
	}
}

// kill ends the trader as kill -9 does, and waits until it is gone.
func (t *trader) kill() error {
	if err := t.cmd.Process.Kill(); err != nil {
		return err
	}
	select {
	case <-t.ended:
		return nil
	case <-time.After(killedWait):
		return fmt.Errorf("start_trader: process %d is not gone %v after kill -9", t.cmd.Process.Pid, killedWait)
	}
}

// fault is an error with the end of what the trader wrote.
func (t *trader) fault(format string, a ...any) error {
	const tail = 2000
	b, err := os.ReadFile(t.log)
	if err != nil {
		b = []byte(err.Error())
	}
	b = bytes.TrimSpace(b)
	return fmt.Errorf("start_trader: "+format+"; its output ends with:\n%s", append(a, b[max(0, len(b)-tail):])...)
}
