package gateway

import "time"

// rate is a strict sliding window: at most max messages in any one second of
// wall time, of one session.
//
// A second in which the limit is passed is a strike. A minute without one takes
// a strike back; a real gateway's rule for that is not known.
type rate struct {
	max   int
	times []time.Time // a ring of the newest max messages
	next  int
	// strikes counts the strikes that still stand; struck is the beginning of
	// the newest of them, or when one was last taken back.
	strikes int
	struck  time.Time
}

const (
	// maxStrikes is how often a client may pass the limit before it is cut
	// off: the venue's message counts to three.
	maxStrikes = 3
	// strikeLasts is how long it takes to take one back.
	strikeLasts = time.Minute
)

func newRate(limit int) *rate { return &rate{max: limit, times: make([]time.Time, limit)} }

// allow reports whether a message at now is within the limit. A refused one
// does not count. first is true for the first refusal of a strike.
func (r *rate) allow(now time.Time) (ok, first bool) {
	if r.max == 0 {
		return true, false
	}
	if r.wait(now) == 0 {
		r.times[r.next] = now
		r.next = (r.next + 1) % r.max
		return true, false
	}
	for r.strikes > 0 && now.Sub(r.struck) >= strikeLasts {
		r.strikes--
		r.struck = r.struck.Add(strikeLasts)
	}
	if r.strikes == 0 || now.Sub(r.struck) >= time.Second {
		r.strikes++
		r.struck = now
		return false, true
	}
	return false, false
}

// wait returns how long after now a message will be within the limit.
func (r *rate) wait(now time.Time) time.Duration {
	if r.max == 0 {
		return 0
	}
	oldest := r.times[r.next]
	if oldest.IsZero() {
		return 0
	}
	return max(0, oldest.Add(time.Second).Sub(now))
}
