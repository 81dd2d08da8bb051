package wire

import "robotrader/broker/market"

// BondContractData is one bond that matches a [ReqContractDetails]; it ends
// with the same [ContractDataEnd]. Section 4.5.
type BondContractData struct {
	ReqID                  int
	Contract               Contract // without expiry, strike, right, multiplier and local symbol
	CUSIP                  string
	Coupon                 Number
	Maturity               string // a day, perhaps with time and zone
	IssueDate              string
	Ratings                string
	BondType               string
	CouponType             string
	Convertible            bool
	Callable               bool
	Putable                bool
	Description            string // descAppend
	MarketName             string
	MinTick                *market.Price
	OrderTypes             string
	ValidExchanges         string
	NextOptionDate         string
	NextOptionType         string
	NextOptionPartial      bool
	Notes                  string
	LongName               string
	TimeZoneID             string // since version 188, and so on
	TradingHours           string
	LiquidHours            string
	EVRule                 string
	EVMultiplier           Number
	SecIDs                 []TagValue
	AggGroup               *int
	MarketRuleIDs          string
	MinSize                *market.Qty
	SizeIncrement          *market.Qty
	SuggestedSizeIncrement *market.Qty
}

// ID implements [Message].
func (BondContractData) ID() int { return IDBondContractData }

// Append implements [Message].
func (m BondContractData) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "bondContractData", m.ID(), m.walk)
}

func (m *BondContractData) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("symbol", &m.Contract.Symbol)
	w.str("secType", &m.Contract.SecType)
	m.walkBond(w)
	w.str("exchange", &m.Contract.Exchange)
	w.str("currency", &m.Contract.Currency)
	w.str("marketName", &m.MarketName)
	w.str("tradingClass", &m.Contract.TradingClass)
	w.int64("conId", &m.Contract.ConID)
	w.price("minTick", &m.MinTick)
	w.str("orderTypes", &m.OrderTypes)
	w.str("validExchanges", &m.ValidExchanges)
	w.str("nextOptionDate", &m.NextOptionDate)
	w.str("nextOptionType", &m.NextOptionType)
	w.bool("nextOptionPartial", &m.NextOptionPartial)
	w.text("notes", &m.Notes)
	w.text("longName", &m.LongName)
	if w.v >= verBondTradingHours {
		w.str("timeZoneId", &m.TimeZoneID)
		w.str("tradingHours", &m.TradingHours)
		w.str("liquidHours", &m.LiquidHours)
	}
	w.str("evRule", &m.EVRule)
	w.number("evMultiplier", &m.EVMultiplier)
	list(w, "secIds", &m.SecIDs, 2, (*TagValue).walk)
	w.optInt("aggGroup", &m.AggGroup)
	w.str("marketRuleIds", &m.MarketRuleIDs)
	w.qty("minSize", &m.MinSize)
	w.qty("sizeIncrement", &m.SizeIncrement)
	w.qty("suggestedSizeIncrement", &m.SuggestedSizeIncrement)
}

func (m *BondContractData) walkBond(w *walk) {
	w.str("cusip", &m.CUSIP)
	w.number("coupon", &m.Coupon)
	w.str("maturity", &m.Maturity)
	w.str("issueDate", &m.IssueDate)
	w.str("ratings", &m.Ratings)
	w.str("bondType", &m.BondType)
	w.str("couponType", &m.CouponType)
	w.bool("convertible", &m.Convertible)
	w.bool("callable", &m.Callable)
	w.bool("putable", &m.Putable)
	w.text("descAppend", &m.Description)
}
