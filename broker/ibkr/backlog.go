package ibkr

import (
	"robotrader/broker"
	"robotrader/broker/market"
)

const (
	// maxPending is how many trades, or how many events, may wait for Events
	// before the reader stops reading the socket. None of them is ever dropped.
	maxPending = 65536
	// conflateFrom is how many ticks may be pending before quotes, volumes and
	// the like are reduced to the newest of their symbol and kind.
	conflateFrom = 1024
)

// backlog is what waits to be fetched by Events. The zero value is empty.
type backlog struct {
	batch   broker.Batch
	some    bool
	trades  int // among batch.Ticks
	squeeze int // number of ticks at which to conflate next, 0 = conflateFrom
	// The counts go on over the whole session.
	tickFrames, reportFrames uint64
}

// add takes over one read's batch, whose frame counts are of that read alone.
// It copies: the slices stay the caller's.
func (q *backlog) add(b *broker.Batch) {
	q.some = true
	q.tickFrames += b.TickFrames
	q.reportFrames += b.ReportFrames
	q.batch.Received = b.Received
	q.batch.Ticks = append(q.batch.Ticks, b.Ticks...)
	q.batch.Events = append(q.batch.Events, b.Events...)
	for i := range b.Ticks {
		if b.Ticks[i].Kind == market.TickTrade {
			q.trades++
		}
	}
	if len(q.batch.Ticks) > max(q.squeeze, conflateFrom) {
		q.conflate()
	}
}

// conflate keeps all trades in order, and of everything else the newest of its
// symbol and kind, where it stands.
func (q *backlog) conflate() {
	type key struct {
		symbol market.Symbol
		kind   market.TickKind
	}
	newest := map[key]int{}
	for i := range q.batch.Ticks {
		t := &q.batch.Ticks[i]
		newest[key{t.Symbol, t.Kind}] = i
	}
	kept := q.batch.Ticks[:0]
	for i, t := range q.batch.Ticks {
		if t.Kind == market.TickTrade || newest[key{t.Symbol, t.Kind}] == i {
			kept = append(kept, t)
		}
	}
	q.batch.Ticks = kept
	q.squeeze = 2 * len(kept) // so that conflating costs a constant per tick
}

// full reports whether the reader has to wait.
func (q *backlog) full() bool {
	return q.trades >= maxPending || len(q.batch.Events) >= maxPending
}

// take returns all that is pending; some is false when nothing is.
func (q *backlog) take() (b broker.Batch, some bool) {
	if !q.some {
		return broker.Batch{}, false
	}
	b = q.batch
	b.TickFrames, b.ReportFrames = q.tickFrames, q.reportFrames
	*q = backlog{tickFrames: q.tickFrames, reportFrames: q.reportFrames}
	return b, true
}

// recent is a set of the newest 4,096 numbers put into it. The zero value is
// empty.
type recent struct {
	set  map[int64]struct{}
	ring []int64
	next int
}

func (r *recent) put(n int64) {
	const most = 4096
	if r.has(n) {
		return
	}
	if r.set == nil {
		r.set = map[int64]struct{}{}
	}
	if len(r.ring) < most {
		r.ring = append(r.ring, n)
	} else {
		delete(r.set, r.ring[r.next])
		r.ring[r.next] = n
		r.next = (r.next + 1) % most
	}
	r.set[n] = struct{}{}
}

func (r *recent) has(n int64) bool {
	_, ok := r.set[n]
	return ok
}
