package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// What follows from orders and executions that were made elsewhere.
const (
	ForeignAdopt    = "adopt"    // the books take them over, and people are told
	ForeignRestrict = "restrict" // besides, the mode becomes reduce_only
)

// lookSoonAfter is how long a second look waits for the first one. Longer than
// settleAfter, so that what both see is no report on its way. Wall time.
const lookSoonAfter = 5 * time.Second

// completedDeadline bounds the question for completed orders: some gateways
// never answer it, and what it may tell is not worth a rung. Wall time.
const completedDeadline = 3 * time.Second

// recovery is what the venue answered about orders, executions and positions.
type recovery struct {
	orders    broker.Answer[broker.OrderReport]
	fills     broker.Answer[broker.ExecutionReport]
	costs     []broker.CommissionReport // of fills
	positions broker.Answer[order.Position]
	// completed is asked when an order of ours is not among the open ones.
	completed broker.Answer[broker.CompletedReport]
	// foreign are the executions of all clients, asked when a position differs.
	foreign broker.Answer[broker.ExecutionReport]
}

// suspect is a position that differs from the books.
type suspect struct {
	diff market.Qty // what the venue has more
	at   time.Time  // wall time since when
}

// lookSoon asks for another look at the broker in a moment. The caller has the
// turn.
func (d *Desk) lookSoon() {
	if h := d.held.Load(); h != nil && !d.cfg.Progress {
		h.ask(chore{soon: true})
	}
}

// suspected is told of a position that the venue told on its own and that
// differs for longer than reports take. The caller has the turn.
func (d *Desk) suspected(sym market.Symbol, p order.Position, t toldPosition) {
	diff := t.qty.Sub(p.Qty)
	if h := d.held.Load(); h != nil && !d.cfg.Progress {
		if was, ok := d.books.suspects[sym]; !ok || was.diff != diff {
			d.books.suspects[sym] = suspect{diff, t.at}
		}
		h.ask(chore{look: true})
		return
	}
	theirs := p // in lock-step nobody can be asked: the market would stand still
	theirs.Qty, theirs.AvgCost = t.qty, t.cost
	d.unexplained(sym, p, theirs, "the venue told it on its own, and no execution for it came")
}

// look holds the books against the broker while a session stands. It asks
// nothing as long as the link is not ready, or the gateway answers from what it
// remembers because it lost the venue.
func (d *Desk) look(ctx context.Context, h *held) {
	src, ok := h.session.(broker.AccountSource)
	state := d.linkState()
	if !ok || d.cfg.Progress || state != broker.Ready && state != broker.Degraded || d.cutOff() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline)
	defer cancel()
	r, before, err := d.inquire(ctx, h, src)
	if err == nil {
		err = d.take(ctx)
	}
	if err != nil {
		h.blind++
		if h.blind == 1 && !errors.Is(ctx.Err(), context.Canceled) {
			d.warn(event.NoticeText{Name: "reconciliation_failed", Text: err.Error() + "; nothing is changed by it, and it is asked again"})
		}
		return
	}
	defer d.give()
	h.blind = 0
	if !d.cutOff() {
		d.reconcile(h, r, before, true)
	}
}

// inquire asks the venue all of it. Before are the orders that were live before
// the first question. An error means that an answer is not confirmed without
// which nothing can be compared.
func (d *Desk) inquire(ctx context.Context, h *held, src broker.AccountSource) (r recovery, before map[*entry]bool, err error) {
	if err := d.take(ctx); err != nil {
		return r, nil, err
	}
	before = d.books.begin()
	suspects := len(d.books.suspects) > 0
	d.give()
	if r, err = ask(ctx, src); err != nil {
		return r, nil, err
	}
	if err := d.take(ctx); err != nil {
		return r, nil, err
	}
	lacking := len(d.unlistedOf(h, r, before)) > 0
	d.give()
	if c, ok := h.session.(broker.CompletedSource); ok && lacking && !h.facts.Simulated {
		short, cancel := context.WithTimeout(ctx, completedDeadline)
		asked := time.Now()
		list, err := c.CompletedOrders(short)
		cancel()
		r.completed = broker.Answered(asked, list, err)
	}
	if f, ok := h.session.(broker.ForeignSource); ok && suspects {
		short, cancel := context.WithTimeout(ctx, completedDeadline)
		asked := time.Now()
		list, err := f.AllExecutions(short)
		cancel()
		r.foreign = broker.Answered(asked, list, err)
	}
	return r, before, nil
}

