package desk

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// settleAfter is how long a position told by the venue may differ from the
// books before it is taken over. Wall time: executions and position updates
// come within a second of each other, in any order.
const settleAfter = 2 * time.Second

// The largest execution and holding that are taken for real. Sums of these
// stay far inside what a quantity can hold.
var (
	maxFill    = market.Shares(10_000_000)
	maxHolding = market.Shares(1_000_000_000)
)

// batch is what Serve hands to the command loop.
type batch struct {
	from    *held
	events  []broker.Event
	ticks   uint64
	reports uint64
	ended   chan<- struct{} // not nil: the session is over; closed when that is folded
}

// folded folds a batch in a turn of its own, and then tells how far it is.
func (d *Desk) folded(b batch) {
	d.turn <- struct{}{} // whoever has the turn is bounded by its own deadline
	defer d.give()
	d.fold(b.from, b.events)
	if len(b.events) > 0 && b.ended == nil {
		d.protect(time.Now())
	}
	d.floor.counted(b.reports)
	if b.ended != nil {
		d.lost()
		close(b.ended)
		return
	}
	if d.cfg.Progress {
		d.out.progress(event.Counts{Ticks: b.ticks, Reports: b.reports, Written: b.from.written.Load()})
	}
}

// fold takes events in, in order.
func (d *Desk) fold(h *held, events []broker.Event) {
	var values []broker.AccountValue
	for _, e := range events {
		switch e := e.(type) {
		case broker.OrderReport:
			d.foldOrder(h, e)
		case broker.StatusReport:
			d.foldStatus(h, e)
		case broker.ExecutionReport:
			d.foldExecution(h, e.Fill)
		case broker.CommissionReport:
			d.foldCommission(e)
		case broker.Notice:
			d.foldNotice(h, e)
		case broker.AccountValue:
			values = append(values, e)
		case broker.PositionReport:
			d.foldPosition(h, e.Position)
		}
	}
	if len(values) > 0 {
		d.stream.heard(time.Now())
		d.foldValues(h, values)
	}
}

// foreign reports whether something is about another account than the one
// that is traded.
func (h *held) foreign(account string) bool { return account != "" && account != h.facts.Account }

// step moves an order's state by a signal, and tells and records the order
// when that is a legal step. An illegal one changes nothing.
func (d *Desk) step(e *entry, sig order.Signal) {
	after, ok := e.State.Next(sig)
	if !ok {
		d.warn(event.NoticeText{
			Name: "illegal_step", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("order %d is %v and cannot take %v; the report changes nothing", e.OrderID, e.State, sig),
		})
		return
	}
	d.become(e, after)
}

// become sets an order's state, and tells and records it.
func (d *Desk) become(e *entry, state order.State) {
	e.State = state
	if state.Final() {
		e.change = nil
	}
	if state != order.Sent {
		e.sentAt = time.Time{}
	}
	r := d.stamp()
	if !r.Market.IsZero() {
		e.Updated = r.Market
	}
	d.books.place(e)
	o := e.Order
	d.out.order(o)
	r.Order = &o
	d.record(r)
}

// foldOrder takes in the venue's description of an order.
func (d *Desk) foldOrder(h *held, r broker.OrderReport) {
	o := r.Order
	if r.WhatIf || h.foreign(o.Account) {
		return
	}
	e := d.books.find(o.ClientID, o.OrderID, o.PermID, o.Ref)
	if o.ClientID == h.facts.ClientID {
		d.books.saw(o.OrderID)
	}
	if e == nil {
		o.State = order.Sent // somebody wrote it
		if o.Created.IsZero() {
			o.Created = d.floor.now()
		}
		e = d.books.add(o)
		d.orderElsewhere(o, r.Status)
		defer func() { d.become(e, e.State) }() // told even when the status moves nothing
	} else if why := disagrees(e, o); why != "" {
		d.quarantine(e, "an order report", why)
		return
	}
	d.learn(e, o.PermID)
	d.described(e, o)
	d.hint(e, r.Signal, r.Known, r.Status)
}

