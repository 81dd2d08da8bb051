package desk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// ask has the strategy ask: for a new order, for one that it asked for before,
// or for the end of one.
func (w *world) ask() {
	if w.busy() {
		return
	}
	in := order.Intent{
		ID: fmt.Sprintf("w-%d", len(w.asked)), Action: order.Place, Strategy: "world", Symbol: worldSymbol,
		Side: order.Buy, Type: order.Market, TIF: order.Day, Qty: market.Shares(int64(1 + w.dice.IntN(60))), At: w.market(),
	}
	switch n := w.dice.IntN(100); {
	case n < 20 && len(w.asked) > 0:
		in = w.asked[len(w.asked)-1-w.dice.IntN(min(len(w.asked), 12))]
		if w.fake == forgottenIDs {
			delete(w.desk.books.ByRef, in.ID)
			w.desk.books.Answered(in.ID, event.OrderReply{})
		}
	case n < 35 && len(w.asked) > 0:
		target := w.asked[len(w.asked)-1-w.dice.IntN(min(len(w.asked), 12))]
		if target.Action != order.Place {
			return
		}
		in = order.Intent{ID: in.ID, Action: order.Cancel, Strategy: "world", Target: target.ID, At: w.market()}
		w.asked = append(w.asked, in)
	case n < 50:
		if !w.alter(&in) {
			return
		}
		w.asked = append(w.asked, in)
	default:
		w.choose(&in)
		w.asked = append(w.asked, in)
	}
	reply := w.desk.request(w.ctx, in)
	w.say("asked %s %s %s %v: %s %s known %v", in.ID, in.Action, in.Side, in.Qty, reply.Result, reply.Rule, reply.Known)
}

// alter makes it a change of a limit order that was asked for: it raises or cuts
// it, and moves its price.
func (w *world) alter(in *order.Intent) bool {
	for n := len(w.asked) - 1; n >= max(0, len(w.asked)-12); n-- {
		o := w.asked[n]
		if e := w.desk.books.ByRef[o.ID]; o.Action != order.Place || o.Type != order.Limit || e == nil || e.State.Final() {
			continue
		}
		in.Action, in.Target, in.Symbol, in.Side, in.Type = order.Modify, o.ID, o.Symbol, o.Side, order.Limit
		in.Qty = market.Shares(int64(1 + w.dice.IntN(90)))
		in.Limit = centsPrice(w.venue.cents + int64(w.dice.IntN(41)-20)).Ptr()
		return true
	}
	return false
}

// choose makes up side, type and size; some are beyond the limits.
func (w *world) choose(in *order.Intent) {
	p, _ := w.venue.x.Position(worldAccount, worldSymbol)
	long := p.Qty.Sign() > 0
	if long && w.chance(650) || !long && w.chance(350) {
		in.Side = order.Sell
	}
	if w.chance(60) {
		in.Qty = market.Shares(int64(81 + w.dice.IntN(60)))
	}
	if w.chance(500) {
		in.Type = order.Limit
		cents := w.venue.cents + int64(w.dice.IntN(41)-20)
		if w.chance(50) {
			cents = cents * 9 / 10 // beyond the collar
		}
		in.Limit = centsPrice(cents).Ptr()
	}
}

// person changes the mode, or has all positions closed.
func (w *world) person() {
	what := []string{"resume", "resume", "resume", "reduce_only", "halt", "flatten"}[w.dice.IntN(6)]
	m := map[string]broker.Mode{"resume": broker.Active, "reduce_only": broker.ReduceOnly, "halt": broker.Halted, "flatten": broker.Halted}[what]
	if w.fake == deafHalt && m != broker.Active {
		w.mode = m
		return
	}
	w.sure = false // a crash on the way leaves either
	var err error
	var c event.ModeChange
	switch what {
	case "resume":
		c, err = w.desk.Resume(w.ctx, "the person of the world", "")
	case "reduce_only":
		c, err = w.desk.SetMode(w.ctx, m, "the person of the world")
	case "halt":
		c, err = w.desk.Halt(w.ctx, "the person of the world", "")
	case "flatten":
		c, err = w.desk.Flatten(w.ctx, "the person of the world", "")
	}
	w.say("person: %s %v", what, err)
	if err == nil {
		if strictness[c.Mode] < strictness[m] {
			w.fail("mode", "%s was answered with %s", what, c.Mode)
		}
		w.mode, w.sure = c.Mode, true
	}
}