// ask asks what every comparison needs. Executions are asked on both sides of
// the positions: the answer counts when nothing was executed in between.
func ask(ctx context.Context, src broker.AccountSource) (r recovery, err error) {
	asked := time.Now()
	orders, err := src.OpenOrders(ctx)
	if r.orders = broker.Answered(asked, orders, err); err != nil {
		return r, fmt.Errorf("ask the open orders: %w", err)
	}
	executions := func() (n int, err error) {
		asked := time.Now()
		fills, costs, err := src.Executions(ctx)
		if r.fills = broker.Answered(asked, fills, err); err != nil {
			return 0, fmt.Errorf("ask the executions: %w", err)
		}
		r.costs = costs
		return len(fills), nil
	}
	before, err := executions()
	if err != nil {
		return r, err
	}
	for range positionTries {
		asked := time.Now()
		positions, err := src.Positions(ctx)
		if r.positions = broker.Answered(asked, positions, err); err != nil {
			return r, fmt.Errorf("ask the positions: %w", err)
		}
		for _, p := range positions {
			if maxHolding.Less(p.Qty.Abs()) {
				return r, fmt.Errorf("ask the positions: %v of %s cannot be", p.Qty, p.Symbol)
			}
		}
		after, err := executions()
		if err != nil || after == before { // a day's executions only become more
			return r, err
		}
		before = after
	}
	return r, fmt.Errorf("ask the positions: executions came between each of %d answers; the market is too fast to count", positionTries)
}

// reconcile folds the venue's answers, and settles what they leave open. Before
// are the orders that were live before the question. Calm says that a session
// stands and reports may be on their way. It returns a note for people.
func (d *Desk) reconcile(h *held, r recovery, before map[*entry]bool, calm bool) string {
	meanwhile := d.books.since // by executions that came as events while we asked
	d.books.since = nil
	orders, _ := r.orders.Confirmed()
	fills, _ := r.fills.Confirmed()
	for _, o := range orders {
		if e := d.books.find(o.Order.ClientID, o.Order.OrderID, o.Order.PermID, o.Order.Ref); e != nil && before[e] && e.State.Final() {
			continue // it ended since the question
		}
		d.foldOrder(h, o)
	}
	for _, f := range fills {
		d.foldExecution(h, f.Fill)
	}
	for _, c := range r.costs {
		d.foldCommission(c)
	}
	d.foldForeign(h, r)
	d.foldCompleted(h, r)
	n := d.compare(h, d.theirs(h, r, meanwhile), r)
	working, unknown := d.missing(h, r, before, calm)
	notes := []string{fmt.Sprintf("%d working", working)}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d unknown to the broker", unknown))
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%d positions", n))
	}
	return strings.Join(notes, ", ")
}

// theirs returns the broker's positions at this moment: its answer, and the
// executions that came after it.
func (d *Desk) theirs(h *held, r recovery, meanwhile []moved) map[market.Symbol]order.Position {
	positions, ok := r.positions.Confirmed()
	if !ok {
		return nil
	}
	all := map[market.Symbol]order.Position{}
	for _, p := range positions {
		if !h.foreign(p.Account) {
			all[p.Symbol] = p
		}
	}
	fills, _ := r.fills.Confirmed()
	for _, m := range meanwhile {
		if slices.ContainsFunc(fills, func(f broker.ExecutionReport) bool { return f.Fill.ExecID == m.exec }) {
			continue
		}
		p, ok := all[m.symbol]
		if !ok {
			p = order.Position{Account: d.books.account, Symbol: m.symbol, ConID: d.conID(m.symbol)}
		}
		p.Qty, p.AvgCost = p.Qty.Add(m.qty), nil // the cost is the venue's to tell
		if ours, ok := d.books.positions[m.symbol]; ok && ours.Qty == p.Qty {
			p.AvgCost = ours.AvgCost
		}
		all[m.symbol] = p
	}
	return all
}

