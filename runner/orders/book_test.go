package orders

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var at = time.Date(2014, 6, 5, 13, 30, 0, 123456789, time.UTC)

func TestIDs(t *testing.T) {
	id := ID("run", "sma_cross", "AAPL", at, 1)
	if want := "AAPL-140605T133000.123-"; len(id) != len(want)+9 || id[:len(want)] != want {
		t.Errorf("id %q does not begin with %q", id, want)
	}
	if again := ID("run", "sma_cross", "AAPL", at.In(time.FixedZone("NY", -4*3600)), 1); again != id {
		t.Errorf("the same decision has the ids %q and %q", id, again)
	}
	seen := map[string]bool{id: true}
	for _, other := range []string{
		ID("run2", "sma_cross", "AAPL", at, 1), ID("run", "every_tick", "AAPL", at, 1), ID("run", "sma_cross", "MSFT", at, 1),
		ID("run", "sma_cross", "AAPL", at.Add(1), 1), ID("run", "sma_cross", "AAPL", at, 2),
	} {
		if seen[other] {
			t.Errorf("id %q comes twice", other)
		}
		seen[other] = true
	}
}

func TestIDsAreReferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := market.ParseSymbol(rapid.StringMatching(`[A-Z][A-Z0-9. -]{0,10}[A-Z0-9]`).Draw(t, "symbol"))
		if err != nil {
			t.Skip(err)
		}
		b := New(rapid.String().Draw(t, "run"), rapid.String().Draw(t, "strategy"), s)
		in := b.Market(at.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "time"))), order.Buy, market.Shares(1), "")
		if err := in.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRepeatedRunGivesTheSameIDs(t *testing.T) {
	ids := func() (all []string) {
		b := New("run", "s", "AAPL")
		for i := range 6 {
			all = append(all, b.Market(at.Add(time.Duration(i/2)*time.Second), order.Buy, market.Shares(1), "").ID)
		}
		return all
	}
	a, b, seen := ids(), ids(), map[string]bool{}
	for i := range a {
		if a[i] != b[i] || seen[a[i]] {
			t.Errorf("intent %d: %q, then %q", i, a[i], b[i])
		}
		seen[a[i]] = true
	}
}

func TestAnswers(t *testing.T) {
	for result, outstanding := range map[string]int{event.Written: 1, event.Unknown: 1, event.Refused: 0, event.Invalid: 0} {
		b := New("run", "s", "AAPL")
		in := b.Market(at, order.Sell, market.Shares(5), "")
		if b.Outstanding() != 1 || b.Pending() != market.Shares(-5) {
			t.Fatalf("asked: %d outstanding, %v pending", b.Outstanding(), b.Pending())
		}
		b.Answer(event.OrderReply{IntentID: in.ID, Result: result})
		if b.Outstanding() != outstanding || b.Pending() != market.Shares(int64(-5*outstanding)) {
			t.Errorf("%s: %d outstanding, %v pending", result, b.Outstanding(), b.Pending())
		}
	}
}

// An end that overtakes its executions leaves the order outstanding until they
// have come: otherwise there would be room for a second entry.
func TestEndBeforeFills(t *testing.T) {
	b := New("run", "s", "AAPL")
	in := b.Market(at, order.Buy, market.Shares(10), "")
	b.Order(order.Order{Ref: in.ID, State: order.Cancelled, Filled: market.Shares(4)})
	if b.Outstanding() != 1 || b.Pending() != market.Shares(4) {
		t.Fatalf("%d outstanding, %v pending", b.Outstanding(), b.Pending())
	}
	if !b.Fill(order.Fill{Ref: in.ID, Qty: market.Shares(4)}) {
		t.Error("its execution is not its own")
	}
	if b.Outstanding() != 0 || !b.Pending().IsZero() {
		t.Errorf("%d outstanding, %v pending", b.Outstanding(), b.Pending())
	}
	if !b.Fill(order.Fill{Ref: in.ID, Qty: market.Shares(1)}) || b.Fill(order.Fill{Ref: "other", Qty: market.Shares(1)}) {
		t.Error("an execution is its own when its order is, though that has ended")
	}
	if b.Outstanding() != 0 || !b.Pending().IsZero() {
		t.Errorf("%d outstanding, %v pending", b.Outstanding(), b.Pending())
	}
}

func TestResync(t *testing.T) {
	b := New("run", "s", "AAPL")
	gone := b.Market(at, order.Buy, market.Shares(1), "")
	kept := b.Market(at, order.Buy, market.Shares(1), "")
	ended := b.Market(at, order.Buy, market.Shares(1), "")
	list := []order.Order{{Ref: kept.ID, State: order.Unknown}, {Ref: ended.ID, State: order.Rejected}}
	b.Resync(list, false)
	if b.Outstanding() != 2 {
		t.Errorf("incomplete list: %d outstanding, want 2", b.Outstanding())
	}
	b.Resync(list, true)
	if b.Outstanding() != 1 || b.open[kept.ID] == nil || b.open[gone.ID] != nil {
		t.Errorf("complete list: %d outstanding, want the one that is listed", b.Outstanding())
	}
}

