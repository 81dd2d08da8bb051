package feed

import (
	"cmp"
	"slices"
	"strings"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

var (
	zero      = market.MustPrice("0")
	oneDollar = market.MustPrice("1")
	penny     = market.MustPrice("0.01")
	subPenny  = market.MustPrice("0.0001")
)

// marketRules are the price grids by the venue's numbers: 26 is US stocks'.
// The others are from general knowledge, for who asks.
var marketRules = map[int][]wire.PriceIncrement{
	26:  {{LowEdge: zero, Increment: penny}},
	32:  {{LowEdge: zero, Increment: subPenny}, {LowEdge: oneDollar, Increment: penny}},
	239: {{LowEdge: zero, Increment: subPenny}},
}

func (c *client) reqMarketRule(m wire.ReqMarketRule) {
	rule, ok := marketRules[m.RuleID]
	if !ok {
		c.Fail(venue.NoID, venue.Validation, "Error validating request.-'cz' : cause - Market rule ID %d is not known", m.RuleID)
		return
	}
	c.Send(wire.MarketRule{RuleID: m.RuleID, Increments: rule})
}

// depthExchanges lists who shows the book of orders.
func depthExchanges() wire.DepthExchanges {
	var out wire.DepthExchanges
	for _, c := range components {
		if c.Letter == "D" {
			continue
		}
		out.Exchanges = append(out.Exchanges, wire.DepthExchange{
			Exchange: c.Exchange, SecType: "STK", ServiceDataType: "Deep2", AggGroup: &group,
		})
	}
	return out
}

func (c *client) reqSmartComponents(m wire.ReqSmartComponents) {
	if m.BBOExchange != bboExchange {
		c.invalid(m.ReqID, "cm", "Invalid BBO exchange %.40q", m.BBOExchange)
		return
	}
	c.Send(wire.SmartComponents{ReqID: m.ReqID, Components: components})
}

// maxSamples is how many symbols a search finds, the venue's limit.
const maxSamples = 16

// reqMatchingSymbols finds what is listed, by the begin of its symbol or a part
// of its name, and what would be listed if it were asked for by that symbol:
// the whole pattern. The symbol that is the pattern comes first.
func (c *client) reqMatchingSymbols(m wire.ReqMatchingSymbols) {
	pattern := strings.ToUpper(strings.TrimSpace(m.Pattern))
	if pattern == "" {
		c.invalid(m.ReqID, "ck", "the pattern is empty")
		return
	}
	out := wire.SymbolSamples{ReqID: m.ReqID}
	listed := c.v.X.Listed()
	if d, ok := c.v.Listable(market.Symbol(pattern)); ok {
		listed = append(listed, d)
	}
	for _, d := range listed {
		symbol, name := string(d.Contract.Symbol), strings.ToUpper(d.LongName)
		if !strings.HasPrefix(symbol, pattern) && !strings.Contains(name, pattern) {
			continue
		}
		out.Samples = append(out.Samples, wire.SymbolSample{
			ConID: d.Contract.ConID, Symbol: symbol, SecType: d.Contract.SecType,
			PrimaryExchange: d.Contract.PrimaryExchange, Currency: d.Contract.Currency, Description: d.LongName,
		})
	}
	slices.SortStableFunc(out.Samples, func(a, b wire.SymbolSample) int {
		return cmp.Compare(rank(a.Symbol, pattern), rank(b.Symbol, pattern))
	})
	out.Samples = out.Samples[:min(len(out.Samples), maxSamples)]
	c.Send(out)
}

// rank orders what a search finds.
func rank(symbol, pattern string) int {
	switch {
	case symbol == pattern:
		return 0
	case strings.HasPrefix(symbol, pattern):
		return 1
	}
	return 2
}