// disagrees tells why a report cannot be about the order that has its number.
// Numbers come again, when a gateway forgets its sequence; references do not.
func disagrees(e *entry, o order.Order) string {
	switch {
	case o.Ref != e.Ref:
		return fmt.Sprintf("its reference is %q", o.Ref)
	case o.PermID != 0 && e.PermID != 0 && o.PermID != e.PermID:
		return fmt.Sprintf("its permanent id is %d, not %d", o.PermID, e.PermID)
	case o.OrderID != e.OrderID && e.OrderID != 0 && o.OrderID != 0:
		return fmt.Sprintf("its number is %d", o.OrderID)
	case o.Symbol != e.Symbol && o.Symbol != "":
		return fmt.Sprintf("its symbol is %s", o.Symbol)
	case o.Side != e.Side && o.Side != "":
		return fmt.Sprintf("its side is %s", o.Side)
	}
	return ""
}

func (d *Desk) quarantine(e *entry, what, why string) {
	d.raise(fmt.Sprintf("quarantined %d %s %s", e.OrderID, what, why), event.NoticeText{
		Level: "error", Name: "report_quarantined", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("%s with the number of order %d is not about it: %s; it is not applied", what, e.OrderID, why),
	})
}

// learn takes the venue's number for an order.
func (d *Desk) learn(e *entry, perm int64) {
	if perm != 0 && e.PermID == 0 {
		e.PermID = perm
		d.books.byPerm[perm] = e
	}
}

// hint moves an order by a status. What was filled is for executions to say.
func (d *Desk) hint(e *entry, sig order.Signal, known bool, status string) {
	e.sentAt, e.owed = time.Time{}, time.Time{} // an answer, whatever it says
	if !known {
		d.warn(event.NoticeText{
			Name: "status_unknown", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("order %d has status %.40q, which is no word we know; it changes nothing", e.OrderID, status),
		})
		return
	}
	if sig == order.FilledUp || sig == order.Executed {
		sig = order.Acked
	}
	if after, ok := e.State.Next(sig); ok && after == e.State {
		return // duplicates are normal, and news to nobody
	}
	d.step(e, sig)
}

// foldStatus takes in a status. It carries no reference, so the permanent id
// is all that can disagree.
func (d *Desk) foldStatus(h *held, r broker.StatusReport) {
	e := d.books.find(r.ClientID, r.OrderID, r.PermID, "")
	if r.ClientID == h.facts.ClientID {
		d.books.saw(r.OrderID)
	}
	if e == nil {
		return // of an order that was never described to us; its description says the same
	}
	if r.PermID != 0 && e.PermID != 0 && r.PermID != e.PermID {
		d.quarantine(e, "a status", fmt.Sprintf("its permanent id is %d, not %d", r.PermID, e.PermID))
		return
	}
	d.learn(e, r.PermID)
	d.hint(e, r.Signal, r.Known, r.Status)
}

// foldExecution takes in an execution: once, whatever state link and order are
// in.
func (d *Desk) foldExecution(h *held, f order.Fill) {
	if h.foreign(f.Account) {
		return
	}
	if _, twice := d.books.execs.m[f.ExecID]; twice {
		return
	}
	if f.ClientID == h.facts.ClientID {
		d.books.saw(f.OrderID)
	}
	if was := d.books.version(f.ExecID); was != nil {
		d.corrected(was, f)
		return
	}
	if _, v := order.ExecVersion(f.ExecID); f.Qty.IsZero() && v > 1 {
		d.takenBack(f)
		return
	}
	if f.Qty.Sign() <= 0 || maxFill.Less(f.Qty) || f.ExecID == "" {
		d.raise("absurd "+f.ExecID, event.NoticeText{
			Level: "error", Name: "report_absurd", Symbol: f.Symbol, Ref: f.Ref,
			Text: fmt.Sprintf("execution %.60q of %v at %v cannot be; it is not applied; look at it with the broker", f.ExecID, f.Qty, f.Price),
		})
		return
	}
	if c, ok := d.books.costs.m[f.ExecID]; ok {
		f = priced(f, c)
	}
	e, why := d.owner(f)
	if why != "" {
		d.quarantine(e, "execution "+f.ExecID, why) // it still happened: only the order is not touched
		e = nil
	}
	if e != nil && f.Ref == "" {
		f.Ref = e.Ref
	}
	d.books.keep(f)
	d.stored(f)
	d.out.fill(f)
	if e != nil {
		d.filled(e, f)
	}
	if p, ok := d.books.move(f, d.conID(f.Symbol)); ok {
		d.out.position(p)
		d.executedElsewhere(h, f, e)
	}
}