// Whatever the order of messages, an order that filled leaves nothing behind,
// and what is held and expected adds up until then.
func TestAnyOrderOfMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New("run", "s", "AAPL")
		in := b.Market(at, order.Buy, market.Shares(10), "")
		parts := rapid.SampledFrom([][]int64{{10}, {4, 6}, {1, 2, 3, 4}}).Draw(t, "parts")
		var steps []func()
		var held market.Qty
		for _, n := range parts {
			steps = append(steps, func() {
				f := order.Fill{Ref: in.ID, Qty: market.Shares(n)}
				held = held.Add(f.Qty)
				b.Fill(f)
			})
		}
		for _, s := range []order.State{order.Sent, order.Working, order.Partial, order.Filled, order.Filled} {
			steps = append(steps, func() { b.Order(order.Order{Ref: in.ID, State: s, Filled: market.Shares(10)}) })
		}
		steps = append(steps, func() { b.Answer(event.OrderReply{IntentID: in.ID, Result: event.Written}) })
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range steps {
			step()
			if got := held.Add(b.Pending()); got != market.Shares(10) {
				t.Fatalf("held and pending make %v", got)
			}
			if (b.Outstanding() == 0) != (held == market.Shares(10)) {
				t.Fatalf("%d outstanding with %v held", b.Outstanding(), held)
			}
		}
	})
}

// TestACorrectedExecutionLeavesItsDifference: what a correction takes away is
// still to come as long as the order is open.
func TestACorrectedExecutionLeavesItsDifference(t *testing.T) {
	b := New("run", "s", "AAPL")
	in := b.Market(at, order.Sell, market.Shares(10), "")
	b.Fill(order.Fill{Ref: in.ID, Qty: market.Shares(6)})
	b.Correct(in.ID, market.Shares(-2))
	if got := b.Pending(); got != market.Shares(-6) {
		t.Errorf("pending %v", got)
	}
	b.Correct("another", market.Shares(5))
	b.Fill(order.Fill{Ref: in.ID, Qty: market.Shares(6)})
	if b.Outstanding() != 0 || !b.Pending().IsZero() {
		t.Errorf("%d outstanding, pending %v", b.Outstanding(), b.Pending())
	}
}

// TestAnOrderThatComesBackIsOutstandingAgain: the desk had called it ended, and
// the broker knows it. Otherwise there would be room for a second entry.
func TestAnOrderThatComesBackIsOutstandingAgain(t *testing.T) {
	for _, end := range []order.State{order.Dropped, order.Rejected, order.Cancelled} {
		b := New("run", "s", "AAPL")
		in := b.Market(at, order.Buy, market.Shares(10), "")
		b.Order(order.Order{Ref: in.ID, State: end, Qty: market.Shares(10)})
		if b.Outstanding() != 0 || !b.Pending().IsZero() {
			t.Fatalf("%v: %d outstanding, %v pending", end, b.Outstanding(), b.Pending())
		}
		b.Fill(order.Fill{Ref: in.ID, Qty: market.Shares(4)}) // it comes before its order's word
		b.Order(order.Order{Ref: in.ID, State: order.Partial, Qty: market.Shares(10), Filled: market.Shares(4)})
		if b.Outstanding() != 1 || b.Pending() != market.Shares(6) {
			t.Errorf("%v, then partial: %d outstanding, %v pending", end, b.Outstanding(), b.Pending())
		}
		b.Resync([]order.Order{{Ref: in.ID, State: order.Cancelled, Filled: market.Shares(4)}}, true)
		if b.Outstanding() != 0 || !b.Pending().IsZero() {
			t.Errorf("%v, back and cancelled: %d outstanding, %v pending", end, b.Outstanding(), b.Pending())
		}
	}
}

func TestEndedOrdersAreBounded(t *testing.T) {
	b := New("run", "s", "AAPL")
	for i := range 3 * keepEnded {
		in := b.Market(at.Add(time.Duration(i)), order.Buy, market.Shares(1), "")
		for range 2 { // back and forth
			b.Order(order.Order{Ref: in.ID, State: order.Dropped})
			b.Order(order.Order{Ref: in.ID, State: order.Working})
		}
		b.Order(order.Order{Ref: in.ID, State: order.Cancelled})
	}
	if len(b.ended) > keepEnded || len(b.endings) > keepEnded || len(b.open) != 0 || !b.Pending().IsZero() {
		t.Errorf("%d and %d ended, %d open, %v pending", len(b.ended), len(b.endings), len(b.open), b.Pending())
	}
}