// checkHalt looks, when all is at rest, that a halt has ended what enlarges a
// position, and that a flatten has closed all.
func (w *world) checkHalt() {
	m := w.desk.mode.Load()
	if m.Mode == broker.Active {
		return
	}
	for _, o := range w.venue.x.Open() {
		held := w.venue.held(o.Symbol)
		if o.ClientID == worldClient && !strings.HasPrefix(o.Ref, books.GuardPrefix) && (o.Side != books.ExitSide(held) || held.Abs().Less(o.Remaining())) {
			w.fail("halt_ends", "the mode is %s, and %s, %s %v %s, works beside %v", m.Mode, o.Ref, o.Side, o.Remaining(), o.Symbol, held)
		}
	}
	if !m.Flatten {
		return
	}
	for _, c := range w.desk.hold.flatten.List(w.desk.books) {
		if held := w.venue.held(c.Symbol); !held.IsZero() && c.State != event.ClosingGivenUp {
			w.fail("flatten", "%v %s are held, and the flatten is %s: %s", held, c.Symbol, c.State, c.Detail)
		}
	}
}

// checkBoot looks at what a new life remembers.
func (w *world) checkBoot() {
	if m := w.desk.mode.Load().Mode; w.sure && m != w.mode && strictness[m] < strictness[w.mode] {
		w.fail("mode", "%s was acknowledged, and after a restart it is %s", w.mode, m)
	}
	w.mode, w.sure = w.desk.mode.Load().Mode, true
	for _, s := range w.journal.log {
		if s.intent != nil && s.intent.Order != nil && w.desk.books.ByRef[s.intent.Intent.ID] == nil {
			w.fail("nothing_forgotten", "order %s is in the journal and not in the books", s.intent.Intent.ID)
		}
	}
	if w.fake == reusedNumbers {
		w.desk.books.NextID = 1
	}
}

// checkWrite looks at an order whose first byte is about to go out.
func (w *world) checkWrite(t broker.Ticket) {
	ref := t.Intent.ID
	w.wrote[ref] = len(w.wrote) + 1
	rec, durable := w.journal.find(ref)
	switch {
	case rec == nil || !durable:
		w.fail("durable_intent", "order %s goes out and its intent is not durable", ref)
		return
	case !rec.Decision.Allowed:
		w.fail("past_the_gate", "order %s goes out and was refused by %s", ref, rec.Decision.Rule)
	case rec.OrderID != t.OrderID || rec.Intent.Qty != t.Intent.Qty || rec.Intent.Side != t.Intent.Side:
		w.fail("durable_intent", "order %s goes out as %d %s %v, and is stored as %d %s %v",
			ref, t.OrderID, t.Intent.Side, t.Intent.Qty, rec.OrderID, rec.Intent.Side, rec.Intent.Qty)
	}
	if t.Intent.Action == order.Modify {
		if id, known := w.sent[t.Intent.Target]; !known || id != t.OrderID {
			w.fail("number_once", "change %s of %s goes out as %d, which is %s", ref, t.Intent.Target, t.OrderID, w.ids[t.OrderID])
		}
		w.checkTime(rec, t)
		return
	}
	if id, twice := w.sent[ref]; twice {
		w.fail("no_duplicate", "order %s goes out a second time, as %d and before as %d", ref, t.OrderID, id)
	}
	if was, used := w.ids[t.OrderID]; used {
		w.fail("number_once", "order %s goes out as %d, which is %s", ref, t.OrderID, was)
	}
	w.sent[ref], w.ids[t.OrderID] = t.OrderID, ref
	w.checkTime(rec, t)
}

// checkStep looks at what must be so after every step.
func (w *world) checkStep() {
	b, v := w.desk.books, w.venue
	sum := map[string]market.Qty{}
	versions := map[string]bool{}
	for _, f := range b.Fills {
		base, version := order.ExecVersion(f.ExecID)
		if version == 0 {
			base = f.ExecID
		}
		if versions[base] {
			w.fail("once_each", "execution %s is in the books twice", f.ExecID)
		}
		versions[base] = true
		sum[f.Ref] = sum[f.Ref].Add(f.Qty)
	}
	open := map[string]bool{}
	for _, o := range v.x.Open() {
		if open[o.Ref] && o.ClientID == worldClient {
			w.fail("no_duplicate", "two orders of %s are open at the venue", o.Ref)
		}
		open[o.Ref] = true
	}
	for _, ref := range slices.Sorted(maps.Keys(b.ByRef)) {
		e := b.ByRef[ref]
		if e.Filled != sum[ref] {
			w.fail("sums", "order %s counts %v filled, and its executions are %v", ref, e.Filled, sum[ref])
		}
		most := e.Qty
		if c := e.Change; c != nil && most.Less(c.Qty) {
			most = c.Qty
		}
		if most.Less(e.Filled) {
			w.fail("filled_beyond", "order %s of %v counts %v filled", ref, e.Qty, e.Filled)
		}
		if e.State.Final() && open[ref] {
			check := "ended_too_soon"
			if !e.Filled.Less(e.Qty) { // a change made it larger
				check = "ended_change"
			}
			w.fail(check, "order %s is %v, and is open at the venue", ref, e.State)
		}
		if _, went := w.sent[ref]; went && e.State == order.Dropped && v.holding(ref) {
			w.fail("ended_too_soon", "order %s is called dropped, and the venue has it", ref)
		}
	}
	for _, sym := range worldSymbols {
		w.checkOver(sym)
		w.checkCover(sym)
	}
}

