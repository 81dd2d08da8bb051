package desk

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
)

// lookEvery is how often each wanted symbol is looked at.
const lookEvery = time.Second

// open tells whether a regular session is on: by the hours that were told, and
// where they tell nothing, by the calendar.
func (d *Desk) open(info *market.Details, at time.Time) bool {
	if info != nil {
		if in, known := info.Liquid.Contains(at); known {
			return in
		}
	}
	if h := d.held.Load(); !d.hours.Known() || h != nil && h.facts.Simulated {
		return true
	}
	return d.hours.Open(at)
}

// lookAtData judges the freshness of all wanted symbols, once a second, and has
// asked for again what is due. In lock-step market time waits for us, and says
// nothing. It is called in the turn.
func (d *Desk) lookAtData(wall time.Time) {
	h := d.held.Load()
	if s := d.linkState(); h == nil || d.cfg.Progress || h.facts.Simulated && h.facts.Speed == 0 || s != broker.Ready && s != broker.Degraded {
		return
	}
	changed, due := d.floor.Look(wall, d.cfg.StaleAfter, d.open, d.cutOff())
	for _, c := range changed {
		d.out.data(c)
	}
	d.weigh()
	c := chore{again: due, hours: d.floor.NewDay(wall, d.zone), account: d.stream.Look(wall, d.cfg.DataDeadline)}
	if !c.empty() {
		h.ask(c)
	}
}

// weigh tells the link whether any wanted symbol has data.
func (d *Desk) weigh() {
	if why := d.floor.Starving(); why != nil {
		d.darken(why)
		return
	}
	list, _ := d.floor.Standing()
	if _, err := floor.Verdict(list); err == nil {
		d.troubled(func(t *trouble) { t.dark = "" })
	}
}

// cutOff reports whether the gateway has no venue to ask, or does not answer.
func (d *Desk) cutOff() bool {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	return d.trouble.down != "" || d.trouble.silent != ""
}
