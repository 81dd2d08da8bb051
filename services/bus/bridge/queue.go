package bridge

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"robotrader/broker/market"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// The bounds of what waits to be written outside.
const (
	keptMost     = 1 << 16  // messages that never drop while there is room
	keptBytes    = 32 << 20 // and their bytes
	looseMost    = 1024     // messages whose next one mends their loss
	ticksMost    = 64       // messages of one symbol, before they become one
	tradesMost   = 4096     // trades in that one
	symbolsMost  = 4096     // that wait at once
	oneMessage   = 8 << 20  // no message is larger
	keptOverhead = 128      // bytes that a waiting message costs besides its own
)

// kept are the topics that never drop: they wait for a bus that is away, up to
// keptMost, and [event.BusState] tells their newest numbers; but not that of
// notices, which several publishers number, each for itself.
var kept = []string{
	event.Link.Name, event.Order.Name, event.Fill.Name, event.Position.Name, event.Mode.Name, event.Decision.Name,
	event.Data.Name, event.Protected.Name, event.Finding.Name, event.Notice.Name,
}

// message is one that waits.
type message struct {
	subject string
	raw     []byte
}

// queue holds what is to be written outside. Three kinds have a policy each:
// kept topics keep order and wait, quotes conflate while trades stay, and the
// rest is dropped when the bus is away or slow, as its next message mends that.
// Within a subject the order is kept; between subjects it is not.
type queue struct {
	instance string
	signal   chan struct{} // holds one token while something may wait

	mu       sync.Mutex // guards what follows
	away     bool       // the bus is; only kept topics wait
	kept     []message
	sent     []message // kept ones that were written and not confirmed, in their order
	bytes    int       // of kept and sent
	loose    []message
	ticks    map[string]*waiting // by subject
	turn     []string            // subjects of ticks, in the order in which they began to wait
	newest   map[string]uint64   // by topic, of kept ones with one publisher
	dropped  uint64              // kept messages that found no room
	skipped  uint64              // loose messages and trades
	combined uint64              // messages of ticks that became part of another
}

// waiting are the ticks of one symbol that were not written yet.
type waiting struct{ raw [][]byte }

func newQueue(instance string) *queue {
	return &queue{
		instance: instance, signal: make(chan struct{}, 1), away: true,
		ticks: map[string]*waiting{}, newest: map[string]uint64{},
	}
}

