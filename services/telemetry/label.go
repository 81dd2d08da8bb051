package telemetry

import "sync"

// The bounds of labels whose values are not listed in the code. Beyond, a
// counter counts under [beyond], and a gauge of that value is left out, which
// trader_metrics_left_out counts.
const (
	mostRules      = 96  // of the gate, the desk and the bus's door: some 60 today
	mostKinds      = 16  // of differences: four today
	mostSymbols    = 256 // wanted ones and those of positions
	mostStrategies = 128 // pairs of a strategy and a symbol
	mostLong       = 64  // bytes of a label's value
)

// beyond stands for all values that are more than a label may have.
const beyond = "other"

// words is the set of values that one label has had. It is safe for concurrent
// use.
type words struct {
	most int

	mu   sync.Mutex // guards seen
	seen map[string]bool
}

func newWords(most int) *words { return &words{most: most, seen: map[string]bool{}} }

// of returns the value as a label may carry it, or [beyond] when there are too
// many.
func (w *words) of(s string) string {
	if len(s) > mostLong {
		s = s[:mostLong]
	}
	s = valid(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.seen[s]:
		return s
	case len(w.seen) >= w.most:
		return beyond
	}
	w.seen[s] = true
	return s
}
