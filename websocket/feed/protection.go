package feed

import (
	"reflect"

	"robotrader/broker"
	"robotrader/services/event"
)

func (f *Feed) onProtection(m event.Message[event.Protection]) {
	f.owners[deskOwner].note("protection", "")
	m.Data.Guards = m.Data.Guards[:min(len(m.Data.Guards), maxPositions)]
	f.snap.Protection = &m.Data
	f.tell("protection", m.Data)
}

// setProtection takes over what the desk answers. Without positions nothing is
// known of their protection; with them and no guards it is off.
func (f *Feed) setProtection(own *owner, d event.Desk) {
	if d.Positions == nil || own.newer("protection", "") {
		return
	}
	p := event.Protection{Off: d.Guards == nil, Guards: d.Guards[:min(len(d.Guards), maxPositions)]}
	if f.snap.Protection != nil && reflect.DeepEqual(*f.snap.Protection, p) {
		return
	}
	f.snap.Protection = &p
	f.tell("protection", p)
}

func (f *Feed) onFinding(m event.Message[broker.Finding]) {
	f.owners[deskOwner].note("finding", findingID(&m.Data))
	f.snap.putFinding(m.Data)
	f.tell("finding", m.Data)
}

// setFindings takes over those that no message told of: the feed began after
// them.
func (f *Feed) setFindings(own *owner, all []broker.Finding) {
	for i := range all {
		if x := &all[i]; !own.newer("finding", findingID(x)) && f.snap.putFinding(*x) {
			f.tell("finding", x)
		}
	}
}
