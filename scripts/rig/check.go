package rig

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

// Breach is a promise that was broken.
func Breach(check, format string, args ...any) error {
	return fmt.Errorf("BREACH %s: %s", check, fmt.Sprintf(format, args...))
}

// Stored is what the journal tells.
type Stored struct {
	Intents map[string]broker.IntentRecord // by id
	List    []broker.IntentRecord          // oldest first
	Fills   map[string]order.Fill          // by execution id
	Orders  map[string]order.Order         // by reference
	Links   []broker.Link                  // oldest first
	// Findings are what reconciliations found out, and Modes what the desk let
	// through since when; oldest first.
	Findings []broker.Finding
	Modes    []broker.ModeRecord
}

// ReadJournal reads it from a data folder, also while the trader runs.
func ReadJournal(ctx context.Context, data string) (s Stored, err error) {
	r, err := journal.OpenReadOnly(filepath.Join(data, "journal.db"))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s = Stored{Intents: map[string]broker.IntentRecord{}, Fills: map[string]order.Fill{}, Orders: map[string]order.Order{}}
	if s.List, err = r.Intents(ctx); err != nil {
		return s, err
	}
	for _, i := range s.List {
		s.Intents[i.Intent.ID] = i
	}
	fills, err := r.Executions(ctx)
	if err != nil {
		return s, err
	}
	for _, f := range fills {
		s.Fills[f.ExecID] = f
	}
	orders, err := r.Orders(ctx)
	if err != nil {
		return s, err
	}
	for _, o := range orders {
		s.Orders[o.Ref] = o
	}
	if s.Findings, err = r.Findings(ctx); err != nil {
		return s, err
	}
	if s.Modes, err = r.ModeChanges(ctx); err != nil {
		return s, err
	}
	s.Links, err = r.Links(ctx, 1<<20)
	return s, err
}

// CheckSent holds all that is at the venue against what is durable: no order
// twice, none without an intent, none that the gate refused.
func CheckSent(v *Look, s Stored) error {
	var errs []error
	for ref, perms := range v.refs() {
		if len(perms) > 1 {
			errs = append(errs, Breach("no_duplicate", "intent %s made %d orders at the venue", ref, len(perms)))
		}
		rec, ok := s.Intents[ref]
		switch {
		case !ok:
			errs = append(errs, Breach("durable_intent", "order %s is at the venue and not in the journal", ref))
		case !rec.Decision.Allowed:
			errs = append(errs, Breach("past_the_gate", "order %s is at the venue and was refused by %s", ref, rec.Decision.Rule))
		}
	}
	return errors.Join(errs...)
}

// CheckReady looks for intents that were stored between a state of the link
// that does not trade and the next one. The newest state of a life may be lost
// with the crash, so only what lies between two that are known is judged.
func CheckReady(s Stored) error {
	n := 0
	for _, r := range s.List {
		if !r.Decision.Allowed {
			continue
		}
		for n+1 < len(s.Links) && !s.Links[n+1].Since.After(r.Wall) {
			n++
		}
		if n+1 >= len(s.Links) || s.Links[n].Since.After(r.Wall) {
			continue
		}
		is, next := s.Links[n], s.Links[n+1]
		if next.State == broker.Connecting { // another life began behind it
			continue
		}
		if is.State != broker.Ready && is.State != broker.Degraded {
			return Breach("ready", "order %s was stored at %v, while the link was %v from %v to %v",
				r.Intent.ID, r.Wall, is.State, is.Since, next.Since)
		}
	}
	return nil
}

// CheckFound waits until the trader's state and journal hold all that the
// venue knows, and both hold the same position.
func CheckFound(ctx context.Context, t *Trader, addr string) error {
	before, err := Ask(addr)
	if err != nil {
		return err
	}
	return Await(ctx, findWait, func() error {
		is, err := t.Show(ctx)
		if err != nil {
			return err
		}
		v, err := Ask(addr)
		if err != nil {
			return err
		}
		again, err := t.Show(ctx)
		if err != nil {
			return err
		}
		s, err := ReadJournal(ctx, t.Data)
		if err != nil {
			return err
		}
		for id := range before.Execs {
			if _, ok := s.Fills[id]; !ok {
				return Breach("nothing_forgotten", "execution %s is at the venue and not in the journal", id)
			}
		}
		return errors.Join(CheckOrders(before, v, again), CheckPositions(v, is, again))
	})
}

