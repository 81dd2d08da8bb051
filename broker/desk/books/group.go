package books

import (
	"slices"

	"robotrader/broker/order"
)

// Used reports whether an order of a one-cancels-all group has executed, or may
// have; a broker lets nobody join it any more. It follows from what the books
// have of the group's orders, so that it is the same in every life. The order
// but is left out.
func (b *Books) Used(group string, but *Entry) bool {
	return slices.ContainsFunc(b.byGroup[group], func(e *Entry) bool {
		return e.Shut || e != but && (e.Filled.Sign() > 0 || e.State == order.Filled)
	})
}

// ShutGroup notes that the venue refused an order of a group that may have been
// the reason.
func (b *Books) ShutGroup(group string) {
	for _, e := range b.byGroup[group] {
		if e.Protects() {
			e.Shut = true
		}
	}
}

func (b *Books) joins(e *Entry) {
	if e.OCA != "" {
		b.byGroup[e.OCA] = append(b.byGroup[e.OCA], e)
	}
}

func (b *Books) leaves(e *Entry) {
	if e.OCA == "" {
		return
	}
	left := slices.DeleteFunc(b.byGroup[e.OCA], func(o *Entry) bool { return o == e })
	if b.byGroup[e.OCA] = left; len(left) == 0 {
		delete(b.byGroup, e.OCA)
	}
}

// Inferred reports whether an order is called ended because the venue's answers
// did not hold it, and not on its word.
func (e *Entry) Inferred() bool { return e.State.Final() && !e.Proven.IsZero() }
