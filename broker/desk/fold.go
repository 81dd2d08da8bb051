package desk

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
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
		d.fares(b.from)
	}
	d.floor.Counted(b.reports)
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
		case broker.Notice:
			d.foldNotice(h, e)
		case broker.AccountValue:
			values = append(values, e)
		default:
			t := d.begin()
			d.books.Fold(t, &h.facts, e)
			d.follow(t)
		}
	}
	if len(values) > 0 {
		d.stream.Heard(time.Now())
		d.foldValues(&h.facts, values)
	}
}

// foreign reports whether something is about another account than the one
// that is traded.
func (h *held) foreign(account string) bool { return books.Foreign(&h.facts, account) }

func (d *Desk) conID(s market.Symbol) int64 {
	if details := d.floor.Details(s); details != nil {
		return details.Contract.ConID
	}
	return 0
}

// foldValues takes in values of the account.
func (d *Desk) foldValues(who *broker.Facts, values []broker.AccountValue) {
	t := d.begin()
	d.books.FoldValues(t, who, values)
	d.follow(t)
}

// step moves an order's state by a signal, and tells and records the order when
// that is a legal step.
func (d *Desk) step(e *books.Entry, sig order.Signal) {
	t := d.begin()
	d.books.Step(t, e, sig)
	d.follow(t)
}

// begin makes a turn of the books, at this moment. Who begins one follows it.
func (d *Desk) begin() *books.Turn {
	return &books.Turn{Wall: time.Now(), Market: d.floor.Now(time.Now()), ConID: d.conID, CanAsk: d.held.Load() != nil && !d.cfg.Progress}
}

// follow tells and stores what follows from a turn of the books, in order. The
// caller has the command loop's turn.
func (d *Desk) follow(t *books.Turn) {
	for _, c := range t.Effects {
		switch {
		case c.Order != nil:
			d.out.order(*c.Order)
			d.record(broker.Record{Wall: t.Wall, Market: t.Market, Order: c.Order})
		case c.Store != nil:
			d.record(*c.Store)
		case c.Fill != nil:
			d.weighed = false
			d.out.fill(*c.Fill)
			d.traceFill(c.Fill)
		case c.Position != nil:
			d.out.position(*c.Position)
		case c.Values != nil:
			d.weighed = false
			for _, v := range c.Values {
				d.score.Told(v, t.Market, d.mode.Load())
			}
			d.out.account(event.AccountValues{Account: c.Account, Values: c.Values})
		case c.Finding != nil:
			d.out.finding(*c.Finding)
		case c.Notice != nil:
			d.warn(*c.Notice)
		case c.Restrict != "":
			d.restrict(c.Restrict)
		default:
			d.asked(c.Ask)
		}
	}
}

// asked has the broker asked what the books want to know.
func (d *Desk) asked(a books.Ask) {
	h := d.held.Load()
	switch {
	case h == nil:
	case a == books.AskAll:
		h.ask(chore{recover: true})
	case a == books.AskLook:
		h.ask(chore{look: true})
	case a == books.AskSoon:
		d.lookSoon()
	}
}

// judge looks for silence: of the orders, and of the market data.
func (d *Desk) judge(wall time.Time) {
	t := d.begin()
	t.Wall = wall
	d.books.Judge(t, d.cfg.SilenceAfter)
	d.follow(t)
	if wall.Sub(d.looked) >= lookEvery {
		d.looked = wall
		d.lookAtData(wall)
	}
}

// lost is told when a session is over: what was sent and not answered is
// unknown now.
func (d *Desk) lost() {
	t := d.begin()
	d.books.Lost(t)
	d.follow(t)
}