// compare holds the broker's positions, nil when they are not confirmed, against
// the books, and returns how many there are.
func (d *Desk) compare(h *held, theirs map[market.Symbol]order.Position, r recovery) int {
	if theirs == nil {
		return 0
	}
	clear(d.books.told)
	if d.books.positions == nil { // nothing to compare with
		d.books.positions, d.books.counted = theirs, d.floor.now()
		for _, sym := range slices.Sorted(maps.Keys(theirs)) {
			d.out.position(theirs[sym])
		}
		return len(theirs)
	}
	both := maps.Clone(theirs)
	maps.Copy(both, d.books.positions)
	for _, sym := range slices.Sorted(maps.Keys(both)) {
		p, ok := theirs[sym]
		if !ok {
			p = order.Position{Account: d.books.account, Symbol: sym, ConID: d.conID(sym), AvgCost: &market.Price{}}
		}
		ours, known := d.books.positions[sym]
		if !known {
			ours = order.Position{Account: p.Account, Symbol: sym, ConID: p.ConID}
		}
		if ours.Qty != p.Qty {
			d.differs(sym, ours, p, r)
			continue
		}
		delete(d.books.suspects, sym)
		if !known || ok && !alike(ours.AvgCost, p.AvgCost) {
			d.books.positions[sym] = p
			d.out.position(p)
		}
	}
	return len(theirs)
}

// differs settles a position that differs: when a second look finds the same,
// the broker's figure is taken. Until then entries in the symbol wait.
func (d *Desk) differs(sym market.Symbol, ours, theirs order.Position, r recovery) {
	now := time.Now()
	diff := theirs.Qty.Sub(ours.Qty)
	was, seen := d.books.suspects[sym]
	if !seen || was.diff != diff {
		was = suspect{diff, now}
		d.books.suspects[sym] = was
	}
	if now.Sub(was.at) < settleAfter && !d.cfg.Progress {
		d.lookSoon()
		return
	}
	orders, _ := r.orders.Confirmed()
	fills, _ := r.fills.Confirmed()
	foreign := "the executions of other clients are not to be had"
	if list, ok := r.foreign.Confirmed(); ok {
		foreign = fmt.Sprintf("nor do the %d executions of all clients", len(list))
	} else if r.foreign.Asked() != (time.Time{}) {
		foreign = "the question for the executions of other clients failed: " + r.foreign.Err().Error()
	}
	d.unexplained(sym, ours, theirs, fmt.Sprintf("%d executions and %d open orders of the day do not account for %v; %s", len(fills), len(orders), diff, foreign))
}

// unexplained takes the broker's position over and raises it.
func (d *Desk) unexplained(sym market.Symbol, ours, theirs order.Position, evidence string) {
	delete(d.books.suspects, sym)
	d.books.positions[sym] = theirs
	d.out.position(theirs)
	d.found(broker.Finding{
		Kind: findPosition, Symbol: sym, Ours: ours.Qty.String(), Theirs: theirs.Qty.String(), Evidence: evidence,
		Done: "the books take the broker's figure; entries are refused until a person resumes",
	})
}

// foldForeign takes in executions of other clients, where a position differs.
// Those from before the positions were told first are in them.
func (d *Desk) foldForeign(h *held, r recovery) {
	list, _ := r.foreign.Confirmed()
	for _, f := range list {
		_, differs := d.books.suspects[f.Fill.Symbol]
		if f.Fill.ClientID == h.facts.ClientID || !differs || f.Fill.At.Before(d.books.counted.Truncate(time.Second)) {
			continue
		}
		d.foldExecution(h, f.Fill)
	}
}

// executedElsewhere tells of an execution that no order of ours made. It is in
// the books already.
func (d *Desk) executedElsewhere(h *held, f order.Fill, e *entry) {
	if e != nil && f.ClientID == h.facts.ClientID {
		return
	}
	now := d.books.positions[f.Symbol].Qty
	d.adopted(broker.Finding{
		Kind: findExecution, Symbol: f.Symbol, Ref: f.Ref,
		Ours: now.Sub(f.Side.Signed(f.Qty)).String(), Theirs: now.String(),
		Evidence: fmt.Sprintf("execution %.60s, %s %v at %v, of client %d, order %d, permanent id %d", f.ExecID, f.Side, f.Qty, f.Price, f.ClientID, f.OrderID, f.PermID),
		Done:     "counted in the position; no order of ours is changed",
	})
}

// orderElsewhere tells of an order that is at the broker and that neither this
// process nor its journal made.
func (d *Desk) orderElsewhere(o order.Order, status string) {
	where := "made elsewhere"
	if o.Ref != "" {
		where = fmt.Sprintf("with the reference %.60q", o.Ref)
	}
	d.adopted(broker.Finding{
		Kind: findOrder, Symbol: o.Symbol, Ref: o.Ref, Ours: "nothing of it", Theirs: fmt.Sprintf("%s %v, %.20s", o.Side, o.Qty, status),
		Evidence: fmt.Sprintf("an open order %s: client %d, number %d, permanent id %d", where, o.ClientID, o.OrderID, o.PermID),
		Done:     "taken into the books and shown",
	})
}
