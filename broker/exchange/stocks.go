package exchange

import (
	"fmt"
	"hash/fnv"

	"robotrader/broker/market"
)

// stock is what IBKR tells about a stock: contract id, primary exchange, name.
type stock struct {
	conID         int64
	primary, name string
}

// stocks are the tickers that examples and tests of API clients use most, with
// their contract ids at IBKR, from general knowledge.
var stocks = map[market.Symbol]stock{
	"AAPL":  {265598, "NASDAQ", "APPLE INC"},
	"AMD":   {4391, "NASDAQ", "ADVANCED MICRO DEVICES"},
	"AMZN":  {3691937, "NASDAQ", "AMAZON.COM INC"},
	"BAC":   {10098, "NYSE", "BANK OF AMERICA CORP"},
	"CSCO":  {268084, "NASDAQ", "CISCO SYSTEMS INC"},
	"DIS":   {6459, "NYSE", "WALT DISNEY CO/THE"},
	"GLD":   {51529211, "ARCA", "SPDR GOLD SHARES"},
	"GOOG":  {208813720, "NASDAQ", "ALPHABET INC-CL C"},
	"GOOGL": {208813719, "NASDAQ", "ALPHABET INC-CL A"},
	"IBM":   {8314, "NYSE", "INTL BUSINESS MACHINES CORP"},
	"INTC":  {270639, "NASDAQ", "INTEL CORP"},
	"IWM":   {9579970, "ARCA", "ISHARES RUSSELL 2000 ETF"},
	"JNJ":   {8719, "NYSE", "JOHNSON & JOHNSON"},
	"JPM":   {1520593, "NYSE", "JPMORGAN CHASE & CO"},
	"KO":    {8894, "NYSE", "COCA-COLA CO/THE"},
	"META":  {107113386, "NASDAQ", "META PLATFORMS INC-CLASS A"},
	"MSFT":  {272093, "NASDAQ", "MICROSOFT CORP"},
	"NFLX":  {15124833, "NASDAQ", "NETFLIX INC"},
	"NVDA":  {4815747, "NASDAQ", "NVIDIA CORP"},
	"QQQ":   {320227571, "NASDAQ", "INVESCO QQQ TRUST SERIES 1"},
	"SPY":   {756733, "ARCA", "SPDR S&P 500 ETF TRUST"},
	"TSLA":  {76792991, "NASDAQ", "TESLA INC"},
}

// stockOf returns what is known of a symbol, or makes it up from the name.
func stockOf(s market.Symbol) stock {
	if known, ok := stocks[s]; ok {
		return known
	}
	h := fnv.New32a()
	h.Write([]byte(s))
	made := stock{100_000_000 + int64(h.Sum32()%800_000_000), "NYSE", fmt.Sprintf("%s (SIMULATED)", s)}
	if len(s) >= 4 {
		made.primary = "NASDAQ"
	}
	return made
}

// SymbolOf returns the symbol whose contract id is known without a listing, so
// that a client may ask by the id that it has kept; ok is false for the rest.
func SymbolOf(conID int64) (s market.Symbol, ok bool) {
	for symbol, known := range stocks {
		if known.conID == conID {
			return symbol, true
		}
	}
	return "", false
}

// FractionStep is the quantity grid of a stock that trades in fractions, as at
// IBKR.
var FractionStep = market.MustQty("0.0001")

// InFractions returns the details of a stock that trades in fractions of a
// share.
func InFractions(d market.Details) market.Details {
	d.SizeStep = FractionStep
	return d
}
