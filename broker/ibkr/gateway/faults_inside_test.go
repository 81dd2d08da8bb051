package gateway

import (
	"testing"

	"robotrader/broker/ibkr/wire"
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
