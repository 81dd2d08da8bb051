package gateway

import (
	"testing"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Half a share trades where the login may, and is refused by its code where it
// may not.
func TestFractionsOfAShare(t *testing.T) {
	for _, may := range []bool{false, true} {
		s := start(t, shortDay(), func(c *Config) { c.Fractions = may })
		p, next := join(t, s, MaxVersion, 1)
		if _, err := s.Pacer(1).Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := marketOrder(next, order.Buy, 1)
		m.TotalQuantity = market.MustQty("0.5").Ptr()
		p.send(m)
		filled, refused := false, false
		for _, msg := range p.sync() {
			switch msg := msg.(type) {
			case wire.ExecDetails:
				filled = msg.Shares == market.MustQty("0.5")
			case wire.ErrMsg:
				refused = refused || msg.RequestID == next && msg.Code == venue.FractionalSize
			}
		}
		if filled != may || refused == may {
			t.Errorf("fractions %v: filled %v, refused %v", may, filled, refused)
		}
	}
}
