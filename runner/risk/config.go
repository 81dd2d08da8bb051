package risk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// The rules' names, as in decisions and in risk.off.
const (
	RuleIntent           = "intent"
	RuleLink             = "link"
	RuleMode             = "mode"
	RuleReadOnly         = "read_only"
	RulePosition         = "position_known"
	RuleFreshQuote       = "fresh_quote"
	RuleTickSanity       = "tick_sanity"
	RuleHalted           = "halted_symbol"
	RuleSession          = "session"
	RuleEquity           = "equity_known"
	RuleDailyLoss        = "daily_loss"
	RuleDrawdown         = "drawdown"
	RuleLosingStreak     = "losing_streak"
	RuleMaxQty           = "max_order_qty"
	RuleMaxNotional      = "max_order_notional"
	RuleCollar           = "price_collar"
	RulePositionNotional = "max_position_notional"
	RuleGrossNotional    = "max_gross_notional"
	RuleLeverage         = "max_leverage"
	RuleDuplicate        = "duplicate_intent"
	RuleChurn            = "churn_cooldown"
	RuleOrdersPerMinute  = "orders_per_minute"
	RuleNotionalPerDay   = "notional_per_day"
)

// Optional lists the rules that may be switched off.
func Optional() []string {
	return []string{
		RuleFreshQuote, RuleTickSanity, RuleHalted, RuleSession, RuleEquity, RuleDailyLoss, RuleDrawdown, RuleLosingStreak,
		RuleMaxQty, RuleMaxNotional, RuleCollar, RulePositionNotional, RuleGrossNotional, RuleLeverage,
		RuleDuplicate, RuleChurn, RuleOrdersPerMinute, RuleNotionalPerDay,
	}
}

