package unwind

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/desk/books"
	"robotrader/broker/desk/guard"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Again is how long after a refused order, or a failed question, the next one
// waits. Wall time.
const Again = 2 * time.Second

// Terms are how positions are closed.
type Terms struct {
	// Wait closes nothing outside the regular session. Otherwise a limit order
	// near the newest price does, which may trade in the extended hours.
	Wait bool
	// Collar is how far from the newest price such a limit is.
	Collar market.Percent
	// Patience is how long it may work before it is cancelled and made anew.
	// Wall time.
	Patience time.Duration
	// Tries is how many orders may end without closing a position.
	Tries int
}

// Market is what is known of one symbol's.
type Market struct {
	At      time.Time       // market time
	Details *market.Details // of the contract, nil when it is not known
	Open    bool            // the regular session is on
	// Newest is the newest price.
	Newest func() (market.Price, bool)
	Reason string // of the flatten
}

// closing is how far the closing of one position is.
type closing struct {
	state  string
	detail string
	tries  int        // orders that were written and ended without the position
	vain   int        // orders in a row that were refused
	next   int        // number of the newest order's id, which are used once each
	ends   int        // the same of its cancels
	again  bool       // the newest cancel was not written, as its id had been used
	ref    string     // the newest order, empty before the first
	wrote  time.Time  // wall time when it was written
	due    time.Time  // wall time before which no other is
	info   time.Time  // wall time before which its contract is not asked for
	held   time.Time  // wall time since when a stop lets no order join it, zero when one may
	seen   market.Qty // what that stop had filled then
	asked  bool       // for quotes of a symbol that is not wanted, in this flatten
}

// Flatten is how far the closing of all positions is. The zero Flatten is none.
type Flatten struct {
	closing map[market.Symbol]*closing // nil when none is under way
	since   time.Time                  // wall time of the flatten that it is of
	asked   bool                       // the broker was asked for its positions in it

	Flat *time.Time // wall time when the broker showed no position, nil when it did not
	// Left are the positions that the broker showed then and that a flatten does not
	// close, as this program does not trade them.
	Left  []order.Position
	Doubt string    // why that could not be seen yet
	Due   time.Time // wall time before which the broker is not asked for it again
}

// Asked notes that the broker was asked for its positions, and told them or did
// not. It reports whether that is the first time.
func (f *Flatten) Asked() (first bool) {
	first = !f.asked
	f.asked = true
	return first
}

// End forgets a flatten, because the mode is another.
func (f *Flatten) End() { f.closing, f.Flat, f.Left = nil, nil, nil }

// Symbols lists what the flatten since that time is about: symbols with a
// position, with an order that works, or seen before.
func (f *Flatten) Symbols(v View, since time.Time) []market.Symbol {
	if f.closing == nil || !f.since.Equal(since) {
		*f = Flatten{closing: map[market.Symbol]*closing{}, since: since}
	}
	set := map[market.Symbol]bool{}
	for sym := range f.closing {
		set[sym] = true
	}
	for sym, p := range v.Books.Positions {
		if !p.Qty.IsZero() && !sym.IsOther() && !books.Foreign(v.Who, p.Account) {
			set[sym] = true
		}
	}
	for sym, list := range v.Books.Live {
		if slices.ContainsFunc(list, v.cancellable) {
			set[sym] = true
		}
	}
	symbols := slices.Sorted(maps.Keys(set))
	for _, sym := range symbols {
		if f.closing[sym] == nil {
			f.closing[sym] = f.resumed(v, sym)
		}
	}
	return symbols
}

// resumed is how far an earlier life of the program came in the same flatten, by
// its orders.
func (f *Flatten) resumed(v View, sym market.Symbol) *closing {
	c := &closing{}
	for _, e := range v.Books.All() {
		number, ok := strings.CutPrefix(e.Ref, f.prefix(sym))
		n, err := strconv.Atoi(number)
		if !ok || err != nil || e.Symbol != sym {
			continue
		}
		c.next = max(c.next, n)
		switch {
		case !e.State.Final():
			c.ref, c.wrote = e.Ref, v.Wall
		case e.State != order.Filled && e.State != order.Dropped:
			c.tries++
		}
	}
	return c
}

