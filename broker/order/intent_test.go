package order

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"robotrader/broker/market"
)

func good() Intent {
	return Intent{
		ID: "sma-AAPL-1", Action: Place, Strategy: "sma", Symbol: "AAPL", Side: Buy, Type: Limit, TIF: Day,
		Qty: market.Shares(5), Limit: market.MustPrice("187.25").Ptr(), At: time.Unix(1, 0),
	}
}

func TestIntentValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Intent)
		faults []string // parts of the message; nil means valid
	}{
		{"limit", func(*Intent) {}, nil},
		{"market", func(in *Intent) { in.Type, in.Limit = Market, nil }, nil},
		{"one cent", func(in *Intent) { in.Limit = market.MustPrice("0.01").Ptr() }, nil},
		{"a fraction", func(in *Intent) { in.Qty = market.MustQty("0.0001") }, nil},
		{"the largest", func(in *Intent) { in.Qty = MaxQty }, nil},
		{"40 characters", func(in *Intent) { in.ID = strings.Repeat("x", 40) }, nil},
		{"cancel", func(in *Intent) { *in = Intent{ID: "c", Action: Cancel, Target: "sma-AAPL-1", At: in.At} }, nil},
		{"cancel of nothing", func(in *Intent) { *in = Intent{ID: "c", Action: Cancel, At: in.At} }, []string{"target"}},
		{"no id", func(in *Intent) { in.ID = "" }, []string{"id"}},
		{"41 characters", func(in *Intent) { in.ID = strings.Repeat("x", 41) }, []string{"id"}},
		{"id with a star", func(in *Intent) { in.ID = "a*" }, []string{`"a*"`}},
		{"id with a line", func(in *Intent) { in.ID = "a\n" }, []string{"id"}},
		{"id with a NUL", func(in *Intent) { in.ID = "a\x00b" }, []string{"id"}},
		{"no action", func(in *Intent) { in.Action = "" }, []string{"action"}},
		{"no time", func(in *Intent) { in.At = time.Time{} }, []string{"market time"}},
		{"no symbol", func(in *Intent) { in.Symbol = "" }, []string{"symbol"}},
		{"odd side", func(in *Intent) { in.Side = "buy" }, []string{`side "buy"`}},
		{"nothing", func(in *Intent) { in.Qty = market.Qty{} }, []string{"qty 0"}},
		{"negative", func(in *Intent) { in.Qty = market.Shares(-5) }, []string{"qty -5"}},
		{"too much", func(in *Intent) { in.Qty = MaxQty.Add(market.MustQty("0.00000001")) }, []string{"qty 1000000.00000001"}},
		{"market with a limit", func(in *Intent) { in.Type = Market }, []string{"limit 187.25"}},
		{"limit without one", func(in *Intent) { in.Limit = nil }, []string{"limit"}},
		{"limit 0", func(in *Intent) { in.Limit = new(market.Price) }, []string{"limit"}},
		{"limit below 0", func(in *Intent) { in.Limit = market.MustPrice("-1").Ptr() }, []string{"limit"}},
		{"odd type", func(in *Intent) { in.Type = "STP" }, []string{`"STP"`}},
		{"odd tif", func(in *Intent) { in.TIF = "" }, []string{"tif"}},
		{"all at once", func(in *Intent) { *in = Intent{Action: Place} }, []string{"id", "market time", "symbol", "side", "qty", "type", "tif"}},
	} {
		in := good()
		tt.change(&in)
		err := in.Validate()
		if (err == nil) != (tt.faults == nil) || err != nil && !errors.Is(err, ErrBadIntent) {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, part := range tt.faults {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not name %s", tt.name, err, part)
			}
		}
	}
}

// FuzzIntent reads intents as they may come from outside.
func FuzzIntent(f *testing.F) {
	b, err := json.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"id":"a","action":"cancel","target":"b","at":"2026-04-02T15:00:00Z"}`))
	f.Add([]byte(`{"qty":"1e9","limit":"NaN"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in Intent
		if json.Unmarshal(b, &in) != nil || in.Validate() != nil {
			return
		}
		if strings.ContainsAny(in.ID+in.Target, " *>\x00\r\n\t") || in.ID == "" {
			t.Fatalf("id %q, target %q", in.ID, in.Target)
		}
		if in.Action == Place && (in.Qty.Sign() <= 0 || MaxQty.Less(in.Qty) || (in.Type == Limit) != (in.Limit != nil)) {
			t.Fatalf("valid: %+v", in)
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var back Intent
		if err := json.Unmarshal(again, &back); err != nil || back.Validate() != nil {
			t.Fatalf("%s comes back as %+v, %v, %v", again, back, err, back.Validate())
		}
	})
}

func TestRemaining(t *testing.T) {
	for _, tt := range [][3]string{{"10", "3", "7"}, {"10", "10", "0"}, {"10", "11", "0"}} { // overfills happen
		o := Order{Qty: market.MustQty(tt[0]), Filled: market.MustQty(tt[1])}
		if got := o.Remaining().String(); got != tt[2] {
			t.Errorf("%s filled of %s leaves %s", tt[1], tt[0], got)
		}
	}
}

func TestSigned(t *testing.T) {
	q := market.Shares(3)
	if Buy.Signed(q) != q || Sell.Signed(q) != q.Neg() {
		t.Error("a buy adds, a sale takes away")
	}
}
