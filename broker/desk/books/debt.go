package books

import (
	"fmt"
	"maps"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// debt is what a position was taken over with from the broker and no execution
// explains. Executions that are told later and happened before pay it: they are in
// the broker's figure already.
type debt struct {
	qty market.Qty // what the broker had more
	at  time.Time  // market time when it was taken over, in whole seconds, as executions are told
	// past says that an earlier life took it over. How much of it was explained
	// since nobody needs to know: the position that this life began with has all
	// that was executed before.
	past bool
}

// recall takes in when earlier lives took positions over without explanation: the
// executions may still come.
func (b *Books) recall(adopted map[market.Symbol]time.Time) {
	for s, at := range adopted {
		b.debts[s] = debt{at: at.Truncate(time.Second), past: true}
	}
}

// ForgetDebts forgets what an earlier life took over later than now, by the market's
// time: it was in another run of a simulated market.
func (b *Books) ForgetDebts(now time.Time) {
	maps.DeleteFunc(b.debts, func(_ market.Symbol, d debt) bool { return d.past && !now.IsZero() && d.at.After(now) })
}

// owe notes what was taken over without explanation.
func (b *Books) owe(s market.Symbol, qty market.Qty, at time.Time) {
	b.debts[s] = debt{qty: b.debts[s].qty.Add(qty), at: at.Truncate(time.Second)}
	if b.debts[s].qty.IsZero() {
		delete(b.debts, s)
	}
}

// pay reports whether an execution is one of those that the broker's figure had
// in it when it was taken over.
func (b *Books) pay(f order.Fill) bool {
	d, ok := b.debts[f.Symbol]
	switch {
	case !ok || !f.At.Before(d.at) || b.Positions == nil: // what positions are, the broker is about to tell
		return false
	case d.past:
		return true
	}
	d.qty = d.qty.Sub(f.Side.Signed(f.Qty))
	if b.debts[f.Symbol] = d; d.qty.IsZero() {
		delete(b.debts, f.Symbol)
	}
	return true
}

// explained tells of an execution that pays, and asks whether it does.
func (b *Books) explained(t *Turn, f order.Fill) {
	now := b.Positions[f.Symbol].Qty.String()
	done := fmt.Sprintf("the position stays; %v of it are not explained yet", b.debts[f.Symbol].qty)
	if b.debts[f.Symbol].past {
		done = "the position stays, as an earlier life of this program took it over and the broker's has been told since"
	}
	b.Found(t, broker.Finding{
		Kind: findExecution, Symbol: f.Symbol, Ref: f.Ref, Ours: now, Theirs: now, Explained: true,
		Evidence: fmt.Sprintf("execution %.60s, %s %v at %v, of client %d, was told after the position had been taken over with it", f.ExecID, f.Side, f.Qty, f.Price, f.ClientID),
		Done:     done,
	})
	t.Ask(AskSoon)
}
