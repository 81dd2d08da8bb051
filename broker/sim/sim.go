package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// Config says what is simulated.
type Config struct {
	// Data are files to replay, each "[SYMBOL=]FILE": CSV of bars, trades or
	// daily bars. Without one the market is synthetic. Default none.
	Data []string `koanf:"data"`
	// Speed is market time over wall time; 0 is lock-step, as fast as the
	// trader can. Default 1.
	Speed float64 `koanf:"speed"`
	// Seed makes the synthetic market. Default 1.
	Seed uint64 `koanf:"seed"`
	// Start is the market time at which the synthetic market begins, such as
	// "2026-11-27T09:00:00" in New York, or with a zone. Default empty: now.
	Start string `koanf:"start"`
	// Sessions tells when the synthetic market is open: "always", or
	// "new_york" with its holidays and early closes. Default "always".
	Sessions string `koanf:"sessions"`
	// PartialFills lets an order fill no more at once than the market shows.
	// Default false: it fills whole.
	PartialFills bool `koanf:"partial_fills"`
	// Faults is the file of a fault script for the gateway, see package
	// fault. Default empty: nothing goes wrong.
	Faults string `koanf:"faults"`

	// Symbols are played by the synthetic market. Default AAPL.
	Symbols []market.Symbol `koanf:"-"`
	// ClientID is the trader's API client id, for which lock-step counts.
	// Default 1.
	ClientID int `koanf:"-"`
	// Account is the simulated login's only account. Default DU7654321.
	Account string `koanf:"-"`
	// StateDir is the existing folder for sim-ledger.json, written by Stop.
	// Empty writes none. Default empty.
	StateDir string `koanf:"-"`
	// Instance makes execution ids repeatable in tests, see
	// [gateway.Config]. Default 0: another one each time.
	Instance uint64 `koanf:"-"`
	// Log gets the gateway's and the session's events. Nil = slog.Default.
	Log *slog.Logger `koanf:"-"`
	// Tap sees every frame of the sessions, but in lock-step, where there would
	// be as many as the machine can make. Nil = nobody does.
	Tap ibkr.Tap `koanf:"-"`
}

// DefaultConfig returns a synthetic market in real time.
func DefaultConfig() Config {
	return Config{Speed: 1, Seed: 1, Sessions: tape.AlwaysOpen.String(), ClientID: 1, Account: "DU7654321"}
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("sim: "+format, a...)) }
	for _, d := range c.Data {
		_, path, err := ParseData(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := os.Stat(path); err != nil {
			bad("data %.80q: %w", d, err)
		}
	}
	if c.Speed < 0 || c.Speed > 1e6 || math.IsNaN(c.Speed) {
		bad("speed %v is not 0 to 1000000", c.Speed)
	}
	if _, err := c.market(time.Time{}); err != nil {
		errs = append(errs, err)
	}
	if len(c.Data) > 0 && (c.Start != "" || c.Sessions != tape.AlwaysOpen.String()) {
		bad("start and sessions are of the synthetic market, and data replays files: leave them out")
	}
	if script, err := c.script(); err != nil {
		errs = append(errs, err)
	} else if script != nil && c.Speed == 0 {
		errs = append(errs, script.Lockstep())
	}
	if c.ClientID < 0 || c.ClientID > ibkr.MaxClientID {
		bad("client id %d is not between 0 and %d", c.ClientID, ibkr.MaxClientID)
	}
	return errors.Join(errs...)
}

// market is the market to play; a synthetic one begins at now unless Start says
// otherwise.
func (c Config) market(now time.Time) (Market, error) {
	m := Market{Data: c.Data, Symbols: c.Symbols, Seed: c.Seed, Start: now.Truncate(time.Millisecond)}
	var err error
	if m.Sessions, err = tape.ParseSessions(c.Sessions); err != nil {
		return m, fmt.Errorf("sim: sessions: %w", err)
	}
	if c.Start != "" {
		m.Start, err = ParseStart(c.Start)
	}
	return m, err
}

// Source makes the market to play, see [Market.Source].
func (c Config) Source(now time.Time) (tape.Source, error) {
	m, err := c.market(now)
	if err != nil {
		return nil, err
	}
	return m.Source()
}