func (f *Flatten) of(sym market.Symbol) *closing {
	c := f.closing[sym]
	if c == nil {
		c = &closing{}
		f.closing[sym] = c
	}
	return c
}

// Lacks tells whether a symbol's contract, or a quote of it, is to be asked for
// now. It counts as asked then.
func (f *Flatten) Lacks(v View, sym market.Symbol, m Market) (contract, quote bool) {
	c := f.of(sym)
	if pos := v.position(sym); v.Wall.Before(c.due) || pos == nil || pos.IsZero() {
		return false, false
	}
	if m.Details == nil {
		if v.Wall.Before(c.info) {
			return false, false
		}
		c.info = v.Wall.Add(Again)
		return true, false
	}
	if _, ok := m.Newest(); !ok && !c.asked && !m.Open {
		c.asked = true
		return false, true
	}
	return false, false
}

// Next brings one symbol one step further. It returns what is to be asked for,
// nil when nothing is, and reports whether it waits for what only the broker can
// tell.
func (f *Flatten) Next(v View, sym market.Symbol, m Market, terms Terms) (in *order.Intent, ask bool) {
	c := f.of(sym)
	works, others, unknown := v.live(sym)
	pos := v.position(sym)
	switch {
	case unknown != nil:
		c.state, c.detail = event.ClosingWaits, "nobody knows what became of order "+unknown.Ref+": only the broker can tell, and it is asked; another order could close twice"
		return nil, true
	case others > 0:
		c.state, c.detail = event.ClosingCancels, fmt.Sprintf("%d orders have not ended", others)
	case works != nil:
		c.state, c.detail = event.ClosingWorks, books.Describe(works.Order)
		return f.hurry(v, c, works, m, terms), false
	case pos == nil:
		c.state, c.detail = event.ClosingWaits, "the position is unknown; the broker is asked"
		return nil, true
	case v.Books.Told(sym) != nil:
		c.state, c.detail = event.ClosingWaits, fmt.Sprintf("the broker told a position of %v and the books have %v; it is asked, as what is gone is not to be closed", v.Books.Told(sym), pos)
		return nil, true
	case pos.IsZero():
		c.state, c.detail, c.ref = event.ClosingVerifies, f.Doubt, ""
	case !f.asked:
		c.state, c.detail = event.ClosingWaits, "the broker is asked for its positions before the first order"
		return nil, true
	case v.untold(sym, *pos) != "":
		c.state, c.detail = event.ClosingWaits, fmt.Sprintf("order %s has ended with more filled than executions told, so that less than %v may be left to close; the broker is asked", v.untold(sym, *pos), pos)
		return nil, true
	default:
		return f.closeNext(v, sym, c, *pos, m, terms), false
	}
	return nil, false
}

// Closed reports whether a symbol has nothing left to close, by the books.
func (f *Flatten) Closed(sym market.Symbol) bool { return f.of(sym).state == event.ClosingVerifies }

// hurry has a limit order that did not close in time cancelled, as long as
// another may follow it.
func (f *Flatten) hurry(v View, c *closing, e *books.Entry, m Market, terms Terms) *order.Intent {
	if e.Type != order.Limit || c.tries+1 >= terms.Tries || v.Wall.Sub(c.wrote) < terms.Patience ||
		!c.again && e.EndAsked == v.Who && (e.EndsNow() || v.Wall.Sub(e.EndAt) < books.CancelAgain) {
		return nil
	}
	e.EndAsked, e.EndAt = v.Who, v.Wall
	return f.end(c, e, m, fmt.Sprintf("it did not close the position within %v", terms.Patience))
}

// end is the cancel of an order that stands in the way.
func (f *Flatten) end(c *closing, e *books.Entry, m Market, why string) *order.Intent {
	c.again = false
	c.ends++
	return &order.Intent{
		ID: f.prefix(e.Symbol) + "c" + strconv.Itoa(c.ends), Action: order.Cancel, Strategy: books.OwnStrategy, Target: e.Ref, Reason: why, At: m.At,
	}
}

