package desk

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestLooksAreCounted(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		time.Sleep(2 * time.Minute)
		answered, failed, last := r.desk.Looks()
		if answered == 0 || failed != 0 || time.Since(last) > time.Minute {
			t.Errorf("%d answered, %d failed, the newest at %v", answered, failed, last)
		}
		k.fails("positions", broker.ErrNoAnswer)
		time.Sleep(2 * time.Minute)
		if a, f, l := r.desk.Looks(); a != answered || f == 0 || l != last {
			t.Errorf("while the broker does not answer: %d answered, %d failed, the newest at %v", a, f, l)
		}
	})
}

// TestStagesAreToldAndTraced sees how long the stages took told for what was
// written alone, and the trace in the log and in the books.
func TestStagesAreToldAndTraced(t *testing.T) {
	r := ready(t)
	var log bytes.Buffer // written in the turn, and read when it is over
	var told []broker.Timing
	r.desk.log = slog.New(slog.NewTextHandler(&log, nil))
	r.desk.OnTimed(func(x broker.Timing) { told = append(told, x) })
	in := order.Intent{
		ID: "a", Action: order.Place, Strategy: "s", Symbol: "AAPL", Side: order.Buy, Type: order.Market, TIF: order.Day, Qty: market.Shares(1),
		At: r.desk.floor.Now(time.Now()), Trace: "run.AAPL.7",
	}
	if reply := r.desk.request(t.Context(), in); reply.Result != event.Written {
		t.Fatalf("%+v", reply)
	}
	if len(told) != 1 || told[0].Trace != in.Trace || told[0].Ref != "a" || told[0].Gate <= 0 || told[0].Journal <= 0 || told[0].Wire <= 0 {
		t.Errorf("told %+v", told)
	}
	if !strings.Contains(log.String(), "msg=order_trace stage=written trace=run.AAPL.7 ref=a order_id=") {
		t.Errorf("the log has %s", log.String())
	}
	if orders := r.desk.State(t.Context()).Orders; len(orders) != 1 || orders[0].Trace != in.Trace {
		t.Errorf("orders %+v", orders)
	}
	r.verdict = order.Decision{Rule: "max_notional", Reason: "too much"}
	in.ID = "b"
	if reply := r.desk.request(t.Context(), in); reply.Result != event.Refused || len(told) != 1 {
		t.Errorf("%+v was told as written: %+v", reply, told)
	}
	r.stop(t)
}
