// Package score is what the risk rules look back upon: how an account fares today
// and what was done lately, by round trips from flat to flat, the equity that the
// venue tells, and the entries that went out.
//
// It promises that a result counts when its position is flat and all that it
// cost is known, and that an equity that nobody told is not zero. It is pure, and
// bounded: the newest 1,024 round trips of a day one by one, 4,096 entries and
// 1,024 executions whose commission has not come, and the newest 1,024 changes of
// positions that were no executions. It is not the broker's statement.
//
// # Design
//
// Executions that come in the order of their times are taken in one by one, at
// the same cost however many there were. One that comes late, or is corrected, has
// all of them taken anew, in their order: the books keep those of three market
// days. What the broker's figure brought into a position without an execution is a
// jump, kept with its place among the executions, or all trips before it would
// seem to have begun with it.
package score

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Bounds of what the score keeps.
const (
	keepTrips = 1024 // round trips of a day one by one; older ones only as a sum
	keepTwins = 4096 // entries, to tell one that is asked twice
	keepOwing = 1024 // executions whose commission has not come
	keepJumps = 1024 // changes of positions that were no executions
)

// keyEquity is the venue's name for what an account is worth.
const keyEquity = "NetLiquidation"

// Score is what the risk rules look back upon: how the account fares today,
// and what was done lately.
// Make one with New.
type Score struct {
	zone  *time.Location
	of    string // the account that is looked upon, empty before the first
	built string // the same when all its executions are in, empty when they are to be taken anew

	trips  map[market.Symbol]*trip     // that are open or were last
	took   map[market.Symbol]time.Time // market time of the newest execution that was taken
	jumps  []jump                      // what moved positions and was no execution, oldest first
	starts map[market.Symbol]start     // of the account when it was looked at first
	closed []*trip                     // of one day, oldest first
	early  market.Money                // of closed ones that are not kept one by one
	sum    daySum                      // of closed and early
	owing  books.Ring[string, *trip]   // by execution: whom its commission is charged
	exits  map[market.Symbol]time.Time
	twins  books.Ring[twinKey, broker.Twin]

	day          books.Day // of start and closed
	equity       *market.Money
	currency     string
	start, peak  *market.Money
	note         string
	recalled     bool                  // what is remembered was looked at
	restricted   bool                  // the mode was stricter than active when it was looked at last
	remembered   map[string]equityPast // by account: what an earlier life saw
	rememberNote string                // why there is nothing to remember, "" when the journal was asked
}

// trip is a position from flat to flat.
type trip struct {
	qty    market.Qty   // still held
	result market.Money // what came in less what went out, commissions included
	known  bool         // it began flat, or at a known cost
	end    time.Time    // market time of the last execution, zero while it is open
}

type twinKey struct {
	strategy string
	symbol   market.Symbol
	side     order.Side
	qty      market.Qty
}

// New returns a score that knows nothing; zone is that of the market day.
func New(zone *time.Location) *Score {
	return &Score{
		zone: zone, trips: map[market.Symbol]*trip{}, exits: map[market.Symbol]time.Time{}, took: map[market.Symbol]time.Time{}, starts: map[market.Symbol]start{},
		owing: books.NewRing[string, *trip](keepOwing), twins: books.NewRing[twinKey, broker.Twin](keepTwins),
		rememberNote: "this journal remembers no equity",
	}
}

func (s *Score) take(f order.Fill) {
	s.later(f.Symbol, f.At)
	t := s.trip(f.Symbol)
	if t.qty.IsZero() {
		t = &trip{known: true}
		s.trips[f.Symbol] = t
	}
	delta := f.Side.Signed(f.Qty)
	if t.qty.Sign()*delta.Sign() < 0 && f.At.After(s.exits[f.Symbol]) {
		s.exits[f.Symbol] = f.At
	}
	s.charge(t, f)
	after := t.qty.Add(delta)
	if t.qty.Sign()*after.Sign() < 0 { // turned over: one ends, another begins
		t.result = t.result.Add(f.Price.Mul(t.qty))
		s.close(t, f.At)
		s.trips[f.Symbol] = &trip{qty: after, known: true, result: f.Price.Mul(after).Neg()}
		return
	}
	t.result = t.result.Sub(f.Price.Mul(delta))
	if t.qty = after; after.IsZero() {
		s.close(t, f.At)
	}
}

// charge takes an execution's commission from its trip, now or when it comes.
func (s *Score) charge(t *trip, f order.Fill) {
	if f.Commission != nil {
		t.result = t.result.Sub(*f.Commission)
		return
	}
	s.owing.Put(f.ExecID, t)
}

// Charged takes in a commission that came after its execution.
func (s *Score) Charged(id string, commission market.Money) {
	t := s.owing.Get(id)
	if t == nil {
		return
	}
	lost := t.result.Sign() < 0
	t.result = t.result.Sub(commission)
	s.owing.Put(id, nil)
	switch {
	case !t.known || !s.day.Has(t.end): // not in the sum
	case lost != (t.result.Sign() < 0):
		s.sum.counted = false // it may begin or end a row of losses
	default:
		s.sum.realized = s.sum.realized.Sub(commission)
	}
}

