package exchange

import (
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// phase is where a market is in its day.
type phase uint8

const (
	shut     phase = iota
	extended       // trading hours that are not liquid ones
	liquid
	numPhases
)

var phaseNames = [numPhases]string{"shut", "extended", "liquid"}

// Clock times of New York that rule where the hours tell none.
const (
	dayOrderEnd = 20 // o'clock: DAY orders expire
	closeHour   = 16 // o'clock: the closing, half past nine the opening
	openHour    = 9
	openMinute  = 30
)

// aDay is what no session lasts: hours without a gap for longer are those of a
// market that is always open.
const aDay = 24 * time.Hour

// session is where a listing is in its day, and what the hours say of it.
type session struct {
	alarm   alarm // at the next change of phase
	phase   phase
	halted  bool
	printed bool // a trade came in this phase, after the last halt
	trading []market.Span
	regular []market.Span
	told    time.Time // the hours say nothing about what comes then or later
	closed  prices    // when the regular session was left last
}

// prices are those at which orders trade in an auction.
type prices struct{ last, bid, ask tape.Level }

// prices are those of now: none in a halt, and no trade but of this session.
func (l *listing) prices() (p prices) {
	if l.halted {
		return prices{}
	}
	p.bid, p.ask = l.bid, l.ask
	if l.printed {
		p.last = l.last
	}
	return p
}

// hours takes what a venue tells. Regular hours alone count as trading hours,
// too, and the other way round.
func (s *session) hours(trading, regular market.Hours) {
	if len(trading) == 0 {
		trading = regular
	}
	if len(regular) == 0 {
		regular = trading
	}
	s.trading, s.regular = joined(trading), joined(regular)
	s.told = time.Time{}
	if len(trading) > 0 {
		s.told = trading[len(trading)-1].Close
	}
}

// joined makes one span of those without a gap between them, and leaves out
// the empty ones.
func joined(h market.Hours) []market.Span {
	var all []market.Span
	for _, span := range h {
		if !span.Open.Before(span.Close) {
			continue
		}
		if n := len(all); n > 0 && !all[n-1].Close.Before(span.Open) {
			if all[n-1].Close.Before(span.Close) {
				all[n-1].Close = span.Close
			}
			continue
		}
		all = append(all, span)
	}
	return all
}

// at returns the span that holds a time or, with ahead, the next one after it.
func at(spans []market.Span, now time.Time, ahead bool) (market.Span, bool) {
	for _, s := range spans {
		if now.Before(s.Close) {
			if !now.Before(s.Open) || ahead {
				return s, true
			}
			break
		}
	}
	return market.Span{}, false
}

// when tells the phase at a time and when it ends, zero when that is not
// known. A market of which nothing is told is in its regular session.
func (s *session) when(now time.Time) (phase, time.Time) {
	if !now.Before(s.told) {
		return liquid, time.Time{}
	}
	if span, ok := at(s.regular, now, false); ok {
		return liquid, span.Close
	}
	span, ok := at(s.trading, now, true)
	if !ok {
		return shut, s.told
	}
	if now.Before(span.Open) {
		return shut, span.Open
	}
	until := span.Close
	if next, ok := at(s.regular, now, true); ok && next.Open.Before(until) {
		until = next.Open
	}
	return extended, until
}

// lets reports whether an order may be where it is going in this phase: at its
// stop, or at work.
func (s *session) lets(o *resting) bool {
	switch s.phase {
	case liquid:
		return true
	case extended:
		if !o.OutsideRTH || auction(o) {
			return false
		}
		return o.waitsForStop() || priced(o.Type)
	}
	return false
}

// priced reports whether orders of a type have a limit when they work.
func priced(t order.Type) bool {
	switch t {
	case order.Limit, order.StopLimit, order.TrailLimit, order.LimitOnClose, order.LimitIfTouched:
		return true
	}
	return false
}

// auction reports whether the order trades in an auction alone.
func auction(o *resting) bool { return o.TIF == order.OPG || onClose(o.Type) }

func onClose(t order.Type) bool { return t == order.MarketOnClose || t == order.LimitOnClose }

// clock is the first time after now at which New York's clock shows it.
func (x *Exchange) clock(now time.Time, hour, minute int) time.Time {
	y, m, d := now.In(x.zone).Date()
	next := time.Date(y, m, d, hour, minute, 0, 0, x.zone)
	if !next.After(now) {
		next = time.Date(y, m, d+1, hour, minute, 0, 0, x.zone)
	}
	return next
}

// nextClosing is when the regular session of now, or the next one, ends.
func (x *Exchange) nextClosing(l *listing, now time.Time) time.Time {
	span, ok := at(l.regular, now, true)
	if !ok || span.Close.Sub(span.Open) > aDay {
		return x.clock(now, closeHour, 0)
	}
	return span.Close
}

// nextOpening is when the next regular session begins.
func (x *Exchange) nextOpening(l *listing, now time.Time) time.Time {
	for _, span := range l.regular {
		if span.Open.After(now) && span.Close.Sub(span.Open) <= aDay {
			return span.Open
		}
	}
	return x.clock(now, openHour, openMinute)
}

// begins is when the order may first work, now or later; known is false when
// the hours do not tell.
func (x *Exchange) begins(l *listing, o *resting, now time.Time) (begins time.Time, known bool) {
	if o.TIF == order.OPG {
		return x.nextOpening(l, now), true
	}
	spans := l.regular
	if o.OutsideRTH && priced(o.Type) && !auction(o) {
		spans = l.trading
	}
	span, ok := at(spans, now, true)
	if !ok {
		return now, false
	}
	if span.Open.After(now) {
		return span.Open, true
	}
	return now, true
}

// lastsUntil is when a DAY order given at now expires: at the end of the trading
// hours in which it may first work, at 20:00 New York time where they know no
// end.
func (x *Exchange) lastsUntil(l *listing, o *resting, now time.Time) time.Time {
	if o.GoodAfter.After(now) {
		now = o.GoodAfter
	}
	if now.Before(l.told) {
		now, _ = x.begins(l, o, now)
		if span, ok := at(l.trading, now, false); ok && span.Close.Sub(span.Open) <= aDay {
			return span.Close
		}
	}
	return x.clock(now, dayOrderEnd, 0)
}

// turn moves a listing to where it stands in its day. Orders that may not work
// there are held back, and those that waited for it go live.
func (x *Exchange) turn(now time.Time, l *listing) {
	was, prices := l.phase, l.prices()
	var until time.Time
	l.phase, until = l.when(now)
	l.changed = true
	if !until.IsZero() {
		x.alarms.set(&l.alarm, until, rankTurn)
	}
	if was == liquid && l.phase != liquid {
		l.closed = prices
	}
	if l.phase == was || len(x.open) == 0 {
		l.printed = l.printed && l.phase == was
		return
	}
	l.printed = false
	for _, o := range x.arrivals() {
		switch {
		case o.Symbol != l.details.Contract.Symbol || x.open[o.PermID] != o:
		case o.atClose || !o.expires.IsZero() && !now.Before(o.expires): // their own alarm ends them
		case o.Wait == WaitSession && o.TIF != order.OPG && l.lets(o):
			o.fresh = true
			x.proceed(now, o, l)
		case (o.Wait == WaitNone || o.Wait == WaitTrigger) && !l.lets(o):
			x.lift(o, l)
			x.hold(now, o, l, WaitSession)
		}
	}
}

// closing fills an order in the closing auction: whole, at the session's last
// trade, and at the quote when there was none. What does not fill has expired.
func (x *Exchange) closing(now time.Time, o *resting, l *listing) {
	at := l.closed
	if l.phase == liquid {
		at = l.prices() // of a market that does not close
	}
	against := at.last
	if !against.Known && o.Side == order.Buy {
		against = at.ask
	} else if !against.Known {
		against = at.bid
	}
	if against.Known && o.reaches(against.Price) {
		x.fill(now, o, l, against.Price, o.Remaining())
		return
	}
	x.withdraw(now, o, Expired)
}

// Halt stops trading in a symbol, or lets it go on. While it is halted nothing
// fills and no stop is set off; orders come, change and go. When it goes on,
// the next quote or trade fills. A symbol that is not listed is ignored.
func (x *Exchange) Halt(now time.Time, s market.Symbol, on bool) []Report {
	x.begin(now)
	if l := x.listings[s]; l != nil {
		l.halt(on)
	}
	return x.out
}

func (l *listing) halt(on bool) { l.halted, l.printed, l.changed = on, false, true }
