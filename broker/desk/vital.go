package desk

import (
	"reflect"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// vital is what was told of the desk's health last.
type vital struct {
	told event.HealthState
	at   time.Time
}

// health returns how the session, the account's stream, each symbol's data and
// the journal stand.
func (d *Desk) health() event.HealthState {
	s := event.HealthState{Account: d.stream.Shown(), Data: d.floor.Freshness(), Books: d.sight()}
	if h := d.held.Load(); h != nil {
		if v, ok := h.session.(broker.Vital); ok {
			now := v.Health()
			s.Session = &now
		}
	}
	s.Journal = d.failure()
	return s
}

// OnHealth has fn told of the desk's health whenever it is published. Fn must
// not block. It is called before Start.
func (d *Desk) OnHealth(fn func(event.HealthState)) { d.tellHealth = fn }

// showHealth publishes the health, at most once a second and only when it has
// changed. It belongs to the goroutine run.
func (d *Desk) showHealth(wall time.Time) {
	if wall.Sub(d.vital.at) < lookEvery {
		return
	}
	d.vital.at = wall
	now := d.health()
	if reflect.DeepEqual(now, d.vital.told) {
		return
	}
	d.vital.told = now
	d.out.health(now)
	if d.tellHealth != nil {
		d.tellHealth(now)
	}
}