func (s *Score) close(t *trip, at time.Time) {
	t.qty, t.end = market.Qty{}, at
	if !t.known {
		return // what it cost nobody told
	}
	if s.day.Has(at) {
		s.sum.add(t)
	}
	s.closed = append(s.closed, t)
	// Executions of two symbols may come in another order than they were made in.
	for i := len(s.closed) - 1; i > 0 && s.closed[i-1].end.After(at); i-- {
		s.closed[i-1], s.closed[i] = s.closed[i], s.closed[i-1]
		s.sum.counted = false
	}
	if len(s.closed) < 2*keepTrips {
		return
	}
	s.sum.counted = false
	for _, old := range s.closed[:keepTrips] {
		if s.day.Has(old.end) {
			s.early = s.early.Add(old.result)
		}
	}
	s.closed = append(s.closed[:0:0], s.closed[keepTrips:]...)
}

// Wrote notes an entry that went out.
func (s *Score) Wrote(strategy string, sym market.Symbol, side order.Side, qty market.Qty, t broker.Twin) {
	k := twinKey{strategy, sym, side, qty}
	if t.At.After(s.twins.Get(k).At) {
		s.twins.Put(k, t)
	}
}

// Told takes in what the venue says that the account is worth.
func (s *Score) Told(v broker.AccountValue, now time.Time, m *broker.ModeRecord) {
	equity, err := market.ParseMoney(v.Value)
	if v.Key != keyEquity || err != nil {
		return
	}
	s.equity, s.currency = &equity, v.Currency
	s.Mark(v.Account, now, m)
}

// Mark keeps the day's first equity and the highest since the mode last became
// active. It is asked whenever the equity, the time or the mode may be another.
func (s *Score) Mark(account string, now time.Time, m *broker.ModeRecord) {
	if now.IsZero() {
		return
	}
	if !s.day.Has(now) {
		s.day, s.early, s.start, s.sum = books.MarketDay(now, s.zone), market.Money{}, nil, daySum{}
	}
	if s.equity == nil {
		return
	}
	if s.start == nil {
		s.start, s.note = s.equity, "the day's first equity is that of "+now.UTC().Format(time.RFC3339)
		if !s.recalled {
			s.recalled = true
			s.recall(account)
		}
	}
	active := m.Mode == broker.Active
	if s.peak == nil || s.peak.Less(*s.equity) || active && s.restricted {
		s.peak = s.equity
	}
	s.restricted = !active
}

// As tells how the account would fare if it were marked now. Nothing is: who only
// looks on must not make an equity of the day before the first of the day.
func (s *Score) As(account string, now time.Time, m *broker.ModeRecord) broker.Standing {
	c := *s
	c.Mark(account, now, m)
	return c.Standing()
}

// recall takes the marks of an earlier life.
func (s *Score) recall(account string) {
	if s.rememberNote != "" {
		s.note += ", the first after a restart, and so is the highest: " + s.rememberNote
		return
	}
	past := s.remembered[account]
	if past.start != nil && s.day.Has(past.at) {
		s.start, s.note = past.start, "the day's first equity is that of "+past.at.UTC().Format(time.RFC3339)+", from the journal"
	}
	s.peak = past.peak
}

// Standing tells how the account fares.
func (s *Score) Standing() broker.Standing {
	if !s.sum.counted {
		s.sum = s.count()
	}
	return broker.Standing{
		Equity: s.equity, Currency: s.currency, DayStart: s.start, Peak: s.peak, Note: s.note,
		Realized: s.sum.realized, LosingStreak: s.sum.streak,
	}
}

// daySum sums up the day's round trips. It follows each as it ends, so that an
// order need not look at all of them: a thousand are a thousand places in
// memory.
type daySum struct {
	counted  bool // false: it is to be counted anew
	realized market.Money
	streak   int // of the newest, how many lost in a row
}

func (d *daySum) add(t *trip) {
	d.realized = d.realized.Add(t.result)
	if d.streak++; t.result.Sign() >= 0 {
		d.streak = 0
	}
}

// count sums up all that is kept.
func (s *Score) count() daySum {
	sum := daySum{counted: true, realized: s.early}
	for _, t := range s.closed {
		if s.day.Has(t.end) {
			sum.add(t)
		}
	}
	return sum
}

// equityPast is what an earlier life saw of an account's equity.
type equityPast struct {
	at    time.Time     // market time of start
	start *market.Money // the first of the newest market day
	peak  *market.Money // the highest since the mode last became active
}

// Remember takes in the equity that earlier lives saw, oldest first. The peak is
// that since from, when the mode last became active; an account that ended with
// its process, ephemeral, is left out.
func (s *Score) Remember(records []broker.EquityRecord, from time.Time, ephemeral string) {
	s.rememberNote, s.remembered = "", map[string]equityPast{}
	for _, r := range records {
		if r.Account == ephemeral && r.Account != "" || r.Market.IsZero() {
			continue
		}
		past := s.remembered[r.Account]
		if past.start == nil || !books.MarketDay(r.Market, s.zone).Has(past.at) {
			past.start, past.at = &r.Equity, r.Market
		}
		if !r.Wall.Before(from) && (past.peak == nil || past.peak.Less(r.Equity)) {
			past.peak = &r.Equity
		}
		s.remembered[r.Account] = past
	}
}

// Forgot notes why nothing is remembered: the first equity of this life counts
// as the day's first then, and decisions say so.
func (s *Score) Forgot(why string) { s.rememberNote = why }

// Twin returns the newest entry like one that is asked for, the zero one when
// there is none.
func (s *Score) Twin(strategy string, sym market.Symbol, side order.Side, qty market.Qty) broker.Twin {
	return s.twins.Get(twinKey{strategy, sym, side, qty})
}

// LastExit returns the market time of the newest execution that made a position
// smaller, zero when there is none.
func (s *Score) LastExit(sym market.Symbol) time.Time { return s.exits[sym] }
