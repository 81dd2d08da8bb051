package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// MemoryConfig sets up a [Memory].
type MemoryConfig struct {
	// Accounts of the login. Default one, "DU7654321".
	Accounts []string
	// Symbol is the one that is traded, in a synthetic market. Default AAPL.
	Symbol market.Symbol
	// Start is the market time of the venue's beginning, from which it goes
	// on with the wall clock. Default now.
	Start time.Time
	// ClientID is the sessions' API client id. Default 1.
	ClientID int
	// PartialFills bounds each fill by the size that is shown. Default false.
	PartialFills bool
	// NextOrderID is what a first session is told. Default 1.
	NextOrderID int64
}

// Memory is a venue in memory and the adapter that opens it. It is safe for
// concurrent use.
type Memory struct {
	cfg   MemoryConfig
	began time.Time // wall time of Start

	mu       sync.Mutex // guards all below, and the sessions' fields
	exchange *exchange.Exchange
	source   *tape.Synthetic
	sessions []*session // open ones
	nextID   int64
	faults   Faults
	held     []broker.Event  // commissions that are held back
	spent    map[string]bool // OCA groups that have filled something: nobody joins one
}

// Faults is what the venue does wrong, from the next call on.
type Faults struct {
	Silent          bool  // orders and cancels are taken from the wire and nothing more is heard of them
	Repeat          bool  // every execution and commission is told twice
	HoldCommissions bool  // commissions wait until this is false again
	Place           error // what Place and Cancel return, with nothing done
	Account         error // what the account's questions return
	Subscribe       error // what Subscribe returns
}

var (
	_ broker.Adapter        = (*Memory)(nil)
	_ broker.Session        = (*session)(nil)
	_ broker.Trader         = (*session)(nil)
	_ broker.MarketData     = (*session)(nil)
	_ broker.HistorySource  = (*session)(nil)
	_ broker.AccountSource  = (*session)(nil)
	_ broker.ContractSource = (*session)(nil)
	_ Driver                = (*Memory)(nil)
)

// NewMemory returns a venue.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	if len(cfg.Accounts) == 0 {
		cfg.Accounts = exchange.DefaultConfig().Accounts
	}
	if cfg.Symbol == "" {
		cfg.Symbol = "AAPL"
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Now()
	}
	cfg.ClientID = max(cfg.ClientID, 1)
	cfg.NextOrderID = max(cfg.NextOrderID, 1)
	source, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: cfg.Symbol, Seed: 1, Start: cfg.Start})
	if err != nil {
		return nil, fmt.Errorf("brokertest: memory: %w", err)
	}
	xc := exchange.DefaultConfig()
	xc.Accounts, xc.PartialFills = cfg.Accounts, cfg.PartialFills
	x, err := exchange.New(xc)
	if err != nil {
		return nil, fmt.Errorf("brokertest: memory: %w", err)
	}
	hours, err := source.Hours(cfg.Symbol, cfg.Start)
	if err != nil {
		return nil, fmt.Errorf("brokertest: memory: %w", err)
	}
	if err := x.List(exchange.StockDetails(cfg.Symbol, hours.Trading, hours.Liquid)); err != nil {
		return nil, fmt.Errorf("brokertest: memory: %w", err)
	}
	return &Memory{cfg: cfg, began: time.Now(), exchange: x, source: source, nextID: cfg.NextOrderID, spent: map[string]bool{}}, nil
}

// Name returns "memory".
func (m *Memory) Name() string { return "memory" }

// Open opens a session at once.
func (m *Memory) Open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	began := time.Now()
	var rungs []broker.Rung
	fail := func(rung string, kind error, advice string, err error) (broker.Session, error) {
		r := broker.Rung{Name: rung, AtMS: float64(time.Since(began).Microseconds()) / 1000, Note: err.Error()}
		on(r)
		failure := broker.NoFailure // we gave up
		if kind == broker.ErrRefused {
			failure = broker.Forbidden
		}
		return nil, &broker.Error{Op: "open memory", Kind: kind, Rung: rung, Failure: failure, Advice: advice, Rungs: append(rungs, r), Err: err}
	}
	account := cfg.Account
	for _, name := range broker.Rungs()[:5] {
		if ctx.Err() != nil {
			return fail(name, broker.ErrGatewayDown, "try again", ctx.Err())
		}
		if name == broker.RungManagedAccounts && !cfg.AnyAccount {
			var err error
			if account, err = m.choose(cfg); err != nil {
				return fail(name, broker.ErrRefused, "name an account of this login, or start with --live", err)
			}
		}
		r := broker.Rung{Name: name, OK: true, AtMS: float64(time.Since(began).Microseconds()) / 1000}
		rungs = append(rungs, r)
		on(r)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &session{m: m, some: make(chan struct{}, 1), subscribed: map[market.Symbol]bool{}}
	s.facts = broker.Facts{
		Gateway: "memory", ServerVersion: 200, Accounts: slices.Clone(m.cfg.Accounts), Account: account,
		ClientID: m.cfg.ClientID, NextOrderID: m.nextID, Speed: 1, Opened: time.Now(),
	}
	m.sessions = append(m.sessions, s)
	return s, nil
}

