package desk

import (
	"slices"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/services/event"
)

// The states of a symbol's market data.
const (
	dataWanted  = "wanted"
	dataLive    = "live"
	dataDelayed = "delayed"
	dataStale   = "stale"
	dataClosed  = "closed"
	dataBlocked = "blocked"
	dataLost    = "lost"
)

// floor is the market as the desk sees it: the clock, the quotes, and how it
// stands with each wanted symbol's data. It is not of the turn, so that ticks
// never wait for an order's way to the disk.
type floor struct {
	mu       sync.Mutex // guards all below
	clock    market.Clock
	speed    float64
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

func (f *floor) init() {
	f.quotes = map[market.Symbol]market.Quote{}
	f.trades = map[market.Symbol]*market.Trades{}
	f.data = map[market.Symbol]event.DataState{}
	f.lines = map[market.Symbol]*line{}
	f.info = map[market.Symbol]*market.Details{}
	f.changed = make(chan struct{})
}

// now returns market time, zero before the first clock.
func (f *floor) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock.Now(time.Now())
}

// set starts the clock of a new session. Market time does not go back, unless
// the session is another market's: a replay of another day.
func (f *floor) set(at time.Time, speed float64, anew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wall := time.Now()
	if shown := f.clock.Now(wall); !anew && shown.After(at) {
		at = shown
	}
	f.clock, f.speed = market.NewClock(at, wall, speed), speed
	if anew { // their prices may be of another day
		clear(f.trades)
	}
}

// apply takes ticks in, all of them, and returns the data states that changed.
func (f *floor) apply(ticks []market.Tick, frames uint64) (changed []event.DataState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames.Ticks = frames
	wall := time.Now()
	var newest time.Time
	for i := range ticks {
		t := &ticks[i]
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
		state := dataLive
		if t.Delayed {
			state = dataDelayed
		}
		if l != nil && l.barred != "" {
			continue // it was on its way when the subscription was ended
		}
		if was, ok := f.data[t.Symbol]; ok && was.State != state {
			changed = append(changed, f.mark(t.Symbol, state, ""))
		}
	}
	if !f.clock.Now(wall).IsZero() { // without a clock, no tick starts one
		f.clock = f.clock.Advance(newest, wall)
	}
	return changed
}

// counted takes the report frames that are folded.
func (f *floor) counted(reports uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames.Reports = reports
}

// mark sets a data state. The mutex is held.
func (f *floor) mark(s market.Symbol, state, cause string) event.DataState {
	d := event.DataState{Symbol: s, State: state, Cause: cause, Since: time.Now()}
	f.data[s] = d
	close(f.changed)
	f.changed = make(chan struct{})
	return d
}

// move sets the data state of one wanted symbol; changed is false when it is
// that already, or the symbol is not wanted.
func (f *floor) move(s market.Symbol, state, cause string) (d event.DataState, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, wanted := f.data[s]
	if !wanted || was.State == state && was.Cause == cause {
		return was, false
	}
	return f.mark(s, state, cause), true
}

// want sets the wanted symbols, once.
func (f *floor) want(list []market.Symbol) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = slices.Clone(list)
	for _, s := range list {
		f.lines[s] = &line{}
		f.mark(s, dataWanted, "")
	}
}

// standing returns the data states of the wanted symbols, in their order, and
// a channel that is closed at the next change.
func (f *floor) standing() ([]event.DataState, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]event.DataState, 0, len(f.wanted))
	for _, s := range f.wanted {
		list = append(list, f.data[s])
	}
	return list, f.changed
}

func (f *floor) details(s market.Symbol) *market.Details {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info[s]
}

func (f *floor) describe(s market.Symbol, d market.Details) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info[s] = &d
}

func (f *floor) state(s *event.Desk) {
	list, _ := f.standing()
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Data, s.Market = list, f.clock.Now(time.Now())
	s.Counts.Ticks, s.Counts.Reports = f.frames.Ticks, f.frames.Reports
	s.Details = make(map[market.Symbol]market.Details, len(f.info))
	for sym, d := range f.info {
		s.Details[sym] = *d
	}
}
