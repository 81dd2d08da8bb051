package alert

import (
	"fmt"
	"strings"
	"time"

	"robotrader/services/alert/post"
)

// standing is the kind of a message that says what still stands.
const standing = "standing"

// owedAgain is how long a lane that works on something is left alone.
const owedAgain = time.Minute

// owed is what a hub owes a target that lost messages: to say what of all that
// still stands. The zero value is nothing.
type owed struct {
	on bool
	at time.Time // not before
}

// settle notes what became of a message at a target. A message that was refused
// is made up for later, since the next one may be refused as well; one that was
// given up, after it was tried for long, or that had no room, at once. Another
// that arrives tells that the target is there again.
func (o *owed) settle(now time.Time, m post.Message, err error, refused bool, later time.Duration) {
	switch {
	case err == nil && m.Kind == standing:
		*o = owed{}
	case err == nil || !refused:
		o.on, o.at = o.on || err != nil, now
	default:
		o.on, o.at = true, now.Add(later)
	}
}

// makeUp tells each target what it is owed. The goroutine that looks calls it.
func (h *Hub) makeUp(now time.Time) {
	for i, l := range h.lanes {
		waiting := l.State().Waiting // before mu, as the lane's own
		h.mu.Lock()
		o := &h.owes[i]
		var m post.Message
		switch quiet := h.book.quiet.At(now); {
		case !o.on || now.Before(o.at):
		case waiting > 0:
			o.at = now.Add(owedAgain)
		default:
			ok := false
			if m, ok = h.book.Stands(now, quiet); ok {
				o.at = now.Add(h.retryFor)
			} else if quiet {
				o.at = h.book.quiet.Ends(now)
			} else {
				*o = owed{}
			}
		}
		h.mu.Unlock()
		if m.Kind != "" {
			h.parts.Log.Info("alert", "kind", m.Kind, "title", m.Title, "text", m.Text, "target", l.State().Name)
			l.Put(m)
		}
	}
}

// owedNext returns when there is something to make up for. The caller holds mu.
func (h *Hub) owedNext() (at time.Time, ok bool) {
	for _, o := range h.owes {
		if o.on && (!ok || o.at.Before(at)) {
			at, ok = o.at, true
		}
	}
	return at, ok
}

// Stands returns one message with all that is on and was told, but for
// deliveries; ok is false when there is none. Urgent leaves out what is not. It
// changes nothing of what counts as said.
func (b *Book) Stands(now time.Time, urgent bool) (m post.Message, ok bool) {
	m = post.Message{Title: "[" + b.name + "] Still so", Kind: standing, At: now}
	var s strings.Builder
	for _, x := range b.On() {
		if x.Untold || x.Kind == Delivery || urgent && !b.urgent[x.Kind] {
			continue
		}
		ok = true
		m.Urgent = m.Urgent || b.urgent[x.Kind]
		fmt.Fprintf(&s, "%s: %s", x.Kind.title(), x.Cause)
		if x.Advice != "" {
			s.WriteString("; " + x.Advice)
		}
		fmt.Fprintf(&s, " (since %s)\n", b.clock(x.Since))
	}
	m.Text = strings.TrimSpace(s.String())
	return m, ok
}
