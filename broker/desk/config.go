package desk

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker/market"
)

// Config sets what the desk lets through and how long it waits.
type Config struct {
	// ReadOnly refuses every order and every cancel. Default false.
	ReadOnly bool `koanf:"-"`
	// Progress publishes event.Progress after each batch, for a lock-step
	// replay. Default false.
	Progress bool `koanf:"-"`

	// Ephemeral is the account of a venue that begins anew with this process,
	// as the simulator's does: what the journal remembers of it is history,
	// and not part of today's books. Default "", none.
	Ephemeral string `koanf:"-"`

	// ClockDeadline, AccountDeadline, RecoveredDeadline and DataDeadline bound
	// the rungs of these names. Defaults 5 s, 10 s, 15 s, 10 s.
	ClockDeadline     time.Duration `koanf:"clock_deadline"`
	AccountDeadline   time.Duration `koanf:"account_deadline"`
	RecoveredDeadline time.Duration `koanf:"recovered_deadline"`
	DataDeadline      time.Duration `koanf:"data_deadline"`

	// OrderDeadline bounds what one order request may take from its turn to
	// the last byte, journal included. Default 5 s.
	OrderDeadline time.Duration `koanf:"order_deadline"`
	// SilenceAfter is how long an order may stay without any answer after it
	// was written, before its outcome is called unknown. Wall time. Default
	// 5 s.
	SilenceAfter time.Duration `koanf:"silence_after"`
	// StaleAfter is how long, in market time, a symbol in its regular session
	// may be without a tick before its data counts as stale and is asked for
	// again. Default 30 s.
	StaleAfter time.Duration `koanf:"stale_after"`
	// HistoryDeadline bounds one question for bars. Default 30 s.
	HistoryDeadline time.Duration `koanf:"history_deadline"`
	// Protect keeps a stop order at the broker against every position: "on" or
	// "off". Default "on".
	Protect string `koanf:"protect"`
	// StopPercent is how far that stop is from the position's average cost, in
	// per cent of it, between 0.1 and 50. Default 5: outside of what a large
	// US stock does on most days, inside of what an account forgives.
	StopPercent market.Percent `koanf:"stop_percent"`
	// ReconcileEvery is how often the broker's orders, executions and positions
	// are held against the books while a session stands. Wall time, from 1 s to
	// 1 h. Default 30 s. A lock-step replay is compared at ready alone.
	ReconcileEvery time.Duration `koanf:"reconcile_every"`
	// SettledAfter is how long a session must have stood without being cut off
	// from its venue, and have listed nothing of an order that was never
	// acknowledged, before that order counts as absent. A gateway may list open
	// orders in full before it has got them all from its venue, so what is
	// shorter saves waiting and risks a doubled order. Wall time. Default 1 m.
	SettledAfter time.Duration `koanf:"settled_after"`
	// Foreign says what follows from orders and executions that were made
	// elsewhere, as by hand: "adopt" takes them into the books and tells of it,
	// "restrict" besides makes the mode reduce_only until a person resumes.
	// Default "adopt".
	Foreign string `koanf:"foreign"`
	// CashTolerance is by how much the account's cash may change in a market day
	// without an execution or a commission, in the account's currency, before the
	// mode becomes reduce_only until a person resumes. Less is taken over and told
	// once a day: interest, dividends and fees come like that. 0 or more. Default
	// 1000.
	CashTolerance market.Money `koanf:"cash_tolerance"`
	// OnStop says what an orderly stop does with orders that still work:
	// "entries" ends those that may open or enlarge a position, as nobody would
	// protect what they fill, "cancel" all but protective stops, "leave" none.
	// Default "entries".
	OnStop string `koanf:"on_stop"`
	// FlattenOutside is what a flatten does outside the regular session:
	// "limit", an order near the newest price that may trade in the extended
	// hours, or "wait" until the session opens. Default "limit".
	FlattenOutside string `koanf:"flatten_outside"`
	// FlattenCollar is how far from the newest price, in per cent, such a limit
	// is. Above 0, at most 10. Default 1.
	FlattenCollar market.Percent `koanf:"flatten_collar"`
	// FlattenPatience is how long such a limit may work before it is cancelled
	// and made anew at the price of then. Wall time. Default 30 s.
	FlattenPatience time.Duration `koanf:"flatten_patience"`
	// FlattenTries is how many orders may end without closing a position before
	// a person has to look. 1 to 100. Default 5.
	FlattenTries int `koanf:"flatten_tries"`
	// Queue is how many batches of events may wait for the command loop before
	// the session is read no further. Default 1024.
	Queue int `koanf:"queue"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		ClockDeadline:     5 * time.Second,
		AccountDeadline:   10 * time.Second,
		RecoveredDeadline: 15 * time.Second,
		DataDeadline:      10 * time.Second,
		OrderDeadline:     5 * time.Second,
		SilenceAfter:      5 * time.Second,
		StaleAfter:        30 * time.Second,
		HistoryDeadline:   30 * time.Second,
		Protect:           ProtectOn,
		StopPercent:       market.MustPercent("5"),
		ReconcileEvery:    30 * time.Second,
		SettledAfter:      time.Minute,
		Foreign:           ForeignAdopt,
		CashTolerance:     market.MustMoney("1000"),
		OnStop:            EndEntries,
		FlattenOutside:    FlattenLimit,
		FlattenCollar:     market.MustPercent("1"),
		FlattenPatience:   30 * time.Second,
		FlattenTries:      5,
		Queue:             1024,
	}
}

// Validate returns all faults, joined.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"clock_deadline", c.ClockDeadline},
		{"account_deadline", c.AccountDeadline},
		{"recovered_deadline", c.RecoveredDeadline},
		{"data_deadline", c.DataDeadline},
		{"order_deadline", c.OrderDeadline},
		{"silence_after", c.SilenceAfter},
		{"history_deadline", c.HistoryDeadline},
		{"flatten_patience", c.FlattenPatience},
		{"settled_after", c.SettledAfter},
	} {
		if d.value < 100*time.Millisecond || d.value > 10*time.Minute {
			errs = append(errs, fmt.Errorf("desk.%s: %v is not between 100ms and 10m", d.key, d.value))
		}
	}
	if c.StaleAfter < time.Second || c.StaleAfter > time.Hour {
		errs = append(errs, fmt.Errorf("desk.stale_after: %v is not between 1s and 1h", c.StaleAfter))
	}
	if c.Protect != ProtectOn && c.Protect != ProtectOff {
		errs = append(errs, fmt.Errorf("desk.protect: %.40q is neither %s nor %s", c.Protect, ProtectOn, ProtectOff))
	}
	if c.StopPercent.Less(minStop) || maxStop.Less(c.StopPercent) {
		errs = append(errs, fmt.Errorf("desk.stop_percent: %v is not between %v and %v", c.StopPercent, minStop, maxStop))
	}
	if c.ReconcileEvery < time.Second || c.ReconcileEvery > time.Hour {
		errs = append(errs, fmt.Errorf("desk.reconcile_every: %v is not between 1s and 1h", c.ReconcileEvery))
	}
	if c.Foreign != ForeignAdopt && c.Foreign != ForeignRestrict {
		errs = append(errs, fmt.Errorf("desk.foreign: %.40q is neither %s nor %s", c.Foreign, ForeignAdopt, ForeignRestrict))
	}
	if c.CashTolerance.Sign() < 0 {
		errs = append(errs, fmt.Errorf("desk.cash_tolerance: %v is below 0", c.CashTolerance))
	}
	if c.OnStop != EndEntries && c.OnStop != LeaveWorking && c.OnStop != CancelWorking {
		errs = append(errs, fmt.Errorf("desk.on_stop: %.40q is none of %s, %s, %s", c.OnStop, EndEntries, CancelWorking, LeaveWorking))
	}
	if c.FlattenOutside != FlattenLimit && c.FlattenOutside != FlattenWait {
		errs = append(errs, fmt.Errorf("desk.flatten_outside: %.40q is neither %s nor %s", c.FlattenOutside, FlattenLimit, FlattenWait))
	}
	if c.FlattenCollar.Sign() <= 0 || market.MustPercent("10").Less(c.FlattenCollar) {
		errs = append(errs, fmt.Errorf("desk.flatten_collar: %v is not above 0 and at most 10", c.FlattenCollar))
	}
	if c.FlattenTries < 1 || c.FlattenTries > 100 {
		errs = append(errs, fmt.Errorf("desk.flatten_tries: %d is not between 1 and 100", c.FlattenTries))
	}
	if c.Queue < 1 || c.Queue > 1<<20 {
		errs = append(errs, fmt.Errorf("desk.queue: %d is not between 1 and %d", c.Queue, 1<<20))
	}
	return errors.Join(errs...)
}
