package host

import (
	"fmt"
	"syscall"
	"time"
)

const (
	timeError     = 5    // TIME_ERROR of adjtimex(2)
	statusUnsync  = 0x40 // STA_UNSYNC
	maxClockError = 16 * time.Second
)

// Clock asks the kernel whether something keeps this machine's clock right. It
// changes nothing.
func (m *Machine) Clock() (Clock, error) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return Clock{}, fmt.Errorf("the kernel's clock: %w", err)
	}
	ok := state != timeError && t.Status&statusUnsync == 0
	c := Clock{Synchronized: &ok}
	if e := time.Duration(t.Maxerror) * time.Microsecond; e < maxClockError { // above it, the kernel does not know
		c.Error = e
	}
	return c, nil
}
