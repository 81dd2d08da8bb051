package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"robotrader/broker/order"
)

const (
	startWait = 30 * time.Second // for a program to serve
	stopWait  = 15 * time.Second // for one to end that was asked to
	pollEvery = 5 * time.Millisecond
	account   = "DU7654321" // gatewaysim's own
)

// limits is the trader's configuration but for desk.protect: what one order a
// tick needs, and a limit for every order all the same. What is off is there to
// stop such a load.
const limits = `risk:
  max_order_qty: "5"
  orders_per_minute: 3000
  off: [notional_per_day, session, duplicate_intent, churn_cooldown, daily_loss, drawdown, losing_streak]
desk:
  settled_after: 10s # the gateway is gatewaysim, which has its orders as soon as it serves
  protect: `

// process is a program that this one started.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	log   string
	ended chan struct{} // closed when it has exited
}

// start runs a program with its output in a file.
func start(log string, env []string, path string, args ...string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has its own
	p := &process{cmd: exec.Command(path, args...), log: log, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), append(env, "TRADER_BROKER__IBKR__RESTART_AT=off", "TRADER_BROKER__IBKR__LOGIN_AT=off")...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which kill and stop end
		_ = p.cmd.Wait() // ProcessState says it all
		close(p.ended)
	}()
	return p, nil
}

// kill ends it as a power cut does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// stop ends it in order.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.kill()
		return fmt.Errorf("%s did not end within %v; see %s", p.cmd.Path, stopWait, p.log)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with code %d; see %s", p.cmd.Path, code, p.log)
	}
	return nil
}

// await polls until look says that it is so. It fails with what look said last.
func await(ctx context.Context, within time.Duration, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", within, err)
		}
	}
}

// gateway is a running gatewaysim.
type gateway struct {
	*process
	addr, state string
}

func startGateway(ctx context.Context, p plan, folder string) (*gateway, error) {
	g := &gateway{state: filepath.Join(folder, "sim")}
	log := filepath.Join(folder, "gatewaysim.log")
	var err error
	g.process, err = start(log, nil, filepath.Join(p.bin, "gatewaysim"), "--listen", "127.0.0.1:0", "--json", "--state", g.state,
		"--cash", startCash, "--busy", "10", "--partial-fills", "--max-rate", "0")
	if err != nil {
		return nil, err
	}
	err = await(ctx, startWait, func() error {
		f, err := os.Open(log)
		if err != nil {
			return err
		}
		defer f.Close()
		var told struct{ Listen string }
		lines := bufio.NewScanner(f)
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &told) != nil || told.Listen == "" {
			return fmt.Errorf("gatewaysim tells no address; see %s", log)
		}
		g.addr = told.Listen
		return nil
	})
	if err != nil {
		g.kill()
		return nil, err
	}
	return g, nil
}

// trader is a running start_trader.
type trader struct {
	*process
	http, data string
}

// freePort returns an address that nobody listens on at the moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startTrader starts one life on the round's data folder. Env may name where
// it is to crash.
func startTrader(p plan, folder, gateway string, env []string, args ...string) (*trader, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "limits.yaml")
	if err := os.WriteFile(config, []byte(limits+p.protect()+"\n"), 0o600); err != nil {
		return nil, err
	}
	name := "start_trader"
	if len(env) > 0 {
		name = crashing
	}
	t := &trader{http: addr, data: filepath.Join(folder, "data")}
	args = append([]string{
		"--broker", "ibkr", "--gateway", gateway, "--headless", "--http", addr, "--data", t.data,
		"--config", config, "--strategy", "every_tick",
	}, append(args, "AAPL")...)
	t.process, err = start(filepath.Join(folder, "start_trader.log"), env, filepath.Join(p.bin, name), args...)
	return t, err
}

// get asks the trader; out may be nil.
func (t *trader) get(ctx context.Context, path string, out any) error {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.http+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// errEnded means that the trader ended where it should not.
var errEnded = errors.New("start_trader ended by itself")

// ready waits until it is, and returns how long after the start that was.
func (t *trader) ready(ctx context.Context) (time.Duration, error) {
	var ended bool
	err := await(ctx, startWait, func() error {
		select {
		case <-t.ended:
			ended = true
			return nil
		default:
			return t.get(ctx, "/readyz", nil)
		}
	})
	if ended {
		return 0, fmt.Errorf("%w; see %s", errEnded, t.log)
	}
	return time.Since(t.began), err
}

// errUnknown means that the trader does not know its positions yet.
var errUnknown = errors.New("the trader's positions are unknown")

// state asks for what the trader shows.
func (t *trader) state(ctx context.Context) (shown, error) {
	var message struct {
		Data shown `json:"data"`
	}
	if err := t.get(ctx, "/api/state", &message); err != nil {
		return shown{}, err
	}
	if message.Data.Positions == nil {
		return shown{}, errUnknown
	}
	return message.Data, nil
}

// shown is the trader's state, as far as it is looked at.
type shown struct {
	Positions []order.Position `json:"positions"`
	Orders    []order.Order    `json:"orders"`
	Fills     []order.Fill     `json:"fills"`
}