// choose holds the port's guards.
func (m *Memory) choose(cfg broker.OpenConfig) (string, error) {
	account := cfg.Account
	if account == "" {
		if len(m.cfg.Accounts) > 1 {
			return "", fmt.Errorf("there are %d accounts and none is named: %q", len(m.cfg.Accounts), m.cfg.Accounts)
		}
		account = m.cfg.Accounts[0]
	}
	if !slices.Contains(m.cfg.Accounts, account) {
		return "", fmt.Errorf("account %.20q is not one of %q", account, m.cfg.Accounts)
	}
	if len(cfg.Allowed) > 0 && !slices.Contains(cfg.Allowed, account) {
		return "", fmt.Errorf("account %.20q is not one of the allowed %q", account, cfg.Allowed)
	}
	if account[0] != 'D' && !cfg.Live {
		return "", fmt.Errorf("account %.20q is live and live is off", account)
	}
	return account, nil
}

func (m *Memory) now() time.Time { return m.cfg.Start.Add(time.Since(m.began)) }

// Symbol is the one that is traded.
func (m *Memory) Symbol() market.Symbol { return m.cfg.Symbol }

// Move plays the market's next events, up to and including a trade.
func (m *Memory) Move() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		ev, ok := m.source.Next()
		if !ok {
			return
		}
		ev.At = m.now() // the tape's pace is not the venue's
		m.happen(ev)
		if ev.Kind == tape.Trade {
			return
		}
	}
}

// Quote sets the market: a bid and an ask of 1,000 shares each.
func (m *Memory) Quote(bid, ask market.Price) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := market.Shares(1000)
	m.happen(tape.Event{
		At: m.now(), Symbol: m.cfg.Symbol, Kind: tape.Quote,
		Bid: tape.Level{Price: bid, Size: size, Known: true}, Ask: tape.Level{Price: ask, Size: size, Known: true},
	})
}

// Trade prints a trade.
func (m *Memory) Trade(price market.Price, size market.Qty) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.happen(tape.Event{At: m.now(), Symbol: m.cfg.Symbol, Kind: tape.Trade, Price: price, Size: size})
}

func (m *Memory) happen(ev tape.Event) {
	reports := slices.Clone(m.exchange.Apply(ev.At, ev))
	ticks := ticksOf(ev)
	for _, s := range m.sessions {
		if s.subscribed[ev.Symbol] {
			s.push(ticks)
		}
	}
	m.tell(reports)
}

func ticksOf(ev tape.Event) []market.Tick {
	if ev.Kind == tape.Trade {
		return []market.Tick{{Symbol: ev.Symbol, Kind: market.TickTrade, Known: true, Price: ev.Price, Size: ev.Size, At: ev.At}}
	}
	side := func(kind market.TickKind, l tape.Level) market.Tick {
		return market.Tick{Symbol: ev.Symbol, Kind: kind, Known: l.Known, Price: l.Price, Size: l.Size, At: ev.At}
	}
	return []market.Tick{side(market.TickBid, ev.Bid), side(market.TickAsk, ev.Ask)}
}

// Fail makes the venue do wrong, or right again.
func (m *Memory) Fail(f Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = f
	if !f.HoldCommissions {
		held := m.held
		m.held = nil
		m.send(held)
	}
}

// Tell sends an event to all sessions, whatever it says.
func (m *Memory) Tell(events ...broker.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send(events)
}

// Lose ends all sessions, as a gateway does that goes away.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Clone(m.sessions) {
		s.finish(&broker.Error{Op: "read from memory", Kind: broker.ErrGatewayDown, Err: errors.New("the gateway closed the connection")})
	}
}

