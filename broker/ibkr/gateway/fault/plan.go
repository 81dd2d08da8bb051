package fault

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Moment is when something happens. Elapsed is since the gateway's start: wall
// time, or market time where market time moves only with the client.
type Moment struct {
	Elapsed time.Duration
	Market  time.Time
}

// Firing is a rule that fires.
type Firing struct {
	Rule *Rule
	// Conn is the number of the connection that made it fire, 0 for none.
	Conn int
	// Rand is what this firing may draw from.
	Rand *rand.Rand
}

// Fired is what a rule has done so far.
type Fired struct {
	Line  int    `json:"line"`
	Text  string `json:"text"`
	Times int    `json:"times"`
	// Conn is the connection that it fired for last, 0 for none.
	Conn int `json:"connection"`
	// First and Last are market times.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Plan decides which rules of a script fire. It has no clock: each call says
// what happened, and when. The same calls fire the same rules, and draw the
// same numbers. It is not safe for concurrent use. Memory is bounded by the
// rules and the connections that are open.
type Plan struct {
	script *Script
	zone   *time.Location
	start  time.Time // market time
	rules  []*state
	timers []timer
}

// state is a rule with what it remembers.
type state struct {
	*Rule
	fired Fired
	count int
	conns map[int]*memory
	next  time.Time // of AtClock and AtDate: when it fires next
}

// memory is what a rule remembers of an open connection.
type memory struct {
	count int
	rand  *rand.Rand
}

// timer is a rule that waits for a connection's time to come.
type timer struct {
	due  time.Duration
	rule *state
	conn int
}

// NewPlan returns the plan of a script for a gateway whose market begins at
// start. zone is the market's.
func NewPlan(s *Script, start time.Time, zone *time.Location) *Plan {
	p := &Plan{script: s, zone: zone, start: start}
	for i := range s.Rules {
		r := &state{Rule: &s.Rules[i], conns: map[int]*memory{}}
		switch r.When.Trigger {
		case AtClock:
			r.next = p.clockAfter(start.Add(-1), r.When.Clock)
		case AtDate:
			r.next = r.When.Date
		case AfterStart:
			p.timers = append(p.timers, timer{r.When.Wait, r, 0})
		}
		p.rules = append(p.rules, r)
	}
	return p
}

// clockAfter is the first time after t that the market's clock shows c.
func (p *Plan) clockAfter(t time.Time, c Clock) time.Time {
	y, m, d := t.In(p.zone).Date()
	for ; ; d++ {
		if at := time.Date(y, m, d, c.Hour, c.Minute, c.Second, 0, p.zone); at.After(t) {
			return at
		}
	}
}

// memory returns what the rule remembers of a connection.
func (p *Plan) memory(r *state, conn int) *memory {
	m := r.conns[conn]
	if m == nil {
		m = &memory{rand: rand.New(rand.NewPCG(p.script.Seed, uint64(r.Line)<<32|uint64(uint32(conn))))}
		r.conns[conn] = m
	}
	return m
}

// fire appends the firing of r, unless its limits forbid it.
func (p *Plan) fire(list []Firing, r *state, conn int, at Moment) []Firing {
	if r.Times > 0 && r.fired.Times >= r.Times || p.over(r.Until, at) {
		return list
	}
	if r.fired.Times == 0 {
		r.fired = Fired{Line: r.Line, Text: r.Text, First: at.Market}
	}
	r.fired.Times, r.fired.Conn, r.fired.Last = r.fired.Times+1, conn, at.Market
	return append(list, Firing{r.Rule, conn, p.memory(r, conn).rand})
}

func (p *Plan) over(d Deadline, at Moment) bool {
	switch {
	case d.After > 0:
		return at.Elapsed >= d.After
	case d.Clock != nil:
		return !at.Market.Before(p.clockAfter(p.start.Add(-1), *d.Clock))
	case !d.Date.IsZero():
		return !at.Market.Before(d.Date)
	}
	return false
}

// Begin is the gateway's start.
func (p *Plan) Begin(at Moment) []Firing {
	var list []Firing
	for _, r := range p.rules {
		if r.When.Trigger == AtStart {
			list = p.fire(list, r, 0, at)
		}
	}
	return list
}

// Open is a new connection. Numbers rise from 1 and are not used again.
func (p *Plan) Open(conn int, at Moment) []Firing {
	var list []Firing
	for _, r := range p.rules {
		if r.When.Connection != 0 && r.When.Connection != conn {
			continue
		}
		switch r.When.Trigger {
		case OnConnection:
			list = p.fire(list, r, conn, at)
		case AfterOpen:
			p.timers = append(p.timers, timer{at.Elapsed + r.When.Wait, r, conn})
		}
	}
	return list
}

// Ready is a session that has both ids.
func (p *Plan) Ready(conn, client int, at Moment) {
	for _, r := range p.rules {
		if r.When.Trigger == AfterReady && (r.When.Client == nil || *r.When.Client == client) {
			p.timers = append(p.timers, timer{at.Elapsed + r.When.Wait, r, conn})
		}
	}
}

// Gone is a connection's end.
func (p *Plan) Gone(conn int) {
	for _, r := range p.rules {
		delete(r.conns, conn)
	}
	p.timers = slices.DeleteFunc(p.timers, func(t timer) bool { return t.conn == conn && conn != 0 })
}

// Message is one message of a session.
type Message struct {
	Conn    int
	Client  int // -1 before it is known
	ID      int // or [Hello]
	Inbound bool
}

// Message counts a message. on is what fires before it is handled or queued,
// after what fires afterwards.
func (p *Plan) Message(m Message, at Moment) (on, after []Firing) {
	for _, r := range p.rules {
		w := &r.When
		if w.Trigger != OnMessage || w.Inbound != m.Inbound || w.Message != m.ID && (w.Message != AnyMessage || m.ID == Hello) ||
			w.Client != nil && *w.Client != m.Client || w.Connection != 0 && w.Connection != m.Conn {
			continue
		}
		if !p.counts(r, m.Conn) {
			continue
		}
		if w.After {
			after = p.fire(after, r, m.Conn, at)
		} else {
			on = p.fire(on, r, m.Conn, at)
		}
	}
	return on, after
}

// counts takes one more message and reports whether it is one that is meant.
func (p *Plan) counts(r *state, conn int) bool {
	n := &r.count
	if r.When.Each {
		n = &p.memory(r, conn).count
	}
	*n++
	switch w := &r.When; {
	case w.Nth > 0 && *n != w.Nth, w.Every > 1 && *n%w.Every != 0:
		return false
	case w.Chance > 0:
		return p.memory(r, conn).rand.Float64() < w.Chance
	}
	return true
}

// Marks returns the bytes of a connection at which a rule fires, in one
// direction, in order.
func (p *Plan) Marks(conn int, inbound bool) []int64 {
	var list []int64
	for _, r := range p.rules {
		if w := &r.When; w.Trigger == OnByte && w.Inbound == inbound && (w.Connection == 0 || w.Connection == conn) {
			list = append(list, w.Byte)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Byte is a connection that has come to one of its marks.
func (p *Plan) Byte(conn int, inbound bool, mark int64, at Moment) []Firing {
	var list []Firing
	for _, r := range p.rules {
		if w := &r.When; w.Trigger == OnByte && w.Inbound == inbound && w.Byte == mark && (w.Connection == 0 || w.Connection == conn) {
			list = p.fire(list, r, conn, at)
		}
	}
	return list
}

// Due returns the rules whose time has come.
func (p *Plan) Due(at Moment) []Firing {
	var list []Firing
	for _, r := range p.rules {
		if !r.next.IsZero() && !at.Market.Before(r.next) {
			if r.When.Trigger == AtClock {
				r.next = p.clockAfter(at.Market, r.When.Clock)
			} else {
				r.next = time.Time{}
			}
			list = p.fire(list, r, 0, at)
		}
	}
	var due []timer
	p.timers = slices.DeleteFunc(p.timers, func(t timer) bool {
		if t.due <= at.Elapsed {
			due = append(due, t)
			return true
		}
		return false
	})
	slices.SortStableFunc(due, func(a, b timer) int { return int(a.due - b.due) })
	for _, t := range due {
		list = p.fire(list, t.rule, t.conn, at)
	}
	return list
}

// Next returns when Due is to be asked again: elapsed time below 0 and a zero
// market time are never.
func (p *Plan) Next() (elapsed time.Duration, at time.Time) {
	elapsed = -1
	for _, t := range p.timers {
		if elapsed < 0 || t.due < elapsed {
			elapsed = t.due
		}
	}
	for _, r := range p.rules {
		if !r.next.IsZero() && (at.IsZero() || r.next.Before(at)) {
			at = r.next
		}
	}
	return elapsed, at
}

// Fired returns what has fired, in the order of the script. It is as long as
// the script at most.
func (p *Plan) Fired() []Fired {
	var list []Fired
	for _, r := range p.rules {
		if r.fired.Times > 0 {
			list = append(list, r.fired)
		}
	}
	return list
}
