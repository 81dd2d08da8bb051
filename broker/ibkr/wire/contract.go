package wire

import (
	"robotrader/broker/market"
)

// Contract identifies what is traded, as messages carry it. Not every message
// has every field.
type Contract struct {
	ConID           int64
	Symbol          string
	SecType         string        // STK, OPT, FUT, CASH, BAG, …
	Expiry          string        // lastTradeDateOrContractMonth
	Strike          *market.Price // nil = unset; gateways send 0 for stocks
	Right           string        // P, C, or empty
	Multiplier      string
	Exchange        string
	PrimaryExchange string
	Currency        string
	LocalSymbol     string
	TradingClass    string
}

// ContractOf returns what c is on the wire.
func ContractOf(c market.Contract) Contract {
	return Contract{
		ConID: c.ConID, Symbol: string(c.Symbol), SecType: c.SecType, Exchange: c.Exchange,
		PrimaryExchange: c.PrimaryExchange, Currency: c.Currency,
		LocalSymbol: c.LocalSymbol, TradingClass: c.TradingClass,
	}
}

// Market returns the contract in the words of the market package; the symbol
// is checked.
func (c Contract) Market() (market.Contract, error) {
	s, err := market.ParseSymbol(c.Symbol)
	if err != nil {
		return market.Contract{}, err
	}
	return market.Contract{
		ConID: c.ConID, Symbol: s, SecType: c.SecType, Exchange: c.Exchange,
		PrimaryExchange: c.PrimaryExchange, Currency: c.Currency,
		LocalSymbol: c.LocalSymbol, TradingClass: c.TradingClass,
	}, nil
}

// contract12 writes the twelve fields that requests begin with (CB12).
func (w *writer) contract12(c Contract) {
	w.int64(c.ConID)
	w.str("symbol", c.Symbol)
	w.str("secType", c.SecType)
	w.str("lastTradeDateOrContractMonth", c.Expiry)
	w.optPrice(c.Strike)
	w.str("right", c.Right)
	w.str("multiplier", c.Multiplier)
	w.str("exchange", c.Exchange)
	w.str("primaryExchange", c.PrimaryExchange)
	w.str("currency", c.Currency)
	w.str("localSymbol", c.LocalSymbol)
	w.str("tradingClass", c.TradingClass)
}

// contract12 reads the twelve fields that requests begin with (CB12).
func (r *reader) contract12() (c Contract) {
	c.ConID = r.int64("conId")
	c.Symbol = r.str("symbol")
	c.SecType = r.str("secType")
	c.Expiry = r.str("lastTradeDateOrContractMonth")
	c.Strike = r.optPrice("strike")
	c.Right = r.right("right")
	c.Multiplier = r.str("multiplier")
	c.Exchange = r.str("exchange")
	c.PrimaryExchange = r.str("primaryExchange")
	c.Currency = r.str("currency")
	c.LocalSymbol = r.str("localSymbol")
	c.TradingClass = r.str("tradingClass")
	return c
}

// contract11 reads the contract as answers about positions, orders and
// executions carry it: conId to right, multiplier, one exchange, currency,
// local symbol, trading class.
func (r *reader) contract11() (c Contract) {
	c.ConID = r.int64("conId")
	c.Symbol = r.str("symbol")
	c.SecType = r.str("secType")
	c.Expiry = r.str("lastTradeDateOrContractMonth")
	c.Strike = r.optPrice("strike")
	c.Right = r.right("right")
	c.Multiplier = r.str("multiplier")
	c.Exchange = r.str("exchange")
	c.Currency = r.str("currency")
	c.LocalSymbol = r.str("localSymbol")
	c.TradingClass = r.str("tradingClass")
	return c
}

// contract11 writes what the reader's contract11 reads.
func (w *writer) contract11(c Contract) {
	w.int64(c.ConID)
	w.str("symbol", c.Symbol)
	w.str("secType", c.SecType)
	w.str("lastTradeDateOrContractMonth", c.Expiry)
	w.optPrice(c.Strike)
	w.str("right", c.Right)
	w.str("multiplier", c.Multiplier)
	w.str("exchange", c.Exchange)
	w.str("currency", c.Currency)
	w.str("localSymbol", c.LocalSymbol)
	w.str("tradingClass", c.TradingClass)
}

// ReqContractDetails asks which contracts match.
type ReqContractDetails struct {
	ReqID          int
	Contract       Contract
	IncludeExpired bool
	SecIDType      string // such as "ISIN"
	SecID          string
	IssuerID       string // of a bond
}

