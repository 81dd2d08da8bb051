package feed

import (
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
)

// FuzzQuestions asks for a past in any words: nothing panics, and each question
// has an answer or an error.
func FuzzQuestions(f *testing.F) {
	f.Add("", "1 D", "1 min", "TRADES", "233,mdoff", uint16(1))
	f.Add("20260408 16:00:00 US/Eastern", "2 W", "1 hour", "BID_ASK", "165", uint16(2))
	f.Add("20260408-16:00:00", "3 M", "1W", "SCHEDULE", "236:X", uint16(7))
	f.Add("00010101 00:00:00", "20 Y", "1M", "ADJUSTED_LAST", ",,", uint16(9))
	f.Add("19500101-00:00:00", "31 S", "1 day", "MIDPOINT", "999", uint16(1000))
	src := universe(f, func(c *tape.SyntheticConfig) { c.Sessions = tape.NewYork })
	f.Fuzz(func(t *testing.T, when, span, size, what, generic string, n uint16) {
		if s, err := parseSpan(span); err == nil && (s.unit == 'Y' || s.unit == 'M' || s.unit == 'W') && s.n > 2 {
			span = "2 " + string(s.unit) // more is allowed, and slow
		}
		r := newRig(t, src, nil)
		p := r.join()
		regular, keep := n&1 != 0, n&2 != 0
		for name, m := range map[string]wire.Message{
			"bars": wire.ReqHistoricalData{
				ReqID: 1, Contract: aapl(), EndDateTime: when, BarSize: size, Duration: span, WhatToShow: what,
				RegularOnly: regular, FormatDate: 1 + int(n>>2)%2, KeepUpToDate: keep,
			},
			"ticks":  wire.ReqHistoricalTicks{ReqID: 2, Contract: aapl(), Start: when, Ticks: int(n), WhatToShow: what, RegularOnly: regular},
			"before": wire.ReqHistoricalTicks{ReqID: 3, Contract: aapl(), End: when, Ticks: int(n), WhatToShow: what, IgnoreSize: keep},
			"head":   wire.ReqHeadTimestamp{ReqID: 4, Contract: aapl(), WhatToShow: what, FormatDate: 1},
			"stream": wire.ReqMktData{ReqID: 5, Contract: aapl(), Generic: generic},
		} {
			if !r.f.Handle(p, m) || len(p.take()) == 0 {
				t.Errorf("%s: no answer", name)
			}
		}
		r.apply(quoteAt(r.v.At.Add(time.Second), "187.24", "187.26"))
		r.apply(tradeAt(r.v.At.Add(2*time.Second), "187.25", 100))
		r.moveTo(r.v.At.Add(time.Hour))
		r.f.Leave(p)
		if n := r.f.Subscribers("AAPL"); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}
