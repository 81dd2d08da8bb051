package indicator

import "fmt"

// EMA is the exponential moving average with the weight 2/(n+1), begun with
// the simple average of the first n values. It forgets, so it does not drift.
type EMA struct {
	weight float64
	first  *SMA // until n values have come
	value  float64
}

// NewEMA returns an average over about n values. An n below 1 panics: it is
// the caller's own mistake.
func NewEMA(n int) *EMA {
	if n < 1 {
		panic(fmt.Sprintf("indicator: an average over %d values", n))
	}
	return &EMA{weight: 2 / (float64(n) + 1), first: NewSMA(n)}
}

// Add takes in one value and returns the average; ok is false until n values
// have come.
func (e *EMA) Add(v float64) (avg float64, ok bool) {
	if e.first == nil {
		e.value += e.weight * (v - e.value)
		return e.value, true
	}
	avg, ok = e.first.Add(v)
	if ok {
		e.value, e.first = avg, nil
	}
	return avg, ok
}

// Value returns the average; ok is false until n values have come.
func (e *EMA) Value() (avg float64, ok bool) { return e.value, e.first == nil }
