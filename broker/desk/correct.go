package desk

import (
	"fmt"
	"strconv"
	"strings"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// maxVersions bounds the versions of one execution that are looked for.
const maxVersions = 20

// versionOf splits an execution id into what all versions of an execution have
// in common and the version: IBKR's ids of a correction differ from the first
// one only in the digits after the last period, 01, 02 and so on. ok is false
// for an id of another form.
func versionOf(id string) (base string, version int, ok bool) {
	dot := strings.LastIndexByte(id, '.')
	if dot < 0 || len(id)-dot-1 != 2 {
		return "", 0, false
	}
	version, err := strconv.Atoi(id[dot+1:])
	return id[:dot+1], version, err == nil && version > 0
}

// versionKnown returns the version of an execution that is in the books, nil
// when there is none.
func (b *books) versionKnown(id string) *order.Fill {
	base, version, ok := versionOf(id)
	if !ok {
		return nil
	}
	for v := 1; v <= max(maxVersions, version) && v <= 99; v++ {
		if f := b.execs.m[base+fmt.Sprintf("%02d", v)]; f != nil && v != version {
			return f
		}
	}
	return nil
}

// corrected takes a correction of an execution that is in the books. It is no
// execution of its own: to count it would double the fill. The books keep the
// version that they have; the position is the venue's own to tell, and a person
// is told what our profit and cash now miss.
func (d *Desk) corrected(was *order.Fill, f order.Fill) {
	if d.books.corrections.m[f.ExecID] {
		return
	}
	d.books.corrections.put(f.ExecID, true)
	_, before, _ := versionOf(was.ExecID)
	if _, now, _ := versionOf(f.ExecID); now < before {
		return // an older version that comes late
	}
	what := fmt.Sprintf("was corrected from %v at %v to %v at %v", was.Qty, was.Price, f.Qty, f.Price)
	if f.Qty.IsZero() {
		what = fmt.Sprintf("of %v at %v was taken back", was.Qty, was.Price)
	}
	d.warn(event.NoticeText{
		Level: "error", Name: "execution_corrected", Symbol: f.Symbol, Ref: was.Ref,
		Text: fmt.Sprintf("execution %.60q %s; position and cash are the venue's to tell, our own profit keeps the first version: compare it with the broker's statement", was.ExecID, what),
	})
}
