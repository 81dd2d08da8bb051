// Package floor is the market as the desk sees it: its clock, quotes and newest
// trades, the contracts, and whether the data of each wanted symbol and the
// account's stream come as they should.
//
// It promises that market time does not go back within one market, that a
// symbol is called live only while ticks of it come, that one whose ticks stop
// in its session is called stale and is due to be asked for again, and that the
// waits between two questions are bounded. It is pure: it asks nobody, starts
// nothing and reads no clock. It does not promise that a venue that is asked
// sends anything. Floor, Hours and Stream are safe for concurrent use, as ticks
// never wait for the command loop's turn.
//
// # Design
//
// Whether data comes is judged by the ticks of each wanted symbol, once a
// second: a code of the venue's is a hint. One that stops in its session is
// stale, and is asked for at once and then after 30 s, 1, 2 and 5 minutes, until
// a tick comes; after a farm's blip or a link that came back every symbol must
// tick again within the deadline for data.
//
// A venue's hours of a stock are held against New York's calendar where the
// contract comes in, and nowhere else: what one of the two calls closed is
// closed for the data rung, the gate and the strategies. A day about which they
// differ is told once a symbol.
package floor

import (
	"slices"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// The states of a symbol's market data.
const (
	Wanted  = "wanted"
	Live    = "live"
	Delayed = "delayed"
	Stale   = "stale"
	Closed  = "closed"
	Blocked = "blocked"
	Lost    = "lost"
)

// Floor is the market: the clock, the quotes, and how it stands with each wanted
// symbol's data. Make one with New.
type Floor struct {
	mu       sync.Mutex // guards all below
	clock    market.Clock
	speed    float64
	astray   bool // a tick of this session had a time that cannot be
	quotes   map[market.Symbol]market.Quote
	trades   map[market.Symbol]*market.Trades
	wanted   []market.Symbol
	data     map[market.Symbol]event.DataState
	lines    map[market.Symbol]*line // of the wanted symbols, as long as the process lives
	info     map[market.Symbol]*market.Details
	frames   event.Counts
	hoursOf  string        // the day in New York for which hours were asked
	hoursDue time.Time     // wall time before which they are not asked for again
	changed  chan struct{} // closed and replaced when a data state changes
}

// New returns a floor without a clock and without a wanted symbol.
func New() *Floor {
	return &Floor{
		quotes:  map[market.Symbol]market.Quote{},
		trades:  map[market.Symbol]*market.Trades{},
		data:    map[market.Symbol]event.DataState{},
		lines:   map[market.Symbol]*line{},
		info:    map[market.Symbol]*market.Details{},
		changed: make(chan struct{}),
	}
}

// Now returns market time, zero before the first clock.
func (f *Floor) Now(wall time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock.Now(wall)
}

// Set starts the clock of a new session. Market time does not go back, unless
// the session is another market's: a replay of another day.
func (f *Floor) Set(at time.Time, speed float64, anew bool, wall time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shown := f.clock.Now(wall); !anew && shown.After(at) {
		at = shown
	}
	f.clock, f.speed, f.astray = market.NewClock(at, wall, speed), speed, false
	if !anew {
		f.clock = f.clock.Tell(at, wall)
	}
	if anew { // their prices may be of another day
		clear(f.trades)
	}
}

// Apply takes ticks in, all of them, and returns the data states that changed.
// A tick whose time a real gateway's clock cannot believe moves no clock, and has
// its time replaced by the market's; the first of a session is returned as it
// came.
func (f *Floor) Apply(ticks []market.Tick, frames uint64, wall time.Time) (changed []event.DataState, astray *market.Tick) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames.Ticks = frames
	var newest time.Time
	for i := range ticks {
		t := &ticks[i]
		if !f.clock.Believes(t.At, wall) {
			if was := *t; !f.astray {
				f.astray, astray = true, &was
			}
			t.At = f.clock.Now(wall)
		}
		if t.At.After(newest) {
			newest = t.At
		}
		f.quotes[t.Symbol] = f.quotes[t.Symbol].Apply(*t)
		f.traded(t)
		fresh := t.Known && t.Kind <= market.TickTrade
		l := f.lines[t.Symbol]
		if fresh && l != nil {
			l.ticked(wall)
		} else if l != nil && t.Kind == market.TickHalted {
			l.halted = t.Known && !t.Size.IsZero()
		}
		if !fresh {
			continue
		}
		state := Live
		if t.Delayed {
			state = Delayed
		}
		if l != nil && l.barred != "" {
			continue // it was on its way when the subscription was ended
		}
		if was, ok := f.data[t.Symbol]; ok && was.State != state {
			changed = append(changed, f.mark(t.Symbol, state, "", wall))
		}
	}
	if !f.clock.Now(wall).IsZero() { // without a clock, no tick starts one
		f.clock = f.clock.Advance(newest, wall)
	}
	return changed, astray
}