// beside looks at the stops of a position that an order is to close: it joins
// the group of one, and has to wait as long as that lets nobody in, or others
// would sell beside it. One is replaced by who looks after it, at once or, when
// it executes, hardly ever needs to be: after some time it is the one to be
// cancelled.
func (c *closing) beside(v View, sym market.Symbol, qty market.Qty, terms Terms) (wait bool, end *books.Entry) {
	if !v.Keeps || v.Who == nil {
		return false, nil
	}
	r := guard.Against(v.Books, v.Who, sym)
	name, g := "", r.Join()
	if g != nil {
		name = g.Name
	}
	_, splits := r.Splits(name, qty, nil)
	switch {
	case g != nil && g.Used && len(g.Stops) > 0:
		end = g.Stops[0]
		c.state, c.detail = event.ClosingWaits, "its stop is of a group that has executed, which nobody can join; the order that closes it follows when that is replaced"
		if end.Filled.Sign() > 0 {
			c.state, c.detail = event.ClosingWorks, "its stop executes: "+books.Describe(end.Order)
		}
	case splits:
		c.state, c.detail = event.ClosingWaits, "it has several stops, and the order that closes it follows when one is left"
		return true, nil
	default:
		c.held = time.Time{}
		return false, nil
	}
	if c.held.IsZero() || c.seen != end.Filled {
		c.held, c.seen = v.Wall, end.Filled
	}
	if v.Wall.Sub(c.held) < terms.Patience || !end.Stands() || !c.again && end.EndAsked == v.Who && v.Wall.Sub(end.EndAt) < books.CancelAgain {
		return true, nil
	}
	return true, end
}

// closeNext returns the next order that closes a position, when there may be
// one.
func (f *Flatten) closeNext(v View, sym market.Symbol, c *closing, pos market.Qty, m Market, terms Terms) *order.Intent {
	c.judge(v)
	switch {
	case c.tries >= terms.Tries:
		c.state = event.ClosingGivenUp
		c.detail = fmt.Sprintf("%d orders did not close %v; close it at the broker, or ask for a flatten again", c.tries, pos)
		return nil
	case c.vain >= terms.Tries:
		c.state = event.ClosingGivenUp
		return nil // the detail is the newest refusal
	case v.Wall.Before(c.due):
		return nil
	}
	in, why := closeBy(sym, pos, m, terms)
	if e := v.elsewhere(sym, pos); e != nil {
		why = fmt.Sprintf("order %d of client id %d closes it, too, and this client cannot cancel it: cancel it where it was made, or the two would turn the position over", e.OrderID, e.ClientID)
	}
	if why != "" {
		c.state, c.detail = event.ClosingWaits, why
		return nil
	}
	if wait, end := c.beside(v, sym, in.Qty, terms); wait {
		if end == nil {
			return nil
		}
		end.EndAsked, end.EndAt = v.Who, v.Wall
		return f.end(c, end, m, "the order that closes its position could not join its group")
	}
	c.next++
	in.ID = f.prefix(sym) + strconv.Itoa(c.next)
	return &in
}

// Answered takes what became of what Next wanted. Again says that it is to be
// looked at once more at once; the notice, when there is one, is for people.
func (f *Flatten) Answered(sym market.Symbol, in order.Intent, reply event.OrderReply, wall time.Time) (again bool, notice *event.NoticeText) {
	c := f.of(sym)
	switch {
	case in.Action == order.Cancel && reply.Known: // an earlier life's, and not written now: the next number is
		c.again = true
		return true, nil
	case in.Action == order.Cancel && reply.Result == event.Refused:
		return false, &event.NoticeText{Name: "flatten_not_cancelled", Symbol: sym, Ref: in.Target, Text: reply.Reason}
	case in.Action == order.Cancel:
	case reply.Known && reply.Result == event.Refused: // likewise
		return true, nil
	case reply.Known: // of an earlier life, and ended: it counts
		c.ref, c.wrote = in.ID, wall
		return true, nil
	case reply.Result == event.Refused:
		c.vain++
		c.state, c.detail, c.due = event.ClosingWaits, "the order to close it was refused: "+reply.Reason, wall.Add(Again)
	default:
		c.vain, c.ref, c.wrote = 0, in.ID, wall
		c.state, c.detail = event.ClosingWorks, "an order that closes it was written"
	}
	return false, nil
}

