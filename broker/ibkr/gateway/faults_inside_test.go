package gateway

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// TestFaultsInTheMiddleOfATick fires what changes the market, or who hears of
// it, while a tick is being told to one session after the other.
func TestFaultsInTheMiddleOfATick(t *testing.T) {
	for _, what := range []string{"error 1101", "farm usfarm up without streams", "halt AAPL for 2s"} {
		for _, when := range []string{"on the 20th tickPrice to client: ", "on the 1st tickReqParams to client: ", "on the 3rd realTimeBars to client: "} {
			t.Run(when+what, func(t *testing.T) {
				t.Parallel()
				s := paced(t, seconds(60), when+what)
				for id := 1; id <= 3; id++ {
					p, _ := join(t, s, MaxVersion, id)
					for req := 1; req <= 3; req++ {
						p.send(wire.ReqMktData{ReqID: req, Contract: aapl()})
						p.send(wire.ReqRealTimeBars{ReqID: 10 + req, Contract: aapl(), BarSize: 5, WhatToShow: "TRADES"})
					}
					p.sync()
				}
				for range 60 {
					s.lock()
					s.step()
					s.unlock()
				}
				s.lock()
				defer s.unlock()
				for c := range s.conns {
					s.feed.Leave(c)
				}
				if n := s.feed.Subscribers("AAPL"); n != 0 {
					t.Errorf("%d streams are nobody's", n)
				}
			})
		}
	}
}

// TestFaultsKeepTheOrderOfQuotes has a rule fire for a quote while older ones
// of its stream are held back: what the client hears last is the newest.
func TestFaultsKeepTheOrderOfQuotes(t *testing.T) {
	s := startFaulty(t, "on the 2nd tickPrice to client: split it at byte 6", nil)
	p, _ := join(t, s, MaxVersion, 1)
	s.lock()
	c := s.clients[1].conn
	const busy = 1 << 20
	c.queue.mu.Lock()
	c.queue.writing += busy // as if the client did not read
	c.queue.mu.Unlock()
	for _, price := range []string{"1", "2"} {
		c.Send(wire.TickPrice{ReqID: 1, Type: wire.TickBid, Price: market.MustPrice(price), Size: market.Shares(1)})
	}
	c.queue.wrote(busy)
	s.unlock()
	var got []string
	for _, m := range p.sync() {
		if m, ok := m.(wire.TickPrice); ok {
			got = append(got, m.Price.String())
		}
	}
	if !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("bids %v came, want 1 and then 2", got)
	}
}

// TestOutagesAreOfWhoIsToldThem has one of two sessions lose the venue: the
// other hears nothing of it, and goes on to hear of the market.
func TestOutagesAreOfWhoIsToldThem(t *testing.T) {
	for _, code := range []string{"1100", "1101", "2110"} {
		for _, rule := range []string{"after 1s: error " + code + " to client 2", "after 1s of ready of client 2: error " + code} {
			t.Run(rule, func(t *testing.T) {
				t.Parallel()
				s := paced(t, seconds(20), rule)
				p, _ := watched(t, s, 1)
				q, _ := watched(t, s, 2)
				move(t, s, 1, 3) // beyond 1 s
				p.sync()
				told := codes(q.sync())
				move(t, s, 1, 5)
				if n := ticks(p.sync()); n == 0 {
					t.Error("the other session hears nothing of the market")
				}
				if n := ticks(q.sync()); n > 0 || len(told) != 1 {
					t.Errorf("the session was told %v, and then %d ticks", told, n)
				}
			})
		}
	}
}

// TestRestartEndsWhatWasJustAccepted has a connection come out of the listener
// right before a restart closes it, and its session begin right after.
func TestRestartEndsWhatWasJustAccepted(t *testing.T) {
	s := startFaulty(t, "after 1h: restart down 1s", nil)
	near, far := net.Pipe()
	defer far.Close()
	s.lock()
	s.faults.restart(fault.Action{Verb: fault.Restart, For: time.Hour})
	s.unlock()
	if err := far.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	s.welcome(near)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the session of before the restart: %v, want its end", err)
	}
}
