package desk

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }

func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// traced asks for an order with a trace and lets it settle.
func (s *shop) traced(trace string, qty int64) {
	s.t.Helper()
	s.n++
	in := order.Intent{
		ID: fmt.Sprintf("t-%d", s.n), Action: order.Place, Strategy: "test", Symbol: s.venue.Symbol(), Side: order.Buy, Type: order.Limit,
		Limit: market.MustPrice("100.01").Ptr(), TIF: order.Day, Qty: market.Shares(qty), At: s.desk.floor.Now(time.Now()), Trace: trace,
	}
	s.desk.request(context.Background(), in)
	s.turn()
}

// TestOwnOrdersHaveTheTraceOfTheirCause: from tick to entry, fill, stop and what
// the next fill makes of the stop; a closing has that of its mode.
func TestOwnOrdersHaveTheTraceOfTheirCause(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		var log lines
		s.desk.turn <- struct{}{}
		s.desk.log = slog.New(slog.NewTextHandler(&log, nil))
		s.desk.give()
		s.traced("run.AAPL.7", 100)
		stop := s.orderOf(s.holds(100, "95").Ref)
		if stop.Trace != "run.AAPL.7" {
			t.Errorf("the stop has the trace %q", stop.Trace)
		}
		s.traced("run.AAPL.9", 50)
		c, err := s.desk.Flatten(context.Background(), "a person", "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		closing := causedByMode(s.desk.mode.Load())
		if want := fmt.Sprintf("mode.%s", strings.TrimPrefix(closing, "mode.")); closing != want || len(closing) < 10 || !s.position().IsZero() {
			t.Fatalf("closing by %q, %v held, mode %+v", closing, s.position(), c)
		}
		for _, want := range []string{
			"stage=written trace=run.AAPL.7 ref=t-1 ", "stage=executed trace=run.AAPL.7 ref=t-1 ",
			"stage=asked trace=run.AAPL.7 ref=" + stop.Ref + " symbol=AAPL strategy=desk action=place ", "stage=written trace=run.AAPL.7 ref=" + stop.Ref + " ",
			"stage=asked trace=run.AAPL.9 ref=" + stop.Ref + " symbol=AAPL strategy=desk action=modify ",
			"stage=asked trace=" + closing + " ref=flatten-", "stage=executed trace=" + closing + " ref=flatten-",
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
	})
}

// TestTracesOfWhatHasNone: an execution of an order without a trace, and a
// position that nobody was told an execution of.
func TestTracesOfWhatHasNone(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		if got, want := s.desk.cause("MSFT", day), "held.MSFT."; !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %s…", got, want)
		}
		s.trade(order.Buy, 100, "100.01")
		stop := s.orderOf(s.holds(100, "95").Ref)
		fills := s.state().Fills
		if want := "fill." + fills[len(fills)-1].ExecID; stop.Trace != want {
			t.Errorf("the stop has the trace %q, want %q", stop.Trace, want)
		}
	})
	for _, id := range []string{"0000e0d5.6553c9a1.01.01", strings.Repeat("x", 90), "a b/ü", ""} {
		in := order.Intent{
			ID: "a", Action: order.Cancel, Strategy: "s", Symbol: "AAPL", Target: "b", Trace: traceOf("fill.", id), At: day,
		}
		if err := in.Validate(); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}