// Ledger returns the venue's own books.
func (m *Memory) Ledger() exchange.Ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.exchange.Ledger()
}

// send gives events to all sessions. The mutex is held.
func (m *Memory) send(events []broker.Event) {
	if len(events) == 0 {
		return
	}
	for _, s := range m.sessions {
		s.pending.Events = append(s.pending.Events, events...)
		s.pending.ReportFrames += uint64(len(events))
		s.wake()
	}
}

// tell turns the exchange's reports into a venue's. The mutex is held.
func (m *Memory) tell(reports []exchange.Report) {
	var events []broker.Event
	for _, r := range reports {
		if r, ok := r.(exchange.Executed); ok && r.Order.OCAGroup != "" {
			m.spent[r.Order.OCAGroup] = true
		}
		for _, e := range m.words(r) {
			switch e.(type) {
			case broker.CommissionReport:
				if m.faults.HoldCommissions {
					m.held = append(m.held, e)
					continue
				}
				if m.faults.Repeat {
					events = append(events, e)
				}
			case broker.ExecutionReport:
				if m.faults.Repeat {
					events = append(events, e)
				}
			}
			events = append(events, e)
		}
	}
	m.send(events)
}

// words are what a TWS says for a report.
func (m *Memory) words(r exchange.Report) []broker.Event {
	switch r := r.(type) {
	case exchange.Accepted:
		return described(plain(r.Order), "PreSubmitted", order.Acked)
	case exchange.Working:
		return described(plain(r.Order), "Submitted", order.WorkingNow)
	case exchange.Modified:
		word, sig := standing(r.Order)
		return described(plain(r.Order), word, sig)
	case exchange.Unmodified:
		word, sig := standing(r.Order)
		return []broker.Event{broker.Notice{
			Kind: broker.NoticeReject, Code: r.Reason.Code(), Text: r.Text, OrderID: r.Order.OrderID, At: m.now(),
		}, status(plain(r.Order), word, sig)}
	case exchange.Executed:
		word, sig := "Submitted", order.WorkingNow
		if r.Order.State == order.Filled {
			word, sig = "Filled", order.FilledUp
		}
		return append([]broker.Event{broker.ExecutionReport{Fill: r.Fill}}, described(plain(r.Order), word, sig)...)
	case exchange.Commission:
		return []broker.Event{commission(r.ExecID, r.Amount, r.Currency, r.RealizedPNL)}
	case exchange.Cancelled:
		word := status(r.Order.Order, "Cancelled", order.CancelDone)
		return []broker.Event{word, broker.Notice{
			Kind: broker.NoticeCancelled, Code: r.Reason.Code(), Text: "Order Canceled - reason:" + r.Reason.String(),
			OrderID: r.Order.OrderID, At: m.now(),
		}}
	case exchange.Rejected:
		return []broker.Event{broker.Notice{
			Kind: broker.NoticeReject, Code: r.Reason.Code(), Text: r.Text, OrderID: r.Order.OrderID, At: m.now(),
		}}
	}
	return nil
}

// plain is the exchange's order in the words of the port.
func plain(o exchange.Order) order.Order {
	p := o.Order
	p.StopPrice, p.OCA = o.Stop, o.OCAGroup
	return p
}

// standing is the status of an order that is open.
func standing(o exchange.Order) (word string, sig order.Signal) {
	if o.Wait != exchange.WaitNone {
		return "PreSubmitted", order.Acked
	}
	return "Submitted", order.WorkingNow
}

func described(o order.Order, word string, sig order.Signal) []broker.Event {
	return []broker.Event{openOrder(o, word, sig), status(o, word, sig)}
}

func openOrder(o order.Order, word string, sig order.Signal) broker.OrderReport {
	return broker.OrderReport{Order: o, Status: word, Signal: sig, Known: true}
}

func status(o order.Order, word string, sig order.Signal) broker.StatusReport {
	return broker.StatusReport{
		OrderID: o.OrderID, PermID: o.PermID, ClientID: o.ClientID, Status: word, Signal: sig, Known: true,
		Filled: o.Filled, Remaining: o.Remaining(),
	}
}

// commission tells realised P&L as IBKR does: after commission.
func commission(exec string, amount market.Money, currency string, pnl *market.Money) broker.CommissionReport {
	c := broker.CommissionReport{ExecID: exec, Commission: amount, Currency: currency}
	if pnl != nil {
		c.RealizedPNL = pnl.Sub(amount).Ptr()
	}
	return c
}
