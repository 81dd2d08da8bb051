package books

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// changing are books with an order to buy 10 that a change to 30 was written for.
func changing() (b *Books, e *Entry, turn func(after time.Duration) *Turn) {
	turn = func(after time.Duration) *Turn {
		return &Turn{Wall: day.Add(after), Market: day.Add(after), ConID: func(market.Symbol) int64 { return 0 }}
	}
	b = New(time.UTC)
	o := described(1, "a", order.WorkingNow).Order
	o.State = order.Working
	e = b.Add(o, day)
	b.Changing(turn(0), e, order.Change{ID: "m", Qty: market.Shares(30)})
	return b, e, turn
}

func sized(qty string) broker.OrderReport {
	r := described(1, "a", order.WorkingNow)
	r.Order.Qty = market.MustQty(qty)
	return r
}

var us = &broker.Facts{Account: "DU1", ClientID: 1}

// TestExecutionsProveAChange: what is executed beyond the old quantity is so by
// the new one, also when no description of it comes before the order is full.
func TestExecutionsProveAChange(t *testing.T) {
	b, e, turn := changing()
	b.Fold(turn(1), us, executed(1, "a", "x.01", "10"))
	if e.Qty != market.Shares(10) || e.Change == nil || e.State != order.Partial {
		t.Errorf("10 of 10 may be either version: %+v", e.Order)
	}
	b.Fold(turn(2), us, executed(1, "a", "y.01", "20"))
	if e.Qty != market.Shares(30) || e.Change != nil || e.State != order.Filled {
		t.Errorf("30 executed: %+v", e.Order)
	}
}

// TestAnOldDescriptionDoesNotUndoAChange: an answer in full has shown the new
// version, and a description from before comes behind it. Either may be in force
// until the broker is asked again, and the larger counts.
func TestAnOldDescriptionDoesNotUndoAChange(t *testing.T) {
	b, e, turn := changing()
	b.Listed(turn(time.Second), us, sized("30"), b.Mark())
	if e.Qty != market.Shares(30) || e.Change != nil {
		t.Fatalf("listed: %+v", e.Order)
	}
	b.Fold(turn(time.Second), us, sized("30"))
	asks := turn(1500 * time.Millisecond)
	b.Fold(asks, us, sized("10"))
	if e.MostLeft() != market.Shares(30) || e.Stands() || len(asks.Effects) == 0 {
		t.Errorf("described as before: %v left, %+v, effects %+v", e.MostLeft(), e.Order, asks.Effects)
	}
	b.Listed(turn(2*time.Second), us, sized("30"), b.Mark())
	if e.Qty != market.Shares(30) || !e.Stands() {
		t.Errorf("listed again: %+v", e.Order)
	}
	b.Fold(turn(5*time.Second), us, sized("10")) // by hand
	if e.Qty != market.Shares(10) || !e.Stands() {
		t.Errorf("described as it was long ago: %+v", e.Order)
	}
}

// TestAnOldDescriptionBelowWhatIsFilledIsOld: nothing is in doubt then.
func TestAnOldDescriptionBelowWhatIsFilledIsOld(t *testing.T) {
	b, e, turn := changing()
	b.Fold(turn(1), us, executed(1, "a", "x.01", "16"))
	b.Fold(turn(2), us, sized("10"))
	if e.Qty != market.Shares(30) || e.State != order.Partial || !e.Stands() {
		t.Errorf("%+v", e.Order)
	}
}

// TestALostChangeCountsForAWhile: a list does not show it, as when the gateway
// holds it behind a dialog. The order may be changed again, and what the lost one
// may do counts until no list has shown it for long, or it comes.
func TestALostChangeCountsForAWhile(t *testing.T) {
	for _, tt := range []struct {
		name      string
		simulated bool
		then      broker.Event // a moment later
		left      string       // then
		settled   string       // at last
	}{
		{name: "it never comes", left: "30", settled: "10"},
		{name: "it comes", then: sized("30"), left: "30", settled: "30"},
		{name: "it executes", then: executed(1, "a", "x.01", "16"), left: "14", settled: "14"},
		{name: "the order ends", then: status(1, order.CancelDone), left: "10", settled: "10"},
		{name: "simulated", simulated: true, left: "10", settled: "10"},
	} {
		b, e, turn := changing()
		b.SettledAfter = time.Minute
		b.Lost(turn(time.Second))
		who := *us
		who.Simulated = tt.simulated
		listed := turn(2 * time.Second)
		b.Listed(listed, &who, sized("10"), b.Mark())
		if !e.Stands() || e.Qty != market.Shares(10) || listed.Effects[len(listed.Effects)-1].Order.Lost == nil != tt.simulated {
			t.Errorf("%s: listed as it was: %+v", tt.name, e.Order)
		}
		if tt.then != nil {
			b.Fold(turn(3*time.Second), us, tt.then)
		}
		if e.MostLeft() != market.MustQty(tt.left) {
			t.Errorf("%s: %v may be left", tt.name, e.MostLeft())
		}
		b.Judge(turn(62*time.Second), time.Hour)
		if e.MostLeft() != market.MustQty(tt.settled) || e.Lost != nil {
			t.Errorf("%s: %v may be left at last: %+v", tt.name, e.MostLeft(), e.Order)
		}
	}
}
