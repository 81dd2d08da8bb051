package bridge

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"
)

// rates hold each of those who ask to as many requests a second, so that one who
// floods spends nothing of another's. They are at most strategiesMax.
type rates struct {
	perSecond int

	mu sync.Mutex // guards by
	by map[string]*rate.Limiter
}

func newRates(perSecond int) *rates {
	return &rates{perSecond: perSecond, by: map[string]*rate.Limiter{}}
}

// limiter returns one of so many a second, and twice as many at once.
func limiter(perSecond int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
}

// allow takes one request of a name, or returns why not.
func (r *rates) allow(name string) (busy string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.by[name]
	if l == nil {
		if r.forget(); len(r.by) >= strategiesMax {
			return fmt.Sprintf("%d programs ask already", strategiesMax)
		}
		l = limiter(r.perSecond)
		r.by[name] = l
	}
	if !l.Allow() {
		return fmt.Sprintf("more than %d requests a second", r.perSecond)
	}
	return ""
}

// forget makes room for other names when there is none: one whose rate is full
// again is as one that never asked. The caller holds mu.
func (r *rates) forget() {
	if len(r.by) < strategiesMax {
		return
	}
	for name, l := range r.by {
		if l.Tokens() >= float64(l.Burst()) {
			delete(r.by, name)
		}
	}
}

// turns hold requests in line until their turn comes, of which each of those who ask has
// a few at most.
type turns struct {
	ch   chan asked
	each int

	mu sync.Mutex     // guards by
	by map[string]int // places that are taken, by name
}

func newTurns(most, each int) *turns {
	return &turns{ch: make(chan asked, most), each: each, by: map[string]int{}}
}

// join puts a request in line, or returns why not. Its place is taken until
// [turns.leave].
func (l *turns) join(a asked) (busy string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[a.asker] >= l.each {
		return fmt.Sprintf("%d requests of this program wait already", l.each)
	}
	select {
	case l.ch <- a:
		l.by[a.asker]++
		return ""
	default:
		return fmt.Sprintf("%d requests wait already", cap(l.ch))
	}
}

func (l *turns) leave(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[name]--; l.by[name] <= 0 {
		delete(l.by, name)
	}
}

// asker returns who asks, by the inbox for the answer; "" when nobody could, or
// may, hear one there: the bridge would say on another subject what its asker
// may not. Our own server gives each user the inbox _INBOX.<name>. to hear, so
// that a word of it is a user's name. It does not hold the inbox that a request
// names to who sends it: that of an order request the door holds to the
// request's subject, and who asks a question in another's name spends the
// other's rate and hears nothing. On a cluster the word is what the program's
// permissions make of it, or its client.
func (d *door) asker(m *nats.Msg) string {
	inbox, ok := strings.CutPrefix(m.Reply, nats.InboxPrefix)
	name, rest, deep := strings.Cut(inbox, ".")
	if !ok || deep && rest == "" {
		return ""
	}
	if s := d.bridge.server; s != nil && (!deep || !slices.Contains(s.users, name)) {
		return ""
	}
	return name
}
