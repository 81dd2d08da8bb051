package gateway

import (
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

const (
	// maxStep bounds the events that are played in one go, so that requests
	// get their turn at any speed.
	maxStep = 1000
	// batchWait is the least time between two looks at what is due: a timer and
	// a write to each client for every event would be most of the work.
	batchWait = time.Millisecond
	// idleWait is how often orders are looked at for expiry when the tape is
	// silent.
	idleWait = time.Second
)

// playOn plays the tape against the wall clock until the server stops.
func (s *Server) playOn() {
	defer s.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-timer.C:
		}
		s.lock()
		wait := time.Duration(0)
		if s.catchUp(time.Now()) {
			wait = s.untilNext(time.Now())
		}
		s.unlock() // a request that waits has its turn, even if more is due
		timer.Reset(wait)
	}
}

// untilNext returns how long the tape has nothing to play, in wall time.
func (s *Server) untilNext(wall time.Time) time.Duration {
	if !s.pending {
		return idleWait
	}
	wait := time.Duration(float64(s.next.At.Sub(s.v.Clock.Now(wall))) / s.cfg.Speed)
	return min(max(wait, batchWait), idleWait)
}

// catchUp plays what is due when the wall clock shows wall, and reports whether
// that was all. At speed 0 nothing ever is due: only a Pacer moves the market.
func (s *Server) catchUp(wall time.Time) (done bool) {
	if s.cfg.Speed == 0 {
		return true
	}
	s.feed.Beat(wall)
	now := s.v.Clock.Now(wall)
	for range maxStep {
		if !s.pending || s.next.At.After(now) {
			s.moveTo(now)
			return true
		}
		s.step()
	}
	return false
}

// step plays the tape's next event, which must be pending.
func (s *Server) step() {
	ev := s.next
	s.next, s.pending = s.v.Source.Next()
	s.apply(ev)
	if !s.pending {
		s.end()
	}
}

// end tells that the tape has ended.
func (s *Server) end() {
	close(s.ended)
	s.log.Info("gateway_tape_ended", "source", s.v.Source.Describe(), "market", s.v.At)
	if s.cfg.OnEnd != nil {
		s.cfg.OnEnd()
	}
}

// moveTo moves market time forward, which ends DAY orders.
func (s *Server) moveTo(at time.Time) {
	if !at.After(s.v.At) {
		return
	}
	s.v.At = at
	s.v.Clock = s.v.Clock.Advance(at, time.Now())
	s.feed.Advance(at)
	s.blotter.Report(slices.Clone(s.v.X.Advance(at)))
	s.tellHours()
	s.ledger.Tick(at)
	s.faults.moved(at)
}

// tellHours tells the exchange once a day of market time what hours come, because
// a source tells but some days of them, and after those the exchange takes the
// market for always open. What a source cannot tell stays as it was.
func (s *Server) tellHours() {
	if s.v.At.Before(s.hoursTill) {
		return
	}
	y, m, d := s.v.At.In(s.v.Zone).Date()
	s.hoursTill = time.Date(y, m, d+1, 0, 0, 0, 0, s.v.Zone)
	for _, listed := range s.v.X.Listed() {
		symbol := listed.Contract.Symbol
		hours, err := s.v.Source.Hours(symbol, s.v.At)
		if err == nil {
			listed.Trading, listed.Liquid = hours.Trading, hours.Liquid
			err = s.v.X.List(listed)
		}
		if err != nil {
			s.log.Warn("gateway_hours_not_told", "symbol", symbol, "error", err)
		}
	}
	s.blotter.Report(slices.Clone(s.v.X.Advance(s.v.At))) // it looks at them now, not after a leap
}

// apply lets an event happen: ticks first, then what it did to orders.
func (s *Server) apply(ev tape.Event) {
	s.moveTo(ev.At)
	reports := slices.Clone(s.v.X.Apply(s.v.At, ev)) // the exchange reuses the slice
	s.feed.Publish(ev)
	s.blotter.Report(reports)
	s.faults.settle()
}

// Inject lets an event happen now, beside the tape: for measuring. A zero At
// is market time now, and an At in the past is moved there. An event of a
// symbol that is not played is ignored.
func (s *Server) Inject(ev tape.Event) {
	s.lock()
	defer s.unlock()
	now := s.v.At
	if s.cfg.Speed > 0 {
		now = s.v.Now()
	}
	if ev.At.Before(now) {
		ev.At = now
	}
	s.apply(ev)
}

// Symbols lists what is played.
func (s *Server) Symbols() []market.Symbol { return s.v.Source.Symbols() }
