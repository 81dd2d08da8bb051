package supervisor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Config bounds the waits of a supervisor.
type Config struct {
	// MinWait is the shortest wait between the full close of a session or
	// attempt and the next one: at least 1 s, because gateways free a client
	// id late. Default 1 s.
	MinWait time.Duration `koanf:"min_wait"`
	// MaxWait is the longest wait between two attempts. Default 60 s.
	MaxWait time.Duration `koanf:"max_wait"`
	// OpenTimeout bounds one Open as a whole, beyond the adapter's own
	// deadline for the handshake. Default 30 s.
	OpenTimeout time.Duration `koanf:"open_timeout"`
	// CloseTimeout bounds the closing of a session. Default 3 s.
	CloseTimeout time.Duration `koanf:"close_timeout"`
	// WedgedLimit is how many attempts in a row must meet a gateway that
	// accepts and never answers before it is said to need a restart. Default 5.
	WedgedLimit int `koanf:"wedged_limit"`
	// Calendar is what is known in advance of the gateway's life. It belongs to
	// the adapter's configuration, from where cmd takes it; the zero value knows
	// nothing.
	Calendar Calendar `koanf:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		MinWait:      time.Second,
		MaxWait:      time.Minute,
		OpenTimeout:  30 * time.Second,
		CloseTimeout: 3 * time.Second,
		WedgedLimit:  5,
	}
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("supervisor: "+format, a...)) }
	if c.MinWait < time.Second {
		bad("min_wait %v is below 1s, within which a gateway may not have freed the client id", c.MinWait)
	}
	if c.MaxWait < max(c.MinWait, time.Second) || c.MaxWait > time.Hour {
		bad("max_wait %v is not between min_wait %v and 1h", c.MaxWait, c.MinWait)
	}
	if c.OpenTimeout < time.Second || c.OpenTimeout > 10*time.Minute {
		bad("open_timeout %v is not between 1s and 10m", c.OpenTimeout)
	}
	if c.CloseTimeout < 100*time.Millisecond || c.CloseTimeout > 5*time.Second {
		bad("close_timeout %v is not between 100ms and 5s", c.CloseTimeout)
	}
	if c.WedgedLimit < 1 || c.WedgedLimit > 100 {
		bad("wedged_limit %d is not between 1 and 100", c.WedgedLimit)
	}
	return errors.Join(errs...)
}

// wait returns how long to wait after the n-th failure in a row, n from 1:
// evenly spread between MinWait and MinWait × 2^n, at most MaxWait. Spread,
// so that several traders of one gateway do not come at the same instant.
func (c Config) wait(n int) time.Duration {
	limit := c.MinWait
	for range n {
		if limit *= 2; limit >= c.MaxWait {
			limit = c.MaxWait
			break
		}
	}
	return c.MinWait + rand.N(limit-c.MinWait+1)
}
