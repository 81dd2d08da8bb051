package broker

import (
	"time"

	"robotrader/broker/market"
)

// Sight is what a gate needs to tell how far its limits are used up at one
// moment, without an intent.
type Sight struct {
	Now time.Time // market time, zero before the first clock
	// Known says that a recovery has told positions and orders. Without it
	// Symbols, and what the account's round trips made, are not known.
	Known bool
	// Sent and SentNotional are those of a View.
	Sent         []time.Time
	SentNotional market.Money
	Standing     Standing
	// Symbols are all that are wanted, held or have open orders, by name.
	Symbols []SymbolSight
}

// SymbolSight is the exposure of one symbol.
type SymbolSight struct {
	Symbol   market.Symbol
	Exposure Exposure
}

// LimitUse tells how far one limit is used up. It is for people: nothing is
// refused by it.
type LimitUse struct {
	Rule   string        `json:"rule"`             // that holds it
	Limit  string        `json:"limit"`            // its key under risk, such as max_daily_loss
	Symbol market.Symbol `json:"symbol,omitempty"` // of a limit that each symbol has for itself
	// Used and Most are exact decimals in the limit's own unit; Used is at least
	// 0, and nil while it is not known.
	Used *market.Money `json:"used"`
	Most market.Money  `json:"most"`
	// Share is how much of the limit is used, 1 is all of it; nil while it is not
	// known.
	Share *float64 `json:"share"`
	Off   bool     `json:"off,omitempty"` // the rule is switched off
}
