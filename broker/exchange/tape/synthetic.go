package tape

import (
	"fmt"
	"time"

	"robotrader/broker/market"
)

// SyntheticConfig tells which market to make.
type SyntheticConfig struct {
	Symbol market.Symbol
	Seed   uint64 // 0 is a seed like any other
	// Start is the market time of the first event and the time at which the
	// price is the symbol's starting price: 1980 to 2200, to 2099 in sessions
	// of New York.
	Start time.Time
	// Sessions tells when the market is open. Default always.
	Sessions Sessions
	// Anchor is when the price is the starting one, which the price at Start
	// follows from: a market that goes on after a break has the anchor of its
	// first life. 1980 to 2200. The zero time is Start.
	Anchor time.Time
	// Busy multiplies the events a second, 1 to MaxBusy, for load tests: 100
	// makes 200 to 500 a second. 0 means 1.
	Busy int
	// HaltEvery has trading halted for five minutes on about one day in so
	// many, at a time that the seed decides. 0 means never.
	HaltEvery int
}

// Synthetic is an endless made-up market in one symbol. All of it is made up:
// prices, sizes, exchanges. Without other [Sessions] it is always in a regular
// session.
//
// The price starts (see Anchor) at 187.25 for AAPL, at a price of the size that people know
// for some other tickers, and at one between 20 and 500 that the name decides
// for the rest. It wanders by about 0.08 % a minute with a volatility that
// comes in clusters, between 0.35 and 2.8 times the starting price for good.
// There are about two events a second at night and five when New York's market
// opens and closes, a little less than half of them trades at the bid or the
// ask.
//
// In sessions of New York there is nothing on closed days and at night, an
// event every six seconds or so before and after the regular session, a
// [OpeningCross] at its first instant and a [ClosingCross] in its last
// millisecond.
//
// More than ten days before the start (divided by Busy) the tape is coarser:
// about a sixteenth of the trades, each larger by that, so that years of
// history are cheap. Nobody has heard that stream; bars and ticks of it agree
// all the same.
//
// A minute's events depend on the configuration and the minute alone. The
// same configuration gives the same stream and the same history on every
// machine.
type Synthetic struct {
	*model
	stream *maker
	from   time.Time // of the stream
	opened bool
	first  Event // after the opening quote, when queued
	queued bool
}

var (
	_ Source = (*Synthetic)(nil)
	_ Past   = (*Synthetic)(nil)
)

// NewSynthetic returns the market of cfg.
func NewSynthetic(cfg SyntheticConfig) (*Synthetic, error) {
	return newSynthetic(cfg, new(dayCache))
}

func newSynthetic(cfg SyntheticConfig, days *dayCache) (*Synthetic, error) {
	m, err := newModel(cfg, days)
	if err != nil {
		return nil, err
	}
	return &Synthetic{model: m, stream: newMaker(m), from: m.cfg.Start}, nil
}

// Next implements [Source]. The first event is the quote at the start, or at
// the next session's when the start is in none. It ends with the calendar, and
// never when it is always open.
func (s *Synthetic) Next() (Event, bool) {
	if !s.opened {
		s.opened = true
		if s.plan(minuteOf(s.from)).extended.has(minuteOf(s.from)) {
			return s.open(), true
		}
		s.stream.start(minuteOf(s.from))
	}
	if s.queued {
		s.queued = false
		return s.first, true
	}
	var t tick
	for !s.stream.next(&t) {
		if !s.turn() {
			return Event{}, false
		}
	}
	return s.event(&t), true
}

// turn starts the stream's next minute that is open; ok is false after the
// last.
func (s *Synthetic) turn() (ok bool) {
	minute := s.stream.leg.minute + 1
	p := &s.stream.plan
	for !p.extended.has(minute) {
		if minute < p.extended.from {
			minute = p.extended.from
			break
		}
		if minute = p.day.to; minuteTime(minute).Year() > lastYear+1 {
			return false
		}
		next := s.plan(minute)
		p = &next
	}
	s.stream.start(minute)
	return true
}

// open makes the first minute and returns the quote that holds at the start:
// the newest of the minute's, or one made for it. A halt that stands is told
// after it.
func (s *Synthetic) open() Event {
	s.stream.start(minuteOf(s.from))
	quote := tick{kind: Quote, bid: bidOf(s.base, 1), spread: 1, bidLots: 1, askLots: 1}
	from := s.from.UnixNano()
	if s.from.After(s.cfg.Start) {
		quote = s.standing(s.stream.leg.minute-1, quote)
	}
	var t tick
	for s.stream.next(&t) {
		if t.at >= from {
			s.first, s.queued = s.event(&t), true
			break
		}
		if t.kind == Quote {
			quote = t
		}
	}
	if s.stream.plan.halt.has(s.stream.leg.minute) {
		s.first, s.queued = Event{At: s.from, Symbol: s.cfg.Symbol, Kind: Halt}, true
	}
	ev := s.event(&quote)
	ev.At = s.from
	return ev
}

// Start implements [Source].
func (s *Synthetic) Start() time.Time { return s.from }

// Symbols implements [Source].
func (s *Synthetic) Symbols() []market.Symbol { return []market.Symbol{s.cfg.Symbol} }

// Describe implements [Source].
func (s *Synthetic) Describe() string {
	when := "always in session"
	if s.cfg.Sessions == NewYork {
		when = "in sessions of New York"
	}
	return fmt.Sprintf("synthetic %s: made-up market, seed %d, from %s, %s",
		s.cfg.Symbol, s.cfg.Seed, s.cfg.Start.Format(time.RFC3339), when)
}

const (
	// hoursDays is how many days of trading hours a market tells that is always
	// open: a year, because a trader reads them once a session, and this one
	// never needs to end.
	hoursDays = 370
	// sessionDays is how many calendar days of sessions are told, from the day
	// before on.
	sessionDays = 10
)

// Hours implements [Source]: whole days without a gap, or the sessions of New
// York, from the day before around on.
func (s *Synthetic) Hours(symbol market.Symbol, around time.Time) (Hours, error) {
	if err := s.knows(symbol); err != nil {
		return Hours{}, err
	}
	day := around.In(s.zone).AddDate(0, 0, -1)
	if s.cfg.Sessions == NewYork {
		trading, liquid := s.cal.Hours(day, sessionDays)
		return Hours{Trading: trading, Liquid: liquid, Zone: s.zone}, nil
	}
	var spans market.Hours
	for i := range hoursDays {
		spans = append(spans, market.Span{
			Open:  clockAt(day.AddDate(0, 0, i), 0, s.zone),
			Close: clockAt(day.AddDate(0, 0, i+1), 0, s.zone),
		})
	}
	return Hours{Trading: spans, Liquid: spans, Zone: s.zone}, nil
}

// History implements [Source].
func (s *Synthetic) History(symbol market.Symbol, end time.Time, span, width time.Duration, regularOnly bool) ([]market.Bar, error) {
	return s.Bars(spanQuery(symbol, end, span, width, regularOnly))
}
