package acceptance

import (
	"fmt"
	"time"

	"robotrader/broker/ibkr/wire"
)

// This file holds what every scenario asks of the program, whatever its script
// says.

// reuse is how long after the full end of a connection the next one may come,
// and slack what a busy machine may take off that by noticing late.
const (
	reuse = time.Second
	slack = 250 * time.Millisecond
)

func (p *peer) blame(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blameLocked(format, a...)
}

func (p *peer) blameLocked(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	p.noteLocked("BAD MANNERS: %s", text)
	if len(p.faults) < 20 {
		p.faults = append(p.faults, text)
	}
}

// judgeArrival looks at a new connection: there is never a second session, and
// a client id is not used again within a second. The end of the one before may
// not have been read yet; judgeFrame looks again when the first words come.
func (p *peer) judgeArrival(k *conn) {
	if len(p.conns) < 2 || p.rules.many {
		return
	}
	before := p.conns[len(p.conns)-2]
	if before.overAt.IsZero() || before.thawed {
		return // judged when its first words come
	}
	if gap := k.came.Sub(before.overAt); gap < reuse-slack {
		p.blameLocked("conn %d came %v after the end of conn %d, not 1 s", k.number, gap.Round(time.Millisecond), before.number)
	}
}

// judgeFrame looks at one frame of the program.
func (p *peer) judgeFrame(k *conn, h heard) {
	if h.name == "hello" {
		for _, other := range p.conns {
			if other.number < k.number && other.overAt.IsZero() && other.frozen == nil && !p.rules.many {
				p.blameLocked("conn %d speaks while conn %d is open: two sessions at once", k.number, other.number)
			}
		}
		return
	}
	if h.err != nil {
		p.blameLocked("conn %d sent a frame that does not decode: %v: %s", k.number, h.err, h.text)
		return
	}
	if k.version == 0 {
		p.blameLocked("conn %d sent %s before it knew the version", k.number, h.name)
		return
	}
	if h.name == "reqCurrentTime" || h.name == "reqCurrentTimeInMillis" {
		p.judgeTime(k)
	}
	switch m := h.message.(type) {
	case wire.StartAPI:
		if id, ok := p.rules.clientID(m.ClientID); !ok && !p.rules.many {
			p.blameLocked("conn %d came with client id %d, the one before with %d", k.number, m.ClientID, id)
		}
	case wire.ReqManagedAccts:
		if !k.empty && !(k.accounts && k.nextID) {
			p.blameLocked("conn %d asked for the accounts before both ids, and no empty list was sent", k.number)
		}
	default:
		if !k.accounts || !k.nextID {
			p.blameLocked("conn %d sent %s before both ids", k.number, h.name)
		}
	}
}

// judgeTime looks at a question for the time: of two within a second a gateway
// answers only the first. Protocol sheet, section 4.1.
func (p *peer) judgeTime(k *conn) {
	if k.thawed {
		return // what waited in the socket is read at once
	}
	now := time.Now()
	if gap := now.Sub(k.askedTime); !k.askedTime.IsZero() && gap < time.Second-slack {
		p.blameLocked("conn %d asked for the time twice within %v", k.number, gap.Round(time.Millisecond))
	}
	k.askedTime = now
}

// judgeEnds looks at all connections once the program has gone.
func (p *peer) judgeEnds(allowReset bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.conns {
		if k.bytes == 0 && !k.abrupt && k.frozen == nil {
			p.blameLocked("conn %d was a bare connection: it opened and did not say a word", k.number)
		}
		switch {
		case k.abrupt:
		case k.over == rst && !allowReset:
			p.blameLocked("conn %d was ended with a reset (RST), not a FIN", k.number)
		case k.over == live:
			p.blameLocked("conn %d was never ended, and the program has gone", k.number)
		}
	}
	return p.faults
}

// quiet waits until the ends of all connections have been read.
func (p *peer) quiet(within time.Duration) {
	for _, k := range p.all() {
		k.thaw()
	}
	p.await(within, p.allOver)
}

// allOver reports whether every connection has ended; the peer is locked.
func (p *peer) allOver() bool {
	for _, k := range p.conns {
		if k.over == live && !k.abrupt {
			return false
		}
	}
	return true
}
