package wire

import (
	"math"

	"robotrader/broker/market"
)

// PlaceOrder is message 3, client to gateway: a new order, or a change of a
// working one when OrderID is known. All fields are here, in the order of the
// wire. A nil pointer is unset and is written as an empty field; when read, the
// empty field and the literal sentinels are both nil. A block that is "there"
// with another field is neither written nor read without it.
type PlaceOrder struct {
	OrderID  int64
	Contract Contract
	SecIDType,
	SecID string // for example "ISIN", and the id

	Action        string // BUY, SELL, SSHORT
	TotalQuantity *market.Qty
	OrderType     string // "MKT", "LMT", "STP", "TRAIL", …
	LmtPrice      *market.Price
	AuxPrice      *market.Price // the stop price, or a trailing amount
	TIF           string        // "DAY", "GTC", "IOC", …
	OCAGroup      string
	Account       string
	OpenClose     string // "", O, C
	Origin        int    // 0 customer, 1 firm
	OrderRef      string
	Transmit      bool // false holds the order back until a child transmits
	ParentID      int64
	BlockOrder    bool
	SweepToFill   bool
	DisplaySize   int
	TriggerMethod int
	OutsideRTH    bool
	Hidden        bool

	ComboLegs         []ComboLeg      // there when Contract is a BAG, and so on
	ComboLegPrices    []*market.Price // one a leg, or none
	SmartComboRouting []TagValue

	DiscretionaryAmt   market.Price // 0 = none
	GoodAfterTime      string
	GoodTillDate       string
	FAGroup            string
	FAMethod           string
	FAPercentage       string
	FAProfile          string // below 177 only
	ModelCode          string
	ShortSaleSlot      int
	DesignatedLocation string
	ExemptCode         int // -1 = none

	OCAType                       int // 1 cancel with block, 2 and 3 reduce
	Rule80A                       string
	SettlingFirm                  string
	AllOrNone                     bool
	MinQty                        *int
	PercentOffset                 Number
	AuctionStrategy               int
	StartingPrice                 *market.Price
	StockRefPrice                 *market.Price
	Delta                         Number
	StockRangeLower               *market.Price
	StockRangeUpper               *market.Price
	OverridePercentageConstraints bool

	Volatility            Number
	VolatilityType        *int
	DeltaNeutralOrderType string
	DeltaNeutralAuxPrice  *market.Price
	DeltaNeutral          DeltaNeutralOrder // there when DeltaNeutralOrderType is not empty
	ContinuousUpdate      bool
	ReferencePriceType    *int
	TrailStopPrice        *market.Price
	TrailingPercent       Number

	ScaleInitLevelSize  *int
	ScaleSubsLevelSize  *int
	ScalePriceIncrement *market.Price
	Scale               Scale // there when ScalePriceIncrement is above 0
	ScaleTable          string
	ActiveStartTime     string
	ActiveStopTime      string
	HedgeType           string
	HedgeParam          string // only with HedgeType

	OptOutSmartRouting   bool
	ClearingAccount      string
	ClearingIntent       string
	NotHeld              bool
	DeltaNeutralContract *DeltaNeutralContract
	AlgoStrategy         string
	AlgoParams           []TagValue // there when AlgoStrategy is not empty
	AlgoID               string
	WhatIf               bool   // asks for margin and commission, places nothing
	OrderMiscOptions     string // "tag=value;"…
	Solicited            bool
	RandomizeSize        bool
	RandomizePrice       bool

	PegBench              PegBench // there when OrderType is PEG BENCH
	Conditions            []Condition
	ConditionsIgnoreRTH   bool // there with Conditions
	ConditionsCancelOrder bool // there with Conditions

	AdjustedOrderType      string
	TriggerPrice           *market.Price
	LmtPriceOffset         *market.Price
	AdjustedStopPrice      *market.Price
	AdjustedStopLimitPrice *market.Price
	AdjustedTrailingAmount *market.Price
	AdjustableTrailingUnit int
	ExtOperator            string
	SoftDollarName         string
	SoftDollarValue        string
	CashQty                *market.Money

	MiFID2DecisionMaker      string
	MiFID2DecisionAlgo       string
	MiFID2ExecutionTrader    string
	MiFID2ExecutionAlgo      string
	DontUseAutoPriceForHedge bool
	IsOMSContainer           bool
	DiscretionaryUpToLimit   bool
	UsePriceMgmtAlgo         *int // nil = the venue's default, 0, 1
	Duration                 *int // seconds
	PostToATS                *int
	AutoCancelParent         bool
	AdvancedErrorOverride    string
	ManualOrderTime          string
	MinTradeQty              *int   // there when Contract.Exchange is IBKRATS
	MinCompeteSize           *int   // there when OrderType is PEG BEST
	CompeteAgainstBestOffset Number // there when OrderType is PEG BEST; "Infinity" = up to mid
	MidOffsetAtWhole         Number // there when OrderType is PEG MID, or PEG BEST up to mid
	MidOffsetAtHalf          Number // likewise
	CustomerAccount          string // from 183
	ProfessionalCustomer     bool   // from 184
	IncludeOvernight         bool   // from 189
	ManualOrderIndicator     *int   // from 192
	ImbalanceOnly            bool   // from 199
}

