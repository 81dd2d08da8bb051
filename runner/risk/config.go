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
	RuleIntent          = "intent"
	RuleLink            = "link"
	RuleMode            = "mode"
	RuleReadOnly        = "read_only"
	RulePosition        = "position_known"
	RuleFreshQuote      = "fresh_quote"
	RuleHalted          = "halted_symbol"
	RuleSession         = "session"
	RuleMaxQty          = "max_order_qty"
	RuleMaxNotional     = "max_order_notional"
	RuleCollar          = "price_collar"
	RuleOrdersPerMinute = "orders_per_minute"
	RuleNotionalPerDay  = "notional_per_day"
)

// Optional lists the rules that may be switched off.
func Optional() []string {
	return []string{
		RuleFreshQuote, RuleHalted, RuleSession, RuleMaxQty, RuleMaxNotional, RuleCollar,
		RuleOrdersPerMinute, RuleNotionalPerDay,
	}
}

// Config holds the limits. All of them are above 0; to be without one, name
// its rule in Off.
type Config struct {
	// MaxOrderQty is the largest entry in shares. Default 10,000.
	MaxOrderQty market.Qty `koanf:"max_order_qty"`
	// MaxOrderNotional is the largest entry in the contract's currency,
	// measured at its limit or at the newest price, whichever is higher.
	// Default 50,000.
	MaxOrderNotional market.Money `koanf:"max_order_notional"`
	// OrdersPerMinute is how many orders may go out in one minute of market
	// time before entries are refused. Default 30.
	OrdersPerMinute int `koanf:"orders_per_minute"`
	// MaxQuoteAge is how old, in market time, the newest of bid, ask and last
	// may be for an entry. Default 5 s.
	MaxQuoteAge time.Duration `koanf:"max_quote_age"`
	// PriceCollar is how far, in percent, a limit may lie from the newest of
	// bid, ask and last. Default 5.
	PriceCollar market.Qty `koanf:"price_collar"` // an exact decimal; counts no shares
	// NotionalPerDay is the most that the orders of one market day may sum up
	// to before entries are refused. Default 500,000.
	NotionalPerDay market.Money `koanf:"notional_per_day"`
	// Off names the rules that are switched off. Default none.
	Off []string `koanf:"off"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		MaxOrderQty:      market.Shares(10_000),
		MaxOrderNotional: market.MustMoney("50000"),
		OrdersPerMinute:  30,
		MaxQuoteAge:      5 * time.Second,
		PriceCollar:      market.Shares(5),
		NotionalPerDay:   market.MustMoney("500000"),
	}
}

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("risk."+format, a...)) }
	if c.MaxOrderQty.Sign() <= 0 || order.MaxQty.Less(c.MaxOrderQty) {
		bad("max_order_qty %v is not above 0 and at most %v; to be without it, put %s into risk.off",
			c.MaxOrderQty, order.MaxQty, RuleMaxQty)
	}
	if c.MaxOrderNotional.Sign() <= 0 {
		bad("max_order_notional %v is not above 0; to be without it, put %s into risk.off",
			c.MaxOrderNotional, RuleMaxNotional)
	}
	if c.OrdersPerMinute < 1 {
		bad("orders_per_minute %d is not above 0; to be without it, put %s into risk.off",
			c.OrdersPerMinute, RuleOrdersPerMinute)
	}
	if c.MaxQuoteAge <= 0 || c.MaxQuoteAge > time.Hour {
		bad("max_quote_age %v is not above 0 and at most 1h; to be without it, put %s into risk.off",
			c.MaxQuoteAge, RuleFreshQuote)
	}
	if c.PriceCollar.Sign() <= 0 || market.Shares(100).Less(c.PriceCollar) {
		bad("price_collar %v is not above 0 and at most 100 percent; to be without it, put %s into risk.off",
			c.PriceCollar, RuleCollar)
	}
	if c.NotionalPerDay.Sign() <= 0 {
		bad("notional_per_day %v is not above 0; to be without it, put %s into risk.off",
			c.NotionalPerDay, RuleNotionalPerDay)
	}
	for i, name := range c.Off {
		if !slices.Contains(Optional(), name) {
			bad("off: %.40q is no rule that can be switched off; those are %s", name, strings.Join(Optional(), ", "))
		}
		if slices.Index(c.Off, name) < i {
			bad("off: %s is named twice", name)
		}
	}
	return errors.Join(errs...)
}
