package indicator

import "fmt"

// SMA is the simple moving average of the last n values. The zero SMA is not
// usable; see [NewSMA].
type SMA struct {
	ring []float64
	next int     // where the next value goes
	full bool    // the ring has gone round
	sum  float64 // of the window, with the rounding errors of at most one round
	anew float64 // the sum of what came since the ring's start
}

// NewSMA returns an average over n values. An n below 1 panics: it is the
// caller's own mistake.
func NewSMA(n int) *SMA {
	if n < 1 {
		panic(fmt.Sprintf("indicator: an average over %d values", n))
	}
	return &SMA{ring: make([]float64, n)}
}

// Add takes in one value and returns the average; ok is false until n values
// have come.
func (s *SMA) Add(v float64) (avg float64, ok bool) {
	s.sum += v - s.ring[s.next]
	s.ring[s.next] = v
	s.anew += v
	s.next++
	if s.next == len(s.ring) {
		s.next, s.full = 0, true
		s.sum, s.anew = s.anew, 0
	}
	return s.Value()
}

// Value returns the average; ok is false until n values have come.
func (s *SMA) Value() (avg float64, ok bool) {
	if !s.full {
		return 0, false
	}
	return s.sum / float64(len(s.ring)), true
}

// Len returns how many values the average has, at most n.
func (s *SMA) Len() int {
	if s.full {
		return len(s.ring)
	}
	return s.next
}
