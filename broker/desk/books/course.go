package books

import (
	"time"

	"robotrader/broker"
)

// course is what is under way with an order, and in doubt about it. It is as large
// as the order, and of one that has ended long ago it is empty: those share one.
type course struct {
	SentAt time.Time // wall time of the write while no answer came, else zero

	changeAt time.Time // wall time of the write of Change; zero when nobody knows what became of it
	changed  uint64    // mark of that write
	lostAt   time.Time // wall time since when Lost is
	mixed    bool      // Lost is the worst of several
	replaced replaced  // by the newest change
	cut      cut
	Ending   *Ending // a cancel that is under way, nil without one
	late     *late   // an end that was told before its executions, nil without one
	heard    uint64  // mark of the newest report
	// relistedAt is the wall time of a list that showed it open though it has
	// ended, zero without one.
	relistedAt time.Time
	Owed       time.Time     // wall time of a fill in its group that the venue has yet to take off it, else zero
	suspect    bool          // it was told that the gateway may hold it behind a dialog, or it is known not to
	EndAsked   *broker.Facts // of the session in which a halt or a flatten had it cancelled, nil = none
	EndAt      time.Time     // wall time of that

	Absent int       // reconciliations in a row that did not find it
	Proven time.Time // wall time at which the first of those was asked that prove its absence, zero without one
	Proofs int       // how many of them in a row
}

// restAfter is how many orders have to end after one until it is at rest: what
// follows an end within seconds finds it as it was.
const restAfter = 64

// rests puts the orders to rest that ended long ago and with which nothing is
// under way. Marks are compared with questions to the broker, so that it waits for
// a moment without one: all that are asked later have higher ones.
func (b *Books) rests(wall time.Time) {
	if len(b.inquiries) > 0 || len(b.ended) < b.rested+restAfter+restAfter/2 {
		return
	}
	n := len(b.ended) - restAfter
	for _, e := range b.ended[:n] {
		if e.course != b.rest && e.over(wall) {
			e.course = b.rest
		}
	}
	b.rested = n
}

// over reports whether nothing is under way with an order that has ended.
func (e *Entry) over(wall time.Time) bool {
	c := *e.course
	c.heard = 0
	if e.Change == nil {
		c.changeAt, c.changed = time.Time{}, 0
	}
	if e.Lost == nil {
		c.lostAt, c.mixed = time.Time{}, false
	}
	if wall.Sub(c.replaced.at) >= SettleAfter {
		c.replaced = replaced{}
	}
	if wall.Sub(c.cut.at) >= SettleAfter {
		c.cut = cut{}
	}
	if wall.Sub(c.Owed) >= SettleAfter {
		c.Owed = time.Time{}
	}
	return c == course{}
}

// awake returns an order that may be changed, with a course of its own.
func (b *Books) awake(e *Entry) *Entry {
	if e != nil && e.course == b.rest {
		e.course = new(course)
	}
	return e
}