// script reads the fault script, nil without one.
func (c Config) script() (*fault.Script, error) {
	if c.Faults == "" {
		return nil, nil
	}
	return fault.Load(c.Faults)
}

// Adapter opens sessions with a gateway that it plays itself.
type Adapter struct {
	cfg   Config
	ended chan struct{}

	mu      sync.Mutex // guards the fields below
	server  *gateway.Server
	client  *ibkr.Adapter // for server, one for all sessions: their request ids never repeat
	fault   error         // why it did not start: it will not the next time
	stopped bool
}

var _ broker.Adapter = (*Adapter)(nil)

// New returns the adapter. It starts nothing; cfg must be valid.
func New(cfg Config) *Adapter { return &Adapter{cfg: cfg, ended: make(chan struct{})} }

// Name returns "sim".
func (a *Adapter) Name() string { return "sim" }

// errStopped means an adapter whose gateway was stopped for good.
var errStopped = errors.New("sim: stopped")

// Start starts the gateway, once. Open does so by itself.
func (a *Adapter) Start() error {
	_, err := a.start()
	return err
}

func (a *Adapter) start() (*ibkr.Adapter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return nil, errStopped
	case a.server != nil || a.fault != nil:
		return a.client, a.fault
	}
	if a.server, a.fault = a.launch(); a.fault == nil {
		a.client = a.dialler(a.server)
	}
	return a.client, a.fault
}

func (a *Adapter) launch() (*gateway.Server, error) {
	src, err := a.cfg.Source(time.Now())
	if err != nil {
		return nil, err
	}
	script, err := a.cfg.script()
	if err != nil {
		return nil, err
	}
	cfg := gateway.DefaultConfig()
	cfg.Faults, cfg.PartialFills = script, a.cfg.PartialFills
	cfg.Accounts = []string{a.cfg.Account}
	cfg.Speed, cfg.StateDir, cfg.Instance = a.cfg.Speed, a.cfg.StateDir, a.cfg.Instance
	cfg.OnEnd = func() { close(a.ended) }
	server, err := gateway.New(cfg, src, a.cfg.Log)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	return server, nil
}

// Open starts the gateway if it is not yet running, and opens it; see
// [broker.Adapter].
func (a *Adapter) Open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	client, err := a.start()
	if err != nil {
		return nil, &broker.Error{
			Op: "open the simulated gateway", Kind: broker.ErrRefused, Rung: broker.RungTCP,
			Advice: "mend the simulator's data or settings and start again", Err: err,
		}
	}
	return client.Open(ctx, cfg, on)
}

// dialler is the adapter for the gateway.
func (a *Adapter) dialler(server *gateway.Server) *ibkr.Adapter {
	c := ibkr.DefaultConfig()
	c.Gateway, c.ClientID = server.Addr().String(), a.cfg.ClientID
	c.Simulated, c.Speed, c.Log = true, a.cfg.Speed, a.cfg.Log
	if a.cfg.Speed > 0 {
		c.Tap = a.cfg.Tap
	}
	return ibkr.New(c)
}

// Stop ends the gateway and writes its ledger. It may be called twice, and
// without a start.
func (a *Adapter) Stop(ctx context.Context) error {
	a.mu.Lock()
	server, again := a.server, a.stopped
	a.stopped = true
	a.mu.Unlock()
	if server == nil || again {
		return nil
	}
	return server.Stop(ctx)
}

// Ended is closed when the tape has ended; a synthetic one never does. The
// gateway stays up.
func (a *Adapter) Ended() <-chan struct{} { return a.ended }

// State tells what is simulated, for the dashboard.
func (a *Adapter) State() event.SimState {
	st := event.SimState{Simulated: true, Speed: a.cfg.Speed}
	select {
	case <-a.ended:
		st.Ended = true
	default:
	}
	if server := a.running(); server != nil {
		st.Source, st.Market = server.Describe(), server.Now()
		for _, f := range server.Faults() {
			st.Faults = append(st.Faults, event.SimFault{Line: f.Line, Text: f.Text, Times: f.Times, Last: f.Last})
		}
	}
	return st
}

// Gateway is the gateway's address, host:port; empty before the start.
func (a *Adapter) Gateway() string {
	if server := a.running(); server != nil {
		return server.Addr().String()
	}
	return ""
}

func (a *Adapter) running() *gateway.Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.server
}
