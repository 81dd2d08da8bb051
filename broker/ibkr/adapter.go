package ibkr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
)

// Adapter opens sessions with one gateway.
type Adapter struct {
	cfg    Config
	budget *pace.Budget // of all its sessions
}

var _ broker.Adapter = (*Adapter)(nil)

// New returns the adapter. It connects nothing; cfg must be valid.
func New(cfg Config) *Adapter {
	return &Adapter{cfg, pace.NewBudget(cfg.SendsPerSecond, cfg.ReserveSends)}
}

// Name returns "ibkr".
func (a *Adapter) Name() string { return "ibkr" }

// Open makes the handshake; see [broker.Adapter]. The five rungs share
// Config.HandshakeTimeout. It takes no account for granted: with several and
// none named, with an unknown one, and with a live one that was not asked for,
// the session is refused.
func (a *Adapter) Open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	h, sess, err := a.open(ctx, cfg, on)
	if err != nil {
		return nil, err
	}
	sess.begin(h.facts)
	return sess, nil
}

// open is Open without the reader: nothing runs yet.
func (a *Adapter) open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (*handshake, *Session, error) {
	address, err := Address(a.cfg.Gateway)
	if err != nil {
		return nil, nil, &broker.Error{Op: "open", Kind: broker.ErrRefused, Failure: broker.Unreachable, Rung: broker.RungTCP, Err: err, Advice: "set --gateway"}
	}
	now := time.Now()
	h := &handshake{
		cfg: a.cfg, budget: a.budget, address: address, began: now, deadline: now.Add(a.cfg.HandshakeTimeout), on: on,
		facts: broker.Facts{
			Gateway: address, ClientID: a.cfg.ClientID, Simulated: a.cfg.Simulated, Speed: a.cfg.Speed, Opened: now,
			ForceDisconnect: a.cfg.ForceDisconnect,
		},
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(h.deadline) {
		h.deadline = deadline
	}
	sess, err := h.climb(ctx)
	if err != nil {
		return nil, nil, err
	}
	if fault := h.choose(cfg); fault != nil {
		sess.tap.end(fault)
		h.cfg.closeWell(sess.conn, time.Until(h.deadline), nil)
		return nil, nil, fault
	}
	return h, sess, nil
}

// choose picks the account and holds the guards.
func (h *handshake) choose(cfg broker.OpenConfig) *broker.Error {
	if cfg.AnyAccount {
		return nil
	}
	refuse := func(advice, format string, a ...any) *broker.Error {
		return &broker.Error{
			Op: "open " + h.address, Kind: broker.ErrRefused, Rung: broker.RungManagedAccounts, Failure: broker.Forbidden, Advice: advice,
			Rungs: slices.Clone(h.rungs), Facts: h.facts, Err: fmt.Errorf(format, a...),
		}
	}
	all := strings.Join(h.facts.Accounts, ", ")
	account := cfg.Account
	switch {
	case account == "" && len(h.facts.Accounts) > 1:
		return refuse("name one of them with --account: "+all, "the gateway has %d accounts and none is named", len(h.facts.Accounts))
	case account == "":
		account = h.facts.Accounts[0]
	case !slices.Contains(h.facts.Accounts, account):
		return refuse("name one of them with --account: "+all, "account %.40q is not one of the gateway's", account)
	}
	if len(cfg.Allowed) > 0 && !slices.Contains(cfg.Allowed, account) {
		return refuse("log in with another user, or add it to broker.accounts if it may be traded",
			"account %s is not one that may be traded: broker.accounts allows %s", account, strings.Join(cfg.Allowed, ", "))
	}
	if !strings.HasPrefix(account, "D") && !cfg.Live {
		return refuse("log in to a paper account, or say --live to trade real money", "account %s is not a paper account", account)
	}
	h.facts.Account = account
	return nil
}

// dial opens the TCP connection, to one address: a dialler that tries several
// would leave bare connections behind, which a gateway never forgets.
func (h *handshake) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, h.deadline, errHandshakeOver)
	defer cancel()
	if h.cfg.Dial != nil {
		return h.cfg.Dial(ctx, h.address)
	}
	host, port, err := net.SplitHostPort(h.address)
	if err != nil {
		return nil, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("lookup %s: no address", host)
	}
	addr := addrs[0].Unmap()
	for _, a := range addrs { // gateways listen on IPv4 in any case
		if a = a.Unmap(); a.Is4() {
			addr = a
			break
		}
	}
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(addr.String(), port))
}

func (c Config) logger() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.Default()
}

// Prober makes single handshakes; it satisfies the Prober of services/diag.
type Prober struct {
	// Dial replaces the TCP dialler in tests.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Log gets what a session logs. Nil = slog.Default.
	Log *slog.Logger
}

// Probe climbs the five rungs once and closes well. An error that is no
// *[broker.Error] means that the question makes no sense and nothing was tried.
func (p Prober) Probe(ctx context.Context, gateway string, clientID int, timeout time.Duration) (broker.Facts, []broker.Rung, error) {
	cfg := DefaultConfig()
	cfg.Gateway, cfg.ClientID, cfg.HandshakeTimeout, cfg.Dial, cfg.Log = gateway, clientID, timeout, p.Dial, p.Log
	if err := cfg.Validate(); err != nil {
		return broker.Facts{}, nil, err
	}
	h, sess, err := New(cfg).open(ctx, broker.OpenConfig{AnyAccount: true}, nil)
	var e *broker.Error
	switch {
	case err == nil:
		h.cfg.closeWell(sess.conn, time.Until(h.deadline), nil)
		return h.facts, h.rungs, nil
	case errors.As(err, &e):
		return e.Facts, e.Rungs, err
	}
	return broker.Facts{}, nil, err
}
