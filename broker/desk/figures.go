package desk

import (
	"sync/atomic"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// figures are what the desk counts for people. Their zero value has counted
// nothing.
type figures struct {
	answered, failed atomic.Uint64 // looks at the broker
	last             atomic.Int64  // wall time of the newest that was answered, Unix microseconds; 0 = none

	timed func(broker.Timing) // nil tells nobody

	used   event.LimitState // of the turn: what was told last
	usedAt time.Time        // of the turn: when it was looked at last
}

// OnTimed has fn told how long the stages of each allowed order took, behind the
// write to the session. Fn must not block. It is called before Start.
func (d *Desk) OnTimed(fn func(broker.Timing)) { d.figures.timed = fn }

// Looks tells how often the books were held against the broker while a session
// stood, how often that failed, and when it was answered last: zero for never.
func (d *Desk) Looks() (answered, failed uint64, last time.Time) {
	if us := d.figures.last.Load(); us != 0 {
		last = time.UnixMicro(us)
	}
	return d.figures.answered.Load(), d.figures.failed.Load(), last
}

// looked counts a look at the broker.
func (f *figures) looked(answered bool) {
	if !answered {
		f.failed.Add(1)
		return
	}
	f.answered.Add(1)
	f.last.Store(time.Now().UnixMicro())
}
