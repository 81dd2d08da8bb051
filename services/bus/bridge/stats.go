package bridge

import (
	"maps"
	"sync"
)

// Stats is how the bridge stands, and what it counted in this process's life.
type Stats struct {
	Kept, Loose, Ticks         int    // messages that wait to be written, by kind; of ticks the symbols
	Bytes                      int    // of the kept ones, those that nobody has confirmed among them
	Dropped, Skipped, Combined uint64 // kept messages without room; loose ones and trades left out; ticks made one
	Cuts                       uint64 // how often a connection broke
	Waiting                    int    // order requests in line
	Clients                    int    // programs that are connected here, -1 where the bridge does not listen
	Handed                     uint64 // order requests that went to the desk
	// Refused counts the order requests that did not, by rule.
	Refused map[string]uint64
}

// Stats may be called at any time.
func (b *Bridge) Stats() Stats {
	s := Stats{Cuts: b.cuts.Load(), Waiting: len(b.door.line.ch), Clients: -1}
	if l := b.listens.Load(); l != nil {
		s.Clients = max(0, l.ns.NumClients()-ownClients)
	}
	s.Handed, s.Refused = b.door.tally.read()
	q := b.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Kept, s.Loose, s.Ticks, s.Bytes = len(q.kept), len(q.loose), len(q.ticks), q.bytes
	s.Dropped, s.Skipped, s.Combined = q.dropped, q.skipped, q.combined
	return s
}

// ownClients are the bridge's own connections to its listener.
const ownClients = 2

// tally counts order requests. The rules are those of this package. Its zero
// value has counted none.
type tally struct {
	mu      sync.Mutex // guards what follows
	handed  uint64
	refused map[string]uint64
}

func (t *tally) hand() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed++
}

func (t *tally) refuse(rule string) {
	if rule == "" {
		rule = "no_answer" // of the desk
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = map[string]uint64{}
	}
	t.refused[rule]++
}

func (t *tally) read() (handed uint64, refused map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handed, maps.Clone(t.refused)
}