// Counted takes the report frames that are folded.
func (f *Floor) Counted(reports uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames.Reports = reports
}

// mark sets a data state. The mutex is held.
func (f *Floor) mark(s market.Symbol, state, cause string, wall time.Time) event.DataState {
	d := event.DataState{Symbol: s, State: state, Cause: cause, Since: wall}
	f.data[s] = d
	close(f.changed)
	f.changed = make(chan struct{})
	return d
}

// Move sets the data state of one wanted symbol; changed is false when it is
// that already, or the symbol is not wanted.
func (f *Floor) Move(s market.Symbol, state, cause string, wall time.Time) (d event.DataState, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, wanted := f.data[s]
	if !wanted || was.State == state && was.Cause == cause {
		return was, false
	}
	return f.mark(s, state, cause, wall), true
}

// Want sets the wanted symbols, once.
func (f *Floor) Want(list []market.Symbol, wall time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = slices.Clone(list)
	for _, s := range list {
		f.lines[s] = &line{}
		f.mark(s, Wanted, "", wall)
	}
}

// Standing returns the data states of the wanted symbols, in their order, and
// a channel that is closed at the next change.
func (f *Floor) Standing() ([]event.DataState, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]event.DataState, 0, len(f.wanted))
	for _, s := range f.wanted {
		list = append(list, f.data[s])
	}
	return list, f.changed
}

// Details returns what the venue told of a symbol's contract, nil before it did.
func (f *Floor) Details(s market.Symbol) *market.Details {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info[s]
}

// Describe keeps what the venue told of a symbol's contract.
func (f *Floor) Describe(s market.Symbol, d market.Details) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info[s] = &d
}

// State copies the floor into the desk's state.
func (f *Floor) State(s *event.Desk, wall time.Time) {
	list, _ := f.Standing()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Data, s.Market = list, f.clock.Now(wall)
	s.Counts.Ticks, s.Counts.Reports = f.frames.Ticks, f.frames.Reports
	s.Details = make(map[market.Symbol]market.Details, len(f.info))
	for sym, d := range f.info {
		s.Details[sym] = *d
	}
}

// Newest returns a symbol's newest price.
func (f *Floor) Newest(s market.Symbol) (market.Price, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, _, ok := f.quotes[s].Newest()
	return p, ok
}

// Sense returns the market time, quote and newest trades for an intent made at
// at.
func (f *Floor) Sense(s market.Symbol, at, wall time.Time) (time.Time, market.Quote, market.Trades) {
	var v broker.View
	f.Show(&v, s, at, wall)
	return v.Now, v.Quote, v.Trades
}

// Show puts the market time, and a symbol's quote, newest trades and details,
// into the view for an intent made at at. In a lock-step replay nothing but
// ticks and intents moves the clock.
func (f *Floor) Show(v *broker.View, s market.Symbol, at, wall time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.speed == 0 && !f.clock.Now(wall).IsZero() {
		f.clock = f.clock.Advance(at, wall)
	}
	if t := f.trades[s]; t != nil {
		v.Trades = *t
	}
	v.Now, v.Quote, v.Details = f.clock.Now(wall), f.quotes[s], f.info[s]
}

// Prices lends the newest prices of all symbols, as they are at one moment. Look
// must not block, and call nothing of the floor's.
func (f *Floor) Prices(look func(newest func(market.Symbol) (market.Price, bool))) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look(func(s market.Symbol) (market.Price, bool) {
		p, _, ok := f.quotes[s].Newest()
		return p, ok
	})
}

// traded keeps a trade's price, to tell a jump. The mutex is held.
func (f *Floor) traded(t *market.Tick) {
	if !t.Known || t.Kind != market.TickTrade {
		return
	}
	list := f.trades[t.Symbol]
	if list == nil {
		list = new(market.Trades)
		f.trades[t.Symbol] = list
	}
	list.Add(t.Price)
}