// NewPlaceOrder returns an order with the venue's defaults: transmitted at
// once, no exemption. All else is unset or zero.
func NewPlaceOrder(orderID int64, c Contract) PlaceOrder {
	return PlaceOrder{OrderID: orderID, Contract: c, Transmit: true, ExemptCode: -1}
}

// ID implements [Message].
func (PlaceOrder) ID() int { return IDPlaceOrder }

// Append implements [Message].
func (m PlaceOrder) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "placeOrder", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *PlaceOrder) read(r *reader) { m.walk(reading(r)) }

// walk goes through the fields of the protocol sheet's section 5.1, 2 to 119.
func (m *PlaceOrder) walk(w *walk) {
	w.int64("orderId", &m.OrderID)
	w.contract12(&m.Contract)
	w.str("secIdType", &m.SecIDType)
	w.str("secId", &m.SecID)
	m.walkBasics(w)
	if m.Contract.SecType == "BAG" {
		walkCombo(w, &m.ComboLegs, &m.ComboLegPrices, &m.SmartComboRouting)
	}
	w.constant("sharesAllocation", "")
	m.walkTimesAndGroups(w)
	m.walkLimits(w)
	m.walkVolatility(w)
	m.walkScaleAndHedge(w)
	m.walkRouting(w)
	m.walkAdjusted(w)
	m.walkRules(w)
	m.walkAdded(w)
}

// walkBasics goes through fields 17 to 35.
func (m *PlaceOrder) walkBasics(w *walk) {
	w.str("action", &m.Action)
	w.qty("totalQuantity", &m.TotalQuantity)
	w.str("orderType", &m.OrderType)
	w.price("lmtPrice", &m.LmtPrice)
	w.price("auxPrice", &m.AuxPrice)
	w.str("tif", &m.TIF)
	w.str("ocaGroup", &m.OCAGroup)
	w.str("account", &m.Account)
	w.str("openClose", &m.OpenClose)
	w.int("origin", &m.Origin)
	w.str("orderRef", &m.OrderRef)
	w.bool("transmit", &m.Transmit)
	w.int64("parentId", &m.ParentID)
	w.bool("blockOrder", &m.BlockOrder)
	w.bool("sweepToFill", &m.SweepToFill)
	w.int("displaySize", &m.DisplaySize)
	if w.r != nil && m.DisplaySize == math.MaxInt32 { // some clients send "unset" here, from general knowledge
		m.DisplaySize = 0
	}
	w.int("triggerMethod", &m.TriggerMethod)
	w.bool("outsideRth", &m.OutsideRTH)
	w.bool("hidden", &m.Hidden)
}

