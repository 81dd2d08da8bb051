package feed

import (
	"reflect"

	"robotrader/services/event"
)

// onAlert takes over how alerting stands. It is told again and again for who
// came late, which is no delta.
func (f *Feed) onAlert(m event.Message[event.AlertState]) {
	if f.snap.Alerts != nil && reflect.DeepEqual(*f.snap.Alerts, m.Data) {
		return
	}
	f.snap.Alerts = &m.Data
	f.tell("alerts", m.Data)
}
