package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// What a flatten does outside the regular session.
const (
	FlattenLimit = "limit" // a limit order near the newest price, for the extended hours too
	FlattenWait  = "wait"  // nothing, until the session opens
)

const (
	// flattenAgain is how long after a refused order, or a failed question, the
	// next one waits. Wall time.
	flattenAgain = 2 * time.Second
)

// closing is how far the closing of one position is. It is of the turn.
type closing struct {
	state  string
	detail string
	tries  int       // orders that were written and ended without the position
	vain   int       // orders in a row that were refused
	next   int       // number of the next intent id, which are used once each
	ref    string    // the newest order, empty before the first
	wrote  time.Time // wall time when it was written
	due    time.Time // wall time before which no other is
	info   time.Time // wall time before which its contract is not asked for
	asked  bool      // for quotes of a symbol that is not wanted, in this flatten
}

// Flatten latches the mode halted with the order to close every position, and
// returns when that is durable. Then, or as soon as the link is ready, and
// also after a restart: all working orders of this client but the protective
// stops are cancelled; when those of a symbol have ended its position is closed, by a market order in
// the regular session and by what Config.FlattenOutside says out of it, each
// order only when the one before it has ended; and when the books show no
// position the broker is asked anew. Only its answer ends the flatten: the mode
// stays halted then, and says that it is flat. What is published of the mode
// tells how far it is. Asking again gives a position that was given up new
// tries. By says who asks.
func (d *Desk) Flatten(ctx context.Context, by, reason string) (event.ModeChange, error) {
	c, err := d.change(ctx, broker.ModeRecord{
		Mode: broker.Halted, Flatten: true, Reason: said("flatten", by, reason), Since: time.Now(),
	})
	if err != nil {
		return c, fmt.Errorf("flatten: it is not durable and not begun, though no entry goes out: %w", err)
	}
	return d.shown(ctx, c), nil
}

// flatten goes on with a flatten as far as it can get now.
func (d *Desk) flatten(ctx context.Context, h *held) {
	missing, quotes := d.unclear(ctx, h)
	for _, sym := range missing {
		if _, err := d.describe(ctx, h.session, sym); err != nil {
			d.log.Warn("flatten_contract", "symbol", string(sym), "error", err)
		}
	}
	for _, c := range quotes {
		d.quote(ctx, h, c)
	}
	if d.advance(ctx, h) {
		d.verify(ctx, h)
	}
}

// unclear returns the symbols of positions whose contract is not known, and the
// contracts without a price that need one.
func (d *Desk) unclear(ctx context.Context, h *held) (missing []market.Symbol, quotes []market.Contract) {
	if d.take(ctx) != nil {
		return nil, nil
	}
	defer d.give()
	now := time.Now()
	for _, sym := range d.toClose(h) {
		c := d.closingOf(sym)
		if now.Before(c.due) || d.position(h, sym) == nil || d.position(h, sym).IsZero() {
			continue
		}
		info := d.floor.Details(sym)
		if info == nil {
			if !now.Before(c.info) {
				c.info = now.Add(flattenAgain)
				missing = append(missing, sym)
			}
			continue
		}
		at, q, _ := d.floor.Sense(sym, time.Time{}, time.Now())
		if _, _, ok := q.Newest(); !ok && !c.asked && !d.open(info, at) {
			c.asked = true
			quotes = append(quotes, info.Contract)
		}
	}
	return missing, quotes
}

// quote subscribes to a market that is needed for a limit.
func (d *Desk) quote(ctx context.Context, h *held, c market.Contract) {
	data, ok := h.session.(broker.MarketData)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DataDeadline)
	defer cancel()
	if err := data.Subscribe(ctx, c); err != nil {
		d.log.Warn("flatten_quote", "symbol", string(c.Symbol), "error", err)
	}
}

// advance brings every symbol one step further. It reports whether the broker
// is to be asked: the books show nothing any more, or do not know something.
func (d *Desk) advance(ctx context.Context, h *held) (ask bool) {
	if d.take(ctx) != nil {
		return false
	}
	defer d.give()
	m := d.mode.Load()
	if !m.Flatten || d.bars(h, order.Intent{Action: order.Cancel}, true).rule != "" {
		return false
	}
	verify, unknown := true, false
	for _, sym := range d.toClose(h) {
		c := d.closingOf(sym)
		unknown = d.closeOne(ctx, h, sym, c) || unknown
		verify = verify && c.state == event.ClosingVerifies
	}
	return (verify || unknown) && !time.Now().Before(d.hold.due)
}