// put takes a message in. It never blocks.
func (q *queue) put(subject string, raw []byte) {
	topic := event.TopicOf(q.instance, subject)
	if topic == "" || topic == event.Bus.Name || topic == event.Alert.Name || len(raw) > oneMessage {
		return // the bridge tells outside of itself by its own; whom the trader alerts is nobody's outside
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case slices.Contains(kept, topic):
		if _, seq, err := bus.Head(raw); err == nil && topic != event.Notice.Name {
			q.newest[topic] = seq
		}
		q.keep(message{subject, raw})
	case q.away:
		q.skipped++
		return
	case topic == event.Tick.Name:
		q.tick(subject, raw)
	case len(q.loose) >= looseMost:
		q.skipped++
		return
	default:
		q.loose = append(q.loose, message{subject, raw})
	}
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// keep appends to the kept ones; the oldest goes when there is no room, so that
// what follows a gap is whole.
func (q *queue) keep(m message) {
	q.kept = append(q.kept, m)
	q.bytes += len(m.raw) + keptOverhead
	for len(q.kept) > keptMost || q.bytes > keptBytes && len(q.kept) > 1 {
		q.bytes -= len(q.kept[0].raw) + keptOverhead
		q.kept[0] = message{}
		q.kept = q.kept[1:]
		q.dropped++
	}
}

func (q *queue) tick(subject string, raw []byte) {
	w := q.ticks[subject]
	if w == nil {
		if len(q.ticks) >= symbolsMost {
			q.skipped++
			return
		}
		w = &waiting{}
		q.ticks[subject] = w
		q.turn = append(q.turn, subject)
	}
	w.raw = append(w.raw, raw)
	if len(w.raw) <= ticksMost {
		return
	}
	one, lost, err := conflate(w.raw)
	if err != nil { // not ours: the newest will do
		one = raw
	}
	q.combined += uint64(len(w.raw) - 1)
	q.skipped += uint64(lost)
	w.raw = append(w.raw[:0], one)
	clear(w.raw[1:cap(w.raw)])
}

// conflate makes one message of several of a symbol: the newest quote of each
// kind, and the trades in their order, the oldest of which go beyond
// tradesMost. It has the number of the newest message, so that the numbers tell
// a reader that messages were combined.
func conflate(list [][]byte) (one []byte, lost int, err error) {
	var all event.Message[event.Ticks]
	var quotes, trades []event.TickData
	for _, raw := range list {
		m, err := bus.Decode[event.Ticks](raw)
		if err != nil {
			return nil, 0, err
		}
		for _, t := range m.Data.Ticks {
			if t.Kind == market.TickTrade.String() {
				trades = append(trades, t)
				continue
			}
			quotes = slices.DeleteFunc(quotes, func(o event.TickData) bool { return o.Kind == t.Kind })
			quotes = append(quotes, t)
		}
		all = m
	}
	if len(trades) > tradesMost {
		lost = len(trades) - tradesMost
		trades = trades[lost:]
	}
	all.Data.Ticks = append(trades, quotes...)
	one, err = json.Marshal(all)
	return one, lost, err
}

// take returns what is to be written next: kept topics first.
func (q *queue) take() (message, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.kept) > 0:
		m := q.kept[0]
		q.kept[0] = message{}
		q.kept = q.kept[1:]
		q.sent = append(q.sent, m)
		return m, true
	case len(q.turn) > 0:
		subject := q.turn[0]
		w := q.ticks[subject]
		m := message{subject, w.raw[0]}
		q.turn = q.turn[1:]
		if w.raw[0] = nil; len(w.raw) == 1 {
			delete(q.ticks, subject)
			return m, true
		}
		w.raw = w.raw[1:]
		q.turn = append(q.turn, subject)
		return m, true
	case len(q.loose) > 0:
		m := q.loose[0]
		q.loose[0] = message{}
		q.loose = q.loose[1:]
		return m, true
	}
	return message{}, false
}

// unconfirmed returns how many kept messages were written whose arrival nobody
// has confirmed.
func (q *queue) unconfirmed() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.sent)
}

// confirm drops the first n of them: the bus has them.
func (q *queue) confirm(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.sent)) // a rewind may have come between
	for _, m := range q.sent[:n] {
		q.bytes -= len(m.raw) + keptOverhead
	}
	clear(q.sent[:n])
	if q.sent = q.sent[n:]; len(q.sent) == 0 {
		q.sent = nil
	}
}

// rewind has what nobody confirmed written again, with the same numbers: a
// reader may get a message twice, rather than never.
func (q *queue) rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kept, q.sent = append(q.sent, q.kept...), nil
}

// leave says that the bus is away: what need not wait goes.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = true
	for _, w := range q.ticks {
		q.skipped += uint64(len(w.raw))
	}
	q.skipped += uint64(len(q.loose))
	q.loose, q.turn = nil, nil
	clear(q.ticks)
}

// come says that the bus is there.
func (q *queue) come() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = false
}

// told returns the newest numbers of the kept topics and how many of their
// messages were dropped. It is not ok while some wait: who hears of a number
// has been sent all before it.
func (q *queue) told() (newest map[string]uint64, dropped uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.newest), q.dropped, len(q.kept) == 0
}

// forget drops what waits: another trader speaks on these subjects.
func (q *queue) forget() {
	q.leave()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += uint64(len(q.kept))
	q.kept, q.sent, q.bytes = nil, nil, 0
}
