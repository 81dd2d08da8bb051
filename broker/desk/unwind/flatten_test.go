package unwind

import (
	"testing"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestCollared(t *testing.T) {
	for _, tt := range []struct {
		price, percent, tick string
		side                 order.Side
		want                 string // "" = none
	}{
		{"200", "1", "0.01", order.Sell, "198"},
		{"200", "1", "0.01", order.Buy, "202"},
		{"187.25", "1", "0.01", order.Sell, "185.38"}, // 185.3775
		{"187.25", "1", "0.01", order.Buy, "189.12"},  // 189.1225
		{"187.25", "1", "0", order.Buy, "189.12"},     // no grid told: cents
		{"3.02", "1", "0.05", order.Sell, "3"},        // no grid point inside: the nearest that trades
		{"3.02", "1", "0.05", order.Buy, "3.05"},
		{"0.01", "1", "0.05", order.Sell, ""}, // would be 0
	} {
		got, ok := collared(market.MustPrice(tt.price), market.MustPercent(tt.percent), tt.side, market.MustPrice(tt.tick))
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("%+v: got %v, %v", tt, got, ok)
		}
	}
}
