package books

import (
	"cmp"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// SettleAfter is how long a position told by the venue may differ from the
// books before it is taken over. Wall time: executions and position updates
// come within a second of each other, in any order.
const SettleAfter = 2 * time.Second

// The largest execution and holding that are taken for real. Sums of these
// stay far inside what a quantity can hold.
var (
	maxFill    = market.Shares(10_000_000)
	MaxHolding = market.Shares(1_000_000_000)
)

// Step moves an order's state by a signal, and tells and records the order
// when that is a legal step. An illegal one changes nothing.
func (b *Books) Step(t *Turn, e *Entry, sig order.Signal) {
	after, ok := e.State.Next(sig)
	if !ok {
		t.warn(event.NoticeText{
			Name: "illegal_step", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("order %d is %v and cannot take %v; the report changes nothing", e.OrderID, e.State, sig),
		})
		return
	}
	b.Become(t, e, after)
}

// Become sets an order's state, and tells and records it. What was filled may
// carry it further; see [order.Order.AfterFills].
func (b *Books) Become(t *Turn, e *Entry, state order.State) {
	e.State = state
	e.State = e.AfterFills()
	if e.State.Final() {
		e.Change, e.Ending, e.Lost = nil, nil, nil
	}
	if e.State != order.Sent {
		e.SentAt = time.Time{}
	}
	if !t.Market.IsZero() {
		e.Updated = t.Market
	}
	b.Place(e)
	t.order(e.Order)
}

// Fold takes in a report about an order, an execution or a position. Anything
// else is not for the books.
func (b *Books) Fold(t *Turn, who *broker.Facts, e broker.Event) {
	switch e := e.(type) {
	case broker.OrderReport:
		b.FoldOrder(t, who, e)
	case broker.StatusReport:
		b.foldStatus(t, who, e)
	case broker.ExecutionReport:
		b.FoldExecution(t, who, e.Fill)
	case broker.CommissionReport:
		b.FoldCommission(t, e)
	case broker.PositionReport:
		b.foldPosition(t, who, e.Position)
	}
}

// FoldOrder takes in the venue's description of an order.
func (b *Books) FoldOrder(t *Turn, who *broker.Facts, r broker.OrderReport) {
	o := r.Order
	if r.WhatIf || Foreign(who, o.Account) {
		return
	}
	o.Symbol = b.Name(t, o.Symbol, o.ConID)
	e := b.Find(o.ClientID, o.OrderID, o.PermID, o.Ref)
	if o.ClientID == who.ClientID {
		b.saw(o.OrderID)
	} else if e != nil && o.Ref == "" && o.PermID != 0 && e.PermID != 0 && o.PermID != e.PermID {
		e = nil // another one under the same number, which is not ours to count
	}
	if e == nil {
		o.State = order.Sent // somebody wrote it
		if o.Created.IsZero() {
			o.Created = t.Market
		}
		e = b.Add(o, t.Wall)
		b.orderElsewhere(t, o, r.Status)
		defer func() { b.Become(t, e, e.State) }() // told even when the status moves nothing
	} else if why := Disagrees(e, o); why != "" {
		b.Quarantine(t, e, "an order report", why)
		return
	}
	b.hears(e)
	b.Learn(e, o.PermID)
	b.described(t, e, o, r.Known && r.Signal == order.FilledUp)
	b.hint(t, e, r.Signal, r.Known, r.Status)
}

// Disagrees tells why a report cannot be about the order that has its number.
// Numbers come again, when a gateway forgets its sequence; references do not.
func Disagrees(e *Entry, o order.Order) string {
	switch {
	case o.Ref != e.Ref:
		return fmt.Sprintf("its reference is %q", o.Ref)
	case o.PermID != 0 && e.PermID != 0 && o.PermID != e.PermID:
		return fmt.Sprintf("its permanent id is %d, not %d", o.PermID, e.PermID)
	case o.OrderID != e.OrderID && e.OrderID > 0 && o.OrderID > 0:
		return fmt.Sprintf("its number is %d", o.OrderID)
	case o.Symbol != e.Symbol && o.Symbol != "":
		return fmt.Sprintf("its symbol is %s", o.Symbol)
	case o.Side != e.Side && o.Side != "":
		return fmt.Sprintf("its side is %s", o.Side)
	}
	return ""
}

// Quarantine tells a person once of a report that is not applied because it
// contradicts the order that it names.
func (b *Books) Quarantine(t *Turn, e *Entry, what, why string) {
	b.Raise(t, fmt.Sprintf("quarantined %d %s %s", e.OrderID, what, why), event.NoticeText{
		Level: "error", Name: "report_quarantined", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("%s with the number of order %d is not about it: %s; it is not applied", what, e.OrderID, why),
	})
}

// Learn takes the venue's number for an order.
func (b *Books) Learn(e *Entry, perm int64) {
	if perm != 0 && e.PermID == 0 {
		e.PermID = perm
		b.byPerm[perm] = e
	}
}

// hint moves an order by a status. What was filled is for executions to say.
func (b *Books) hint(t *Turn, e *Entry, sig order.Signal, known bool, status string) {
	e.SentAt, e.Owed = time.Time{}, time.Time{} // an answer, whatever it says
	if !known {
		t.warn(event.NoticeText{
			Name: "status_unknown", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("order %d has status %.40q, which is no word we know; it changes nothing", e.OrderID, status),
		})
		return
	}
	switch sig {
	case order.FilledUp, order.Executed:
		sig = order.Acked
	case order.CancelSent:
		b.endAcked(t, e)
	case order.CancelFail:
		e.Ending = nil
	}
	if after, ok := e.State.Next(sig); ok && after == e.State {
		return // duplicates are normal, and news to nobody
	}
	b.Step(t, e, sig)
}

// foldStatus takes in a status. It carries no reference, so the permanent id
// is all that can disagree.
func (b *Books) foldStatus(t *Turn, who *broker.Facts, r broker.StatusReport) {
	e := b.Find(r.ClientID, r.OrderID, r.PermID, "")
	if r.ClientID == who.ClientID {
		b.saw(r.OrderID)
	}
	if e == nil {
		return // of an order that was never described to us; its description says the same
	}
	if r.PermID != 0 && e.PermID != 0 && r.PermID != e.PermID {
		b.Quarantine(t, e, "a status", fmt.Sprintf("its permanent id is %d, not %d", r.PermID, e.PermID))
		return
	}
	b.hears(e)
	b.Learn(e, r.PermID)
	if c := e.Change; c != nil && r.Known && r.Signal == order.FilledUp && (r.Filled == e.Qty || r.Filled == c.Qty) {
		e.Qty, e.Change = r.Filled, nil // it tells which version was full
		b.Become(t, e, e.State)
	}
	if r.Known && r.Signal == order.CancelDone && e.State.Live() && e.Filled.Less(r.Filled) {
		e.SentAt, e.Owed = time.Time{}, time.Time{}
		b.EndedWith(t, e, r.Signal, r.Filled)
		return
	}
	b.hint(t, e, r.Signal, r.Known, r.Status)
}

// FoldExecution takes in an execution: once, whatever state link and order are
// in.
func (b *Books) FoldExecution(t *Turn, who *broker.Facts, f order.Fill) {
	if Foreign(who, f.Account) {
		return
	}
	b.turnLedgers(t.Market)
	was, twice := b.version(f.ExecID)
	if twice {
		return
	}
	f.Symbol = b.Name(t, f.Symbol, f.ConID)
	if f.ClientID == who.ClientID {
		b.saw(f.OrderID)
	}
	if was != nil {
		b.corrected(t, was, f)
		return
	}
	if _, v := order.ExecVersion(f.ExecID); f.Qty.IsZero() && v > 1 {
		b.takenBack(t, f)
		return
	}
	if f.Qty.Sign() <= 0 || maxFill.Less(f.Qty) || f.ExecID == "" {
		b.Raise(t, "absurd "+f.ExecID, event.NoticeText{
			Level: "error", Name: "report_absurd", Symbol: f.Symbol, Ref: f.Ref,
			Text: fmt.Sprintf("execution %.60q of %v at %v cannot be; it is not applied; look at it with the broker", f.ExecID, f.Qty, f.Price),
		})
		return
	}
	if c, ok := b.costs.m[f.ExecID]; ok {
		f = priced(f, c)
	}
	e, why := b.owner(f)
	if why != "" {
		b.Quarantine(t, e, "execution "+f.ExecID, why) // it still happened: only the order is not touched
		e = nil
	}
	if e != nil && (f.Ref == "" || f.Ref == e.Ref) {
		f.Ref = e.Ref // one text in memory
	}
	if b.orphan(f, e) {
		b.adopt(t, f)
		return
	}
	paid := b.pay(f)
	if paid {
		b.cash.unsure() // what was taken over may have been in the cash already
		b.accounted(f)
	} else {
		b.moved(f.ExecID, f.Symbol, f.Side.Signed(f.Qty))
		b.followed(f)
		b.cash.traded(f)
	}
	b.keep(f)
	t.stored(f)
	t.fill(f)
	if e != nil {
		b.filled(t, e, f)
	}
	if paid {
		b.explained(t, f)
	} else if p, ok := b.move(f, cmp.Or(f.ConID, t.ConID(f.Symbol)), t.Wall); ok {
		t.Position(p)
		b.executedElsewhere(t, who, f, e)
	}
}

// followed tells the follower of an execution.
func (b *Books) followed(f order.Fill) {
	if b.Follower != nil {
		b.Follower.Executed(b, f)
	}
}

// owner returns the order that an execution is of, nil when none is known, and
// why it cannot be of the order that it names.
func (b *Books) owner(f order.Fill) (e *Entry, why string) {
	if e = b.Find(f.ClientID, f.OrderID, f.PermID, f.Ref); e == nil {
		return nil, ""
	}
	o := order.Order{Ref: f.Ref, OrderID: f.OrderID, PermID: f.PermID, Symbol: f.Symbol, Side: f.Side}
	if o.Ref == "" {
		o.Ref = e.Ref
	}
	return e, Disagrees(e, o)
}

// filled adds an execution to its order.
func (b *Books) filled(t *Turn, e *Entry, f order.Fill) {
	b.hears(e)
	b.Learn(e, f.PermID)
	b.sharedOut(e, t.Wall)
	e.SentAt = time.Time{}
	e.Filled = e.Filled.Add(f.Qty)
	e.known = e.known.Add(f.Qty)
	e.spent = e.spent.Add(f.Price.Mul(f.Qty))
	e.average()
	e.proveChange(t.Wall)
	b.overfilled(t, e, f.ExecID)
	after, ok := e.State.Next(order.Executed)
	if !ok { // the execution is the truth all the same
		b.Step(t, e, order.Executed) // tells
	}
	b.Become(t, e, after)
	b.ripe(t, e)
}

// overfilled raises an order of which more was executed than it may be for. The
// position and the broker agree about it, so nothing else would.
func (b *Books) overfilled(t *Turn, e *Entry, exec string) {
	most := e.MostQty()
	if most.Sign() <= 0 || !most.Less(e.Filled) {
		return
	}
	b.Found(t, broker.Finding{
		Kind: FindOrder, Symbol: e.Symbol, Ref: e.Ref, Ours: most.String() + " asked for", Theirs: e.Filled.String() + " executed",
		Evidence: fmt.Sprintf("execution %.60s is beyond the quantity of order %d", exec, e.OrderID),
		Done:     "counted in the position; entries are refused until a person resumes",
	})
}

func priced(f order.Fill, c broker.CommissionReport) order.Fill {
	f.Commission, f.RealizedPNL = c.Commission.Ptr(), c.RealizedPNL
	if c.Currency != "" {
		f.Currency = c.Currency
	}
	return f
}

// FoldCommission adds a commission to its execution, which may come later.
func (b *Books) FoldCommission(t *Turn, c broker.CommissionReport) {
	x, told := b.version(c.ExecID)
	switch {
	case !told:
		b.costs.Put(c.ExecID, c)
		t.store(broker.Record{Commission: &c})
		return
	case x.ExecID != c.ExecID: // of a version that counts nowhere
		return
	case !b.prices(x, c):
		return
	}
	if b.Follower != nil {
		b.Follower.Charged(c.ExecID, c.Commission)
	}
	t.store(broker.Record{Commission: &c})
	t.fill(x.Fill())
}

// FoldValues takes in values of the account, and tells those that changed.
func (b *Books) FoldValues(t *Turn, who *broker.Facts, values []broker.AccountValue) {
	var changed []broker.AccountValue
	for _, v := range values {
		k := [2]string{v.Key, v.Currency}
		if was, ok := b.values[k]; Foreign(who, v.Account) || was == v || !ok && len(b.values) >= keepValues {
			continue
		}
		b.values[k] = v
		changed = append(changed, v)
	}
	if len(changed) == 0 {
		return
	}
	t.store(broker.Record{Values: changed})
	t.follows(Effect{Values: changed, Account: who.Account})
}

// sharedOut notes, at a fill, that the broker is to take it off the stop of the
// same group: until it has said so, the stop's quantity in the books is old.
func (b *Books) sharedOut(e *Entry, wall time.Time) {
	if e.OCA == "" {
		return
	}
	for _, o := range b.Live[e.Symbol] {
		if o != e && o.OCA == e.OCA && o.Protects() {
			o.Owed = wall
		}
	}
}

// Ours reports whether the session's open orders would list an order.
func (b *Books) Ours(who *broker.Facts, e *Entry) bool {
	return !Foreign(who, e.Account) && e.ClientID == who.ClientID
}

// Foreign reports whether something is about another account than the one that
// a session trades.
func Foreign(who *broker.Facts, account string) bool {
	return account != "" && account != who.Account
}
