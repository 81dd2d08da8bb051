package order

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestWordsAreThereOnce: equal words of two orders become one text, and the orders
// stay what they were. What comes beyond the bounds stays as it is.
func TestWordsAreThereOnce(t *testing.T) {
	var w Words
	made := func() Order {
		c := strings.Clone
		return Order{Account: c("DU1234567"), Strategy: c("sma_cross"), Symbol: "AAPL", Side: Side(c("BUY")), Type: Market, TIF: Day}
	}
	first, second := made(), made()
	w.Order(&first)
	w.Order(&second)
	if first != made() || second != made() {
		t.Fatalf("changed to %+v and %+v", first, second)
	}
	if unsafe.StringData(first.Account) != unsafe.StringData(second.Account) || unsafe.StringData(string(first.Side)) != unsafe.StringData(string(second.Side)) {
		t.Error("equal words are there twice")
	}
	f := Fill{Account: strings.Clone("DU1234567"), Exchange: "ISLAND", Currency: "USD", Side: Sell}
	if w.Fill(&f); unsafe.StringData(f.Account) != unsafe.StringData(first.Account) || f.Exchange != "ISLAND" {
		t.Errorf("an execution's are others: %+v", f)
	}
	for i := range 2 * mostWords {
		o := Order{Strategy: "s" + strconv.Itoa(i), Account: strings.Repeat("x", longestWord+1)}
		if w.Order(&o); o.Strategy != "s"+strconv.Itoa(i) || len(o.Account) != longestWord+1 {
			t.Fatalf("order %d became %+v", i, o)
		}
	}
	if len(w.known) != mostWords || w.known[strings.Repeat("x", longestWord+1)] != "" {
		t.Errorf("%d words are kept, want %d", len(w.known), mostWords)
	}
}
