package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// A refusal costs some 2 kB in the journal for good, and a strategy that asks at
// every tick while it may not trade would fill the disk. So of one strategy,
// symbol, action and rule at most refusalsAMinute are stored in a minute of wall
// time; the next one that is stored says how many were only counted. All are
// answered and published alike.
const refusalsAMinute = 20

// keepRefusals bounds the kinds of refusals that are counted at a time. Beyond,
// a kind whose minute is over is forgotten; while there is none, refusals of new
// kinds are only counted together.
const keepRefusals = 1024

type refusalKind struct {
	strategy string
	symbol   market.Symbol
	action   order.Action
	rule     string
}

type refusalCount struct {
	since  time.Time // wall time of the first of this minute
	stored int
	more   int // not stored since the newest that was
}

// refusals bounds what is stored of them. It is of the turn.
type refusals map[refusalKind]*refusalCount

// store reports whether a refusal is to be stored, and notes in its reason how
// many before it were not.
func (r refusals) store(rec *broker.IntentRecord, wall time.Time) bool {
	in := rec.Intent
	kind := refusalKind{in.Strategy, in.Symbol, in.Action, rec.Decision.Rule}
	if r[kind] == nil && len(r) >= keepRefusals && !r.room(wall) {
		kind = refusalKind{}
	}
	c := r[kind]
	if c == nil {
		c = new(refusalCount)
		r[kind] = c
	}
	if wall.Sub(c.since) >= time.Minute {
		c.since, c.stored = wall, 0
	}
	if c.stored == refusalsAMinute {
		c.more++
		return false
	}
	c.stored++
	if c.more > 0 {
		rec.Decision.Reason += fmt.Sprintf(" (%d like it before were counted and not stored)", c.more)
		c.more = 0
	}
	return true
}

// room forgets the kinds that are old, and reports whether there is room then.
func (r refusals) room(wall time.Time) bool {
	maps.DeleteFunc(r, func(_ refusalKind, c *refusalCount) bool { return wall.Sub(c.since) >= time.Minute })
	return len(r) < keepRefusals
}

// refuse stores and tells a refusal. No byte depends on it. Before says that
// the id was asked for once already.
func (d *Desk) refuse(ctx context.Context, rec broker.IntentRecord, before bool) event.OrderReply {
	reply := event.OrderReply{
		IntentID: rec.Intent.ID, Result: event.Refused, Rule: rec.Decision.Rule, Reason: rec.Decision.Reason,
	}
	// Memory does not know the answer, but an earlier life may have sent it.
	stored, ok, err := d.journal.Lookup(ctx, rec.Intent.ID)
	switch {
	case err == nil && ok:
		return d.adopt(stored)
	case err != nil && before:
		reply.Result, reply.Rule = event.Unknown, "journal"
		reply.Reason = "it was asked for before, and what came of it is in the journal, which does not answer: " + err.Error()
		return reply
	}
	if d.denied.store(&rec, time.Now()) {
		err := d.journal.Intend(ctx, rec)
		var dup *broker.DuplicateIntentError
		if errors.As(err, &dup) {
			return d.adopt(dup.Stored)
		}
		if err != nil {
			d.warn(event.NoticeText{Level: "error", Name: "journal_failed", Text: err.Error(), Ref: rec.Intent.ID})
		}
	}
	d.books.Answered(rec.Intent.ID, reply)
	d.out.decision(event.Decided{Intent: rec.Intent, Decision: rec.Decision})
	return reply
}
