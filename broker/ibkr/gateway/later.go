package gateway

import (
	"slices"

	"robotrader/broker/ibkr/gateway/venue"
)

// Bounds of what is done off the server's mutex.
const (
	// laterWorkers is how much of it is done at once.
	laterWorkers = 2
	// laterWaiting is how much of one session may wait or be in work.
	laterWaiting = 50
)

// later is what takes too long to be done under the server's mutex, which
// guards it. It has no goroutine while nothing waits. The zero value is ready.
type later struct {
	jobs    []job // in the order in which they came
	workers int
	held    map[venue.Peer]int // jobs that wait or are in work
	working map[venue.Peer]int // jobs that are in work
}

// job is one piece of work; it ends with done under the mutex.
type job struct {
	peer venue.Peer
	work func() (done func())
}

// take returns the job that comes next: the oldest of a session that none is
// in work for, so that one session's many questions do not stop the others',
// else the oldest.
func (l *later) take() (j job, ok bool) {
	if len(l.jobs) == 0 {
		return job{}, false
	}
	i := max(0, slices.IndexFunc(l.jobs, func(j job) bool { return l.working[j.peer] == 0 }))
	j = l.jobs[i]
	l.jobs = slices.Delete(l.jobs, i, i+1)
	return j, true
}

// less counts one down, and forgets a session that has none left.
func less(count map[venue.Peer]int, p venue.Peer) {
	if count[p]--; count[p] <= 0 {
		delete(count, p)
	}
}

// later implements [venue.Venue.Later]. At speed 0 the work is done at once, so
// that the order of a session's frames stays a function of its input. Called
// under the mutex.
func (s *Server) later(p venue.Peer, work func() (done func())) bool {
	l := &s.late
	switch {
	case s.cfg.Speed == 0:
		if done := work(); done != nil {
			done()
		}
		return true
	case s.stopping:
		return true // nobody will miss it
	case l.held[p] >= laterWaiting:
		return false
	}
	if l.held == nil {
		l.held, l.working = make(map[venue.Peer]int), make(map[venue.Peer]int)
	}
	l.held[p]++
	l.jobs = append(l.jobs, job{p, work})
	if l.workers < laterWorkers {
		l.workers++
		s.wg.Add(1)
		go s.workLater()
	}
	return true
}

// workLater does what waits until nothing does, or the server stops. There are
// at most laterWorkers of it, and Stop waits for them.
func (s *Server) workLater() {
	defer s.wg.Done()
	s.lock()
	defer s.unlock()
	l := &s.late
	for !s.stopping {
		j, ok := l.take()
		if !ok {
			break
		}
		if !s.has(j.peer) {
			less(l.held, j.peer)
			continue
		}
		l.working[j.peer]++
		s.unlock()
		done := j.work()
		s.lock()
		less(l.working, j.peer)
		less(l.held, j.peer)
		if done != nil && s.has(j.peer) {
			done()
		}
	}
	l.workers--
}

// has reports whether a session is still there. Called under the mutex.
func (s *Server) has(p venue.Peer) bool {
	c, ok := p.(*conn)
	if !ok {
		return true
	}
	_, here := s.conns[c]
	return here
}
