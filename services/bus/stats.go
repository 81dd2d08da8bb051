package bus

import (
	"cmp"
	"slices"
	"strings"

	"robotrader/services/event"
)

// ConnStats is what one connection has written.
type ConnStats struct {
	Name        string
	Published   uint64 // messages
	Undecodable uint64 // payloads that it could not read
}

// SubStats is how one subscription stands.
type SubStats struct {
	Conn, Topic string
	Delivered   uint64 // messages that were handled
	Dropped     uint64 // that found the queue full
	Lost        uint64 // that the numbers show to be missing, dropped ones among them
	Pending     uint64 // that wait
}

// Stats tells how the open connections and their subscriptions stand, by name
// and topic.
func (s *Server) Stats() (conns []ConnStats, subs []SubStats) {
	s.mu.Lock()
	open := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		conns = append(conns, ConnStats{Name: c.name, Published: c.pub.Stats().OutMsgs, Undecodable: c.bad.Load()})
		c.mu.Lock()
		for sub := range c.subs {
			subs = append(subs, sub.stats())
		}
		c.mu.Unlock()
	}
	slices.SortFunc(conns, func(a, b ConnStats) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(subs, func(a, b SubStats) int {
		return cmp.Or(cmp.Compare(a.Conn, b.Conn), cmp.Compare(a.Topic, b.Topic))
	})
	return conns, subs
}

// stats is of one subscription. Its topic is the subject's, without instance and
// symbol; "*" stands for all.
func (s *Sub) stats() SubStats {
	topic := event.TopicOf(s.conn.server.instance, s.subject)
	topic = strings.TrimSuffix(strings.TrimSuffix(topic, ">"), ".")
	x := SubStats{Conn: s.conn.name, Topic: cmp.Or(topic, "*"), Delivered: s.taken.Load(), Lost: s.gaps.Load()}
	pending, _ := s.pending()
	x.Pending = uint64(max(pending, 0))
	x.Dropped = s.dropped()
	return x
}

// dropped returns how many messages found no room.
func (s *Sub) dropped() uint64 {
	if s.direct != nil {
		s.direct.mu.Lock()
		defer s.direct.mu.Unlock()
		return uint64(s.direct.dropped)
	}
	n, err := s.nats.Dropped()
	if err != nil { // the subscription is over
		return 0
	}
	return uint64(max(n, 0))
}
