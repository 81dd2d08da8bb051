package feed

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// street is a feed on a real bus, and the bus.
type street struct {
	t    *testing.T
	bus  *bus.Server
	feed *Feed
	told chan []byte
	src  *Source
}

func newStreet(t *testing.T) *street {
	t.Helper()
	srv, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	s := &street{t: t, bus: srv, told: make(chan []byte, 1<<16)}
	s.feed = New(DefaultConfig(), &recorder{told: s.told}, silent)
	t.Cleanup(func() {
		if s.src != nil {
			if err := s.src.Close(within(t)); err != nil {
				t.Error(err)
			}
		}
		stop(t, s.feed)
		if err := srv.Stop(within(t)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *street) conn(name string) *bus.Conn {
	s.t.Helper()
	c, err := s.bus.Connect(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// open starts the feed and connects it.
func (s *street) open() {
	s.t.Helper()
	s.feed.Start()
	src, err := s.feed.Connect(s.conn("feed"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.src = src
}

// answers makes conn the owner who answers q with what fn returns.
func answers[A any](s *street, conn *bus.Conn, q event.Query[event.Empty, A], fn func() A) {
	s.t.Helper()
	if _, err := bus.Reply(conn, q, func(context.Context, event.Empty) A { return fn() }); err != nil {
		s.t.Fatal(err)
	}
}

func publish[T any](s *street, conn *bus.Conn, topic event.Topic[T], data T, parts ...string) {
	s.t.Helper()
	if err := bus.Publish(conn, topic, data, parts...); err != nil {
		s.t.Fatal(err)
	}
}

// until reads what was told until a message is what is wanted.
func (s *street) until(what string, is func(m message) bool) message {
	s.t.Helper()
	ctx := within(s.t)
	for {
		select {
		case raw := <-s.told:
			if m := decode(raw); is(m) {
				return m
			}
		case <-ctx.Done():
			s.t.Fatalf("nobody told %s", what)
		}
	}
}

func (s *street) untilKind(kind string) message {
	s.t.Helper()
	return s.until(kind, func(m message) bool { return m.Type == kind })
}

func (s *street) state() obj {
	s.t.Helper()
	raw, err := s.feed.State(within(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return decode(raw).Data.(obj)
}

// settled waits until an owner's answer is folded, when its question is out.
func (s *street) settled(who int) {
	s.t.Helper()
	for ctx := within(s.t); ctx.Err() == nil; {
		out := make(chan bool, 1)
		s.feed.do(func() { out <- s.feed.owners[who].told != nil })
		if !<-out {
			return
		}
	}
	s.t.Fatal("a question is still out")
}

func await(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
}

var aDesk = event.Desk{
	Mode: event.ModeChange{Mode: broker.Active, Reason: "started"}, Account: "DU1",
	Orders: []order.Order{{Ref: "r1", State: order.Working}}, Positions: []order.Position{{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(5)}},
}

func TestOwnersAreAskedAtTheStart(t *testing.T) {
	s := newStreet(t)
	answers(s, s.conn("link"), event.LinkState, func() broker.Link { return broker.Link{State: broker.Ready} })
	answers(s, s.conn("desk"), event.DeskState, func() event.Desk { return aDesk })
	answers(s, s.conn("runner"), event.RunState, func() event.Run {
		return event.Run{Width: time.Minute, Bars: map[market.Symbol][]market.Bar{"AAPL": {{Start: noon}}}}
	})
	s.open()
	missing := map[string]bool{"link": true, "mode": true, "order": true, "position": true, "bars": true}
	s.until("all that the owners know", func(m message) bool { delete(missing, m.Type); return len(missing) == 0 })
	data := s.state()
	if data["link"].(obj)["state"] != "ready" || len(data["orders"].(list)) != 1 || len(data["positions"].(list)) != 1 || len(data["bars"].(obj)["AAPL"].(list)) != 1 {
		t.Errorf("state is %v", data)
	}
}

// Nobody answers for the link and the runner; the desk comes late, and first
// with an empty answer, which is none.
func TestLateOwnersAreAskedAgain(t *testing.T) {
	s := newStreet(t)
	s.open()
	if data := s.state(); data["mode"] != nil || data["orders"] != nil {
		t.Errorf("without a desk: mode %v, orders %v", data["mode"], data["orders"])
	}
	var asked atomic.Int32
	answers(s, s.conn("desk"), event.DeskState, func() event.Desk {
		if asked.Add(1) == 1 {
			return event.Desk{}
		}
		return aDesk
	})
	m := s.untilKind("mode")
	if m.Data.(obj)["mode"] != "active" || asked.Load() < 2 {
		t.Errorf("mode %v after %d questions", m.Data, asked.Load())
	}
	s.untilKind("position")
}

// An answer that was on its way while newer messages came fills in the rest,
// and undoes nothing.
func TestAnAnswerDoesNotUndoNewerMessages(t *testing.T) {
	s := newStreet(t)
	desk, link := s.conn("desk"), s.conn("link")
	folded := map[string]chan struct{}{}
	for _, kind := range []string{"order", "mode", "link"} {
		folded[kind] = make(chan struct{}, 64)
	}
	old := aDesk
	old.Orders = append(old.Orders, order.Order{Ref: "r2", State: order.Working})
	answers(s, desk, event.DeskState, func() event.Desk {
		publish(s, desk, event.Order, order.Order{Ref: "r1", State: order.Filled})
		publish(s, desk, event.Mode, event.ModeChange{Mode: broker.Halted})
		await(t, folded["order"], "order while the answer is on its way")
		await(t, folded["mode"], "mode while the answer is on its way")
		return old
	})
	answers(s, link, event.LinkState, func() broker.Link {
		publish(s, link, event.Link, broker.Link{State: broker.Waiting, Cause: "newer"})
		await(t, folded["link"], "link while the answer is on its way")
		return broker.Link{State: broker.Ready}
	})
	s.open()
	missing := map[string]bool{"link": true, "position": true}
	s.until("the rest of the answer", func(m message) bool {
		if ch := folded[m.Type]; ch != nil {
			ch <- struct{}{}
		}
		delete(missing, m.Type)
		return len(missing) == 0
	})
	s.settled(linkOwner)
	s.settled(deskOwner)
	data := s.state()
	states := map[any]any{}
	for _, o := range data["orders"].(list) {
		states[o.(obj)["ref"]] = o.(obj)["state"]
	}
	if states["r1"] != "filled" || states["r2"] != "working" || data["mode"].(obj)["mode"] != "halted" || data["link"].(obj)["cause"] != "newer" {
		t.Errorf("orders %v, mode %v, link %v", states, data["mode"], data["link"])
	}
}

// While the feed is held up more bars come than its queue holds. The gap
// shows with the next bar, and the runner is asked for all.
func TestAGapIsAskedAbout(t *testing.T) {
	s := newStreet(t)
	runner := s.conn("runner")
	asked := make(chan struct{}, 64)
	answers(s, runner, event.RunState, func() event.Run { asked <- struct{}{}; return event.Run{Width: time.Minute} })
	s.open()
	await(t, asked, "first question")
	s.untilKind("portfolio") // the answer is folded

	held, goOn := make(chan struct{}), make(chan struct{})
	s.feed.do(func() { close(held); <-goOn })
	await(t, held, "turn of the feed")
	bar := event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: market.Bar{Start: noon}}
	for range 1<<14 + mailbox + 1000 {
		publish(s, runner, event.Bar, bar)
	}
	close(goOn)
	for ctx := within(t); ; {
		select {
		case <-asked:
			return
		case <-ctx.Done():
			t.Fatal("nobody asked the runner after a gap")
		case <-s.told:
		default: // until there is room in the queue for one that shows the gap
			publish(s, runner, event.Bar, bar)
		}
	}
}

func TestReadyLinkAndChangedStrategyAreAskedAbout(t *testing.T) {
	s := newStreet(t)
	link, runner, desk := s.conn("link"), s.conn("runner"), s.conn("desk")
	deskAsked, runAsked := make(chan struct{}, 64), make(chan struct{}, 64)
	answers(s, desk, event.DeskState, func() event.Desk { deskAsked <- struct{}{}; return aDesk })
	answers(s, runner, event.RunState, func() event.Run { runAsked <- struct{}{}; return event.Run{Width: time.Minute} })
	s.open()
	await(t, deskAsked, "question to the desk")
	await(t, runAsked, "question to the runner")
	publish(s, link, event.Link, broker.Link{State: broker.Ready})
	await(t, deskAsked, "question to the desk after ready")
	await(t, runAsked, "question to the runner after ready")
	publish(s, runner, event.Strategy, event.StrategyState{Name: "x", Symbol: "AAPL", State: "running"})
	await(t, runAsked, "question to the runner after a strategy changed")
}

// Everything that travels on the bus reaches a client, and what it folds is
// the state.
func TestBusToClient(t *testing.T) {
	const n = 120
	s := newStreet(t)
	desk, runner, link, sim := s.conn("desk"), s.conn("runner"), s.conn("link"), s.conn("sim")
	answers(s, desk, event.DeskState, func() event.Desk { return aDesk })
	answers(s, runner, event.RunState, func() event.Run { return event.Run{Width: time.Minute} })
	answers(s, link, event.LinkState, func() broker.Link { return broker.Link{State: broker.Recovering} })
	s.open()
	var clients []*client
	for i := range n {
		at := noon.Add(time.Duration(i) * time.Second)
		publish(s, desk, event.Order, order.Order{Ref: fmt.Sprint("o", i%50), Qty: market.Shares(int64(i)), Created: at})
		publish(s, desk, event.Fill, order.Fill{ExecID: fmt.Sprint("x", i), At: at})
		publish(s, desk, event.Position, order.Position{Account: "DU1", Symbol: "AAPL", Qty: market.Shares(int64(i))})
		publish(s, desk, event.Protected, event.Protection{Guards: []event.GuardState{{Symbol: "AAPL", Cause: fmt.Sprint(i)}}})
		publish(s, desk, event.Finding, broker.Finding{Kind: "position", Done: fmt.Sprint(i), At: at})
		publish(s, desk, event.Account, event.AccountValues{Account: "DU1", Values: manyValues(3)})
		publish(s, desk, event.Decision, event.Decided{Decision: order.Decision{Allowed: true}})
		publish(s, desk, event.Data, event.DataState{Symbol: "AAPL", Cause: fmt.Sprint(i)})
		publish(s, desk, event.Tick, event.Ticks{Symbol: "BRK.B", Ticks: []event.TickData{bidTick(fmt.Sprint(i))}}, "BRK.B")
		publish(s, runner, event.Bar, event.BarUpdate{Symbol: "AAPL", Width: time.Minute, Bar: market.Bar{Start: at.Truncate(time.Minute), Trades: i}})
		publish(s, runner, event.Strategy, event.StrategyState{Name: "s", Symbol: "AAPL", State: "running", Detail: fmt.Sprint(i)})
		publish(s, runner, event.Portfolio, event.PortfolioState{Equity: market.MustMoney(fmt.Sprint(i)).Ptr(), Market: at})
		publish(s, link, event.Notice, event.NoticeText{Text: fmt.Sprint(i)})
		publish(s, sim, event.Sim, event.SimState{Simulated: true, Source: fmt.Sprint(i)})
		publish(s, sim, event.Bus, event.BusState{State: event.BusLost, Cause: fmt.Sprint(i)})
		if i%20 == 0 {
			s.feed.Join(func(first []byte) {
				c := newClient(first)
				clients = append(clients, c)
				r := s.feed.out.(*recorder)
				r.joins = append(r.joins, c)
			})
		}
	}
	last := fmt.Sprint(n - 1)
	ends := map[string]func(data obj) any{
		"order": func(d obj) any { return d["qty"] }, "position": func(d obj) any { return d["qty"] }, "data": func(d obj) any { return d["cause"] },
		"strategy": func(d obj) any { return d["detail"] }, "event": func(d obj) any { return d["text"] }, "sim": func(d obj) any { return d["source"] },
		"bus":   func(d obj) any { return d["cause"] },
		"quote": func(d obj) any { return d["bid"] }, "fill": func(d obj) any { return d["exec_id"].(string)[1:] },
		"risk":      func(d obj) any { return fmt.Sprint(d["allowed"].(float64) - 1) },
		"bar":       func(d obj) any { return fmt.Sprint(d["bar"].(obj)["trades"]) },
		"portfolio": func(d obj) any { return d["equity"] },
		"account":   func(obj) any { return last }, // what its values became is checked below
		"finding":   func(d obj) any { return d["done"] },
		"protection": func(d obj) any {
			if g, ok := d["guards"].(list); ok && len(g) > 0 {
				return g[0].(obj)["cause"]
			}
			return nil
		},
	}
	s.until("the last of everything", func(m message) bool {
		if of := ends[m.Type]; of != nil && of(m.Data.(obj)) == last {
			delete(ends, m.Type)
		}
		return len(ends) == 0
	})
	checked := make(chan error, 1)
	s.feed.do(func() { // at one instant
		s.feed.tellQuotes()
		now, err := s.feed.snapshot()
		for _, c := range clients {
			err = errors.Join(err, c.check(now))
		}
		checked <- err
	})
	if err := <-checked; err != nil {
		t.Error(err)
	}
	if len(clients) != n/20 {
		t.Errorf("%d clients", len(clients))
	}
}

func TestConnectToAClosedBusLeavesNothing(t *testing.T) {
	s := newStreet(t)
	conn := s.conn("feed")
	if err := conn.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	s.feed.Start()
	if src, err := s.feed.Connect(conn); src != nil || !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Connect: %v, %v; want ErrClosed", src, err)
	}
}

func TestCloseEndsThoseWhoAsk(t *testing.T) {
	s := newStreet(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	answers(s, s.conn("desk"), event.DeskState, func() event.Desk { close(asked); <-goOn; return aDesk })
	s.open()
	await(t, asked, "question")
	if err := s.src.Close(within(t)); err != nil { // while the desk is thinking
		t.Error(err)
	}
	close(goOn)
	if err := s.src.Close(within(t)); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
