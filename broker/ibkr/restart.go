package ibkr

import (
	"fmt"
	"time"

	"robotrader/broker"
)

// validateCalendar returns what is wrong with the times of the gateway's
// restart and log-in.
func (c Config) validateCalendar() []error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("ibkr: "+format, a...)) }
	if at, err := broker.ParseAppointment(c.RestartAt); err != nil {
		bad("restart_at: %w", err)
	} else if at.Weekly() {
		bad("restart_at %.40q: the restart is every day: leave out the weekday", c.RestartAt)
	}
	if at, err := broker.ParseAppointment(c.LoginAt); err != nil {
		bad("login_at: %w", err)
	} else if !at.Off() && !at.Weekly() {
		bad("login_at %.40q: the log-in is once a week: name a weekday, as in \"sun 01:00\"", c.LoginAt)
	}
	if c.RestartLasts < 10*time.Second || c.RestartLasts > time.Hour {
		bad("restart_lasts %v is not between 10s and 1h", c.RestartLasts)
	}
	if c.LoginWithin < 10*time.Second || c.LoginWithin > 12*time.Hour {
		bad("login_within %v is not between 10s and 12h", c.LoginWithin)
	}
	return errs
}
