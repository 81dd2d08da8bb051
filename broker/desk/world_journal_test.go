package desk

import (
	"cmp"
	"context"
	"errors"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// worldJournal is a log of which only what is synced is sure to outlast a
// crash.
type worldJournal struct {
	*memJournal // for what the world does not play
	w           *world
	log         []stored
	synced      int // so many of log are durable
}

// stored is one entry: an intent or a record.
type stored struct {
	intent *broker.IntentRecord
	record *broker.Record
}

// Intend implements [Journal].
func (j *worldJournal) Intend(_ context.Context, r broker.IntentRecord) error {
	if j.w.fault(4) {
		panic(death("before the intent was stored"))
	}
	if j.w.fault(4) {
		return errors.New("world: the disk is full")
	}
	if was, _ := j.find(r.Intent.ID); was != nil && j.w.fake != forgottenIDs {
		return &broker.DuplicateIntentError{Stored: *was}
	}
	if r.Order != nil {
		o := *r.Order
		r.Order = &o
	}
	if r.Changed != nil {
		o := *r.Changed
		r.Changed = &o
	}
	j.log = append(j.log, stored{intent: &r})
	if r.Decision.Allowed && j.w.fake != unsyncedIntents {
		j.synced = len(j.log)
	}
	j.w.say("journal %s %d allowed %v %s", r.Intent.ID, r.OrderID, r.Decision.Allowed, r.Decision.Rule)
	if j.w.fault(6) {
		panic(death("behind the stored intent, before the write"))
	}
	return nil
}

// Record implements [Journal].
func (j *worldJournal) Record(_ context.Context, rs ...broker.Record) error {
	if j.w.fault(3) {
		panic(death("before a record"))
	}
	for _, r := range rs {
		if r.Order != nil {
			o := *r.Order
			r.Order = &o
		}
		j.log = append(j.log, stored{record: &r})
	}
	if j.w.fault(3) {
		panic(death("behind a record"))
	}
	return nil
}

// Lookup implements [Journal].
func (j *worldJournal) Lookup(_ context.Context, id string) (broker.IntentRecord, bool, error) {
	if was, _ := j.find(id); was != nil && j.w.fake != forgottenIDs {
		return *was, true, nil
	}
	return broker.IntentRecord{}, false, nil
}

// HighWater implements [Journal].
func (j *worldJournal) HighWater(context.Context, string, int) (top int64, err error) {
	for _, s := range j.log {
		if s.intent != nil {
			top = max(top, s.intent.OrderID)
		}
	}
	if j.w.fake == reusedNumbers {
		return 0, nil
	}
	return top, nil
}

// Sync implements [Journal].
func (j *worldJournal) Sync(context.Context) error {
	if j.w.fault(20) {
		panic(death("before a sync"))
	}
	j.synced = len(j.log)
	return nil
}

// Load implements [Journal]; nothing is too old for it.
func (j *worldJournal) Load(context.Context, string, int) (b broker.Books, err error) {
	place := map[string]int{} // of an order, by reference
	keep := func(o order.Order) {
		key := o.Ref
		if key == "" {
			return // made elsewhere: the broker tells of it again
		}
		if n, ok := place[key]; ok {
			b.Orders[n] = o
			return
		}
		place[key] = len(b.Orders)
		b.Orders = append(b.Orders, o)
	}
	costs := map[string]broker.CommissionReport{}
	seen := map[string]bool{}
	for _, s := range j.log {
		switch {
		case s.intent != nil && s.intent.Order != nil:
			keep(*s.intent.Order)
			b.Sent = append(b.Sent, broker.SentRecord{At: s.intent.Intent.At, Notional: sentNotional(*s.intent)})
		case s.intent != nil && s.intent.Changed != nil:
			keep(*s.intent.Changed)
		case s.record == nil:
		case s.record.Order != nil:
			keep(*s.record.Order)
		case s.record.Fill != nil && !seen[s.record.Fill.ExecID] && j.w.fake != lostFills:
			seen[s.record.Fill.ExecID] = true
			b.Fills = append(b.Fills, *s.record.Fill)
		case s.record.Commission != nil:
			costs[s.record.Commission.ExecID] = *s.record.Commission
		case s.record.Mode != nil:
			b.Mode = s.record.Mode
		}
	}
	for i, f := range b.Fills {
		if c, ok := costs[f.ExecID]; ok {
			b.Fills[i].Commission, b.Fills[i].RealizedPNL, b.Fills[i].Currency = &c.Commission, c.RealizedPNL, cmp.Or(c.Currency, f.Currency)
		}
	}
	return b, nil
}

// sentNotional is what the gate saw.
func sentNotional(r broker.IntentRecord) market.Money {
	if m, err := market.ParseMoney(r.Decision.Saw.Map()["notional"]); err == nil {
		return m.Abs()
	}
	return market.Money{}
}

// find returns the newest intent stored for an id, its order as last recorded,
// and whether it is durable.
func (j *worldJournal) find(id string) (found *broker.IntentRecord, durable bool) {
	for n, s := range j.log {
		switch {
		case s.intent != nil && s.intent.Intent.ID == id:
			r := *s.intent
			found, durable = &r, n < j.synced
		case found != nil && s.record != nil && s.record.Order != nil && s.record.Order.Ref == id:
			found.Order = s.record.Order
		}
	}
	return found, durable
}

// commit is a group commit by the journal's own clock.
func (j *worldJournal) commit() { j.synced = len(j.log) }

// crash loses what is not durable: all of it, or all behind some entry.
func (j *worldJournal) crash() {
	j.log = j.log[:j.synced+j.w.dice.IntN(len(j.log)-j.synced+1)]
	j.synced = len(j.log)
}
