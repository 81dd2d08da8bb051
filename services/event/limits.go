package event

import "robotrader/broker"

// LimitState tells how far the risk limits are used up now. It is told at most
// once a second, whenever it changes, and as a whole.
type LimitState struct {
	// Limits are those that last longer than one order, those of single symbols
	// behind the others, by name; nil is not known.
	Limits []broker.LimitUse `json:"limits"`
	// Currency is that of the account's equity, "" while it is not known.
	Currency string `json:"currency"`
}
