package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

const (
	askTimeout = 2 * time.Second        // for the owner of a state to answer
	askAgain   = 500 * time.Millisecond // after an owner that is not there yet
)

// Source is a feed's connection to the bus. Close ends it.
type Source struct {
	feed   *Feed
	conn   *bus.Conn
	subs   []*bus.Sub
	again  chan struct{} // asks for all state once more; holds one wish
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Connect subscribes the feed to everything that a dashboard shows, then asks
// the owners of lasting state for it, again and again until each has answered,
// and once more after every gap.
func (f *Feed) Connect(conn *bus.Conn) (*Source, error) {
	s := &Source{feed: f, conn: conn, again: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	err := errors.Join(
		listen(s, event.Link, bus.Keep, s.onLink),
		listen(s, event.Tick, bus.Bounded(1<<16), f.onTicks),
		listen(s, event.Order, bus.Keep, f.onOrder),
		listen(s, event.Fill, bus.Keep, f.onFill),
		listen(s, event.Position, bus.Keep, f.onPosition),
		listen(s, event.Account, bus.Keep, f.onAccount),
		listen(s, event.Mode, bus.Keep, f.onMode),
		listen(s, event.Decision, bus.Keep, f.onDecision),
		listen(s, event.Data, bus.Keep, f.onData),
		listen(s, event.Bar, bus.Bounded(1<<14), f.onBar),
		listen(s, event.Strategy, bus.Bounded(1<<14), s.onStrategy),
		listen(s, event.Portfolio, bus.Bounded(1<<14), f.onPortfolio),
		listen(s, event.Notice, bus.Bounded(1<<14), f.onNotice),
		listen(s, event.Sim, bus.Keep, f.onSim),
	)
	if err != nil {
		_ = s.Close(ctx)
		return nil, err
	}
	s.wg.Add(1)
	go func() { defer s.wg.Done(); s.resync(ctx) }()
	s.wish()
	return s, nil
}

// listen subscribes to one topic and hands its messages to the feed's
// goroutine.
func listen[T any](s *Source, t event.Topic[T], p bus.Policy, fold func(event.Message[T])) error {
	sub, err := bus.Subscribe(s.conn, t, p, func(m event.Message[T]) { s.feed.do(func() { fold(m) }) })
	if err != nil {
		return err
	}
	sub.OnGap(func(bus.Gap) { s.wish() })
	s.subs = append(s.subs, sub)
	return nil
}

func (s *Source) wish() {
	select {
	case s.again <- struct{}{}:
	default: // one wish serves both
	}
}

// resync asks for all lasting state whenever that is wished.
func (s *Source) resync(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.again:
		}
		ask(ctx, s, event.LinkState, s.feed.setLink)
		ask(ctx, s, event.DeskState, s.feed.setDesk)
		ask(ctx, s, event.RunState, s.feed.setRun)
	}
}

// ask asks one owner until it answers or ctx ends.
func ask[A any](ctx context.Context, s *Source, q event.Query[event.Empty, A], fold func(A)) {
	for {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		a, err := bus.Ask(once, s.conn, q, event.Empty{})
		cancel()
		if err == nil {
			s.feed.do(func() { fold(a) })
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(askAgain):
		}
	}
}

// Close ends the subscriptions; the bus connection stays its owner's.
func (s *Source) Close(ctx context.Context) error {
	s.cancel()
	var errs []error
	for _, sub := range s.subs {
		errs = append(errs, sub.Stop(ctx))
	}
	s.wg.Wait() // resync ends with its context
	return errors.Join(errs...)
}

// onLink folds the link. A link that became ready has just recovered, so the
// desk knows what nobody publishes because it did not change.
func (s *Source) onLink(m event.Message[broker.Link]) {
	f := s.feed
	was := f.snap.Link
	f.setLink(m.Data)
	if m.Data.State == broker.Ready && (was == nil || was.State != broker.Ready) {
		s.wish()
	}
}

// onStrategy folds a strategy's state. One that changed its state may have
// loaded history, which is told on request only.
func (s *Source) onStrategy(m event.Message[event.StrategyState]) {
	f := s.feed
	changed := true
	for _, st := range f.snap.Strategies {
		if st.Name == m.Data.Name && st.Symbol == m.Data.Symbol {
			changed = st.State != m.Data.State
		}
	}
	f.snap.putStrategy(m.Data)
	f.tell("strategy", m.Data)
	if changed {
		s.wish()
	}
}

