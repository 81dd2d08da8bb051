package feed

import (
	"reflect"
	"time"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// decided counts a decision of a wall time. One about a cancel is none about an
// order: it saw no limits.
func (r *Risk) decided(d order.Decision, at time.Time) {
	if d.Allowed {
		r.Allowed++
	} else {
		r.Refused++
	}
	if _, ok := d.Saw.Get("limits"); ok {
		r.NewestAt = &at
	}
}

// put takes over how far the limits are used up, of as many as a page shows, and
// reports whether that is another word.
func (r *Risk) put(s event.LimitState) (changed bool) {
	list := s.Limits[:min(len(s.Limits), maxSymbols)]
	if r.Currency == s.Currency && reflect.DeepEqual(r.Use, list) {
		return false
	}
	r.Use, r.Currency = list, s.Currency
	return true
}

func (f *Feed) onLimits(m event.Message[event.LimitState]) {
	f.owners[deskOwner].note("limits", "")
	f.snap.Risk.put(m.Data)
	f.tell("risk", f.snap.Risk)
}

// setLimits takes over the desk's word. One that has none says nothing.
func (f *Feed) setLimits(own *owner, s event.LimitState) {
	if s.Limits != nil && !own.newer("limits", "") && f.snap.Risk.put(s) {
		f.tell("risk", f.snap.Risk)
	}
}
