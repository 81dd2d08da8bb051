package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

// findWait is how long trader and gateway may differ after a start: reports
// are under way, and each look is a moment later than the one before.
const findWait = 10 * time.Second

// breach is a promise that was broken.
func breach(check, format string, args ...any) error {
	return fmt.Errorf("BREACH %s: %s", check, fmt.Sprintf(format, args...))
}

// stored is what the journal tells.
type stored struct {
	intents map[string]broker.IntentRecord
	list    []broker.IntentRecord // oldest first
	fills   map[string]order.Fill
	orders  map[string]order.Order
	links   []broker.Link
}

func readJournal(ctx context.Context, data string) (s stored, err error) {
	r, err := journal.OpenReadOnly(filepath.Join(data, "journal.db"))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s = stored{intents: map[string]broker.IntentRecord{}, fills: map[string]order.Fill{}, orders: map[string]order.Order{}}
	if s.list, err = r.Intents(ctx); err != nil {
		return s, err
	}
	for _, i := range s.list {
		s.intents[i.Intent.ID] = i
	}
	fills, err := r.Executions(ctx)
	if err != nil {
		return s, err
	}
	for _, f := range fills {
		s.fills[f.ExecID] = f
	}
	orders, err := r.Orders(ctx)
	if err != nil {
		return s, err
	}
	for _, o := range orders {
		s.orders[o.Ref] = o
	}
	s.links, err = r.Links(ctx, 1<<20)
	return s, err
}

// checkSent holds all that is at the venue against what is durable.
func checkSent(v *look, s stored) error {
	var errs []error
	for ref, perms := range v.refs() {
		if len(perms) > 1 {
			errs = append(errs, breach("no_duplicate", "intent %s made %d orders at the venue", ref, len(perms)))
		}
		rec, ok := s.intents[ref]
		switch {
		case !ok:
			errs = append(errs, breach("durable_intent", "order %s is at the venue and not in the journal", ref))
		case !rec.Decision.Allowed:
			errs = append(errs, breach("past_the_gate", "order %s is at the venue and was refused by %s", ref, rec.Decision.Rule))
		}
	}
	return errors.Join(append(errs, checkDecisions(s), checkReady(s))...)
}

// checkReady looks for intents that were stored between a state of the link
// that does not trade and the next one. The newest state of a life may be lost
// with the crash, so only what lies between two that are known is judged.
func checkReady(s stored) error {
	n := 0
	for _, r := range s.list {
		if !r.Decision.Allowed {
			continue
		}
		for n+1 < len(s.links) && !s.links[n+1].Since.After(r.Wall) {
			n++
		}
		if n+1 >= len(s.links) || s.links[n].Since.After(r.Wall) {
			continue
		}
		is, next := s.links[n], s.links[n+1]
		if next.State == broker.Connecting { // another life began behind it
			continue
		}
		if is.State != broker.Ready && is.State != broker.Degraded {
			return breach("ready", "order %s was stored at %v, while the link was %v from %v to %v",
				r.Intent.ID, r.Wall, is.State, is.Since, next.Since)
		}
	}
	return nil
}

// checkFound waits until the trader's state and journal hold all that the
// venue knows, and both hold the same position.
func checkFound(ctx context.Context, t *trader, addr string) error {
	before, err := ask(addr)
	if err != nil {
		return err
	}
	return await(ctx, findWait, func() error {
		is, err := t.state(ctx)
		if err != nil {
			return err
		}
		v, err := ask(addr)
		if err != nil {
			return err
		}
		again, err := t.state(ctx)
		if err != nil {
			return err
		}
		s, err := readJournal(ctx, t.data)
		if err != nil {
			return err
		}
		for id := range before.execs {
			if _, ok := s.fills[id]; !ok {
				return breach("nothing_forgotten", "execution %s is at the venue and not in the journal", id)
			}
		}
		return errors.Join(checkOrders(before, v, again), checkPositions(v, is, again))
	})
}

