package exchange

import (
	"testing"

	"robotrader/broker/market"
)

func TestStockDetails(t *testing.T) {
	for _, tt := range []struct {
		symbol         market.Symbol
		conID          int64
		primary, class string
	}{
		{"AAPL", 265598, "NASDAQ", "NMS"},
		{"MSFT", 272093, "NASDAQ", "NMS"},
		{"IBM", 8314, "NYSE", "IBM"},
		{"SPY", 756733, "ARCA", "SPY"},
		{"ZZZZ", 0, "NASDAQ", "NMS"},
		{"ZZ", 0, "NYSE", "ZZ"},
	} {
		d := StockDetails(tt.symbol, nil, nil)
		c := d.Contract
		if c.PrimaryExchange != tt.primary || c.TradingClass != tt.class || c.Symbol != tt.symbol || c.Exchange != "SMART" || d.LongName == "" {
			t.Errorf("%s: %+v", tt.symbol, d)
		}
		if tt.conID != 0 && c.ConID != tt.conID || c.ConID <= 0 {
			t.Errorf("%s has contract id %d", tt.symbol, c.ConID)
		}
		if s, ok := SymbolOf(c.ConID); ok != (tt.conID != 0) || ok && s != tt.symbol {
			t.Errorf("contract id %d is %q, %t", c.ConID, s, ok)
		}
		if d.SizeStep != market.Shares(1) || InFractions(d).SizeStep != market.MustQty("0.0001") || InFractions(d).Contract != c {
			t.Errorf("%s in steps of %v, %v in fractions", tt.symbol, d.SizeStep, InFractions(d).SizeStep)
		}
	}
	seen := map[int64]market.Symbol{}
	for s, known := range stocks {
		if other, twice := seen[known.conID]; twice {
			t.Errorf("%s and %s have one contract id", s, other)
		}
		seen[known.conID] = s
	}
}
