package runner

import (
	"testing"
	"time"

	"robotrader/broker/order"
)

func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		run  string
		c    cause
		want string
	}{
		{"mb3k2x1a", cause{symbol: "AAPL", seq: 1042}, "mb3k2x1a.AAPL.1042"},
		{"", cause{symbol: "BRK B", seq: 1}, "BRKB.1"},
		{"a run of many words", cause{symbol: "ABCDEFGHIJKLMNOP", seq: 1<<64 - 1}, "arunofma.ABCDEFGHIJ.18446744073709551615"},
		{"run", cause{symbol: "AAPL"}, ""}, // the market's clock, or an execution
	} {
		got := tt.c.trace(tt.run)
		if len(got) > 40 {
			t.Errorf("%q has %d characters", got, len(got))
		}
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	in := order.Intent{ID: "a", Action: order.Cancel, Target: "b", At: time.Unix(1, 0), Trace: cause{symbol: "AAPL", seq: 7}.trace("run")}
	if err := in.Validate(); err != nil {
		t.Errorf("an intent does not take a trace: %v", err)
	}
	if in.Trace = "two words"; in.Validate() == nil {
		t.Error("a trace that would break a line of the log is taken")
	}
}
