package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"robotrader/broker/order"
)

// StartCash is what the gateway's account begins with, in US dollars.
const StartCash = "1000000"

// Gateway is a running gatewaysim.
type Gateway struct {
	*Process
	Addr  string // host:port that it listens on
	State string // the folder that outlives it
}

// StartGateway starts bin/gatewaysim with its state below folder and waits until
// it serves.
func StartGateway(ctx context.Context, bin, folder string, args ...string) (*Gateway, error) {
	g := &Gateway{State: filepath.Join(folder, "sim")}
	log := filepath.Join(folder, "gatewaysim.log")
	var err error
	g.Process, err = Start(log, nil, filepath.Join(bin, "gatewaysim"),
		append([]string{"--listen", "127.0.0.1:0", "--json", "--state", g.State, "--cash", StartCash}, args...)...)
	if err != nil {
		return nil, err
	}
	err = Await(ctx, startWait, func() error {
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
		g.Addr = told.Listen
		return nil
	})
	if err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// Trader is a running start_trader.
type Trader struct {
	*Process
	HTTP string // host:port of its API
	Data string // its data folder
}

// StartTrader starts one life of the program at path, headless, on the data
// folder below folder, against the gateway. Env may name where it is to crash.
func StartTrader(path, folder, http, gateway string, env []string, args ...string) (*Trader, error) {
	t := &Trader{HTTP: http, Data: filepath.Join(folder, "data")}
	args = append([]string{"--broker", "ibkr", "--gateway", gateway, "--headless", "--http", http, "--data", t.Data}, args...)
	var err error
	t.Process, err = Start(filepath.Join(folder, "start_trader.log"), env, path, args...)
	return t, err
}

// Get asks the trader; out may be nil.
func (t *Trader) Get(ctx context.Context, path string, out any) error {
	return t.Read(ctx, path, out, http.StatusOK)
}

// Read asks the trader, whose answer may have one of several codes; out may be
// nil.
func (t *Trader) Read(ctx context.Context, path string, out any, codes ...int) error {
	resp, err := t.ask(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if !slices.Contains(codes, resp.StatusCode) {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// Text asks the trader for what is no JSON, 8 MiB of it at most.
func (t *Trader) Text(ctx context.Context, path string) (string, error) {
	resp, err := t.ask(ctx, path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", path, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return string(b), err
}

func (t *Trader) ask(ctx context.Context, path string) (*http.Response, error) {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.HTTP+path, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// ErrEnded means that the trader ended where it should not.
var ErrEnded = errors.New("start_trader ended by itself")

// Ready waits until it is, and returns how long after the start that was.
func (t *Trader) Ready(ctx context.Context) (time.Duration, error) {
	var ended bool
	err := Await(ctx, startWait, func() error {
		select {
		case <-t.Ended:
			ended = true
			return nil
		default:
			return t.Get(ctx, "/readyz", nil)
		}
	})
	if ended {
		return 0, fmt.Errorf("%w; see %s", ErrEnded, t.Log)
	}
	return time.Since(t.Began), err
}

// errUnknown means that the trader does not know its positions yet.
var errUnknown = errors.New("the trader's positions are unknown")

// Show asks for what the trader shows.
func (t *Trader) Show(ctx context.Context) (Shown, error) {
	var message struct {
		Data Shown `json:"data"`
	}
	if err := t.Get(ctx, "/api/state", &message); err != nil {
		return Shown{}, err
	}
	if message.Data.Positions == nil {
		return Shown{}, errUnknown
	}
	return message.Data, nil
}

// Shown is the trader's state, as far as it is looked at.
type Shown struct {
	Positions []order.Position `json:"positions"`
	Orders    []order.Order    `json:"orders"`
	Fills     []order.Fill     `json:"fills"`
}