// toClose lists the symbols that a flatten is about: with a position, with an
// order that works, or seen before.
func (d *Desk) toClose(h *held) []market.Symbol {
	m := d.mode.Load()
	if d.hold.flatten == nil || !d.hold.since.Equal(m.Since) {
		d.hold.flatten, d.hold.since = map[market.Symbol]*closing{}, m.Since
		d.hold.flat, d.hold.doubt, d.hold.due = nil, "", time.Time{}
	}
	set := map[market.Symbol]bool{}
	for sym := range d.hold.flatten {
		set[sym] = true
	}
	for sym, p := range d.books.Positions {
		if !p.Qty.IsZero() && !h.foreign(p.Account) {
			set[sym] = true
		}
	}
	for sym, list := range d.books.Live {
		if slices.ContainsFunc(list, func(e *books.Entry) bool { return d.cancellable(h, e) }) {
			set[sym] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (d *Desk) closingOf(sym market.Symbol) *closing {
	c := d.hold.flatten[sym]
	if c == nil {
		c = &closing{}
		d.hold.flatten[sym] = c
	}
	return c
}

// position is the account's holding by the books, nil when unknown.
func (d *Desk) position(h *held, sym market.Symbol) *market.Qty {
	if p, ok := d.books.Positions[sym]; ok && h.foreign(p.Account) {
		return nil
	}
	return d.books.Holding(sym)
}

// closeOne brings one symbol one step further. It reports whether that waits
// for what only the broker can tell.
func (d *Desk) closeOne(ctx context.Context, h *held, sym market.Symbol, c *closing) (ask bool) {
	works, others, unknown := d.liveOf(h, sym)
	pos := d.position(h, sym)
	switch {
	case unknown != nil:
		c.state, c.detail = event.ClosingWaits, "nobody knows what became of order "+unknown.Ref+": only the broker can tell, and it is asked; another order could close twice"
		return true
	case others > 0:
		c.state, c.detail = event.ClosingCancels, fmt.Sprintf("%d orders have not ended", others)
	case works != nil:
		c.state, c.detail = event.ClosingWorks, describe(works.Order)
		d.hurry(ctx, h, c, works)
	case pos == nil:
		c.state, c.detail = event.ClosingWaits, "the position is unknown; the broker is asked"
		return true
	case pos.IsZero():
		c.state, c.detail, c.ref = event.ClosingVerifies, d.hold.doubt, ""
	default:
		d.closeNext(ctx, h, sym, c, *pos)
	}
	return false
}

// liveOf looks through the orders of a symbol that may still work: the one
// that closes, the number of others that have to end before it, and one whose
// outcome is unknown.
func (d *Desk) liveOf(h *held, sym market.Symbol) (works *books.Entry, others int, unknown *books.Entry) {
	pos := d.position(h, sym)
	for _, e := range d.books.Live[sym] {
		switch {
		case !d.cancellable(h, e):
		case e.State == order.Unknown:
			unknown = e
		case e.Closes():
			works = e
		case d.guardKeeps(e) && pos != nil && against(*pos, e):
			// The order that closes joins its group, so the position is never
			// without it.
		default:
			others++
		}
	}
	return works, others, unknown
}

// hurry has a limit order that did not close in time cancelled, as long as
// another may follow it.
func (d *Desk) hurry(ctx context.Context, h *held, c *closing, e *books.Entry) {
	if e.Type != order.Limit || c.tries+1 >= d.cfg.FlattenTries || time.Since(c.wrote) < d.cfg.FlattenPatience ||
		e.EndAsked == &h.facts && (e.State == order.Cancelling || time.Since(e.EndAt) < books.CancelAgain) {
		return
	}
	e.EndAsked, e.EndAt = &h.facts, time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	c.next++
	reply := d.handle(ctx, order.Intent{
		ID: d.closeID(e.Symbol, c.next), Action: order.Cancel, Strategy: books.OwnStrategy, Target: e.Ref,
		Reason: fmt.Sprintf("it did not close the position within %v", d.cfg.FlattenPatience), At: d.marketTime(),
	}, true)
	if reply.Result == event.Refused {
		d.warn(event.NoticeText{Name: "flatten_not_cancelled", Symbol: e.Symbol, Ref: e.Ref, Text: reply.Reason})
	}
}

// closeNext writes the next order that closes a position, when it may.
func (d *Desk) closeNext(ctx context.Context, h *held, sym market.Symbol, c *closing, pos market.Qty) {
	d.judgeTry(c)
	switch {
	case c.tries >= d.cfg.FlattenTries:
		c.state = event.ClosingGivenUp
		c.detail = fmt.Sprintf("%d orders did not close %v; close it at the broker, or ask for a flatten again", c.tries, pos)
		return
	case c.vain >= d.cfg.FlattenTries:
		c.state = event.ClosingGivenUp
		return // the detail is the newest refusal
	case time.Now().Before(c.due):
		return
	}
	in, why := d.closingIntent(sym, pos)
	if e := d.elsewhere(h, sym, pos); e != nil {
		why = fmt.Sprintf("order %d of client id %d closes it, too, and this client cannot cancel it: cancel it where it was made, or the two would turn the position over", e.OrderID, e.ClientID)
	}
	if why != "" {
		c.state, c.detail = event.ClosingWaits, why
		return
	}
	c.next++
	in.ID = d.closeID(sym, c.next)
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	reply := d.handle(ctx, in, true)
	switch {
	case reply.Known: // of an earlier life, and ended: it counts
		c.ref, c.wrote = in.ID, time.Now()
		d.hold.poke()
	case reply.Result == event.Refused:
		c.vain++
		c.state, c.detail, c.due = event.ClosingWaits, "the order to close it was refused: "+reply.Reason, time.Now().Add(flattenAgain)
	default:
		c.vain, c.ref, c.wrote = 0, in.ID, time.Now()
		c.state, c.detail = event.ClosingWorks, "an order that closes it was written"
	}
}

// elsewhere returns an order against the position that works and is not this
// client's, nil when there is none.
func (d *Desk) elsewhere(h *held, sym market.Symbol, pos market.Qty) *books.Entry {
	for _, e := range d.books.Live[sym] {
		if e.State.Live() && !h.foreign(e.Account) && !d.cancellable(h, e) && against(pos, e) {
			return e
		}
	}
	return nil
}

// judgeTry counts the newest order, which has ended, if it closed nothing or
// only a part.
func (d *Desk) judgeTry(c *closing) {
	if c.ref == "" {
		return
	}
	e := d.books.ByRef[c.ref]
	if c.ref = ""; e == nil || e.State != order.Filled { // a full one is followed by the next part
		c.tries++
		c.due = time.Now().Add(flattenAgain)
	}
}

// closeID is the same for the same step of the same flatten, in whatever life
// of the program, so that a step is done at most once.
func (d *Desk) closeID(sym market.Symbol, n int) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, string(sym))
	return fmt.Sprintf("%s%s-%.15s-%d", books.FlattenPrefix, strconv.FormatInt(d.hold.since.UnixMilli(), 36), plain, n)
}

// marketTime is the market's, or this machine's before the first clock.
func (d *Desk) marketTime() time.Time {
	if at := d.floor.Now(time.Now()); !at.IsZero() {
		return at
	}
	return time.Now()
}

// closingIntent is the order that closes a position now, all but its id; or why
// there is none.
func (d *Desk) closingIntent(sym market.Symbol, pos market.Qty) (in order.Intent, why string) {
	info := d.floor.Details(sym)
	if info == nil {
		return in, "the broker has not told its contract; it is asked"
	}
	step := info.SizeStep
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
		Qty: qty, Reason: d.mode.Load().Reason, At: d.marketTime(),
	}
	if d.open(info, in.At) {
		return in, ""
	}
	if d.cfg.FlattenOutside == FlattenWait {
		return in, "the regular session is closed, and desk.flatten_outside is wait"
	}
	_, q, _ := d.floor.Sense(sym, in.At, time.Now())
	price, _, ok := q.Newest()
	if !ok {
		return in, "the regular session is closed and no price is known for a limit; market data is asked for"
	}
	limit, ok := collared(price, d.cfg.FlattenCollar, in.Side, info.MinTick)
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

// closings tells how far each symbol is, by name.
func (e *enforcement) closings(b *books.Books) (list []event.Closing) {
	for _, sym := range slices.Sorted(maps.Keys(e.flatten)) {
		c := e.flatten[sym]
		s := event.Closing{Symbol: sym, State: c.state, Position: b.Holding(sym), Tries: c.tries, Detail: c.detail}
		if e.flat != nil {
			s.State, s.Detail = event.ClosingFlat, ""
		} else if s.State == "" {
			s.State = event.ClosingWaits
		}
		list = append(list, s)
	}
	return list
}