// Config holds the limits. All of them are above 0; to be without one, name
// its rule in Off. Amounts are in the contract's currency unless they say
// otherwise.
type Config struct {
	// MaxOrderQty is the largest entry in shares. Default 10,000.
	MaxOrderQty market.Qty `koanf:"max_order_qty"`
	// MaxOrderNotional is the largest entry in the contract's currency,
	// measured at the highest of its limit, its stop and the newest price.
	// Default 50,000.
	MaxOrderNotional market.Money `koanf:"max_order_notional"`
	// MaxPositionNotional is the most that one symbol may be held for, long or
	// short, with all open orders of the entry's side filled; so that many
	// small entries cannot do what one large may not. Default 50,000, as for
	// one order.
	MaxPositionNotional market.Money `koanf:"max_position_notional"`
	// MaxGrossNotional is the most that all symbols together may be held for,
	// longs and shorts added, with all open orders filled; because in a bad
	// hour all of them fall together. Default 200,000: four full positions.
	MaxGrossNotional market.Money `koanf:"max_gross_notional"`
	// MaxLeverage is how many times the account's equity the gross exposure
	// may reach. Default 1, as in a cash account: nobody can be made to sell
	// by a margin call who borrowed nothing.
	MaxLeverage market.Qty `koanf:"max_leverage"` // an exact decimal; counts no shares
	// OrdersPerMinute is how many entries, and changes of them, may go out in
	// one minute of market time before further ones are refused. Default 30.
	OrdersPerMinute int `koanf:"orders_per_minute"`
	// MaxQuoteAge is how old, in market time, the newest of bid, ask and last
	// may be for an entry. Default 5 s.
	MaxQuoteAge time.Duration `koanf:"max_quote_age"`
	// PriceCollar is how far, in percent, a limit may lie from the newest of
	// bid, ask and last, and the stop of an entry. Default 5.
	PriceCollar market.Qty `koanf:"price_collar"` // an exact decimal; counts no shares
	// MaxJump is how far, in percent, the newest price may lie from the median
	// of the newest eight trades for it to be acted upon. Default 10, the
	// wider of the bands out of which US venues halt larger shares (limit up,
	// limit down, tiers 1 and 2).
	MaxJump market.Percent `koanf:"max_jump"`
	// MaxSpread is how far, in percent of their middle, bid and ask may be
	// apart for an entry: what an entry and an exit at market lose at once.
	// Default 2; a liquid US share has less than 0.1.
	MaxSpread market.Percent `koanf:"max_spread"`
	// NotionalPerDay is the most that the entries of one market day, and what
	// changes add to them, may sum up to before further ones are refused.
	// Default 500,000.
	NotionalPerDay market.Money `koanf:"notional_per_day"`
	// DuplicateWithin is for how long, in market time, a strategy's entry of
	// the same symbol, side and quantity is taken for the same one asked
	// twice, under whatever id. Its rule refuses as well while an entry of the
	// strategy is open in the symbol. Default 2 s, longer than an order and
	// its execution take to be told back.
	DuplicateWithin time.Duration `koanf:"duplicate_within"`
	// ChurnCooldown is how long, in market time, an entry has to wait after
	// the symbol's position was made smaller; because buying back what was
	// just sold pays the spread twice for nothing. Default 1 min.
	ChurnCooldown time.Duration `koanf:"churn_cooldown"`
	// MaxDailyLoss is how much, in the account's currency, may be lost in one
	// market day: the larger of what the equity lacks to the day's first and
	// what the day's round trips lost after commissions. A withdrawal counts, as
	// the venue does not tell it from a loss. Default 2,000: the day ends
	// while it is a bad one, not a disaster.
	MaxDailyLoss market.Money `koanf:"max_daily_loss"`
	// MaxDrawdown is how far, in percent, the equity may lie below the highest
	// since the mode last became active. Default 5.
	MaxDrawdown market.Percent `koanf:"max_drawdown"`
	// MaxLosingStreak is how many round trips may lose in a row in one market
	// day; when it is reached, the market is not the one that the strategy was
	// made for, or the strategy is broken. Default 5.
	MaxLosingStreak int `koanf:"max_losing_streak"`
	// Off names the rules that are switched off. Default none.
	Off []string `koanf:"off"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		MaxOrderQty:         market.Shares(10_000),
		MaxOrderNotional:    market.MustMoney("50000"),
		MaxPositionNotional: market.MustMoney("50000"),
		MaxGrossNotional:    market.MustMoney("200000"),
		MaxLeverage:         market.Shares(1),
		OrdersPerMinute:     30,
		MaxQuoteAge:         5 * time.Second,
		PriceCollar:         market.Shares(5),
		MaxJump:             market.MustPercent("10"),
		MaxSpread:           market.MustPercent("2"),
		NotionalPerDay:      market.MustMoney("500000"),
		DuplicateWithin:     2 * time.Second,
		ChurnCooldown:       time.Minute,
		MaxDailyLoss:        market.MustMoney("2000"),
		MaxDrawdown:         market.MustPercent("5"),
		MaxLosingStreak:     5,
	}
}

// Bounds of the limits: beyond them a number is taken for a slip of the hand.
var (
	mostLeverage = market.Shares(10)
	hundred      = market.MustPercent("100")
)

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	positive := "above 0"
	percent := "above 0 and at most 100 percent"
	isPercent := func(p market.Percent) bool { return p.Sign() > 0 && !hundred.Less(p) }
	for _, l := range []struct {
		ok     bool
		key    string
		value  any
		bounds string
		rule   string
	}{
		{
			c.MaxOrderQty.Sign() > 0 && !order.MaxQty.Less(c.MaxOrderQty),
			"max_order_qty", c.MaxOrderQty, fmt.Sprintf("above 0 and at most %v", order.MaxQty), RuleMaxQty,
		},
		{c.MaxOrderNotional.Sign() > 0, "max_order_notional", c.MaxOrderNotional, positive, RuleMaxNotional},
		{c.MaxPositionNotional.Sign() > 0, "max_position_notional", c.MaxPositionNotional, positive, RulePositionNotional},
		{c.MaxGrossNotional.Sign() > 0, "max_gross_notional", c.MaxGrossNotional, positive, RuleGrossNotional},
		{
			c.MaxLeverage.Sign() > 0 && !mostLeverage.Less(c.MaxLeverage),
			"max_leverage", c.MaxLeverage, fmt.Sprintf("above 0 and at most %v", mostLeverage), RuleLeverage,
		},
		{c.OrdersPerMinute > 0, "orders_per_minute", c.OrdersPerMinute, positive, RuleOrdersPerMinute},
		{c.MaxQuoteAge > 0 && c.MaxQuoteAge <= time.Hour, "max_quote_age", c.MaxQuoteAge, "above 0 and at most 1h", RuleFreshQuote},
		{
			c.PriceCollar.Sign() > 0 && !market.Shares(100).Less(c.PriceCollar),
			"price_collar", c.PriceCollar, percent, RuleCollar,
		},
		{isPercent(c.MaxJump), "max_jump", c.MaxJump, percent, RuleTickSanity},
		{isPercent(c.MaxSpread), "max_spread", c.MaxSpread, percent, RuleTickSanity},
		{c.NotionalPerDay.Sign() > 0, "notional_per_day", c.NotionalPerDay, positive, RuleNotionalPerDay},
		{isWait(c.DuplicateWithin), "duplicate_within", c.DuplicateWithin, "above 0 and at most 24h", RuleDuplicate},
		{isWait(c.ChurnCooldown), "churn_cooldown", c.ChurnCooldown, "above 0 and at most 24h", RuleChurn},
		{c.MaxDailyLoss.Sign() > 0, "max_daily_loss", c.MaxDailyLoss, positive, RuleDailyLoss},
		{isPercent(c.MaxDrawdown), "max_drawdown", c.MaxDrawdown, percent, RuleDrawdown},
		{c.MaxLosingStreak > 0, "max_losing_streak", c.MaxLosingStreak, positive, RuleLosingStreak},
	} {
		if !l.ok {
			errs = append(errs, fmt.Errorf("risk.%s %v is not %s; to be without it, put %s into risk.off", l.key, l.value, l.bounds, l.rule))
		}
	}
	return errors.Join(append(errs, c.offFaults()...)...)
}

// isWait reports whether d is a duration in market time that a limit may have.
func isWait(d time.Duration) bool { return d > 0 && d <= 24*time.Hour }

// Limits names all limits in one line, so that a decision tells them, too: a
// limit that was changed since would make an old answer a riddle.
func (c Config) Limits() string {
	return fmt.Sprintf("max_order_qty=%v max_order_notional=%v max_position_notional=%v max_gross_notional=%v max_leverage=%v"+
		" orders_per_minute=%d notional_per_day=%v max_quote_age=%v price_collar=%v max_jump=%v max_spread=%v"+
		" duplicate_within=%v churn_cooldown=%v max_daily_loss=%v max_drawdown=%v max_losing_streak=%d off=%s",
		c.MaxOrderQty, c.MaxOrderNotional, c.MaxPositionNotional, c.MaxGrossNotional, c.MaxLeverage,
		c.OrdersPerMinute, c.NotionalPerDay, c.MaxQuoteAge, c.PriceCollar, c.MaxJump, c.MaxSpread,
		c.DuplicateWithin, c.ChurnCooldown, c.MaxDailyLoss, c.MaxDrawdown, c.MaxLosingStreak, strings.Join(c.Off, ","))
}

// offFaults returns what is wrong with the names of the rules that are off.
func (c Config) offFaults() (errs []error) {
	for i, name := range c.Off {
		if !slices.Contains(Optional(), name) {
			errs = append(errs, fmt.Errorf("risk.off: %.40q is no rule that can be switched off; those are %s", name, strings.Join(Optional(), ", ")))
		}
		if slices.Index(c.Off, name) < i {
			errs = append(errs, fmt.Errorf("risk.off: %s is named twice", name))
		}
	}
	return errs
}
