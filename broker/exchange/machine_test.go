package exchange

import (
	"math/big"
	"slices"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// world is an exchange and what a bystander remembers of it: who was told what,
// and what the market showed. It judges every call by that alone.
type world struct {
	t       *rapid.T
	x       *Exchange
	now     time.Time
	steps   []func(*Exchange) []Report // all that was done, to do it again
	told    []Report
	orders  map[int64]*biography
	good    map[market.Symbol]*market.Price // the last trade that sets stops off
	phases  map[market.Symbol]phase
	halted  map[market.Symbol]bool
	best    map[int64]*[2]market.Price // lowest and highest good trade since a trail began
	queued  map[int64]*resting         // those at work before the call, with their places
	before  map[market.Symbol]Market
	partial bool
}

// biography is what is known of one order.
type biography struct {
	state  order.State // by the table of package order
	last   Order
	filled market.Qty
	most   *big.Rat // that its group's fills leave it, nil while they left all
}

var worldSymbols = []market.Symbol{"AAPL", "IBM"}

func newWorld(t *rapid.T) *world {
	cfg := DefaultConfig()
	cfg.Accounts = []string{"A", "B"}
	cfg.PartialFills = rapid.Bool().Draw(t, "partial")
	if rapid.Bool().Draw(t, "share") {
		cfg.FillShare = market.MustPercent("40")
	}
	w := &world{
		t: t, now: noon, partial: cfg.PartialFills, orders: map[int64]*biography{}, good: map[market.Symbol]*market.Price{},
		phases: map[market.Symbol]phase{"AAPL": liquid, "IBM": liquid}, halted: map[market.Symbol]bool{}, best: map[int64]*[2]market.Price{},
	}
	w.x = w.exchange(cfg)
	return w
}

func (w *world) exchange(cfg Config) *Exchange {
	x, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	trading, regular := market.Hours{}, market.Hours{}
	for day := range 3 {
		at := func(hour, minute int) time.Time { return time.Date(2026, 4, 6+day, hour, minute, 0, 0, x.zone) }
		trading = append(trading, market.Span{Open: at(4, 0), Close: at(20, 0)})
		regular = append(regular, market.Span{Open: at(9, 30), Close: at(16, 0)})
	}
	fractions := StockDetails("IBM", nil, nil)
	fractions.SizeStep = market.MustQty("0.5")
	for _, d := range []market.Details{StockDetails("AAPL", trading, regular), fractions} {
		if err := x.List(d); err != nil {
			w.t.Fatal(err)
		}
	}
	return x
}

// phaseOf reads the hours of exchange anew, by the clock.
func (w *world) phaseOf(s market.Symbol, at time.Time) phase {
	local := at.In(w.x.zone)
	if s == "IBM" || !at.Before(time.Date(2026, 4, 8, 20, 0, 0, 0, w.x.zone)) {
		return liquid
	}
	switch minute := local.Hour()*60 + local.Minute(); {
	case minute < 4*60 || minute >= 20*60:
		return shut
	case minute < 9*60+30 || minute >= 16*60:
		return extended
	}
	return liquid
}

// do plays a step and judges it.
func (w *world) do(step func(*Exchange) []Report) {
	w.queued, w.before = map[int64]*resting{}, map[market.Symbol]Market{}
	for _, o := range w.x.open {
		if o.place == inBook && !o.fresh {
			w.queued[o.PermID] = &resting{Order: o.Order, seq: o.seq}
		}
	}
	for _, s := range worldSymbols {
		w.before[s], _ = w.x.Market(s)
		if p := w.phaseOf(s, w.now); p != w.phases[s] {
			w.phases[s], w.good[s] = p, nil
		}
	}
	w.steps = append(w.steps, step)
	reports := slices.Clone(step(w.x))
	w.told = append(w.told, reports...)
	for _, r := range reports {
		w.judge(r)
	}
	w.judgeOpen()
}

// signal is what a client makes of a report.
func signal(r Report) (order.Signal, bool) {
	switch r := r.(type) {
	case Accepted, HeldBack, Triggered, Modified:
		return order.Acked, true
	case Working:
		return order.WorkingNow, true
	case Executed:
		if r.Order.State == order.Filled {
			return order.FilledUp, true
		}
		return order.Executed, true
	case Cancelled:
		return order.CancelDone, true
	case Rejected:
		return order.Refused, true
	}
	return 0, false
}

func (w *world) judge(r Report) {
	o := r.About()
	b := w.orders[o.PermID]
	if b == nil {
		switch r.(type) {
		case Accepted, Rejected:
		default:
			w.t.Fatalf("order %d begins with %T", o.PermID, r)
		}
		b = &biography{state: order.Sent, last: o}
		w.orders[o.PermID] = b
	}
	if _, ok := r.(Commission); ok {
		return
	}
	if b.state.Final() {
		w.t.Fatalf("order %d is %v, and then %T", o.PermID, b.state, r)
	}
	if sig, ok := signal(r); ok {
		next, legal := b.state.Next(sig)
		if !legal {
			w.t.Fatalf("order %d in state %v gets %v (%T)", o.PermID, b.state, sig, r)
		}
		b.state = next
	}
	if o.State.Final() != b.state.Final() || b.state.Final() && o.State != b.state {
		w.t.Fatalf("order %d says %v, its reports %v", o.PermID, o.State, b.state)
	}
	switch r := r.(type) {
	case HeldBack:
		if r.Order.Wait == WaitNone || r.Order.State != order.Accepted {
			w.t.Fatalf("held back by nothing: %+v", r.Order)
		}
	case Triggered:
		w.judgeTrigger(r.Order)
	case Executed:
		w.judgeFill(r, b)
	}
	b.last = o
}

// judgeTrigger demands a trade at or through the stop.
func (w *world) judgeTrigger(o Order) {
	p, stop := w.good[o.Symbol], o.Stop
	if trails(o.Type) {
		stop = o.TrailNow
	}
	rising := (o.Side == order.Buy) != touched(o.Type)
	if p == nil || stop == nil || rising && p.Less(*stop) || !rising && stop.Less(*p) {
		w.t.Fatalf("order %d: %s %s with stop %v set off by %v", o.PermID, o.Side, o.Type, stop, p)
	}
}

func (w *world) judgeFill(r Executed, b *biography) {
	o, f := r.Order, r.Fill
	left := o.Qty.Sub(b.filled)
	b.filled = b.filled.Add(f.Qty)
	first := b.filled == f.Qty
	switch {
	case f.Qty.Sign() <= 0 || o.Qty.Less(b.filled) || b.filled != o.Filled:
		w.t.Fatalf("order %d of %v: executions of %v, told %v", o.PermID, o.Qty, b.filled, o.Filled)
	case o.AllOrNone && f.Qty != left, o.TIF == order.FOK && f.Qty != left:
		w.t.Fatalf("order %d fills %v of %v, all or none", o.PermID, f.Qty, left)
	case first && f.Qty.Less(o.MinQty) && f.Qty.Less(left):
		w.t.Fatalf("order %d begins with %v, below %v", o.PermID, f.Qty, o.MinQty)
	case stops(o.Type) && !o.Triggered:
		w.t.Fatalf("order %d: %s filled before its stop", o.PermID, o.Type)
	case o.Hold || o.Parent != 0 && w.orders[o.Parent].state.Live():
		w.t.Fatalf("order %d fills before its family is ready: %+v", o.PermID, o)
	case f.At.Before(o.GoodAfter):
		w.t.Fatalf("order %d fills at %v, good after %v", o.PermID, f.At, o.GoodAfter)
	case w.halted[o.Symbol]:
		w.t.Fatalf("order %d fills in a halt", o.PermID)
	case w.late(o, f.At):
		w.t.Fatalf("order %d fills at %v, beyond its time", o.PermID, f.At)
	}
	w.judgePrice(o, f)
	w.shareOut(o, f.Qty, left)
}

// shareOut takes from the other orders of a group what a fill leaves them.
func (w *world) shareOut(o Order, done, left market.Qty) {
	if o.OCAGroup == "" {
		return
	}
	kept := new(big.Rat) // the share
	if o.OCAType != CancelBlock {
		kept.Quo(units(left.Sub(done)), units(left))
	}
	for _, b := range w.orders {
		switch m := b.last; {
		case m.OCAGroup != o.OCAGroup || m.Account != o.Account || b.state.Final():
		case m.PermID == o.PermID && b.most != nil:
			b.most.Sub(b.most, units(done))
		case m.PermID == o.PermID:
		case b.most == nil:
			b.most = new(big.Rat).Mul(units(m.Remaining()), kept)
		default:
			b.most.Mul(b.most, kept)
		}
	}
}

func units(q market.Qty) *big.Rat {
	r, _ := new(big.Rat).SetString(q.String())
	return r
}

// late reports whether an order may not fill at a time of the day, or any more.
func (w *world) late(o Order, at time.Time) bool {
	if !o.GoodTill.IsZero() && !at.Before(o.GoodTill) {
		return true
	}
	if onClose(o.Type) {
		at = at.Add(-1) // the closing belongs to the session that it ends
		return w.phaseOf(o.Symbol, at) != liquid
	}
	switch w.phaseOf(o.Symbol, at) {
	case liquid:
		return false
	case extended:
		return !o.OutsideRTH || o.Limit == nil || o.TIF == order.OPG
	}
	return true
}

// judgePrice demands that the market showed the price, or went through an
// order's limit that waited for it; never one worse than the limit.
func (w *world) judgePrice(o Order, f order.Fill) {
	worse := func(p, than market.Price) bool { // for the order
		if o.Side == order.Buy {
			return than.Less(p)
		}
		return p.Less(than)
	}
	if o.Limit != nil && worse(f.Price, *o.Limit) {
		w.t.Fatalf("order %d: %s with limit %v fills at %v", o.PermID, o.Side, o.Limit, f.Price)
	}
	after, _ := w.x.Market(o.Symbol)
	for _, m := range []Market{w.before[o.Symbol], after} {
		opposite := m.Quote.Ask
		if o.Side == order.Sell {
			opposite = m.Quote.Bid
		}
		for _, shown := range []*market.Price{opposite, m.Quote.Last} {
			if shown != nil && (*shown == f.Price || o.Limit != nil && *o.Limit == f.Price && !worse(*shown, f.Price)) {
				return
			}
		}
	}
	w.t.Fatalf("order %d: %s fills at %v, which the market did not show: %+v", o.PermID, o.Side, f.Price, after.Quote)
}

// judgeOpen compares what is open with what was told, and looks for what should
// have happened.
func (w *world) judgeOpen() {
	for _, o := range w.x.Open() {
		b := w.orders[o.PermID]
		if b == nil || b.state.Final() || o.Remaining().IsZero() || b.filled != o.Filled || o.State != b.last.State {
			w.t.Fatalf("order %+v is open, told as %+v", o, b)
		}
		if p := w.good[o.Symbol]; o.Wait == WaitTrigger && !w.halted[o.Symbol] && p != nil && w.x.open[o.PermID].reached(*p) {
			w.t.Fatalf("order %d with stop %v was not set off by %v", o.PermID, w.x.open[o.PermID].trigger(), p)
		}
		w.judgeTrail(o)
		if b.most != nil && b.most.Cmp(units(o.Remaining())) < 0 {
			w.t.Fatalf("order %d may still fill %v, its group leaves it %v", o.PermID, o.Remaining(), b.most)
		}
	}
	for id, b := range w.orders {
		if b.state.Live() && w.x.open[id] == nil {
			w.t.Fatalf("order %d is gone, told as %v", id, b.state)
		}
	}
	for _, id := range w.x.Accounts() {
		checkBooks(w.t, w.x, id)
	}
}

// judgeTrail demands that a stop does not go back while its terms stand.
func (w *world) judgeTrail(o Order) {
	b := w.orders[o.PermID]
	was := b.last
	b.last.TrailNow = o.TrailNow
	if !trails(o.Type) || was.TrailNow == nil || !was.trailsAs(&o.Terms) || was.Type != o.Type {
		return
	}
	if o.TrailNow == nil || o.Side == order.Sell && o.TrailNow.Less(*was.TrailNow) || o.Side == order.Buy && was.TrailNow.Less(*o.TrailNow) {
		w.t.Fatalf("order %d: the stop of a %s goes from %v back to %v", o.PermID, o.Side, was.TrailNow, o.TrailNow)
	}
}

// judgeQueue demands that no order fills before one that was there with a
// better price, or as good a one and earlier.
func (w *world) judgeQueue(reports []Report) {
	for _, r := range reports {
		done, ok := r.(Executed)
		o, waited := w.queued[r.About().PermID]
		if !ok || !waited {
			continue
		}
		for _, p := range w.x.open {
			q, there := w.queued[p.PermID]
			if !there || p.PermID == o.PermID || p.place != inBook || q.Symbol != o.Symbol || q.Side != o.Side || q.AllOrNone || q.MinQty.Sign() > 0 {
				continue
			}
			if ahead(q, o) {
				w.t.Fatalf("order %d at %v fills before order %d at %v", done.Order.PermID, o.Limit, p.PermID, p.Limit)
			}
		}
	}
}

// ahead reports whether a comes before b of the same side.
func ahead(a, b *resting) bool {
	switch {
	case a.Limit == nil || b.Limit == nil:
		return a.Limit == nil && (b.Limit != nil || a.seq < b.seq)
	case *a.Limit == *b.Limit:
		return a.seq < b.seq
	}
	return (a.Side == order.Buy) == b.Limit.Less(*a.Limit)
}
