package alert

import "slices"

// Kind is what a trouble is about.
type Kind string

// The kinds.
const (
	NotReady     Kind = "not_ready"
	NeedsRestart Kind = "needs_restart"
	Refused      Kind = "refused"
	SecondFactor Kind = "second_factor"
	Mode         Kind = "mode"
	Flatten      Kind = "flatten"
	Finding      Kind = "finding"
	Naked        Kind = "naked"
	RiskHit      Kind = "risk_hit"
	RiskNear     Kind = "risk_near"
	StaleData    Kind = "stale_data"
	Competing    Kind = "competing"
	Journal      Kind = "journal"
	Disk         Kind = "disk"
	Clock        Kind = "clock"
	Component    Kind = "component"
	Other        Kind = "other"
	Delivery     Kind = "delivery"
	// Test is of a message that a person asked for. It is no trouble.
	Test Kind = "test"
)

// kinds are all of them with their titles, and whether they are urgent unless
// the configuration says otherwise.
var kinds = []struct {
	kind   Kind
	title  string
	urgent bool
}{
	{NotReady, "Not ready to trade", true},
	{NeedsRestart, "The gateway needs a restart", true},
	{Refused, "The gateway refuses this trader", true},
	{SecondFactor, "The gateway waits for a log-in", true},
	{Mode, "Trading is stopped", true}, // halted and reduce_only
	{Flatten, "A position could not be closed", true},
	{Finding, "The books differ from the broker", true},
	{Naked, "A position has no stop at the broker", true},
	{RiskHit, "A risk limit refuses orders", true},
	{RiskNear, "A risk limit is nearly used up", false},
	{StaleData, "No market data", false},
	{Competing, "Another session takes the market data", false},
	{Journal, "The journal cannot be written", true},
	{Disk, "The disk is nearly full, or hangs", false},
	{Clock, "This machine's clock is wrong", false},
	{Component, "A part of the trader has trouble", true},
	{Other, "Something went wrong", false},
	{Delivery, "Alerts cannot be delivered", false},
}

// Kinds lists all kinds of trouble.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, k := range kinds {
		list[i] = k.kind
	}
	return list
}

// urgentKinds lists those that are urgent by default.
func urgentKinds() []string {
	var list []string
	for _, k := range kinds {
		if k.urgent {
			list = append(list, string(k.kind))
		}
	}
	return list
}

func (k Kind) title() string {
	for _, x := range kinds {
		if x.kind == k {
			return x.title
		}
	}
	return string(k)
}

func known(name string) bool { return slices.Contains(Kinds(), Kind(name)) }