// CheckOrders holds the venue's open orders against those that are shown. Those
// that ended in between say nothing.
func CheckOrders(before, v *Look, is Shown) error {
	states := map[int64]order.State{}
	for _, o := range is.Orders {
		states[o.PermID] = o.State
	}
	for perm, o := range before.Open {
		if _, still := v.Open[perm]; !still {
			continue
		}
		if state, ok := states[perm]; !ok || !state.Live() || state == order.Unknown {
			return Breach("nothing_forgotten", "order %s is open at the venue and %v in the trader (known: %v)", o.OrderRef, state, ok)
		}
	}
	return nil
}

// CheckPositions holds the venue's positions against those shown before and
// after: while it trades, one of them is enough.
func CheckPositions(v *Look, before, after Shown) error {
	var why error
	for _, is := range []Shown{before, after} {
		why = nil
		held := map[market.Symbol]market.Qty{}
		for _, p := range is.Positions {
			held[p.Symbol] = p.Qty
		}
		for sym, qty := range v.Positions {
			if held[sym] != qty {
				why = Breach("position", "%v of %s at the venue, %v in the trader", qty, sym, held[sym])
			}
		}
		for sym, qty := range held {
			if !qty.IsZero() && v.Positions[sym] != qty {
				why = Breach("position", "%v of %s at the venue, %v in the trader", v.Positions[sym], sym, qty)
			}
		}
		if why == nil {
			return nil
		}
	}
	return why
}

// CheckCovered looks whether stops of its size rest at the venue for each
// position, and no more than that.
func CheckCovered(v *Look) error {
	for sym, qty := range v.Positions {
		against, covered := "SELL", market.Qty{}
		if qty.Sign() < 0 {
			against = "BUY"
		}
		for _, o := range v.Open {
			if o.Contract.Symbol == string(sym) && o.Action == against && o.OrderType == string(order.Stop) && o.TotalQuantity != nil {
				covered = covered.Add(*o.TotalQuantity)
			}
		}
		if covered != qty.Abs() {
			return Breach("covered", "%v of %s is held, and stops for %v rest at the venue", qty, sym, covered)
		}
	}
	return nil
}

// CheckLedger holds the journal against the books that the gateway wrote at its
// end: every execution, the position, and cash to the last cent.
func CheckLedger(l Ledger, s Stored) error {
	a := l.Accounts[0]
	cash, err := market.ParseMoney(StartCash)
	if err != nil {
		return err
	}
	held := map[market.Symbol]market.Qty{}
	if len(s.Fills) != len(a.Executions) {
		return Breach("executions", "%d in the journal, %d in the ledger", len(s.Fills), len(a.Executions))
	}
	for _, theirs := range a.Executions {
		ours, ok := s.Fills[theirs.ExecID]
		switch {
		case !ok:
			return Breach("executions", "%s is not in the journal", theirs.ExecID)
		case ours.Qty != theirs.Qty || ours.Price != theirs.Price || ours.Side != theirs.Side || ours.Ref != theirs.Ref:
			return Breach("executions", "%s is %s %v at %v for %s in the journal, %s %v at %v for %s in the ledger", theirs.ExecID,
				ours.Side, ours.Qty, ours.Price, ours.Ref, theirs.Side, theirs.Qty, theirs.Price, theirs.Ref)
		case ours.Commission == nil || theirs.Commission == nil || *ours.Commission != *theirs.Commission:
			return Breach("cash", "commission of %s is %v in the journal, %v in the ledger", theirs.ExecID, ours.Commission, theirs.Commission)
		}
		change := ours.Side.Signed(ours.Qty)
		cash = cash.Sub(ours.Price.Mul(change)).Sub(*ours.Commission)
		held[ours.Symbol] = held[ours.Symbol].Add(change)
	}
	if cash != a.Cash {
		return Breach("cash", "the journal's executions make %v, the ledger has %v", cash, a.Cash)
	}
	for _, p := range a.Positions {
		if held[p.Symbol] != p.Qty {
			return Breach("position", "the journal's executions make %v of %s, the ledger has %v", held[p.Symbol], p.Symbol, p.Qty)
		}
		delete(held, p.Symbol)
	}
	for sym, qty := range held {
		if !qty.IsZero() {
			return Breach("position", "the journal's executions make %v of %s, the ledger has none", qty, sym)
		}
	}
	return nil
}