// owner returns the order that an execution is of, nil when none is known, and
// why it cannot be of the order that it names.
func (d *Desk) owner(f order.Fill) (e *entry, why string) {
	if e = d.books.find(f.ClientID, f.OrderID, f.PermID, f.Ref); e == nil {
		return nil, ""
	}
	o := order.Order{Ref: f.Ref, OrderID: f.OrderID, PermID: f.PermID, Symbol: f.Symbol, Side: f.Side}
	if o.Ref == "" {
		o.Ref = e.Ref
	}
	return e, disagrees(e, o)
}

func (d *Desk) conID(s market.Symbol) int64 {
	if details := d.floor.details(s); details != nil {
		return details.Contract.ConID
	}
	return 0
}

// filled adds an execution to its order.
func (d *Desk) filled(e *entry, f order.Fill) {
	d.learn(e, f.PermID)
	d.sharedOut(e, time.Now())
	e.sentAt = time.Time{}
	e.Filled = e.Filled.Add(f.Qty)
	e.spent = e.spent.Add(f.Price.Mul(f.Qty))
	e.average()
	sig := order.Executed
	if e.Qty.Sign() > 0 && !e.Filled.Less(e.Qty) {
		sig = order.FilledUp
	}
	if e.Qty.Sign() > 0 && e.Qty.Less(e.Filled) {
		d.warn(event.NoticeText{
			Level: "error", Name: "overfilled", Symbol: e.Symbol, Ref: e.Ref,
			Text: fmt.Sprintf("order %d asked for %v and %v were executed; look at it with the broker", e.OrderID, e.Qty, e.Filled),
		})
	}
	after, ok := e.State.Next(sig)
	if !ok { // the execution is the truth all the same
		d.step(e, sig) // tells
		after = e.State
	}
	d.become(e, after)
}

func priced(f order.Fill, c broker.CommissionReport) order.Fill {
	f.Commission, f.RealizedPNL = c.Commission.Ptr(), c.RealizedPNL
	if c.Currency != "" {
		f.Currency = c.Currency
	}
	return f
}

// foldCommission adds a commission to its execution, which may come later.
func (d *Desk) foldCommission(c broker.CommissionReport) {
	f, known := d.books.execs.m[c.ExecID]
	if known && f == nil { // of a version that counts nowhere
		return
	}
	if f == nil {
		d.books.costs.put(c.ExecID, c)
	} else {
		after := priced(*f, c)
		if f.Commission != nil && *f.Commission == *after.Commission && alike(f.RealizedPNL, after.RealizedPNL) {
			return // told twice
		}
		*f = after
		d.books.score.cost(c.ExecID, c.Commission)
	}
	r := d.stamp()
	r.Commission = &c
	d.record(r)
	if f != nil {
		d.out.fill(*f)
	}
}

// foldValues takes in values of the account, and tells those that changed.
func (d *Desk) foldValues(h *held, values []broker.AccountValue) {
	var changed []broker.AccountValue
	for _, v := range values {
		k := [2]string{v.Key, v.Currency}
		if was, ok := d.books.values[k]; h.foreign(v.Account) || was == v || !ok && len(d.books.values) >= keepValues {
			continue
		}
		d.books.values[k] = v
		d.books.score.told(v, d.floor.now(), d.mode.Load())
		changed = append(changed, v)
	}
	if len(changed) == 0 {
		return
	}
	r := d.stamp()
	r.Values = changed
	d.record(r)
	d.out.account(event.AccountValues{Account: h.facts.Account, Values: changed})
}