// judge counts the newest order, which has ended, if it closed nothing or only a
// part.
func (c *closing) judge(v View) {
	if c.ref == "" {
		return
	}
	e := v.Books.ByRef[c.ref]
	if e != nil && e.State == order.Rejected && e.Filled.IsZero() {
		v.Books.ShutGroup(e.OCA) // perhaps because of it: the next one joins another
	}
	if c.ref = ""; e == nil || e.State != order.Filled { // a full one is followed by the next part
		c.tries++
		c.due = v.Wall.Add(Again)
	}
}

// prefix begins the ids of a position's steps; a number follows. It is the same
// for the same flatten in whatever life of the program, so that a step is done
// at most once.
func (f *Flatten) prefix(sym market.Symbol) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, string(sym))
	return fmt.Sprintf("%s%s-%.15s-", books.FlattenPrefix, strconv.FormatInt(f.since.UnixMilli(), 36), plain)
}

// closeBy is the order that closes a position now, all but its id; or why there
// is none.
func closeBy(sym market.Symbol, pos market.Qty, m Market, terms Terms) (in order.Intent, why string) {
	if m.Details == nil {
		return in, "the broker has not told its contract; it is asked"
	}
	step := m.Details.SizeStep
	if step.Sign() <= 0 {
		step = market.Shares(1)
	}
	qty := pos.Abs().Floor(step)
	if order.MaxQty.Less(qty) {
		qty = order.MaxQty.Floor(step)
	}
	if qty.IsZero() {
		return in, fmt.Sprintf("%v is less than the %v that an order can be about; close it at the broker", pos, step)
	}
	in = order.Intent{
		Action: order.Place, Strategy: books.OwnStrategy, Symbol: sym, Side: books.ExitSide(pos), Type: order.Market, TIF: order.Day,
		Qty: qty, Reason: m.Reason, At: m.At,
	}
	if m.Open {
		return in, ""
	}
	if terms.Wait {
		return in, "the regular session is closed, and desk.flatten_outside is wait"
	}
	price, ok := m.Newest()
	if !ok {
		return in, "the regular session is closed and no price is known for a limit; market data is asked for"
	}
	limit, ok := collared(price, terms.Collar, in.Side, m.Details.MinTick)
	if !ok {
		return in, fmt.Sprintf("no limit can be made of the price %v", price)
	}
	in.Type, in.Limit, in.OutsideRTH = order.Limit, &limit, true
	return in, ""
}

// collared is the limit of an order that is to trade now, at most percent away
// from price, on the grid of tick (0 = a cent).
func collared(price market.Price, percent market.Percent, side order.Side, tick market.Price) (market.Price, bool) {
	part, ok := percent.Of(price.Abs())
	if !ok {
		return price, false
	}
	if tick.Sign() <= 0 {
		tick = market.MustPrice("0.01")
	}
	if side == order.Sell {
		limit := price.Sub(part).Floor(tick)
		if inside := limit.Add(tick); limit.Less(price.Sub(part)) && !price.Less(inside) {
			limit = inside
		}
		return limit, limit.Sign() > 0
	}
	limit := price.Add(part).Floor(tick)
	if limit.Less(price) {
		limit = limit.Add(tick)
	}
	return limit, limit.Sign() > 0
}

// Settled reports whether the books show no position, known to be none, and no
// order of ours that works.
func (f *Flatten) Settled(v View, since time.Time) bool {
	if v.Books.Positions == nil {
		return false
	}
	for _, sym := range f.Symbols(v, since) {
		if works, others, unknown := v.live(sym); works != nil || others > 0 || unknown != nil {
			return false
		}
		if pos := v.position(sym); pos == nil || !pos.IsZero() {
			return false
		}
	}
	return true
}

// List tells how far each symbol is, by name.
func (f *Flatten) List(b *books.Books) (list []event.Closing) {
	for _, sym := range slices.Sorted(maps.Keys(f.closing)) {
		c := f.closing[sym]
		s := event.Closing{Symbol: sym, State: c.state, Position: b.Holding(sym), Tries: c.tries, Detail: c.detail}
		if f.Flat != nil {
			s.State, s.Detail = event.ClosingFlat, ""
		} else if s.State == "" {
			s.State = event.ClosingWaits
		}
		list = append(list, s)
	}
	return list
}
