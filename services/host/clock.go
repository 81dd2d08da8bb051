package host

import "time"

// Clock is what the kernel tells of this machine's clock.
type Clock struct {
	// Synchronized is true when something (NTP, PTP) keeps the clock right; nil
	// where the kernel does not tell.
	Synchronized *bool `json:"synchronized"`
	// Error is the kernel's own bound of how wrong it may be; 0 = not told.
	Error time.Duration `json:"error"`
}
