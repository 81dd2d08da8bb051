package feed

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What the login is entitled to see, [Config.Data].
const (
	Live    = "live"
	Delayed = "delayed" // without a subscription: 354 for live data, 10167 and late data for who asks for it
	None    = "none"    // neither: 354 and 10186
)

// Config says what the clients of a feed may see. [DefaultConfig] returns one.
type Config struct {
	// Data is what the login is entitled to: "live", "delayed" or "none".
	// Default "live".
	Data string `koanf:"data"`
	// Delay is the market time by which delayed data are late. Default 15 min,
	// which is the US exchanges' rule.
	Delay time.Duration `koanf:"delay"`
	// Lines bounds a session's market-data subscriptions: one more is refused
	// with code 101. A twentieth of it, and 3 at least, bounds its tick-by-tick
	// streams. Default 100, the venue's limit.
	Lines int `koanf:"lines"`
	// Books bounds a session's depth subscriptions: one more is refused with
	// code 309. Default 3, the venue's limit.
	Books int `koanf:"books"`
	// HistoryPacing refuses questions for small bars that come too fast with
	// code 162, as section 9 of the protocol sheet has it. It has no meaning in
	// lock-step, where wall time means nothing. Default true.
	HistoryPacing bool `koanf:"history_pacing"`
	// LockStep is a gateway with speed 0: a snapshot ends at once, and nobody
	// is paced. The server sets it. Default false.
	LockStep bool `koanf:"-"`
}

// DefaultConfig returns the configuration of a login with live data.
func DefaultConfig() Config {
	return Config{Data: Live, Delay: 15 * time.Minute, Lines: 100, Books: 3, HistoryPacing: true}
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("feed: "+format, a...)) }
	if !slices.Contains([]string{Live, Delayed, None}, c.Data) {
		bad("data %.40q is none of %q, %q, %q", c.Data, Live, Delayed, None)
	}
	if c.Delay < time.Second || c.Delay > 24*time.Hour {
		bad("delay %v is not 1s to 24h", c.Delay)
	}
	if c.Lines < 1 || c.Lines > 10_000 {
		bad("lines %d is not 1 to 10000", c.Lines)
	}
	if c.Books < 1 || c.Books > 100 {
		bad("books %d is not 1 to 100", c.Books)
	}
	return errors.Join(errs...)
}

// tickStreams bounds a session's tick-by-tick streams: about 5 % of its lines.
func (c Config) tickStreams() int { return max(3, c.Lines/20) }
