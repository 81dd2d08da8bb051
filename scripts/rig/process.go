package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startWait = 30 * time.Second      // for a program to serve
	stopWait  = 15 * time.Second      // for one to end that was asked to
	pollEvery = 10 * time.Millisecond // at least, between two looks
)

// Process is a program that this one started.
type Process struct {
	Cmd   *exec.Cmd
	Began time.Time
	Log   string        // the file that has its output
	Ended chan struct{} // closed when it has exited
}

// Start runs a program with its output in a file, which it appends to. It dies
// with the one that started it.
func Start(log string, env []string, path string, args ...string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has its own
	p := &Process{Cmd: exec.Command(path, args...), Log: log, Ended: make(chan struct{})}
	p.Cmd.Env = append(os.Environ(), append(env, "TRADER_BROKER__IBKR__RESTART_AT=off", "TRADER_BROKER__IBKR__LOGIN_AT=off")...)
	p.Cmd.Stdout, p.Cmd.Stderr = f, f
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.Began = time.Now()
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which Kill and Stop end
		_ = p.Cmd.Wait() // ProcessState says it all
		close(p.Ended)
	}()
	return p, nil
}

// Kill ends it as a power cut does, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.Ended
}

// Stop ends it in order; it must exit with code 0.
func (p *Process) Stop() error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Cmd.Path, err)
	}
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-p.Ended:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %v; see %s", p.Cmd.Path, stopWait, p.Log)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with code %d; see %s", p.Cmd.Path, code, p.Log)
	}
	return nil
}

// Await polls until look says that it is so. It fails with what look said last. Who
// is looked at shares the machine: between two looks it has three times as long as
// one took.
func Await(ctx context.Context, within time.Duration, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		began := time.Now()
		err := look()
		if err == nil {
			return nil
		}
		Pause(ctx, max(pollEvery, 3*time.Since(began)))
		if ctx.Err() != nil {
			return fmt.Errorf("not within %v: %w", within, err)
		}
	}
}

// Pause waits, at most until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Ports below those that Linux (32768) and others (49152) give out.
const lowPort, lowPorts = 20000, 12000

// FreePort returns an address that nobody listens on at the moment. It is not one
// that the system gives out by itself: another program's connection could have it
// before it is listened on.
func FreePort() (addr string, err error) {
	for range 100 {
		addr = fmt.Sprintf("127.0.0.1:%d", lowPort+rand.IntN(lowPorts)) //nolint:gosec // no secret
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