func (f *Feed) setLink(l broker.Link) {
	f.snap.Link = &l
	f.tell("link", l)
}

func (f *Feed) onTicks(m event.Message[event.Ticks]) {
	for _, t := range m.Data.Ticks {
		f.snap.tick(m.Data.Symbol, t, m.At)
	}
	f.dirty[m.Data.Symbol] = true
}

func (f *Feed) onOrder(m event.Message[order.Order]) {
	f.snap.putOrder(m.Data)
	f.tell("order", m.Data)
}

func (f *Feed) onFill(m event.Message[order.Fill]) {
	f.snap.putFill(m.Data)
	f.tell("fill", m.Data)
}

func (f *Feed) onPosition(m event.Message[order.Position]) {
	f.snap.putPosition(m.Data)
	f.tell("position", m.Data)
}

func (f *Feed) onAccount(m event.Message[event.AccountValues]) {
	f.snap.putValues(m.Data.Account, m.Data.Values)
	f.tell("account", f.snap.Account)
}

func (f *Feed) onMode(m event.Message[event.ModeChange]) {
	f.snap.Mode = &m.Data
	f.tell("mode", m.Data)
}

func (f *Feed) onDecision(m event.Message[event.Decided]) {
	if m.Data.Decision.Allowed {
		f.snap.Risk.Allowed++
	} else {
		f.snap.Risk.Refused++
		f.snap.Risk.Last = &m.Data
	}
	f.tell("risk", f.snap.Risk)
}

func (f *Feed) onData(m event.Message[event.DataState]) {
	f.snap.Data[m.Data.Symbol] = m.Data
	f.tell("data", m.Data)
}

func (f *Feed) onBar(m event.Message[event.BarUpdate]) {
	f.snap.putBar(m.Data.Symbol, m.Data.Bar)
	f.snap.BarWidth = m.Data.Width
	f.tell("bar", m.Data)
}

func (f *Feed) onPortfolio(m event.Message[event.PortfolioState]) {
	f.snap.putPortfolio(m.Data)
	f.tell("account", f.snap.Account)
}

func (f *Feed) onNotice(m event.Message[event.NoticeText]) {
	e := Event{m.At, m.Data}
	f.snap.Events = put(f.snap.Events, e, func(Event) bool { return false }, maxEvents)
	f.tell("event", e)
}

func (f *Feed) onSim(m event.Message[event.SimState]) {
	f.snap.Sim = &m.Data
	f.tell("sim", m.Data)
}

// setDesk takes over the desk's whole state, then tells each part of it.
func (f *Feed) setDesk(d event.Desk) {
	f.snap.Mode, f.snap.ReadOnly = &d.Mode, d.ReadOnly
	f.tell("mode", d.Mode)
	for _, o := range d.Orders {
		f.snap.putOrder(o)
		f.tell("order", o)
	}
	for _, fill := range d.Fills {
		f.snap.putFill(fill)
		f.tell("fill", fill)
	}
	if d.Positions != nil && f.snap.Positions == nil {
		f.snap.Positions = []order.Position{} // known, and flat as far as is told
	}
	for _, p := range d.Positions {
		f.snap.putPosition(p)
		f.tell("position", p)
	}
	for _, s := range d.Data {
		f.snap.Data[s.Symbol] = s
		f.tell("data", s)
	}
	if d.Account != "" {
		f.snap.putValues(d.Account, d.Values)
		f.tell("account", f.snap.Account)
	}
}

// setRun takes over the runner's whole state, then tells each part of it.
func (f *Feed) setRun(r event.Run) {
	f.snap.BarWidth = r.Width
	for _, st := range r.Strategies {
		f.snap.putStrategy(st)
		f.tell("strategy", st)
	}
	for sym, bars := range r.Bars {
		f.mergeBars(sym, bars, r.Width)
	}
	f.snap.putPortfolio(r.Portfolio)
	f.tell("account", f.snap.Account)
}

// mergeBars puts the runner's closed bars before what came as deltas.
func (f *Feed) mergeBars(sym market.Symbol, bars []market.Bar, width time.Duration) {
	for _, b := range bars {
		f.snap.putBar(sym, b)
	}
	f.snap.sortBars(sym)
	for _, b := range f.snap.Bars[sym] {
		f.tell("bar", event.BarUpdate{Symbol: sym, Width: width, Bar: b, Closed: true})
	}
}
