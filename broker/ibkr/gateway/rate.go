package gateway

import "time"

// rate is a strict sliding window: at most max messages in any one second of
// wall time.
type rate struct {
	max   int
	times []time.Time // a ring of the newest max messages
	next  int
	// strikes counts the seconds in which the limit was passed; struck is the
	// beginning of the newest of them.
	strikes int
	struck  time.Time
}

// maxStrikes is how often a client may pass the limit before it is cut off:
// the venue's message counts to three.
const maxStrikes = 3

func newRate(limit int) *rate { return &rate{max: limit, times: make([]time.Time, limit)} }

// allow reports whether a message at now is within the limit. A refused one
// does not count. first is true for the first refusal of a strike.
func (r *rate) allow(now time.Time) (ok, first bool) {
	if r.max == 0 {
		return true, false
	}
	oldest := r.times[r.next]
	if oldest.IsZero() || now.Sub(oldest) >= time.Second {
		r.times[r.next] = now
		r.next = (r.next + 1) % r.max
		return true, false
	}
	if r.struck.IsZero() || now.Sub(r.struck) >= time.Second {
		r.strikes++
		r.struck = now
		return false, true
	}
	return false, false
}
