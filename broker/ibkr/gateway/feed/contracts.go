package feed

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// What the simulated exchange takes, in the venue's words; the rest of a
// contract's description is made up where a real gateway tells more.
const (
	orderTypes = "AON,DAY,FOK,GAT,GTC,GTD,IOC,LIT,LMT,LOC,MIT,MKT,MOC,OCA,OPG,RTH,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
	smart      = "SMART"
	marketRule = "26" // the venue's number of the one-cent grid
)

// components are the exchanges that a stock can be sent to beside SMART, with
// the letters by which ticks name them. From general knowledge.
var components = []wire.SmartComponent{
	{Bit: 0, Exchange: "NASDAQ", Letter: "Q"},
	{Bit: 1, Exchange: "NYSE", Letter: "N"},
	{Bit: 2, Exchange: "ARCA", Letter: "P"},
	{Bit: 3, Exchange: "BATS", Letter: "Z"},
	{Bit: 4, Exchange: "EDGX", Letter: "K"},
	{Bit: 5, Exchange: "IEX", Letter: "V"},
	{Bit: 6, Exchange: "FINRA", Letter: "D"},
}

// validExchanges lists where a stock can be sent to.
func validExchanges() []string {
	list := []string{smart}
	for _, c := range components {
		if c.Letter != "D" { // the tape of what was traded off the exchanges
			list = append(list, c.Exchange)
		}
	}
	return list
}

// exchangeName is the exchange that a letter of the tape means; a name stays.
func exchangeName(letter string) string {
	for i := range components {
		if components[i].Letter == letter {
			return components[i].Exchange
		}
	}
	return letter
}

// sector is what a venue says about a company's business.
type sector struct{ industry, category, subcategory string }

// sectors are those of symbols that people know; others are told as general
// business of the simulation's.
var sectors = map[market.Symbol]sector{
	"AAPL":  {"Technology", "Computers", "Computers"},
	"AMZN":  {"Communications", "Internet", "E-Commerce/Products"},
	"GOOGL": {"Communications", "Internet", "Web Portals/ISP"},
	"IBM":   {"Technology", "Computers", "Computer Services"},
	"META":  {"Communications", "Internet", "Internet Content-Entmnt"},
	"MSFT":  {"Technology", "Software", "Applications Software"},
	"NVDA":  {"Technology", "Semiconductors", "Electronic Compo-Semicon"},
	"QQQ":   {"Funds", "Equity Fund", "Growth-Large Cap"},
	"SPY":   {"Funds", "Equity Fund", "Growth & Income-Large Cap"},
	"TSLA":  {"Consumer, Cyclical", "Auto Manufacturers", "Auto-Cars/Light Trucks"},
}

// isins are those of symbols of which we are sure.
var isins = map[market.Symbol]string{"AAPL": "US0378331005", "MSFT": "US5949181045", "IBM": "US4592001014", "SPY": "US78462F1030"}

var one, group = 1.0, 1

// reqContractDetails answers with the one contract that fits. A contract of
// another exchange than SMART is told as of that one.
func (c *client) reqContractDetails(m wire.ReqContractDetails) {
	if m.SecIDType != "" && m.Contract.Symbol == "" && m.Contract.ConID == 0 {
		m.Contract.Symbol = c.f.bySecID(m.SecIDType, m.SecID)
	}
	d, ok := c.v.Find(m.Contract)
	exchange, named := m.Contract.Exchange, m.Contract.Exchange != "" && m.Contract.Exchange != smart
	if named && !slices.Contains(validExchanges(), exchange) {
		ok = false
	}
	if !ok {
		c.Fail(int64(m.ReqID), venue.NoContract, venue.NoContractText)
		return
	}
	data := c.f.contractData(m.ReqID, d)
	if named {
		data.Contract.Exchange = exchange
	}
	c.Send(data)
	c.Send(wire.ContractDataEnd{ReqID: m.ReqID})
}