// ContractData is one contract that matches a [ReqContractDetails].
type ContractData struct {
	ReqID                  int
	Contract               Contract
	LastTradeDate          string // since version 182
	MarketName             string
	MinTick                *market.Price // nil = not told
	OrderTypes             string
	ValidExchanges         string
	PriceMagnifier         int
	UnderConID             int64
	LongName               string
	ContractMonth          string
	Industry               string
	Category               string
	Subcategory            string
	TimeZoneID             string
	TradingHours           string // for market.ParseHours, in TimeZoneID
	LiquidHours            string // the regular session, likewise
	EVRule                 string
	EVMultiplier           *float64
	SecIDs                 []TagValue
	AggGroup               *int
	UnderSymbol            string
	UnderSecType           string
	MarketRuleIDs          string
	RealExpirationDate     string
	StockType              string
	MinSize                *market.Qty
	SizeIncrement          *market.Qty
	SuggestedSizeIncrement *market.Qty
	Fund                   *Fund      // since version 179, for secType FUND only
	Ineligibility          []TagValue // since version 186: id and description
}

// Fund is what [ContractData] says about a fund, in the venue's words.
type Fund struct {
	Name, Family, Type                                string
	FrontLoad, BackLoad, BackLoadTimeInterval         string
	ManagementFee                                     string
	Closed, ClosedForNewInvestors, ClosedForNewMoney  bool
	NotifyAmount, MinInitialPurchase, MinNextPurchase string
	BlueSkyStates, BlueSkyTerritories                 string
	DistributionPolicy, AssetType                     string
}

// ContractDataEnd ends the answers to a [ReqContractDetails].
type ContractDataEnd struct{ ReqID int }

// ID implements [Message].
func (ReqContractDetails) ID() int { return IDReqContractDetails }

// Append implements [Message].
func (m ReqContractDetails) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqContractDetails", IDReqContractDetails)
	w.int(8)
	w.int(m.ReqID)
	w.contract12(m.Contract)
	w.bool(m.IncludeExpired)
	w.str("secIdType", m.SecIDType)
	w.str("secId", m.SecID)
	w.str("issuerId", m.IssuerID) // since version 176, the least that we speak
	return w.finish()
}

func (m *ReqContractDetails) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Contract = r.contract12()
	m.IncludeExpired = r.bool("includeExpired")
	m.SecIDType = r.str("secIdType")
	m.SecID = r.str("secId")
	m.IssuerID = r.str("issuerId")
}

// ID implements [Message].
func (ContractData) ID() int { return IDContractData }

// Append implements [Message].
func (m ContractData) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "contractData", IDContractData)
	c := m.Contract
	w.int(m.ReqID)
	w.str("symbol", c.Symbol)
	w.str("secType", c.SecType)
	w.str("lastTradeDateOrContractMonth", c.Expiry)
	if v >= verLastTradeDate {
		w.str("lastTradeDate", m.LastTradeDate)
	}
	w.optPrice(c.Strike)
	w.str("right", c.Right)
	w.str("exchange", c.Exchange)
	w.str("currency", c.Currency)
	w.str("localSymbol", c.LocalSymbol)
	w.str("marketName", m.MarketName)
	w.str("tradingClass", c.TradingClass)
	w.int64(c.ConID)
	w.optPrice(m.MinTick)
	w.str("multiplier", c.Multiplier)
	m.appendMarket(&w)
	w.pairs(m.SecIDs)
	w.optInt(m.AggGroup)
	w.str("underSymbol", m.UnderSymbol)
	w.str("underSecType", m.UnderSecType)
	w.str("marketRuleIds", m.MarketRuleIDs)
	w.str("realExpirationDate", m.RealExpirationDate)
	w.str("stockType", m.StockType)
	w.optQty(m.MinSize)
	w.optQty(m.SizeIncrement)
	w.optQty(m.SuggestedSizeIncrement)
	if v >= verFundData && c.SecType == "FUND" {
		m.appendFund(&w)
	}
	if v >= verIneligibility {
		w.pairs(m.Ineligibility)
	}
	return w.finish()
}

// appendMarket writes where, when and how the contract trades.
func (m *ContractData) appendMarket(w *writer) {
	w.str("orderTypes", m.OrderTypes)
	w.str("validExchanges", m.ValidExchanges)
	w.int(m.PriceMagnifier)
	w.int64(m.UnderConID)
	w.text("longName", m.LongName)
	w.str("primaryExchange", m.Contract.PrimaryExchange)
	w.str("contractMonth", m.ContractMonth)
	w.str("industry", m.Industry)
	w.str("category", m.Category)
	w.str("subcategory", m.Subcategory)
	w.str("timeZoneId", m.TimeZoneID)
	w.str("tradingHours", m.TradingHours)
	w.str("liquidHours", m.LiquidHours)
	w.str("evRule", m.EVRule)
	w.double("evMultiplier", m.EVMultiplier)
}

