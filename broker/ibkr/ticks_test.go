package ibkr

import (
	"testing"
	"testing/synctest"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// A subscription that is renewed has another id, and what still comes under the
// old one is nobody's: a stale stream must not pass for a fresh one.
func TestResubscribeDropsWhatComesUnderTheOldID(t *testing.T) {
	var ids [2]int
	begun, ended := make(chan struct{}), make(chan struct{})
	live(t, func(p *peer) {
		ids[0] = p.next().(wire.ReqMktData).ReqID
		p.send(wire.TickPrice{ReqID: ids[0], Type: wire.TickBid, Price: market.MustPrice("1")})
		close(begun)
		if m, ok := p.next().(wire.CancelMktData); !ok || m.ReqID != ids[0] {
			p.t.Errorf("the old one is ended with %#v", m)
		}
		ids[1] = p.next().(wire.ReqMktData).ReqID
		p.send(wire.TickPrice{ReqID: ids[0], Type: wire.TickBid, Price: market.MustPrice("2")},
			wire.TickPrice{ReqID: ids[1], Type: wire.TickBid, Price: market.MustPrice("3")})
		close(ended)
	}, func(t *testing.T, s *Session) {
		aapl := market.USStock("AAPL")
		if err := s.Subscribe(t.Context(), aapl); err != nil {
			t.Fatal(err)
		}
		<-begun
		synctest.Wait() // the first tick is taken
		if err := s.Resubscribe(t.Context(), aapl); err != nil {
			t.Fatal(err)
		}
		<-ended
		synctest.Wait()
		b, err := s.Events(t.Context())
		if err != nil || len(b.Ticks) != 2 || b.Ticks[0].Price != market.MustPrice("1") || b.Ticks[1].Price != market.MustPrice("3") {
			t.Errorf("ticks %+v, %v", b.Ticks, err)
		}
		if ids[0] == ids[1] {
			t.Errorf("both subscriptions have id %d", ids[0])
		}
		if err := s.Subscribe(t.Context(), aapl); err != nil || len(s.bySymbol) != 1 || len(*s.subs.Load()) != 1 {
			t.Errorf("%d symbols and %d subscriptions, %v", len(s.bySymbol), len(*s.subs.Load()), err)
		}
	})
}

// Without a subscription, renewing makes one.
func TestResubscribeWhatIsNotHeld(t *testing.T) {
	live(t, func(p *peer) {
		if m, ok := p.next().(wire.ReqMktData); !ok {
			p.t.Errorf("came %#v", m)
		}
	}, func(t *testing.T, s *Session) {
		if err := s.Resubscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Error(err)
		}
	})
}
