package ledger

import (
	"strconv"
	"strings"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/market"
)

// currency is that of every account; base is how a gateway names the sum over
// all currencies, which here is the same.
const (
	currency = "USD"
	base     = "BASE"
)

// scope says which requests tell a value.
type scope uint8

const (
	inUpdates scope = 1 << iota // reqAccountUpdates and its multi form
	inSummary                   // reqAccountSummary, as a tag
	inLedger                    // by currency: $LEDGER in a summary, and updates
)

// value is one named value of an account.
type value struct {
	key, text, currency string
	scope               scope
}

// values are the account's, always the same ones in the same order, under the
// keys of a live gateway (from general knowledge). Those with -S are of the
// securities segment, those with -C of the commodities segment, which is empty
// here. Values of things that are not simulated, such as interest and
// dividends, are 0; the margins of tomorrow are those of today.
//
// Realised and unrealised profit are after commission, the realised one of the
// day, so that cash, positions and profits add up as a live gateway's do.
func (l *Ledger) values(account string) []value {
	v, ok := l.v.X.Value(account)
	if !ok {
		return nil
	}
	s := make(sheet, 0, 128)
	s.plain("AccountCode", account, inUpdates)
	s.plain("AccountReady", "true", inUpdates)
	s.plain("AccountType", "INDIVIDUAL", inUpdates|inSummary)
	s.plain("Cushion", part(v.Cushion()), inUpdates|inSummary)
	s.plain("DayTradesRemaining", "-1", inUpdates|inSummary) // no limit
	for _, day := range []string{"T+1", "T+2", "T+3", "T+4"} {
		s.plain("DayTradesRemaining"+day, "-1", inUpdates|inSummary)
	}
	s.plain("LookAheadNextChange", "0", inUpdates|inSummary)
	s.plain("HighestSeverity", "0", inSummary)
	s.plain("Leverage", part(v.Leverage()), inSummary)
	s.plain("Leverage-S", part(v.Leverage()), inUpdates)
	s.segments(&v)
	s.byCurrency(account, &v, unrealized(l.v.X.Positions(account)))
	return s
}

// sheet is a list of values that grows.
type sheet []value

func (s *sheet) plain(key, text string, sc scope) { *s = append(*s, value{key, text, "", sc}) }

func (s *sheet) usd(key string, m market.Money, sc scope) {
	*s = append(*s, value{key, cents(m), currency, sc})
}

// segments adds what a gateway tells of the account and of its segments.
func (s *sheet) segments(v *exchange.Value) {
	both := func(key string, m market.Money) {
		s.usd(key, m, inUpdates|inSummary)
		s.usd(key+"-C", market.Money{}, inUpdates)
		s.usd(key+"-S", m, inUpdates)
	}
	both("NetLiquidation", v.Equity)
	both("TotalCashValue", v.Cash)
	both("EquityWithLoanValue", v.Equity)
	both("AvailableFunds", v.Available)
	both("ExcessLiquidity", v.Excess)
	both("InitMarginReq", v.InitMargin)
	both("MaintMarginReq", v.MaintMargin)
	for _, when := range []string{"Full", "LookAhead"} {
		both(when+"AvailableFunds", v.Available)
		both(when+"ExcessLiquidity", v.Excess)
		both(when+"InitMarginReq", v.InitMargin)
		both(when+"MaintMarginReq", v.MaintMargin)
	}
	both("AccruedDividend", market.Money{})
	s.usd("AccruedCash", market.Money{}, inSummary) // in updates it is by currency
	s.usd("AccruedCash-C", market.Money{}, inUpdates)
	s.usd("AccruedCash-S", market.Money{}, inUpdates)
	s.usd("SettledCash", v.Cash, inSummary)
	s.usd("BuyingPower", v.BuyingPower, inUpdates|inSummary)
	s.usd("GrossPositionValue", v.GrossPositions, inUpdates|inSummary)
	s.usd("GrossPositionValue-S", v.GrossPositions, inUpdates)
	s.usd("RegTEquity", v.Equity, inUpdates|inSummary)
	s.usd("RegTMargin", v.InitMargin, inUpdates|inSummary)
	s.usd("SMA", v.Available, inUpdates|inSummary)
}

// byCurrency adds the ledger, in US dollars and as the sum of all currencies.
func (s *sheet) byCurrency(account string, v *exchange.Value, unrealized market.Money) {
	for _, in := range []string{currency, base} {
		add := func(key, text string) { *s = append(*s, value{key, text, in, inUpdates | inLedger}) }
		add("AccountOrGroup", account)
		add("Currency", in)
		add("RealCurrency", in)
		add("ExchangeRate", "1.00")
		add("CashBalance", cents(v.Cash))
		add("TotalCashBalance", cents(v.Cash))
		add("NetLiquidationByCurrency", cents(v.Equity))
		add("StockMarketValue", cents(v.Positions))
		add("RealizedPnL", cents(v.Day.RealizedNet))
		add("UnrealizedPnL", cents(unrealized))
		for _, none := range [...]string{
			"AccruedCash", "CorporateBondValue", "FundValue", "FutureOptionValue", "FuturesPNL", "FxCashBalance",
			"IssuerOptionValue", "MoneyMarketFundValue", "MutualFundValue", "NetDividend", "OptionMarketValue",
			"TBillValue", "TBondValue", "WarrantValue",
		} {
			add(none, "0.00")
		}
	}
}

// unrealized is what positions would earn over what they cost with commission.
// One without a market price counts as worth its cost without.
func unrealized(list []exchange.Position) market.Money {
	var sum market.Money
	for i := range list {
		sum = sum.Add(worth(&list[i])).Sub(list[i].FullCost)
	}
	return sum
}

func worth(p *exchange.Position) market.Money {
	if p.Mark == nil {
		return p.Cost
	}
	return p.Mark.Mul(p.Qty)
}

// cents writes an amount with two decimals, as a gateway does.
func cents(m market.Money) string {
	text := m.Round(2).String()
	point := strings.IndexByte(text, '.')
	switch {
	case point < 0:
		return text + ".00"
	case len(text)-point == 2:
		return text + "0"
	}
	return text
}

// part writes a ratio with four decimals, 0 where there is none.
func part(ratio float64, ok bool) string {
	if !ok {
		return "0"
	}
	return strconv.FormatFloat(ratio, 'f', 4, 64)
}

// known checks an account that a request names, and reports whether it is one
// of the login's.
func (c *client) known(id int64, request, account string) bool {
	switch {
	case account == "All" || strings.HasSuffix(account, "A"):
		c.Fail(id, venue.Validation, invalid, request, "an adviser's account or group ("+account+") is not simulated")
	case !c.has(account):
		c.Fail(id, venue.Validation, invalid, request, "Invalid account code '"+account+"'.")
	default:
		return true
	}
	return false
}

// invalid is the text of a refusal: the request and the cause.
const invalid = "Error validating request.-'%s' : cause - %.100s"
