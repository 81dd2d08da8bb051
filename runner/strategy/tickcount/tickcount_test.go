package tickcount

import (
	"maps"
	"strconv"
	"testing"

	"robotrader/broker/market"
	"robotrader/runner/strategy"
	"robotrader/runner/strategy/strategytest"
)

func TestCounts(t *testing.T) {
	k := Kind()
	v, err := k.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := k.New("AAPL", v)
	if s.Need() != 0 {
		t.Errorf("it needs %d bars", s.Need())
	}
	c := &strategytest.Context{Sym: "AAPL"}
	for kind := market.TickBid; kind <= market.TickHalted; kind++ {
		s.OnTick(c, market.Tick{Kind: kind, Known: true, Size: market.Shares(7)})
		s.OnTick(c, market.Tick{Kind: kind}) // "no last" is no trade
	}
	s.OnTick(c, market.Tick{Kind: market.TickTrade, Known: true, Size: market.MustQty("0.5")})
	kinds := int(market.TickHalted-market.TickBid) + 1
	want := map[string]string{"trades": "2", "shares": "7.5", "ticks": strconv.Itoa(2*kinds + 1)}
	if !maps.Equal(c.Shown, want) {
		t.Errorf("shown %v, want %v", c.Shown, want)
	}
	if got := c.Take(); len(got) != 0 {
		t.Errorf("it ordered %v", got)
	}
}

func TestEachSymbolCountsAlone(t *testing.T) {
	k := Kind()
	a, b := k.New("AAPL", strategy.Values{}), k.New("MSFT", strategy.Values{})
	ca, cb := &strategytest.Context{Sym: "AAPL"}, &strategytest.Context{Sym: "MSFT"}
	tick := market.Tick{Kind: market.TickTrade, Known: true, Size: market.Shares(1)}
	a.OnTick(ca, tick)
	a.OnTick(ca, tick)
	b.OnTick(cb, tick)
	if ca.Shown["trades"] != "2" || cb.Shown["trades"] != "1" {
		t.Errorf("%v and %v", ca.Shown, cb.Shown)
	}
}