// foldPosition takes in what the venue tells about a position on its own. It
// and the executions come in any order, so a difference has time to settle.
func (d *Desk) foldPosition(h *held, p order.Position) {
	if h.foreign(p.Account) || d.books.positions == nil || maxHolding.Less(p.Qty.Abs()) {
		return
	}
	d.books.told[p.Symbol] = toldPosition{qty: p.Qty, cost: p.AvgCost, at: time.Now()}
	d.settle(time.Now())
}

// settle compares what the venue told about positions with the books. A
// difference that lasts is looked into; see look.
func (d *Desk) settle(wall time.Time) {
	for _, sym := range slices.Sorted(maps.Keys(d.books.told)) {
		t := d.books.told[sym]
		p, ok := d.books.positions[sym]
		if !ok {
			p = order.Position{Account: d.books.account, Symbol: sym, ConID: d.conID(sym)}
		}
		differs := p.Qty != t.qty
		if differs && wall.Sub(t.at) < settleAfter {
			continue
		}
		delete(d.books.told, sym)
		if differs {
			d.suspected(sym, p, t)
			continue
		}
		if !alike(p.AvgCost, t.cost) {
			p.AvgCost = t.cost
			d.books.positions[sym] = p
			d.out.position(p)
		}
	}
}

// alike reports whether both are unknown, or the same.
func alike[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// judge looks for silence.
func (d *Desk) judge(wall time.Time) {
	for _, sym := range slices.Sorted(maps.Keys(d.books.live)) {
		for _, e := range slices.Clone(d.books.live[sym]) {
			d.judgeChange(e, wall)
			if e.State != order.Sent || e.sentAt.IsZero() {
				continue
			}
			d.suspectDialog(e, wall)
			if wall.Sub(e.sentAt) < d.cfg.SilenceAfter {
				continue
			}
			e.Note = fmt.Sprintf("no answer within %v of the write", d.cfg.SilenceAfter)
			d.warn(event.NoticeText{
				Name: "order_silent", Symbol: e.Symbol, Ref: e.Ref,
				Text: fmt.Sprintf("order %d got no answer within %v: its outcome is unknown; look for a dialog in the gateway's window", e.OrderID, d.cfg.SilenceAfter),
			})
			d.step(e, order.Silent)
			d.lookSoon()
		}
	}
	d.settle(wall)
	if wall.Sub(d.looked) >= lookEvery {
		d.looked = wall
		d.lookAtData(wall)
	}
}

// dialogAfter is how long an order may stay without a description before the
// gateway is suspected to show a dialog that waits for a click: a window in
// front of a gateway that nobody looks at holds every order back.
const dialogAfter = 3 * time.Second

// suspectDialog tells once an order that the gateway may show a dialog.
func (d *Desk) suspectDialog(e *entry, wall time.Time) {
	if e.suspect || wall.Sub(e.sentAt) < dialogAfter {
		return
	}
	e.suspect = true
	e.Note = fmt.Sprintf("dialog_suspect: no answer within %v of the write, the gateway may show a dialog", dialogAfter)
	d.warn(event.NoticeText{
		Level: "error", Name: "dialog_suspect", Symbol: e.Symbol, Ref: e.Ref,
		Text: fmt.Sprintf("order %d went to the socket and was not described within %v: the gateway may show a dialog; look at its window, and switch off its order confirmations for API orders", e.OrderID, dialogAfter),
	})
	d.become(e, e.State)
}

// lost is told when a session is over: what was sent and not answered is
// unknown now.
func (d *Desk) lost() {
	for _, sym := range slices.Sorted(maps.Keys(d.books.live)) {
		for _, e := range slices.Clone(d.books.live[sym]) {
			d.lostChange(e)
			if e.State != order.Sent {
				continue
			}
			e.Note = "the session ended before any answer"
			d.warn(event.NoticeText{
				Name: "order_unknown", Symbol: e.Symbol, Ref: e.Ref,
				Text: fmt.Sprintf("order %d was written and not answered when the session ended: its outcome is unknown until the broker is asked", e.OrderID),
			})
			d.step(e, order.Silent)
		}
	}
}
