package ibkr

import (
	"robotrader/broker"
)

// draft is an order's frame that nobody has asked for yet.
type draft struct {
	ticket broker.Ticket
	frame  []byte
}

// Draft has the session's own goroutine encode an order while its intent is
// stored; see [broker.Drafter]. The message has a hundred fields, and its code is
// cold as a rule: that is 30 µs less between the disk's answer and the socket.
// In a lock-step replay nobody waits for a disk, and it does nothing.
func (s *Session) Draft(t broker.Ticket) {
	if s.cfg.lockStep() {
		return
	}
	select {
	case s.drafting <- t:
	default: // one is under way; Place encodes this one itself
	}
}

// draftAll is the goroutine that drafts. It ends with the session.
func (s *Session) draftAll() {
	for {
		select {
		case t := <-s.drafting:
			_ = s.contained(func() error { // Place tells what is wrong with it
				frame, err := s.encode(t)
				if err == nil {
					s.drafted.Store(&draft{t, frame})
				}
				return nil
			})
		case <-s.gone:
			return
		}
	}
}

// frameOf returns an order's frame: the draft, if there is one of just this
// ticket.
func (s *Session) frameOf(t broker.Ticket) ([]byte, error) {
	if d := s.drafted.Swap(nil); d != nil && d.ticket == t {
		return d.frame, nil
	}
	return s.encode(t)
}