// walkTimesAndGroups goes through fields 37 to 46.
func (m *PlaceOrder) walkTimesAndGroups(w *walk) {
	w.priceOrZero("discretionaryAmt", &m.DiscretionaryAmt)
	w.str("goodAfterTime", &m.GoodAfterTime)
	w.str("goodTillDate", &m.GoodTillDate)
	w.str("faGroup", &m.FAGroup)
	w.str("faMethod", &m.FAMethod)
	w.str("faPercentage", &m.FAPercentage)
	if w.v < verFAProfileGone {
		w.str("faProfile", &m.FAProfile)
	}
	w.str("modelCode", &m.ModelCode)
	w.int("shortSaleSlot", &m.ShortSaleSlot)
	w.str("designatedLocation", &m.DesignatedLocation)
	w.int("exemptCode", &m.ExemptCode)
}

// walkLimits goes through fields 47 to 62.
func (m *PlaceOrder) walkLimits(w *walk) {
	w.int("ocaType", &m.OCAType)
	w.str("rule80A", &m.Rule80A)
	w.str("settlingFirm", &m.SettlingFirm)
	w.bool("allOrNone", &m.AllOrNone)
	w.optInt("minQty", &m.MinQty)
	w.number("percentOffset", &m.PercentOffset)
	w.constant("eTradeOnly", "0")
	w.constant("firmQuoteOnly", "0")
	w.constant("nbboPriceCap", "")
	w.int("auctionStrategy", &m.AuctionStrategy)
	w.price("startingPrice", &m.StartingPrice)
	w.price("stockRefPrice", &m.StockRefPrice)
	w.number("delta", &m.Delta)
	w.price("stockRangeLower", &m.StockRangeLower)
	w.price("stockRangeUpper", &m.StockRangeUpper)
	w.bool("overridePercentageConstraints", &m.OverridePercentageConstraints)
}

// walkVolatility goes through fields 63 to 70.
func (m *PlaceOrder) walkVolatility(w *walk) {
	w.number("volatility", &m.Volatility)
	w.optInt("volatilityType", &m.VolatilityType)
	w.str("deltaNeutralOrderType", &m.DeltaNeutralOrderType)
	w.price("deltaNeutralAuxPrice", &m.DeltaNeutralAuxPrice)
	if m.DeltaNeutralOrderType != "" {
		m.DeltaNeutral.walk(w)
	}
	w.bool("continuousUpdate", &m.ContinuousUpdate)
	w.optInt("referencePriceType", &m.ReferencePriceType)
	w.price("trailStopPrice", &m.TrailStopPrice)
	w.number("trailingPercent", &m.TrailingPercent)
}

// walkScaleAndHedge goes through fields 71 to 77.
func (m *PlaceOrder) walkScaleAndHedge(w *walk) {
	w.optInt("scaleInitLevelSize", &m.ScaleInitLevelSize)
	w.optInt("scaleSubsLevelSize", &m.ScaleSubsLevelSize)
	w.price("scalePriceIncrement", &m.ScalePriceIncrement)
	if above0(m.ScalePriceIncrement) {
		m.Scale.walk(w)
	}
	w.str("scaleTable", &m.ScaleTable)
	w.str("activeStartTime", &m.ActiveStartTime)
	w.str("activeStopTime", &m.ActiveStopTime)
	w.str("hedgeType", &m.HedgeType)
	if m.HedgeType != "" {
		w.str("hedgeParam", &m.HedgeParam)
	}
}

// walkRouting goes through fields 78 to 90.
func (m *PlaceOrder) walkRouting(w *walk) {
	w.bool("optOutSmartRouting", &m.OptOutSmartRouting)
	w.str("clearingAccount", &m.ClearingAccount)
	w.str("clearingIntent", &m.ClearingIntent)
	w.bool("notHeld", &m.NotHeld)
	walkHedgeContract(w, &m.DeltaNeutralContract, &m.AlgoStrategy, &m.AlgoParams)
	w.str("algoId", &m.AlgoID)
	w.bool("whatIf", &m.WhatIf)
	w.str("orderMiscOptions", &m.OrderMiscOptions)
	w.bool("solicited", &m.Solicited)
	w.bool("randomizeSize", &m.RandomizeSize)
	w.bool("randomizePrice", &m.RandomizePrice)
	if pegsBenchmark(m.OrderType) {
		m.PegBench.walk(w)
	}
	walkConditions(w, &m.Conditions, &m.ConditionsIgnoreRTH, &m.ConditionsCancelOrder)
}

