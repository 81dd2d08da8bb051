package tape

import "fmt"

// Sessions tells when a made-up market is open.
type Sessions uint8

const (
	// AlwaysOpen is a market that is in a regular session at any time.
	AlwaysOpen Sessions = iota
	// NewYork is open as New York's stock market is: its holidays, its early
	// closes, thin trading before and after the regular session, and a print at
	// the opening and at the close.
	NewYork
)

func (s Sessions) String() string {
	if s == NewYork {
		return "new_york"
	}
	return "always"
}

// ParseSessions reads what String writes.
func ParseSessions(text string) (Sessions, error) {
	for _, s := range []Sessions{AlwaysOpen, NewYork} {
		if text == s.String() {
			return s, nil
		}
	}
	return AlwaysOpen, fmt.Errorf("tape: sessions %.40q are neither %q nor %q", text, AlwaysOpen, NewYork)
}

// MaxBusy bounds [SyntheticConfig.Busy].
const MaxBusy = 1000
