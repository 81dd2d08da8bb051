package tape

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// ErrBadSpan means that a question about the past makes no sense, or asks for
// more than the bounds of [Past]. The text names value and bound.
var ErrBadSpan = errors.New("tape: bad history request")

// Bounds of one question to a [Past].
const (
	// MaxBars bounds the bars of an answer: from, end and width must not make
	// more, whether there are trades or not.
	MaxBars = 100_000
	// MaxSpan bounds from and end of made-up bars: each trade in it is made. A
	// year of days before the start takes about half a second, and one after
	// it, where the tape is finer, about three.
	MaxSpan = 20 * 366 * 24 * time.Hour
	// MaxTicks bounds the events of an answer.
	MaxTicks = 10_000
)

// Widths of bars beyond a day. They mean the calendar's week, from Monday on,
// and the calendar's month, whatever its length. There is nothing between a
// day and a week, and nothing beyond a month.
const (
	Week  = 7 * 24 * time.Hour
	Month = 30 * 24 * time.Hour
)

// Show tells what bars are made of.
type Show uint8

// What bars are made of. Quotes count in a bar from its start on: a bar opens
// at the quote that stood when it began, so there is one for every stretch of
// a session in which a quote was known, traded or not. Volume and count of
// trades are 0 in bars of quotes.
const (
	ShowTrades   Show = iota
	ShowBid           // of the best bid
	ShowAsk           // of the best ask
	ShowMidpoint      // of the middle of both
	ShowBidAsk        // open: mean bid over time, high: highest ask, low: lowest bid, close: mean ask over time
)

var showNames = [...]string{"trades", "bid", "ask", "midpoint", "bid and ask"}

func (s Show) String() string {
	if int(s) < len(showNames) {
		return showNames[s]
	}
	return "unknown"
}

// BarsQuery asks for the bars that start in [From, End), made of what came
// before End: the last may be unfinished.
type BarsQuery struct {
	Symbol    market.Symbol
	From, End time.Time
	// Width is whole seconds up to 24 h, counted from midnight of New York, or
	// [Week] or [Month].
	Width time.Duration
	Show  Show
	// RegularOnly leaves out what came outside the liquid hours.
	RegularOnly bool
}

// TicksQuery asks for single events in [From, End).
type TicksQuery struct {
	Symbol market.Symbol
	Kind   Kind // Trade or Quote
	// From is the first time; the answer is the oldest Limit events. The zero
	// From asks for the newest Limit events before End.
	From, End   time.Time
	Limit       int // 1 to MaxTicks
	RegularOnly bool
}

// Past is what a market was. It does not depend on how far the market has
// played, and the methods are safe for concurrent use, with each other and
// with [Source.Next] and [Universe.Add]: a long question need not stop the
// market. Who asks bounds End by market time: a Past knows the future.
//
// An empty list means that there was nothing. Errors wrap [ErrNoSymbol] or
// [ErrBadSpan].
type Past interface {
	// Bars returns bars, oldest first. Those in which nothing happened are left
	// out, and so is one that began before From: it would not be whole.
	Bars(q BarsQuery) ([]market.Bar, error)
	// Ticks returns trades or quotes, oldest first.
	Ticks(q TicksQuery) ([]Event, error)
	// Head returns the time of the first data.
	Head(symbol market.Symbol) (time.Time, error)
	// Sessions returns the sessions whose dates in New York lie in [from, to).
	Sessions(symbol market.Symbol, from, to time.Time) ([]calendar.Session, error)
}

// PastOf returns the past of a source. All sources of this package have one;
// for any other, its History stands in: it knows bars of trades and nothing
// else, and is as safe for concurrent use as that.
func PastOf(src Source) Past {
	if p, ok := src.(Past); ok {
		return p
	}
	return historyOnly{src}
}

type historyOnly struct{ src Source }

func (h historyOnly) Bars(q BarsQuery) ([]market.Bar, error) {
	if q.Show != ShowTrades {
		return nil, nil
	}
	return h.src.History(q.Symbol, q.End, q.End.Sub(q.From), q.Width, q.RegularOnly)
}

func (h historyOnly) Ticks(q TicksQuery) ([]Event, error) { return nil, q.check() }

func (h historyOnly) Head(symbol market.Symbol) (time.Time, error) {
	if _, err := h.src.Hours(symbol, h.src.Start()); err != nil {
		return time.Time{}, err
	}
	return h.src.Start(), nil
}

func (h historyOnly) Sessions(symbol market.Symbol, from, to time.Time) ([]calendar.Session, error) {
	hours, err := h.src.Hours(symbol, from)
	if err != nil {
		return nil, err
	}
	var list []calendar.Session
	for i, span := range hours.Liquid {
		day := clockAt(span.Open.In(hours.Zone), 0, hours.Zone)
		if day.Before(from) || !day.Before(to) || i >= len(hours.Trading) {
			continue
		}
		list = append(list, calendar.Session{Date: day, Regular: span, Extended: hours.Trading[i]})
	}
	return list, nil
}

// check refuses questions that make no sense.
func (q BarsQuery) check() error {
	switch width := q.Width; {
	case q.End.IsZero():
		return fmt.Errorf("%w: no end", ErrBadSpan)
	case !q.From.Before(q.End):
		return fmt.Errorf("%w: span %v is not above 0", ErrBadSpan, q.End.Sub(q.From))
	case width == Week, width == Month:
	case width < time.Second || width > 24*time.Hour || width%time.Second != 0:
		return fmt.Errorf("%w: width %v is not whole seconds from 1s to 24h, a week or a month", ErrBadSpan, width)
	}
	if q.Show > ShowBidAsk {
		return fmt.Errorf("%w: what to show %d is none of trades, bid, ask, midpoint, bid and ask", ErrBadSpan, q.Show)
	}
	if y := q.End.Year(); y < 1900 || y > lastYear {
		return fmt.Errorf("%w: end %v is not in 1900 to %d", ErrBadSpan, q.End, lastYear)
	}
	return nil
}

func (q TicksQuery) check() error {
	switch {
	case q.Kind != Trade && q.Kind != Quote:
		return fmt.Errorf("%w: ticks of kind %v are neither trades nor quotes", ErrBadSpan, q.Kind)
	case q.Limit < 1 || q.Limit > MaxTicks:
		return fmt.Errorf("%w: %d ticks are not 1 to %d", ErrBadSpan, q.Limit, MaxTicks)
	case q.End.IsZero() || q.End.Year() < 1900 || q.End.Year() > lastYear:
		return fmt.Errorf("%w: end %v is not in 1900 to %d", ErrBadSpan, q.End, lastYear)
	case !q.From.IsZero() && !q.From.Before(q.End):
		return fmt.Errorf("%w: from %v is not before the end %v", ErrBadSpan, q.From, q.End)
	}
	return nil
}

// spanQuery is the question of [Source.History].
func spanQuery(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) BarsQuery {
	return BarsQuery{Symbol: symbol, From: end.Add(-span), End: end, Width: width, RegularOnly: regularOnly}
}
