package exchange

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/exchange/tape"
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
	filling := map[ocaKey]int{}
	for _, o := range w.x.Open() {
		b := w.orders[o.PermID]
		if b == nil || b.state.Final() || o.Remaining().IsZero() || b.filled != o.Filled || o.State != b.last.State {
			w.t.Fatalf("order %+v is open, told as %+v", o, b)
		}
		if p := w.good[o.Symbol]; o.Wait == WaitTrigger && !w.halted[o.Symbol] && p != nil && w.x.open[o.PermID].reached(*p) {
			w.t.Fatalf("order %d with stop %v was not set off by %v", o.PermID, w.x.open[o.PermID].trigger(), p)
		}
		w.judgeTrail(o)
		if o.OCAType == CancelBlock && o.OCAGroup != "" {
			key := ocaKey{o.Account, o.OCAGroup}
			if n := filling[key]; n > 0 && (!o.Filled.IsZero() || n > 1) {
				w.t.Fatalf("group %v goes on beside an order of it that fills", key)
			}
			filling[key]++
			if !o.Filled.IsZero() {
				filling[key]++
			}
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

func (w *world) price() market.Price {
	return market.MustPrice("0.01").Times(rapid.Int64Range(80, 120).Draw(w.t, "price"))
}

func (w *world) level() tape.Level {
	if rapid.IntRange(0, 9).Draw(w.t, "gone") == 0 {
		return tape.Level{}
	}
	return tape.Level{Price: w.price(), Size: market.Shares(rapid.Int64Range(1, 300).Draw(w.t, "size")), Known: true}
}

// event makes an event, and remembers a trade that may set stops off.
func (w *world) event(symbol market.Symbol) {
	ev := tape.Event{At: w.now, Symbol: symbol, Kind: tape.Quote}
	if rapid.Bool().Draw(w.t, "trade") {
		ev.Kind, ev.Price, ev.Size = tape.Trade, w.price(), market.Shares(rapid.Int64Range(1, 300).Draw(w.t, "size"))
		ev.Suspicious = rapid.IntRange(0, 9).Draw(w.t, "suspicious") == 0
	} else {
		ev.Bid, ev.Ask = w.level(), w.level()
	}
	if ev.Kind == tape.Trade && !ev.Suspicious && !w.halted[symbol] && w.phaseOf(symbol, w.now) != shut {
		w.do(idle(w.now)) // what is due is judged by the trade before
		w.good[symbol] = ev.Price.Ptr()
	}
	began := len(w.told)
	now := w.now
	w.do(func(x *Exchange) []Report { return x.Apply(now, ev) })
	w.judgeQueue(w.told[began:])
}

// idle is a step that only moves time.
func idle(now time.Time) func(*Exchange) []Report {
	return func(x *Exchange) []Report { return x.Advance(now) }
}

func (w *world) request(symbol market.Symbol) Request {
	t := w.t
	pick := func(name string, n int) bool { return rapid.IntRange(1, n).Draw(t, name) == 1 }
	r := Request{
		Account: rapid.SampledFrom(w.x.Accounts()).Draw(t, "account"), Symbol: symbol,
		Side: rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(t, "side"),
		Qty:  market.Shares(rapid.Int64Range(1, 500).Draw(t, "qty")),
		Type: rapid.SampledFrom([]order.Type{
			order.Market, order.Limit, order.Limit, order.Limit, order.Stop, order.StopLimit, order.Trail, order.TrailLimit,
			order.MarketOnClose, order.LimitOnClose, order.MarketIfTouched, order.LimitIfTouched,
		}).Draw(t, "type"),
		TIF: rapid.SampledFrom([]order.TIF{order.Day, order.GTC, order.GTC, order.IOC, order.FOK, order.OPG}).Draw(t, "tif"),
	}
	if onClose(r.Type) {
		r.TIF = order.Day
	}
	n, _ := needsOf(r.Type)
	if n.limit {
		r.Limit = w.price().Ptr()
	}
	if n.stop {
		r.Stop = w.price().Ptr()
	}
	if n.trail {
		r.TrailAmount = market.MustPrice("0.03").Ptr()
		if pick("percent", 2) {
			r.TrailAmount, r.TrailPercent = nil, market.MustPercent("4.5").Ptr()
		}
		if pick("from", 3) {
			r.TrailStop = w.price().Ptr()
		}
	}
	if n.offset {
		r.LimitOffset = market.MustPrice("0.02").Ptr()
	}
	r.OutsideRTH, r.AllOrNone = pick("outside", 2), pick("aon", 6)
	if pick("min", 6) {
		r.MinQty = r.Qty.Floor(market.Shares(2))
	}
	if pick("till", 8) && r.TIF == order.GTC {
		r.TIF, r.GoodTill = order.GTD, w.now.Add(90*time.Minute)
	}
	if pick("after", 8) {
		r.GoodAfter = w.now.Add(time.Hour)
	}
	if pick("group", 4) {
		r.OCAGroup = rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group name")
		r.OCAType = OCAType(1 + len(r.OCAGroup)*int(r.OCAGroup[0])%3)
	}
	if open := w.x.Open(); pick("child", 4) && len(open) > 0 {
		parent := rapid.SampledFrom(open).Draw(t, "parent")
		r.Parent, r.Account, r.Symbol = parent.PermID, parent.Account, parent.Symbol
	}
	r.Hold = pick("hold", 6)
	return r
}

func (w *world) step() {
	t, now := w.t, w.now
	symbol := rapid.SampledFrom(worldSymbols).Draw(t, "symbol")
	open := w.x.Open()
	switch n := rapid.IntRange(0, 24).Draw(t, "step"); {
	case n < 11:
		w.event(symbol)
	case n < 20:
		r := w.request(symbol)
		w.do(func(x *Exchange) []Report { return x.Place(now, r) })
	case n == 20 && len(open) > 0:
		id := rapid.SampledFrom(open).Draw(t, "cancel").PermID
		w.do(func(x *Exchange) []Report { got, _ := x.Cancel(now, id); return got })
	case n < 23 && len(open) > 0:
		o := rapid.SampledFrom(open).Draw(t, "modify")
		r := w.request(o.Symbol)
		r.Account, r.Side, r.Parent = o.Account, o.Side, 0
		if rapid.Bool().Draw(t, "same terms") {
			r.Type, r.TIF, r.Limit, r.Terms = o.Type, o.TIF, o.Limit, o.Terms
		}
		w.do(func(x *Exchange) []Report { got, _ := x.Modify(now, o.PermID, r); return got })
	case n == 23:
		on := rapid.Bool().Draw(t, "halt")
		w.do(idle(w.now))
		w.halted[symbol], w.good[symbol] = on, nil
		w.do(func(x *Exchange) []Report { return x.Halt(now, symbol, on) })
	default:
		account := rapid.SampledFrom(w.x.Accounts()).Draw(t, "all of")
		w.do(func(x *Exchange) []Report {
			return x.CancelAll(now, func(o Order) bool { return o.Account == account })
		})
	}
}

// TestAnyLife plays random orders, changes and markets over three days, and
// then all of it again.
func TestAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			// One thing due at a time, so that what a bystander knows is enough.
			for range rapid.IntRange(0, 30).Draw(t, "minutes") {
				w.now = w.now.Add(time.Minute)
				w.do(idle(w.now))
			}
			w.step()
		}
		again := w.exchange(w.x.cfg)
		var told []Report
		for _, step := range w.steps {
			told = append(told, step(again)...)
		}
		if d := cmp.Diff(w.told, told, exact); d != "" {
			t.Fatalf("the same steps tell something else: %s", d)
		}
	})
}
