package gateway

import (
	"cmp"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"robotrader/broker/ibkr/gateway/fault"
)

// The bounds of what a fault script holds back, over all sessions. At a bound
// a message is not held, but written at once.
const (
	maxHeld      = 10_000
	maxHeldBytes = 16 << 20
	// maxDepth bounds rules that make each other fire.
	maxDepth = 8
)

// faults plays a fault script. The server's mutex guards it. A nil one does
// nothing: a gateway without a script has none.
type faults struct {
	s      *Server
	plan   *fault.Plan
	began  time.Time // wall time of the start
	start  time.Time // market time of the start
	wake   chan struct{}
	door   *door
	frozen atomic.Int64 // wall time in ns until which nothing moves

	conns     int // so far
	tasks     []task
	held      int
	heldBytes int
	depth     int      // of rules that fire while another does
	own       bool     // what is sent now is the script's own and fires nothing
	next      []func() // what a message on its way made fire and must not interrupt

	wedged    time.Time             // wall: new connections hang until then
	offline   bool                  // for who comes now: since 1100 to all, until 1101 or 1102
	farmsDown map[string]farmOutage // by name
	logged    map[loggedFault]bool
}

type farmOutage struct {
	kind fault.FarmKind
	seq  int // tells apart one outage of a farm from the next
}

// loggedFault is what is logged once.
type loggedFault struct{ line, conn int }

// maxLogged bounds what is remembered as logged.
const maxLogged = 1000

// task is something that a fault does later.
type task struct {
	due time.Duration // elapsed
	do  func()
}

func newFaults(s *Server, script *fault.Script) *faults {
	if script == nil {
		return nil
	}
	return &faults{
		s: s, start: s.v.At, plan: fault.NewPlan(script, s.v.At, s.v.Zone), wake: make(chan struct{}, 1),
		farmsDown: map[string]farmOutage{}, logged: map[loggedFault]bool{},
	}
}

// Faults returns what the fault script has done so far, one entry a line that
// has fired.
func (s *Server) Faults() []fault.Fired {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		return nil
	}
	return s.faults.plan.Fired()
}

// serve begins the script, and returns the listener that it can close. Called
// under the server's mutex.
func (f *faults) serve(l net.Listener) net.Listener {
	if f == nil {
		return l
	}
	f.began = time.Now()
	f.door = newDoor(l, f.s.log)
	if f.s.cfg.Speed > 0 {
		f.s.wg.Add(1)
		go f.run()
	}
	f.act(f.plan.Begin(f.now()), nil)
	return f.door
}

// turnsAway resets a connection that was accepted right before the port was
// closed, and reports whether it did.
func (f *faults) turnsAway(nc net.Conn) bool {
	if f == nil || !f.door.isShut() {
		return false
	}
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
	return true
}

// now is the script's time.
func (f *faults) now() fault.Moment {
	if f.s.cfg.Speed == 0 {
		return fault.Moment{Elapsed: f.s.v.At.Sub(f.start), Market: f.s.v.At}
	}
	return fault.Moment{Elapsed: time.Since(f.began), Market: f.s.v.Now()}
}

// run fires what time makes fire, until the server stops.
func (f *faults) run() {
	defer f.s.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-f.s.quit:
			return
		case <-f.wake:
		case <-timer.C:
		}
		f.s.lock()
		f.due(f.now())
		timer.Reset(f.untilNext())
		f.s.unlock()
	}
}

// untilNext is how long nothing is due, in wall time.
func (f *faults) untilNext() time.Duration {
	wait := time.Hour
	now := f.now()
	elapsed, at := f.plan.Next()
	if elapsed >= 0 {
		wait = min(wait, elapsed-now.Elapsed)
	}
	if !at.IsZero() {
		wait = min(wait, time.Duration(float64(at.Sub(now.Market))/f.s.cfg.Speed))
	}
	if len(f.tasks) > 0 {
		wait = min(wait, f.tasks[0].due-now.Elapsed)
	}
	return max(wait, 0)
}

// kick makes run look again.
func (f *faults) kick() {
	select {
	case f.wake <- struct{}{}:
	default: // it will
	}
}

// moved is market time that has come to at. At speed 0 that is all the time
// there is.
func (f *faults) moved(at time.Time) {
	if f == nil {
		return
	}
	now := f.now()
	now.Market = at
	f.due(now)
}

// due fires rules and does tasks whose time has come.
func (f *faults) due(now fault.Moment) {
	f.act(f.plan.Due(now), nil)
	for n := len(f.tasks); n > 0 && len(f.tasks) > 0 && f.tasks[0].due <= now.Elapsed; n-- {
		t := f.tasks[0]
		f.tasks = f.tasks[1:]
		t.do()
	}
}

// soon does what changes the market or who hears of it: at once, or, where a
// message to a client made it fire, once what that message is a part of is
// told. The parts of the gateway walk their subscribers while they send.
func (f *faults) soon(sc *scene, do func()) {
	if sc.flight == nil {
		do()
		return
	}
	f.next = append(f.next, do)
}

// settle does what had to wait for the end of a cause. What that makes wait
// again has its turn at the end of the next one.
func (f *faults) settle() {
	if f == nil || len(f.next) == 0 {
		return
	}
	list := f.next
	f.next = nil
	for _, do := range list {
		do()
	}
}

// later does something after so long. It is bounded by its callers: a rule's
// firings, and held messages.
func (f *faults) later(wait time.Duration, do func()) {
	t := task{f.now().Elapsed + wait, do}
	i, _ := slices.BinarySearchFunc(f.tasks, t, func(a, b task) int {
		if a.due <= b.due { // behind those of the same time
			return -1
		}
		return 1
	})
	f.tasks = slices.Insert(f.tasks, i, t)
	f.kick()
}

// frozenUntil is wall time, zero or past when all runs.
func (f *faults) frozenUntil() time.Time { return time.Unix(0, f.frozen.Load()) }

// gone forgets a session.
func (f *faults) gone(c *conn) {
	if f != nil {
		f.plan.Gone(c.fault.number)
	}
}

// sessions are those that a firing is about: the one that made it fire, or
// all, in the order in which they came.
func (f *faults) sessions(only *conn) []*conn {
	if only != nil {
		return []*conn{only}
	}
	list := make([]*conn, 0, len(f.s.conns))
	for c := range f.s.conns {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *conn) int { return cmp.Compare(a.fault.number, b.fault.number) })
	return list
}

// byNumber finds an open session.
func (f *faults) byNumber(number int) *conn {
	for c := range f.s.conns {
		if c.fault.number == number {
			return c
		}
	}
	return nil
}

// log tells of a firing, once for each line and connection.
func (f *faults) log(fired fault.Firing) {
	key := loggedFault{fired.Rule.Line, fired.Conn}
	if f.logged[key] || len(f.logged) >= maxLogged {
		return
	}
	f.logged[key] = true
	f.s.log.Info("fault_fired", "line", fired.Rule.Line, "rule", fired.Rule.Text, "connection", fired.Conn)
}
