package runner

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"robotrader/broker/market"
	"robotrader/runner/strategy"
)

// Config says what is run.
type Config struct {
	// Strategy is the name of the strategy. Default "sma_cross".
	Strategy string `koanf:"strategy"`
	// Params are its parameters; what is not set has the strategy's default.
	Params map[string]string `koanf:"params"`
	// BarWidth is the width of the bars: whole minutes that divide an hour.
	// Default 1 minute.
	BarWidth time.Duration `koanf:"bar_width"`
	// AskTimeout bounds the wait for the desk's answer to an order or a
	// question about its state. Default 5 s.
	AskTimeout time.Duration `koanf:"ask_timeout"`
	// HistoryTimeout bounds the wait for past bars. Default 20 s.
	HistoryTimeout time.Duration `koanf:"history_timeout"`
	// InstantTimeout bounds one wait of a lock-step replay. Default 10 s.
	InstantTimeout time.Duration `koanf:"instant_timeout"`
	// Symbols are what is traded; one strategy is made for each.
	Symbols []market.Symbol `koanf:"-"`
	// RunID goes into the ids of orders, so that a second run over the same
	// market time is not taken for a repetition of the first. Default "run".
	RunID string `koanf:"-"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		Strategy:       "sma_cross",
		BarWidth:       time.Minute,
		AskTimeout:     5 * time.Second,
		HistoryTimeout: 20 * time.Second,
		InstantTimeout: 10 * time.Second,
		RunID:          "run",
	}
}

var runPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// maxSymbols bounds one run: the desk's subscriptions are bounded, too.
const maxSymbols = 50

// Validate returns all that is wrong with the configuration, joined. The
// strategy's name and parameters are for [Config.Check].
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("runner."+format, a...)) }
	if c.Strategy == "" {
		bad("strategy is empty; name one, such as sma_cross")
	}
	if c.BarWidth < time.Minute || c.BarWidth%time.Minute != 0 || time.Hour%c.BarWidth != 0 {
		bad("bar_width %v is not a whole number of minutes that divides an hour", c.BarWidth)
	}
	for _, d := range []struct {
		key string
		val time.Duration
	}{{"ask_timeout", c.AskTimeout}, {"history_timeout", c.HistoryTimeout}, {"instant_timeout", c.InstantTimeout}} {
		if d.val < 100*time.Millisecond || d.val > 5*time.Minute {
			bad("%s %v is not from 100ms to 5m", d.key, d.val)
		}
	}
	if !runPattern.MatchString(c.RunID) {
		bad("run id %.80q is not 1 to 64 letters, digits, dots, dashes and underscores", c.RunID)
	}
	if len(c.Symbols) > maxSymbols {
		bad("symbols: %d are more than %d", len(c.Symbols), maxSymbols)
	}
	for i, s := range c.Symbols {
		if p, err := market.ParseSymbol(string(s)); err != nil || p != s {
			bad("symbols: %.40q is not a symbol", s)
		}
		if slices.Index(c.Symbols, s) < i {
			bad("symbols: %s is named twice", s)
		}
	}
	return errors.Join(errs...)
}

// Check finds the strategy among kinds and reads its parameters. It returns
// all that is wrong, joined.
func (c Config) Check(kinds []strategy.Kind) (strategy.Kind, strategy.Values, error) {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		if k.Name == c.Strategy {
			v, err := k.Parse(c.Params)
			if err != nil {
				return strategy.Kind{}, strategy.Values{}, fmt.Errorf("runner.params: %w", err)
			}
			return k, v, nil
		}
		names = append(names, k.Name)
	}
	slices.Sort(names)
	return strategy.Kind{}, strategy.Values{}, fmt.Errorf("runner.strategy %.40q is unknown; there is %s",
		c.Strategy, strings.Join(names, ", "))
}
