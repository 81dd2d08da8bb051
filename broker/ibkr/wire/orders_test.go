package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/market"
)

// aapl is the stock order of the vectors, before its prices.
func aapl() PlaceOrder {
	o := NewPlaceOrder(42, Contract{
		ConID: 265598, Symbol: "AAPL", SecType: "STK",
		Exchange: "SMART", PrimaryExchange: "NASDAQ", Currency: "USD",
	})
	o.TotalQuantity = market.Shares(100).Ptr()
	o.Account, o.TIF = "DU1234567", "DAY"
	return o
}

func price(s string) *market.Price { return market.MustPrice(s).Ptr() }

// The counts were taken from what the official client writes for a plain stock
// limit order, the id included. Section 5.1.
func TestPlaceOrderFieldCounts(t *testing.T) {
	o := aapl()
	o.Action, o.OrderType, o.LmtPrice = "BUY", "LMT", price("187.25")
	for _, tt := range []struct {
		v    Version
		want int
	}{{176, 115}, {177, 114}, {183, 115}, {187, 118}, {188, 118}, {190, 117}, {192, 118}, {200, 119}} {
		b, err := o.Append(nil, tt.v)
		if got := bytes.Count(b, []byte{0}); err != nil || got != tt.want {
			t.Errorf("at %d: %d fields (%v), want %d", tt.v, got, err, tt.want)
		}
	}
}

// withField returns a plain order of version 200 with one field replaced; the
// positions are those of section 5.1.
func withField(t *testing.T, field, value string) []byte {
	t.Helper()
	at := map[string]int{"totalQuantity": 18, "lmtPrice": 20, "minQty": 51, "conditionCount": 90}[field]
	b, err := aapl().Append(nil, 200)
	if err != nil || at == 0 {
		t.Fatalf("field %s: %v", field, err)
	}
	f := strings.Split(string(b), "\x00")
	f[at-1] = value
	return []byte(strings.Join(f, "\x00"))
}

func TestPlaceOrderReadsSentinelsAsUnset(t *testing.T) {
	for _, spelling := range []string{"", "1.7976931348623157E308", "1.7976931348623157e+308"} {
		m, err := DecodeClientStrict(200, withField(t, "lmtPrice", spelling))
		if err != nil || m.(PlaceOrder).LmtPrice != nil {
			t.Errorf("lmtPrice %q: %+v, %v", spelling, m, err)
		}
	}
	m, err := DecodeClientStrict(200, withField(t, "minQty", "2147483647"))
	if err != nil || m.(PlaceOrder).MinQty != nil {
		t.Errorf("minQty: %+v, %v", m, err)
	}
}

func TestPlaceOrderErrorsNameTheField(t *testing.T) {
	_, err := DecodeClient(200, withField(t, "totalQuantity", "1e99"))
	var fe *FieldError
	if !errors.As(err, &fe) || fe.Message != "placeOrder" || fe.Field != "totalQuantity" || fe.Value != "1e99" {
		t.Errorf("error %v", err)
	}
	o := aapl()
	o.OrderRef = "r\x00x"
	if _, err := o.Append(nil, 200); !errors.Is(err, ErrText) {
		t.Errorf("a NUL in a field: %v", err)
	}
	n := 2147483647
	o = aapl()
	o.MinQty = &n
	if _, err := o.Append(nil, 200); !errors.Is(err, ErrUnset) {
		t.Errorf("a number that reads as unset: %v", err)
	}
	o = aapl()
	o.PercentOffset = "12%"
	if _, err := o.Append(nil, 200); !errors.Is(err, ErrNotNumber) {
		t.Errorf("a Number that is none: %v", err)
	}
}

// A live gateway drops a cancel of the old form in silence; the simulated one
// has to see that it is one.
func TestCancelOrderIncomplete(t *testing.T) {
	one := 1
	for _, tt := range []struct {
		v    Version
		raw  string
		want CancelOrder
	}{
		{176, "4|1|42||", CancelOrder{OrderID: 42}},
		{187, "4|1|42|t|||2147483647|", CancelOrder{OrderID: 42, ManualOrderCancelTime: "t"}},
		{192, "4|42|||2147483647|", CancelOrder{OrderID: 42}},
		{192, "4|42|t|op|1|", CancelOrder{OrderID: 42, ManualOrderCancelTime: "t", ExtOperator: "op", ManualOrderIndicator: &one}},
		{192, "4|1|||1|", CancelOrder{OrderID: 1, ManualOrderIndicator: &one}},
		{200, "4|1|42||", CancelOrder{OrderID: 42, Incomplete: true}},
		{200, "4|42||", CancelOrder{OrderID: 42, Incomplete: true}},
		{200, "4|42|", CancelOrder{OrderID: 42, Incomplete: true}},
		{200, "4|42|t|op|", CancelOrder{OrderID: 42, ManualOrderCancelTime: "t", ExtOperator: "op", Incomplete: true}},
	} {
		got, err := DecodeClientStrict(tt.v, []byte(strings.ReplaceAll(tt.raw, "|", "\x00")))
		if diff := cmp.Diff(Message(tt.want), got); err != nil || diff != "" {
			t.Errorf("at %d %s: %v (-want +got)\n%s", tt.v, tt.raw, err, diff)
		}
	}
	if _, err := DecodeClient(200, []byte("4\x00")); !errors.Is(err, ErrShort) {
		t.Errorf("a cancel of nothing: %v", err)
	}
	b, err := CancelOrder{OrderID: 42, Incomplete: true}.Append(nil, 200)
	if want := "4\x0042\x00\x00"; err != nil || string(b) != want {
		t.Errorf("incomplete cancel %q, %v; want %q", b, err, want)
	}
}

func BenchmarkPlaceOrderAppend(b *testing.B) {
	o := aapl()
	o.Action, o.OrderType, o.OrderRef = "BUY", "MKT", "r-1"
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Append(buf, 200); err != nil {
			b.Fatal(err)
		}
	}
}
