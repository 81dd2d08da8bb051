package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

const (
	// tellAtOnce is how many ticks go into one message at most, so that a
	// message never comes near the bus's bound and a strategy that is slow is
	// through with one within moments.
	tellAtOnce = 32
	// conflateFrom is how many ticks may be held before quotes, volumes and the
	// like are reduced to the newest of their symbol and kind.
	conflateFrom = 1024
	// holdMost is how many ticks may be held before the session is read no
	// further. Trades are never conflated, so it is they that get there.
	holdMost = 65536
	// holdLook is how often somebody who is behind is looked at again.
	holdLook = 20 * time.Millisecond
	// holdWithin is how long the session may stay unread because of somebody
	// who takes nothing. Beyond it the ticks go onto the bus, up to its bound.
	holdWithin = 10 * time.Second
)

// holding are the ticks that are read and not told yet: none as long as those
// who listen keep up. It belongs to the goroutine of Serve.
type holding struct {
	ticks   []market.Tick
	frames  uint64    // the newest count
	squeeze int       // number of ticks at which to conflate next, 0 = conflateFrom
	taken   uint64    // by those who are behind, when it was looked at last
	full    time.Time // wall time since when it is full and nobody took any, zero when it is not

	told    []event.TickData // used again for every message
	symbols []market.Symbol  // and this
}

// next returns the session's next batch. While ticks are held it waits no
// longer than holdLook, and reads nothing when too many are.
func (d *Desk) next(ctx context.Context, h *held, q *holding) (broker.Batch, error) {
	if len(q.ticks) == 0 {
		return h.session.Events(ctx)
	}
	soon, cancel := context.WithTimeout(ctx, holdLook)
	defer cancel()
	var b broker.Batch
	var err error
	if len(q.ticks) < holdMost {
		b, err = h.session.Events(soon)
	} else {
		<-soon.Done()
		err = soon.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return broker.Batch{}, nil
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return b, err
}

// takeTicks takes a batch's ticks in, and tells what there is room for.
func (d *Desk) takeTicks(q *holding, b broker.Batch) {
	var changed []event.DataState
	if len(b.Ticks) > 0 {
		var astray *market.Tick
		if changed, astray = d.floor.Apply(b.Ticks, b.TickFrames, time.Now()); astray != nil {
			d.warn(event.NoticeText{
				Level: "error", Name: "tick_time_wrong", Symbol: astray.Symbol,
				Text: fmt.Sprintf("a tick of %s has the time %s, more than %v ahead of the gateway's clock; it counts as of now, and so does every such tick of this session; set the clock of the gateway's machine by NTP",
					astray.Symbol, astray.At.UTC().Format(time.RFC3339), market.MaxLead),
			})
		}
		q.add(b.Ticks, b.TickFrames)
	}
	d.tellTicks(q)
	for _, c := range changed {
		d.out.data(c)
	}
	if len(changed) > 0 {
		d.troubled(func(t *trouble) { t.dark = "" })
	}
}

// tellTicks tells held ticks as long as there is room for them. In lock-step
// there always is: whoever moves market time waits for all that it made.
func (d *Desk) tellTicks(q *holding) {
	for len(q.ticks) > 0 {
		room, taken := d.out.room()
		if room || d.cfg.Progress {
			q.full = time.Time{}
		} else if !q.overdue(time.Now(), taken) {
			return
		}
		n := min(len(q.ticks), conflateFrom)
		d.tell(q, q.ticks[:n])
		q.ticks = q.ticks[n:]
	}
	q.ticks, q.squeeze = nil, 0
}

// tell publishes ticks, those of a symbol together.
func (d *Desk) tell(q *holding, ticks []market.Tick) {
	q.symbols = q.symbols[:0]
	for i := range ticks {
		sym := ticks[i].Symbol
		if contains(q.symbols, sym) {
			continue
		}
		q.symbols = append(q.symbols, sym)
		q.told = q.told[:0]
		for j := i; j < len(ticks); j++ {
			if ticks[j].Symbol != sym {
				continue
			}
			if len(q.told) == tellAtOnce {
				d.out.ticks(event.Ticks{Symbol: sym, Ticks: q.told, Frames: q.frames})
				q.told = q.told[:0]
			}
			q.told = append(q.told, told(&ticks[j]))
		}
		d.out.ticks(event.Ticks{Symbol: sym, Ticks: q.told, Frames: q.frames})
	}
}

// add takes ticks over. The caller's slice is used as it is when nothing is
// held, so it must not be changed any more.
func (q *holding) add(ticks []market.Tick, frames uint64) {
	q.frames = frames
	if len(q.ticks) == 0 {
		q.ticks = ticks
	} else {
		q.ticks = append(q.ticks, ticks...)
	}
}

// overdue makes what is held small, and reports whether it has been too much
// for too long, which it stays until somebody takes some.
func (q *holding) overdue(wall time.Time, taken uint64) bool {
	if n := len(q.ticks); n > max(q.squeeze, conflateFrom) || n >= holdMost && q.full.IsZero() {
		q.conflate()
	}
	if q.taken != taken { // slow, but alive
		q.taken, q.full = taken, time.Time{}
	}
	switch {
	case q.full.IsZero() && len(q.ticks) >= holdMost:
		q.full = wall
	case !q.full.IsZero():
		return wall.Sub(q.full) >= holdWithin
	}
	return false
}

// conflate keeps all trades in order, and of everything else the newest of its
// symbol and kind, where it stands.
func (q *holding) conflate() {
	type key struct {
		symbol market.Symbol
		kind   market.TickKind
	}
	newest := map[key]int{}
	for i := range q.ticks {
		newest[key{q.ticks[i].Symbol, q.ticks[i].Kind}] = i
	}
	kept := make([]market.Tick, 0, len(q.ticks)/2)
	for i, t := range q.ticks {
		if t.Kind == market.TickTrade || newest[key{t.Symbol, t.Kind}] == i {
			kept = append(kept, t)
		}
	}
	q.ticks = kept
	q.squeeze = 2 * len(kept) // so that conflating costs a constant per tick
}

// contains is slices.Contains for a list of few: it is called once a tick.
func contains(list []market.Symbol, s market.Symbol) bool {
	for i := range list {
		if list[i] == s {
			return true
		}
	}
	return false
}

// told returns the tick as it goes on the bus. It points into t.
func told(t *market.Tick) event.TickData {
	d := event.TickData{Kind: t.Kind.String(), At: t.At, Delayed: t.Delayed}
	if !t.Known {
		return d
	}
	switch t.Kind {
	case market.TickBid, market.TickAsk, market.TickTrade:
		d.Price, d.Size = &t.Price, &t.Size
	case market.TickVolume, market.TickHalted:
		d.Size = &t.Size
	default:
		d.Price = &t.Price
	}
	return d
}
