package desk

import (
	"reflect"

	"robotrader/services/event"
)

// tellProtection tells how the positions are protected when that is not what was
// told last. It is called ten times in the time after which an order is called
// silent (0.5 s), which bounds how often it tells. The caller has the turn.
func (d *Desk) tellProtection() {
	now := d.protection()
	if reflect.DeepEqual(now, d.covers) {
		return
	}
	d.covers = now
	d.out.protection(now)
}

func (d *Desk) protection() event.Protection {
	var s event.Desk
	d.showGuards(&s)
	return event.Protection{Off: d.cfg.Protect == ProtectOff, Guards: s.Guards}
}
