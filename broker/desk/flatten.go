package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/unwind"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// What a flatten does outside the regular session.
const (
	FlattenLimit = "limit" // a limit order near the newest price, for the extended hours too
	FlattenWait  = "wait"  // nothing, until the session opens
)

// Flatten latches the mode halted with the order to close every position, and
// returns when that is durable. Then, or as soon as the link is ready, and
// also after a restart: all working orders of this client but the protective
// stops are cancelled; when those of a symbol have ended its position is closed,
// by a market order in the regular session and by what Config.FlattenOutside says
// out of it, each order only when the one before it has ended; and when the books
// show no position the broker is asked anew. Only its answer ends the flatten: the mode
// stays halted then, and says that it is flat, or flat in stocks and what else is
// left: options, futures and whatever this program does not trade. What is published of the mode
// tells how far it is. Asking again gives a position that was given up new
// tries. By says who asks.
func (d *Desk) Flatten(ctx context.Context, by, reason string) (event.ModeChange, error) {
	c, err := d.change(ctx, broker.ModeRecord{
		Mode: broker.Halted, Flatten: true, Reason: said("flatten", by, reason), Since: time.Now(),
	})
	if err != nil {
		return c, fmt.Errorf("flatten: it is not durable and not begun, though no entry goes out and the working ones are cancelled: %w; "+
			"let the disk be written again and ask once more, or stop the trader and run traderctl flatten --direct --spare FOLDER, with a folder on another disk", err)
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

// unwinding is what halt and flatten look at. The caller has the turn.
func (d *Desk) unwinding(h *held) unwind.View {
	v := unwind.View{Books: d.books, Keeps: d.cfg.Protect != ProtectOff, Wall: time.Now()}
	if h != nil {
		v.Who = &h.facts
	}
	return v
}

// marketOf is what a flatten needs to know of a symbol's market at a time.
func (d *Desk) marketOf(sym market.Symbol, at time.Time) unwind.Market {
	info := d.floor.Details(sym)
	return unwind.Market{
		At: at, Details: info, Open: d.open(info, at), Reason: d.mode.Load().Reason,
		Newest: func() (market.Price, bool) { return d.floor.Newest(sym) },
	}
}

// unclear returns the symbols of positions whose contract is not known, and the
// contracts without a price that need one.
func (d *Desk) unclear(ctx context.Context, h *held) (missing []market.Symbol, quotes []market.Contract) {
	if d.take(ctx) != nil {
		return nil, nil
	}
	defer d.give()
	v := d.unwinding(h)
	for _, sym := range d.hold.flatten.Symbols(v, d.mode.Load().Since) {
		m := d.marketOf(sym, d.floor.Now(v.Wall))
		contract, quote := d.hold.flatten.Lacks(v, sym, m)
		if contract {
			missing = append(missing, sym)
		}
		if quote {
			quotes = append(quotes, m.Details.Contract)
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
	f, verify, unknown := &d.hold.flatten, true, false
	for _, sym := range f.Symbols(d.unwinding(h), m.Since) {
		in, ask := f.Next(d.unwinding(h), sym, d.marketOf(sym, d.marketTime()), d.terms())
		if in != nil {
			d.unwind(ctx, sym, *in)
		}
		unknown = ask || unknown
		verify = verify && f.Closed(sym)
	}
	return (verify || unknown) && !time.Now().Before(f.Due)
}

// terms are the configured ones.
func (d *Desk) terms() unwind.Terms {
	return unwind.Terms{
		Wait: d.cfg.FlattenOutside == FlattenWait, Collar: d.cfg.FlattenCollar, Patience: d.cfg.FlattenPatience, Tries: d.cfg.FlattenTries,
	}
}

// unwind asks for the next step of a flatten by the one door. The caller has the
// turn.
func (d *Desk) unwind(ctx context.Context, sym market.Symbol, in order.Intent) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	in.Trace = causedByMode(d.mode.Load())
	reply := d.handle(ctx, in, true)
	d.traceOwn(in, reply)
	again, notice := d.hold.flatten.Answered(sym, in, reply, time.Now())
	if again {
		d.hold.poke()
	}
	if notice != nil {
		d.warn(*notice)
	}
}

// marketTime is the market's, or this machine's before the first clock.
func (d *Desk) marketTime() time.Time {
	if at := d.floor.Now(time.Now()); !at.IsZero() {
		return at
	}
	return time.Now()
}

// verify asks the broker for everything anew, and once more for the positions
// alone. Only a complete answer without any ends the flatten: an error is not
// flat.
func (d *Desk) verify(ctx context.Context, h *held) {
	left, others, err := d.remains(ctx, h)
	if ctx.Err() != nil || d.take(ctx) != nil {
		return
	}
	defer d.give()
	m := d.mode.Load()
	if !m.Flatten {
		return
	}
	d.hold.flatten.Due = time.Now().Add(unwind.Again)
	if d.hold.flatten.Asked() { // without an answer the books have to do: whoever asks for a flatten wants out
		d.hold.poke()
	}
	switch {
	case err != nil:
		d.hold.flatten.Doubt = "not verified: " + err.Error() + "; the broker is asked again"
	case len(left) > 0:
		d.hold.flatten.Doubt = fmt.Sprintf("the broker still shows %v of %s", left[0].Qty, left[0].Symbol)
		d.hold.poke()
	case !d.hold.flatten.Settled(d.unwinding(h), m.Since):
		d.hold.poke() // something came while we asked
	default:
		d.finish(ctx, m, others)
	}
}

// remains returns the account's positions as the broker tells them now, those
// of 0 left out: what a flatten has to close, and what it does not, as this
// program does not trade it.
func (d *Desk) remains(ctx context.Context, h *held) (left, others []order.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline)
	defer cancel()
	src, ok := h.session.(broker.AccountSource)
	if !ok {
		return nil, nil, errors.New("this adapter tells nothing about positions")
	}
	if _, err := d.recounted(ctx, h.session); err != nil {
		return nil, nil, err
	}
	list, err := src.Positions(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the positions: %w", err)
	}
	left, others = unwind.Remains(list, &h.facts, d.conID)
	return left, others, nil
}

// finish ends a flatten that is verified, with what it leaves. The mode stays
// halted.
func (d *Desk) finish(ctx context.Context, m *broker.ModeRecord, others []order.Position) {
	now := time.Now()
	next, f := *m, &d.hold.flatten
	next.Flatten = false
	before, kept := f.Flat, f.Left
	f.Flat, f.Left = &now, others
	done := event.ModeChange{Flat: &now, Left: others}
	next.Reason += "; " + done.FlatWords()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.OrderDeadline)
	defer cancel()
	if _, err := d.latch(ctx, m, &next); err != nil {
		f.Flat, f.Left, f.Doubt = before, kept, done.FlatWords()+", but this could not be stored: "+err.Error()
		return
	}
	told := event.NoticeText{Level: "info", Name: "flat", Text: "the broker, asked anew, shows no position"}
	if len(others) > 0 {
		told = event.NoticeText{Level: "warning", Name: "flat_in_stocks", Text: "the broker, asked anew, shows no position in what is traded here; " + event.LeftWords(others) + "; close them at the broker"}
	}
	d.warn(told)
}
