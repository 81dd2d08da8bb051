package telemetry

import (
	"robotrader/broker"
	"robotrader/broker/market"
)

// riskUse has one series for each limit of the account, and one for each symbol
// of a limit that symbols have for themselves.
var riskUse = deskDesc("risk_use_ratio",
	"How much of a limit is used now, 1 is all of it, with all open orders filled; symbol is empty for a limit of the account. "+
		"Absent while it is not known (no positions, equity, price or market clock yet), or the rule is off.",
	"limit", "symbol")

// risk tells what is known, of at most mostSymbols symbols, and returns how many
// it left out.
func risk(gauge gaugeFunc, list []broker.LimitUse) (left int) {
	seen := map[market.Symbol]bool{}
	for _, l := range list {
		switch {
		case l.Share == nil || l.Off:
			continue
		case l.Symbol != "" && !seen[l.Symbol] && len(seen) >= mostSymbols:
			left++
			continue
		case l.Symbol != "":
			seen[l.Symbol] = true
		}
		gauge(riskUse, *l.Share, l.Limit, valid(string(l.Symbol)))
	}
	return left
}
