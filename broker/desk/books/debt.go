package books

import (
	"fmt"
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
}

// owe notes what was taken over without explanation.
func (b *Books) owe(s market.Symbol, qty market.Qty, at time.Time) {
	b.debts[s] = debt{b.debts[s].qty.Add(qty), at.Truncate(time.Second)}
	if b.debts[s].qty.IsZero() {
		delete(b.debts, s)
	}
}

// pay reports whether an execution is one of those that the broker's figure had
// in it when it was taken over.
func (b *Books) pay(f order.Fill) bool {
	d, ok := b.debts[f.Symbol]
	if !ok || !f.At.Before(d.at) {
		return false
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
	b.Found(t, broker.Finding{
		Kind: findExecution, Symbol: f.Symbol, Ref: f.Ref, Ours: now, Theirs: now, Explained: true,
		Evidence: fmt.Sprintf("execution %.60s, %s %v at %v, of client %d, was told after the position had been taken over with it", f.ExecID, f.Side, f.Qty, f.Price, f.ClientID),
		Done:     fmt.Sprintf("the position stays; %v of it are not explained yet", b.debts[f.Symbol].qty),
	})
	t.Ask(AskSoon)
}
