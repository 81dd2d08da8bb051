package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// seconds is a market with a quote and a trade each second.
func seconds(n int) *script {
	s := &script{}
	for i := range n {
		at := time.Duration(i) * time.Second
		bid := market.MustPrice("187.24").Add(market.MustPrice("0.01").Times(int64(i % 7)))
		s.events = append(s.events, quote(at, bid.String(), bid.Add(market.MustPrice("0.02")).String()), trade(at, bid.String()))
	}
	return s
}

// paced starts a gateway with a script whose market moves when asked.
func paced(t *testing.T, src tape.Source, text string) *Server {
	t.Helper()
	f, err := fault.Parse("test.faults", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, src, func(c *Config) { c.Faults, c.Speed = f, 0 })
}

// move plays so many instants for a client.
func move(t *testing.T, s *Server, client, instants int) {
	t.Helper()
	for range instants {
		if _, err := s.Pacer(client).Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func ticks(list []wire.Message) (n int) {
	for _, m := range list {
		if id := m.ID(); id == wire.IDTickPrice || id == wire.IDTickSize || id == wire.IDTickString {
			n++
		}
	}
	return n
}

// watched is a client with market data on.
func watched(t *testing.T, s *Server, client int) (*peer, int64) {
	t.Helper()
	p, next := join(t, s, MaxVersion, client)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	p.sync()
	return p, next
}

func TestFaultsOfCodesAndFarms(t *testing.T) {
	for _, tt := range []struct {
		name, what string
		codes      []int
		during     bool // ticks come after it
		after      bool // and after what follows 4 s later
	}{
		{"1100", "error 1100\nafter 5s: error 1102", []int{1100, 1102}, false, true},
		{"1101 forgets subscriptions", "error 1100\nafter 5s: error 1101", []int{1100, 1101}, false, false},
		{"2110", "error 2110\nafter 5s: error 1102", []int{2110, 1102}, false, true},
		{"10197", "error 10197", []int{10197}, true, true},
		{"any code and text", `error 4711 "what is this"`, []int{4711}, true, true},
		{"market data farm", "farm usfarm down for 4s", []int{2103, 2104}, false, true},
		{"market data farm by two lines", "farm usfarm down\nafter 5s: farm usfarm up", []int{2103, 2104}, false, true},
		{"dead streams", "farm usfarm down\nafter 5s: farm usfarm up without streams", []int{2103, 2104}, false, false},
		{"idle farm", "farm usfarm idle", []int{2108}, true, true},
		{"past data farm", "farm ushmds down for 4s", []int{2105, 2106}, true, true},
		{"idle past data farm", "farm ushmds idle", []int{2107}, true, true},
		{"definitions farm", "farm secdefnj down for 4s", []int{2157, 2158}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := paced(t, seconds(20), "after 1s: "+tt.what)
			p, _ := watched(t, s, 1)
			move(t, s, 1, 2) // to 1 s
			got := codes(p.sync())
			move(t, s, 1, 3)
			during := p.sync()
			move(t, s, 1, 1) // to 5 s
			got = append(got, codes(p.sync())...)
			move(t, s, 1, 3)
			after := p.sync()
			if !slices.Equal(got, tt.codes) {
				t.Errorf("codes %v, want %v", got, tt.codes)
			}
			if n := ticks(during); n > 0 != tt.during {
				t.Errorf("%d ticks during it", n)
			}
			if n := ticks(after); n > 0 != tt.after {
				t.Errorf("%d ticks after it", n)
			}
		})
	}
}

func TestFaultsOfSomeClients(t *testing.T) {
	s := paced(t, seconds(10), "on the 1st reqManagedAccts from client: error 2109 \"for two\" to client 2\nafter 1s: error 1300")
	p, _ := join(t, s, MaxVersion, 1)
	q, _ := join(t, s, MaxVersion, 2)
	p.send(wire.ReqManagedAccts{})
	if got := codes(p.sync()); len(got) != 0 {
		t.Errorf("client 1 heard %v", got)
	}
	if got := codes(q.sync()); !slices.Equal(got, []int{2109}) {
		t.Errorf("client 2 heard %v", got)
	}
	move(t, s, 1, 2)
	for _, c := range []*peer{p, q} { // 1300 is told, and the connection dropped
		if got := codes(c.closed()); !slices.Equal(got, []int{1300}) {
			t.Errorf("heard %v", got)
		}
	}
}

func TestFaultsOfPastData(t *testing.T) {
	s := paced(t, seconds(10), "at start: farm ushmds down then farm secdefnj down")
	p, _ := join(t, s, MaxVersion, 1)
	p.send(wire.ReqContractDetails{ReqID: 1, Contract: aapl()})
	h := wire.ReqHistoricalData{ReqID: 2, Contract: aapl(), BarSize: "1 min", Duration: "600 S", WhatToShow: "TRADES", FormatDate: 1}
	p.send(h)
	if list := p.sync(); len(list) != 0 {
		t.Errorf("answered in spite of it: %v", names(list))
	}
}

func TestFaultsByTime(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		want   []int // the second in which each code comes
	}{
		"market time of day": {"at 09:30:03: error 1", []int{3}},
		"market time":        {"at 2026-04-02T09:30:04-04:00: error 1", []int{4}},
		"after the start":    {"after 2s: error 1", []int{2}},
		"after ready":        {"after 3s of ready: error 1", []int{3}},
		"after connection":   {"after 5s of connection 1: error 1", []int{5}},
		"not of another":     {"after 3s of ready of client 9: error 1", nil},
		"until":              {"after 3s, until 2s: error 1", nil},
		"on every 3rd tick":  {"on every 3rd tickString to client, 2 times: error 1", []int{2, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := paced(t, seconds(10), tt.script)
			p, _ := watched(t, s, 1)
			var got []int
			for i := range 10 {
				move(t, s, 1, 1)
				for range codes(p.sync()) {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("in seconds %v, want %v", got, tt.want)
			}
		})
	}
}

// The same script, seed, market and client: the same bytes.
func TestFaultsAreSeeded(t *testing.T) {
	text := `seed 5
with probability 0.3 on tickPrice to client: change field 5 of it to "?"
with probability 0.2 on tickSize to client: duplicate it
with probability 0.3 on tickString to client: delay it 2s
on every 5th tickPrice to client: garbage 6 bytes inside it
on every 7th tickPrice to client: frame "9999|x"
on the 1st hello to client: garbage 12 bytes
on connection 1: drip 700 bytes every 1ms
after 7s: error 2103
on the 9th tickString to client: split it at byte 5
on byte 6000 to client: garbage 30 bytes
on byte 9000 to client: close`
	play := func(text string) []byte {
		s := paced(t, seconds(400), text)
		p := dial(t, s)
		p.offer()
		p.send(wire.StartAPI{ClientID: 1})
		p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
		p.send(wire.CancelOrder{OrderID: 99}) // which the pacer counts
		settled(t, s, 1)
		for {
			_, err := s.Pacer(1).Next(t.Context())
			if errors.Is(err, ErrNoTrader) || errors.Is(err, io.EOF) {
				break // it is closed, or will be when the bytes have dripped
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got, end := p.raw(toTheEnd)
		if end != "close" {
			t.Errorf("ended with %s", end)
		}
		return got
	}
	first, again, other := play(text), play(text), play(strings.Replace(text, "seed 5", "seed 6", 1))
	if !bytes.Equal(first, again) {
		i := 0
		for i < min(len(first), len(again)) && first[i] == again[i] {
			i++
		}
		t.Errorf("%d and %d bytes, which differ from byte %d", len(first), len(again), i)
	}
	if bytes.Equal(first, other) {
		t.Error("another seed gave the same bytes")
	}
	if len(first) < 9000 {
		t.Errorf("only %d bytes", len(first))
	}
}

// settled waits until a client's session has come and one order message of it
// was handled.
func settled(t *testing.T, s *Server, client int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		_, err := s.Pacer(client).Settle(ctx, 1)
		if err == nil {
			return
		}
		if !errors.Is(err, ErrNoTrader) {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("the session does not come")
		}
	}
}

// A rule that fires is logged once a connection, and told with its count.
func TestFaultsAreTold(t *testing.T) {
	var said bytes.Buffer
	f, err := fault.Parse("test.faults", []byte("on every managedAccts to client: drop it\nat 23:00: reset"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Faults, cfg.Speed = f, 0
	s, err := New(cfg, shortDay(), slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for client := range 2 {
		p := dial(t, s)
		p.hello(MaxVersion)
		p.send(wire.StartAPI{ClientID: client})
		p.await(wire.IDNextValidID)
		p.send(wire.ReqManagedAccts{})
		p.sync()
	}
	list := s.Faults()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Line != 1 || list[0].Times != 4 || list[0].Conn != 2 || !list[0].First.Equal(opening) {
		t.Errorf("told %+v", list)
	}
	if n := strings.Count(said.String(), "msg=fault_fired"); n != 2 {
		t.Errorf("logged %d times:\n%s", n, &said)
	}
}

// What is held back is bounded: what does not fit comes at once.
func TestFaultsHoldABoundedNumber(t *testing.T) {
	s := paced(t, shortDay(), "on every managedAccts to client of client 1: delay it 1h")
	p := dial(t, s)
	p.hello(MaxVersion)
	p.send(wire.StartAPI{ClientID: 1})
	p.await(wire.IDNextValidID)
	p.sync()
	s.lock()
	s.faults.held = maxHeld - 1 // the handshake's managedAccts is one of them
	s.unlock()
	for range 3 {
		p.send(wire.ReqManagedAccts{})
	}
	if list := p.sync(); len(list) != 2 {
		t.Errorf("got %v", names(list))
	}
}

// Every example runs, twenty times as fast, against a client that never gives
// up, and leaves a gateway that still serves.
func TestExamplesRun(t *testing.T) {
	files, err := filepath.Glob("../../../configs/faults/*.faults")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			f, err := fault.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			hasten(f, 20)
			s := start(t, seconds(2000), func(c *Config) { c.Faults, c.MaxRate, c.Speed = f, 0, 20 })
			for round := range 10 { // a busy machine may come to nothing in the first
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				for client := 1; ctx.Err() == nil; {
					insist(ctx, t, s, client)
				}
				cancel()
				if len(s.Faults()) > 0 {
					break
				}
				t.Logf("round %d: nothing fired", round)
			}
			fired := map[int]bool{}
			for _, r := range s.Faults() {
				fired[r.Line] = true
			}
			if len(fired) == 0 {
				t.Error("nothing fired")
			}
			for _, r := range f.Rules {
				if !fired[r.Line] {
					t.Logf("line %d did not fire within 30 s: %s", r.Line, r.Text)
				}
			}
		})
	}
}

// hasten divides all durations of a script.
func hasten(f *fault.Script, by time.Duration) {
	for i := range f.Rules {
		r := &f.Rules[i]
		r.When.Wait /= by
		r.Until.After /= by
		for k := range r.What {
			r.What[k].Wait /= by
			r.What[k].For /= by
		}
	}
}

// insist is one life of a client that trades as long as it is let.
func insist(ctx context.Context, t *testing.T, s *Server, client int) {
	c, err := (&dialer{}).dial(ctx, s)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // the port is closed
		}
		return
	}
	p := newPeer(t, c)
	defer c.Close()
	if p.tryJoin(client) != nil {
		return
	}
	next := int64(1)
	side := order.Buy
	for ctx.Err() == nil {
		m, err := p.tolerant()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case wire.NextValidID:
			next = m.OrderID
			err = p.try(wire.ReqMktData{ReqID: 1, Contract: aapl()})
		case wire.TickString:
			side = map[order.Side]order.Side{order.Buy: order.Sell, order.Sell: order.Buy}[side]
			err = p.try(marketOrder(next, side, 1), limitOrder(next+1, order.Buy, 1, "100.00"), wire.CancelOrder{OrderID: next + 1})
			next += 2
		}
		if err != nil {
			return
		}
	}
}