func (m *ContractData) appendFund(w *writer) {
	var f Fund
	if m.Fund != nil {
		f = *m.Fund
	}
	w.text("fundName", f.Name)
	w.str("fundFamily", f.Family)
	w.str("fundType", f.Type)
	w.str("fundFrontLoad", f.FrontLoad)
	w.str("fundBackLoad", f.BackLoad)
	w.str("fundBackLoadTimeInterval", f.BackLoadTimeInterval)
	w.str("fundManagementFee", f.ManagementFee)
	w.bool(f.Closed)
	w.bool(f.ClosedForNewInvestors)
	w.bool(f.ClosedForNewMoney)
	w.str("fundNotifyAmount", f.NotifyAmount)
	w.str("fundMinimumInitialPurchase", f.MinInitialPurchase)
	w.str("fundSubsequentMinimumPurchase", f.MinNextPurchase)
	w.str("fundBlueSkyStates", f.BlueSkyStates)
	w.str("fundBlueSkyTerritories", f.BlueSkyTerritories)
	w.str("fundDistributionPolicyIndicator", f.DistributionPolicy)
	w.str("fundAssetType", f.AssetType)
}

func (w *writer) pairs(pairs []TagValue) {
	w.int(len(pairs))
	for _, p := range pairs {
		w.str("tag", p.Tag)
		w.str("value", p.Value)
	}
}

func (r *reader) pairs(field string) []TagValue {
	return items(r, r.count(field, 2), func(p *TagValue) {
		p.Tag = r.str(field)
		p.Value = r.str(field)
	})
}

func (m *ContractData) read(r *reader) {
	c := &m.Contract
	m.ReqID = r.int("reqId")
	c.Symbol = r.str("symbol")
	c.SecType = r.str("secType")
	c.Expiry = r.str("lastTradeDateOrContractMonth")
	if r.v >= verLastTradeDate {
		m.LastTradeDate = r.str("lastTradeDate")
	}
	c.Strike = r.optPrice("strike")
	c.Right = r.right("right")
	c.Exchange = r.str("exchange")
	c.Currency = r.str("currency")
	c.LocalSymbol = r.str("localSymbol")
	m.MarketName = r.str("marketName")
	c.TradingClass = r.str("tradingClass")
	c.ConID = r.int64("conId")
	m.MinTick = r.optPrice("minTick")
	c.Multiplier = r.str("multiplier")
	m.readMarket(r)
	m.SecIDs = r.pairs("secIds")
	m.AggGroup = r.optInt("aggGroup")
	m.UnderSymbol = r.str("underSymbol")
	m.UnderSecType = r.str("underSecType")
	m.MarketRuleIDs = r.str("marketRuleIds")
	m.RealExpirationDate = r.str("realExpirationDate")
	m.StockType = r.str("stockType")
	m.MinSize = r.optQty("minSize")
	m.SizeIncrement = r.optQty("sizeIncrement")
	m.SuggestedSizeIncrement = r.optQty("suggestedSizeIncrement")
	if r.v >= verFundData && c.SecType == "FUND" {
		m.readFund(r)
	}
	if r.v >= verIneligibility {
		m.Ineligibility = r.pairs("ineligibility")
	}
}

func (m *ContractData) readMarket(r *reader) {
	m.OrderTypes = r.str("orderTypes")
	m.ValidExchanges = r.str("validExchanges")
	m.PriceMagnifier = r.int("priceMagnifier")
	m.UnderConID = r.int64("underConId")
	m.LongName = r.text("longName")
	m.Contract.PrimaryExchange = r.str("primaryExchange")
	m.ContractMonth = r.str("contractMonth")
	m.Industry = r.str("industry")
	m.Category = r.str("category")
	m.Subcategory = r.str("subcategory")
	m.TimeZoneID = r.str("timeZoneId")
	m.TradingHours = r.str("tradingHours")
	m.LiquidHours = r.str("liquidHours")
	m.EVRule = r.str("evRule")
	m.EVMultiplier = r.double("evMultiplier")
}

func (m *ContractData) readFund(r *reader) {
	f := &Fund{}
	f.Name = r.text("fundName")
	f.Family = r.str("fundFamily")
	f.Type = r.str("fundType")
	f.FrontLoad = r.str("fundFrontLoad")
	f.BackLoad = r.str("fundBackLoad")
	f.BackLoadTimeInterval = r.str("fundBackLoadTimeInterval")
	f.ManagementFee = r.str("fundManagementFee")
	f.Closed = r.bool("fundClosed")
	f.ClosedForNewInvestors = r.bool("fundClosedForNewInvestors")
	f.ClosedForNewMoney = r.bool("fundClosedForNewMoney")
	f.NotifyAmount = r.str("fundNotifyAmount")
	f.MinInitialPurchase = r.str("fundMinimumInitialPurchase")
	f.MinNextPurchase = r.str("fundSubsequentMinimumPurchase")
	f.BlueSkyStates = r.str("fundBlueSkyStates")
	f.BlueSkyTerritories = r.str("fundBlueSkyTerritories")
	f.DistributionPolicy = r.str("fundDistributionPolicyIndicator")
	f.AssetType = r.str("fundAssetType")
	m.Fund = f
}

// ID implements [Message].
func (ContractDataEnd) ID() int { return IDContractDataEnd }

// Append implements [Message].
func (m ContractDataEnd) Append(dst []byte, v Version) ([]byte, error) {
	return answerOf(dst, v, "contractDataEnd", IDContractDataEnd, m.ReqID)
}

func (m *ContractDataEnd) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
}