// checkEnd looks at what must be so when all has come to rest.
func (w *world) checkEnd() {
	b, v := w.desk.books, w.venue
	theirs, _ := v.x.Position(worldAccount, worldSymbol)
	if ours := b.Positions[worldSymbol].Qty; b.Positions == nil || ours != theirs.Qty {
		w.fail("position", "the books hold %v, the venue %v", ours, theirs.Qty)
	}
	w.checkExecutions()
	w.checkHalt()
	filled := map[string]market.Qty{} // with all corrections
	for _, f := range v.x.Fills() {
		filled[f.Ref] = filled[f.Ref].Add(f.Qty)
	}
	for _, perm := range v.order {
		o := v.last[perm]
		e := b.ByRef[o.Ref]
		if e == nil {
			w.fail("nothing_forgotten", "order %s is at the venue and not in the books", o.Ref)
			continue
		}
		switch live := e.State.Live(); {
		case o.State.Final() == live, e.State == order.Unknown, o.State == order.Filled && e.State != order.Filled:
			w.fail("orders", "order %s is %v at the venue and %v in the books", o.Ref, o.State, e.State)
		}
		if !o.State.Final() && (o.Qty != e.Qty || !books.Alike(o.Limit, e.Limit) || !books.Alike(o.Stop, e.StopPrice)) {
			w.fail("orders", "order %s is for %v at %v, %v at the venue and for %v at %v, %v in the books", o.Ref, o.Qty, o.Limit, o.Stop, e.Qty, e.Limit, e.StopPrice)
		}
		if e.Filled != filled[o.Ref] {
			w.fail("orders", "order %s filled %v at the venue and %v in the books", o.Ref, filled[o.Ref], e.Filled)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(w.sent)) {
		switch e := b.ByRef[ref]; {
		case e == nil:
			w.fail("nothing_forgotten", "order %s went out and is not in the books", ref)
		case e.State.Live() && !v.holding(ref): // its absence could be proven
			w.fail("unknown", "order %s is nowhere at the venue and %v in the books: %s", ref, e.State, e.Note)
		}
	}
	for _, sym := range worldSymbols {
		w.checkCoverEnd(sym)
	}
}

// checkExecutions holds the books and the journal against the venue's ledger.
func (w *world) checkExecutions() {
	cash, held := market.Money{}, market.Qty{}
	stored := map[string]int{}
	for _, s := range w.journal.log[:w.journal.synced] {
		if s.record != nil && s.record.Fill != nil {
			stored[s.record.Fill.ExecID]++
		}
	}
	known := map[string]*order.Fill{}
	for _, x := range w.desk.books.Fills {
		f := x.Fill()
		base, _ := order.ExecVersion(f.ExecID)
		known[base] = &f
		if stored[f.ExecID] == 0 {
			w.fail("stored", "execution %s is in the books and not in the journal", f.ExecID)
		}
	}
	for _, f := range w.venue.x.Fills() {
		base, _ := order.ExecVersion(f.ExecID)
		ours := known[base]
		if ours == nil {
			w.fail("nothing_forgotten", "execution %s of %v is at the venue and not in the books", f.ExecID, f.Qty)
			continue
		}
		held = held.Add(ours.Side.Signed(ours.Qty))
		cash = cash.Sub(ours.Price.Mul(ours.Side.Signed(ours.Qty)))
		if ours.ExecID != f.ExecID || ours.Qty != f.Qty || ours.Price != f.Price {
			w.fail("corrections", "execution %s of %v at %v is %s of %v at %v in the books", f.ExecID, f.Qty, f.Price, ours.ExecID, ours.Qty, ours.Price)
		}
		if ours.Commission == nil {
			w.fail("cash", "the commission of execution %s never came", f.ExecID)
			continue
		}
		cash = cash.Sub(*ours.Commission)
	}
	if len(known) != len(w.venue.x.Fills()) {
		w.fail("once_each", "the books know %d executions, the venue %d", len(known), len(w.venue.x.Fills()))
	}
	if p, _ := w.venue.x.Position(worldAccount, worldSymbol); p.Qty != held {
		w.fail("sums", "the executions make %v, the venue holds %v", held, p.Qty)
	}
	if value, _ := w.venue.x.Value(worldAccount); value.Cash != market.MustMoney("1000000").Add(cash) {
		w.fail("cash", "the executions make %v of cash, the venue has %v", market.MustMoney("1000000").Add(cash), value.Cash)
	}
}
