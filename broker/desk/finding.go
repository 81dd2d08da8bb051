package desk

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// keepFindings bounds the findings in the desk's state. The journal keeps all.
const keepFindings = 50

// The kinds of finding; see broker.Finding.
const (
	findPosition  = "position"
	findOrder     = "order"
	findExecution = "execution"
)

// found notes, stores and tells a finding. One that is not explained makes the
// mode reduce_only, for a person to look at. The caller has the turn.
func (d *Desk) found(f broker.Finding) {
	f.At = time.Now()
	list := &d.books.findings
	if *list = append(*list, f); len(*list) > keepFindings {
		*list = append([]broker.Finding(nil), (*list)[1:]...)
	}
	r := d.stamp()
	r.Finding = &f
	d.record(r)
	d.out.finding(f)
	text := fmt.Sprintf("%s: the books had %s, the broker has %s; %s; %s", f.Kind, f.Ours, f.Theirs, f.Evidence, f.Done)
	if f.Explained {
		d.warn(event.NoticeText{Level: "info", Name: "reconciliation_explained", Symbol: f.Symbol, Ref: f.Ref, Text: text})
		return
	}
	d.warn(event.NoticeText{Level: "error", Name: "reconciliation_difference", Symbol: f.Symbol, Ref: f.Ref, Text: text})
	about := f.Kind
	if f.Symbol != "" {
		about += " of " + string(f.Symbol)
	}
	d.restrict(fmt.Sprintf("unexplained difference, %s: the books had %s, the broker has %s; compare with the broker, then resume", about, f.Ours, f.Theirs))
}

// adopted tells of something that was done elsewhere and that the books have
// taken over. By the policy "restrict" that also takes entries away until a
// person has looked.
func (d *Desk) adopted(f broker.Finding) {
	f.Explained = true
	d.found(f)
	if d.cfg.Foreign == ForeignRestrict {
		d.restrict("something was done elsewhere: " + f.Evidence + "; look at it, then resume")
	}
}

// raise tells a person once of what comes again with
// every answer of the venue. Key says what it is.
func (d *Desk) raise(key string, n event.NoticeText) {
	if d.books.raised.m[key] {
		return
	}
	d.books.raised.put(key, true)
	d.warn(n)
}
