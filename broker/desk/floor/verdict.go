package floor

import (
	"errors"
	"fmt"
	"strings"

	"robotrader/services/event"
)

// Waits reports whether it is still open how one of the symbols stands.
func Waits(list []event.DataState) bool {
	for _, st := range list {
		if st.State == Wanted {
			return true
		}
	}
	return false
}

// Verdict tells whether any of the symbols has data, or needs none now, and in
// words what is to be known of the others; an error says that none does.
func Verdict(list []event.DataState) (string, error) {
	var closed, bad []string
	good := 0
	for _, st := range list {
		switch st.State {
		case Live, Delayed:
			good++
		case Closed:
			good++
			closed = append(closed, string(st.Symbol))
		default:
			bad = append(bad, fmt.Sprintf("%s %s: %s", st.Symbol, st.State, st.Cause))
		}
	}
	if good == 0 {
		return "", errors.New("no wanted symbol has data: " + strings.Join(bad, "; "))
	}
	switch {
	case len(bad) > 0:
		return strings.Join(bad, "; "), nil
	case len(closed) == len(list):
		return Closed, nil
	case len(closed) > 0:
		return Closed + ": " + strings.Join(closed, ", "), nil
	}
	return "", nil
}

// Starving reports whether no wanted symbol has data, or needs none now, and
// nothing is under way that may change that; why says it in words.
func (f *Floor) Starving() (why error) {
	list, _ := f.Standing()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	for _, st := range list {
		if st.State == Wanted || st.State == Lost || st.State == Stale && f.lines[st.Symbol].hopes() {
			return nil
		}
	}
	_, why = Verdict(list)
	return why
}