// checkOrders holds the venue's open orders against those that are shown. Those
// that ended in between say nothing.
func checkOrders(before, v *look, is shown) error {
	states := map[int64]order.State{}
	for _, o := range is.Orders {
		states[o.PermID] = o.State
	}
	for perm, o := range before.open {
		if _, still := v.open[perm]; !still {
			continue
		}
		if state, ok := states[perm]; !ok || !state.Live() || state == order.Unknown {
			return breach("nothing_forgotten", "order %s is open at the venue and %v in the trader (known: %v)", o.OrderRef, state, ok)
		}
	}
	return nil
}

// checkPositions holds the venue's positions against those shown before and
// after: while it trades, one of them is enough.
func checkPositions(v *look, before, after shown) error {
	var why error
	for _, is := range []shown{before, after} {
		why = nil
		held := map[market.Symbol]market.Qty{}
		for _, p := range is.Positions {
			held[p.Symbol] = p.Qty
		}
		for sym, qty := range v.positions {
			if held[sym] != qty {
				why = breach("position", "%v of %s at the venue, %v in the trader", qty, sym, held[sym])
			}
		}
		for sym, qty := range held {
			if !qty.IsZero() && v.positions[sym] != qty {
				why = breach("position", "%v of %s at the venue, %v in the trader", v.positions[sym], sym, qty)
			}
		}
		if why == nil {
			return nil
		}
	}
	return why
}

// checkCovered looks whether stops of its size rest at the venue for each
// position, and no more than that.
func checkCovered(v *look) error {
	for sym, qty := range v.positions {
		against, covered := "SELL", market.Qty{}
		if qty.Sign() < 0 {
			against = "BUY"
		}
		for _, o := range v.open {
			if o.Contract.Symbol == string(sym) && o.Action == against && o.OrderType == string(order.Stop) && o.TotalQuantity != nil {
				covered = covered.Add(*o.TotalQuantity)
			}
		}
		if covered != qty.Abs() {
			return breach("covered", "%v of %s is held, and stops for %v rest at the venue", qty, sym, covered)
		}
	}
	return nil
}

// checkLedger holds the journal against the books that the gateway wrote at its
// end: every execution, the position, and cash to the last cent.
func checkLedger(l ledger, s stored) error {
	a := l.Accounts[0]
	cash, err := market.ParseMoney(startCash)
	if err != nil {
		return err
	}
	held := map[market.Symbol]market.Qty{}
	if len(s.fills) != len(a.Executions) {
		return breach("executions", "%d in the journal, %d in the ledger", len(s.fills), len(a.Executions))
	}
	for _, theirs := range a.Executions {
		ours, ok := s.fills[theirs.ExecID]
		switch {
		case !ok:
			return breach("executions", "%s is not in the journal", theirs.ExecID)
		case ours.Qty != theirs.Qty || ours.Price != theirs.Price || ours.Side != theirs.Side || ours.Ref != theirs.Ref:
			return breach("executions", "%s is %s %v at %v for %s in the journal, %s %v at %v for %s in the ledger", theirs.ExecID,
				ours.Side, ours.Qty, ours.Price, ours.Ref, theirs.Side, theirs.Qty, theirs.Price, theirs.Ref)
		case ours.Commission == nil || theirs.Commission == nil || *ours.Commission != *theirs.Commission:
			return breach("cash", "commission of %s is %v in the journal, %v in the ledger", theirs.ExecID, ours.Commission, theirs.Commission)
		}
		change := ours.Side.Signed(ours.Qty)
		cash = cash.Sub(ours.Price.Mul(change)).Sub(*ours.Commission)
		held[ours.Symbol] = held[ours.Symbol].Add(change)
	}
	if cash != a.Cash {
		return breach("cash", "the journal's executions make %v, the ledger has %v", cash, a.Cash)
	}
	for _, p := range a.Positions {
		if held[p.Symbol] != p.Qty {
			return breach("position", "the journal's executions make %v of %s, the ledger has %v", held[p.Symbol], p.Symbol, p.Qty)
		}
		delete(held, p.Symbol)
	}
	for sym, qty := range held {
		if !qty.IsZero() {
			return breach("position", "the journal's executions make %v of %s, the ledger has none", qty, sym)
		}
	}
	return nil
}
