package everytick

import (
	"slices"
	"testing"

	"robotrader/broker/market"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/strategytest"
)

func TestAnswersTradesOnly(t *testing.T) {
	k := Kind()
	v, err := k.Parse(nil)
	if err != nil || !k.PaperOnly {
		t.Fatalf("kind %+v, error %v", k, err)
	}
	s := k.New("AAPL", v)
	if s.Need() != 0 {
		t.Errorf("it needs %d bars", s.Need())
	}
	c := &strategytest.Context{Sym: "AAPL"}
	for kind := market.TickBid; kind <= market.TickHalted; kind++ {
		s.OnTick(c, market.Tick{Kind: kind, Known: true})
		s.OnTick(c, market.Tick{Kind: kind})
	}
	if got := c.Take(); !slices.Equal(got, []string{"BUY 1"}) {
		t.Errorf("orders %v, want one for the known trade", got)
	}
}

func TestSides(t *testing.T) {
	for _, tt := range []struct {
		held          *market.Qty
		pending, want string
	}{
		{nil, "0", "BUY 1"},
		{nil, "1", "SELL 1"},
		{market.Shares(0).Ptr(), "0", "BUY 1"},
		{market.Shares(0).Ptr(), "1", "SELL 1"},
		{market.Shares(1).Ptr(), "0", "SELL 1"},
		{market.Shares(1).Ptr(), "-1", "BUY 1"},
		{market.Shares(-5).Ptr(), "0", "BUY 1"},
		{market.Shares(5).Ptr(), "-4", "SELL 1"},
	} {
		c := &strategytest.Context{Sym: "AAPL", Held: tt.held, Pending: market.MustQty(tt.pending)}
		Kind().New("AAPL", strategy.Values{}).OnTick(c, market.Tick{Kind: market.TickTrade, Known: true})
		if got := c.Take(); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("held %v, pending %s: %v, want %s", tt.held, tt.pending, got, tt.want)
		}
	}
}
