package desk

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// latcher is a gate that names the rules after whose refusal a person has to
// look: the mode becomes reduce_only, and stays so over a restart.
type latcher interface{ Latches(rule string) bool }

// judge is a gate that asks these rules without an intent, of how the account
// fares.
type judge interface {
	Judge(s broker.Standing) (rule, reason string)
}

// latchOn makes the mode reduce_only when a rule refused whose finding stays true
// until a person looks at it. The caller has the turn.
func (d *Desk) latchOn(dec order.Decision) {
	if l, ok := d.gate.(latcher); ok && !dec.Allowed && l.Latches(dec.Rule) {
		d.latchRule(dec.Rule, dec.Reason)
	}
}

func (d *Desk) latchRule(rule, reason string) { d.restrict("risk rule " + rule + ": " + reason) }

// fares has the gate judge how the account fares, after executions,
// commissions and what the venue says that it is worth: a strategy whose orders
// rest asks for nothing, and its entries would fill on. The caller has the turn.
func (d *Desk) fares(h *held) {
	j, ok := d.gate.(judge)
	mode := d.mode.Load()
	if d.weighed || !ok || mode.Mode != broker.Active || d.books.Positions == nil {
		return
	}
	d.weighed = true
	d.score.Build(d.books)
	d.score.Mark(h.facts.Account, d.floor.Now(time.Now()), mode)
	if rule, why := j.Judge(d.score.Standing()); rule != "" {
		d.latchRule(rule, why)
	}
}