// bySecID returns the listed symbol that has a security id, or "".
func (f *Feed) bySecID(kind, id string) string {
	if kind != "ISIN" {
		return ""
	}
	for _, d := range f.v.X.Listed() {
		if isin(d.Contract.Symbol) == id {
			return string(d.Contract.Symbol)
		}
	}
	return ""
}

// contractData describes a listing, with the hours around market time.
func (f *Feed) contractData(req int, d market.Details) wire.ContractData {
	trading, liquid, zone := d.Trading, d.Liquid, f.v.Zone
	if h, err := f.v.Source.Hours(d.Contract.Symbol, f.v.At); err == nil {
		trading, liquid = h.Trading, h.Liquid
	}
	contract := wire.ContractOf(d.Contract)
	exchanges := validExchanges()
	tick, step := d.MinTick, d.SizeStep
	of, known := sectors[d.Contract.Symbol]
	if !known {
		of = sector{"Industrial", "Miscellaneous Manufactur", "Diversified Manufact Op"}
	}
	stock := "COMMON"
	if of.industry == "Funds" {
		stock = "ETF"
	}
	return wire.ContractData{
		ReqID: req, Contract: contract, MarketName: contract.TradingClass, MinTick: &tick,
		OrderTypes: orderTypes, ValidExchanges: strings.Join(exchanges, ","), PriceMagnifier: 1, LongName: d.LongName,
		Industry: of.industry, Category: of.category, Subcategory: of.subcategory,
		TimeZoneID: venue.ZoneText, TradingHours: hoursText(trading, zone), LiquidHours: hoursText(liquid, zone),
		EVMultiplier: &one, SecIDs: []wire.TagValue{{Tag: "ISIN", Value: isin(d.Contract.Symbol)}}, AggGroup: &group,
		MarketRuleIDs: strings.Repeat(marketRule+",", len(exchanges)-1) + marketRule, StockType: stock,
		MinSize: &step, SizeIncrement: &step, SuggestedSizeIncrement: suggested(step),
	}
}

// suggested is the lot in which a stock is usually traded.
func suggested(step market.Qty) *market.Qty {
	if lot := market.Shares(100); step.Less(lot) {
		return &lot
	}
	return &step
}

// hoursText writes hours as the venue does: days between them on which nothing
// opens are told as closed, such as "20260404:CLOSED".
func hoursText(h market.Hours, zone *time.Location) string {
	var text strings.Builder
	var last time.Time
	for _, s := range h {
		y, m, d := s.Open.In(zone).Date()
		today := time.Date(y, m, d, 0, 0, 0, 0, zone)
		if !last.IsZero() {
			text.WriteByte(';')
			for gap := last.AddDate(0, 0, 1); gap.Before(today) && gap.Before(last.AddDate(0, 0, 10)); gap = gap.AddDate(0, 0, 1) {
				text.WriteString(gap.Format("20060102") + ":CLOSED;")
			}
		}
		text.WriteString(market.Hours{s}.Format(zone))
		last = today
	}
	return text.String()
}

// isin is a symbol's ISIN: its own where we know it, else one that its name
// decides, with the letters XS, which no stock of a country has, and a check
// digit that fits.
func isin(s market.Symbol) string {
	if known, ok := isins[s]; ok {
		return known
	}
	const digits = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	n := hash("isin " + string(s))
	id := []byte("XS")
	for range 9 {
		id = append(id, digits[n%uint64(len(digits))])
		n /= uint64(len(digits))
	}
	return string(append(id, checkDigit(id)))
}

// checkDigit is the last digit of an ISIN: Luhn's, over letters as two digits.
func checkDigit(id []byte) byte {
	var all []int
	for _, c := range id {
		n := int(c - '0')
		if c >= 'A' {
			n = int(c-'A') + 10
			all = append(all, n/10)
		}
		all = append(all, n%10)
	}
	sum := 0
	for i, n := range slices.Backward(all) {
		if (len(all)-i)%2 == 1 {
			n *= 2
		}
		sum += n/10 + n%10
	}
	return byte('0' + (10-sum%10)%10)
}

// hash is a number that a text decides.
func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