// walkAdjusted goes through fields 91 to 101.
func (m *PlaceOrder) walkAdjusted(w *walk) {
	w.str("adjustedOrderType", &m.AdjustedOrderType)
	w.price("triggerPrice", &m.TriggerPrice)
	w.price("lmtPriceOffset", &m.LmtPriceOffset)
	w.price("adjustedStopPrice", &m.AdjustedStopPrice)
	w.price("adjustedStopLimitPrice", &m.AdjustedStopLimitPrice)
	w.price("adjustedTrailingAmount", &m.AdjustedTrailingAmount)
	w.int("adjustableTrailingUnit", &m.AdjustableTrailingUnit)
	w.str("extOperator", &m.ExtOperator)
	w.str("softDollarTier.name", &m.SoftDollarName)
	w.str("softDollarTier.value", &m.SoftDollarValue)
	w.money("cashQty", &m.CashQty)
}

// walkRules goes through fields 102 to 114.
func (m *PlaceOrder) walkRules(w *walk) {
	w.str("mifid2DecisionMaker", &m.MiFID2DecisionMaker)
	w.str("mifid2DecisionAlgo", &m.MiFID2DecisionAlgo)
	w.str("mifid2ExecutionTrader", &m.MiFID2ExecutionTrader)
	w.str("mifid2ExecutionAlgo", &m.MiFID2ExecutionAlgo)
	w.bool("dontUseAutoPriceForHedge", &m.DontUseAutoPriceForHedge)
	w.bool("isOmsContainer", &m.IsOMSContainer)
	w.bool("discretionaryUpToLimitPrice", &m.DiscretionaryUpToLimit)
	w.optInt("usePriceMgmtAlgo", &m.UsePriceMgmtAlgo)
	w.optInt("duration", &m.Duration)
	w.optInt("postToAts", &m.PostToATS)
	w.bool("autoCancelParent", &m.AutoCancelParent)
	w.str("advancedErrorOverride", &m.AdvancedErrorOverride)
	w.str("manualOrderTime", &m.ManualOrderTime)
	if m.Contract.Exchange == "IBKRATS" {
		w.optInt("minTradeQty", &m.MinTradeQty)
	}
	upToMid := m.OrderType == "PEG MID" || m.OrderType == "PEGMID"
	if m.OrderType == "PEG BEST" || m.OrderType == "PEGBEST" {
		w.optInt("minCompeteSize", &m.MinCompeteSize)
		w.number("competeAgainstBestOffset", &m.CompeteAgainstBestOffset)
		upToMid = m.CompeteAgainstBestOffset.infinite()
	}
	if upToMid {
		w.number("midOffsetAtWhole", &m.MidOffsetAtWhole)
		w.number("midOffsetAtHalf", &m.MidOffsetAtHalf)
	}
}

// walkAdded goes through what versions after 176 added.
func (m *PlaceOrder) walkAdded(w *walk) {
	if w.v >= verCustomerAccount {
		w.str("customerAccount", &m.CustomerAccount)
	}
	if w.v >= verProfessionalCustomer {
		w.bool("professionalCustomer", &m.ProfessionalCustomer)
	}
	if w.v >= verRFQ && w.v < verRFQGone {
		w.constant("externalUserId", "")
		w.constant("manualOrderIndicator", "2147483647")
	}
	if w.v >= verIncludeOvernight {
		w.bool("includeOvernight", &m.IncludeOvernight)
	}
	if w.v >= verCMETagging {
		w.optInt("manualOrderIndicator", &m.ManualOrderIndicator)
	}
	if w.v >= verImbalanceOnly {
		w.bool("imbalanceOnly", &m.ImbalanceOnly)
	}
}

// pegsBenchmark reports whether an order type carries the block of a benchmark.
func pegsBenchmark(orderType string) bool { return orderType == "PEG BENCH" || orderType == "PEGBENCH" }
