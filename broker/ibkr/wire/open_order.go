package wire

import "robotrader/broker/market"

// OpenOrder is message 5, gateway to client: an order and its state, with all
// that a gateway sends, in the order of the wire. A nil pointer is unset.
type OpenOrder struct {
	OrderID       int64    // 0 or negative for an order made by hand
	Contract      Contract // without PrimaryExchange
	Action        string
	TotalQuantity *market.Qty
	OrderType     string
	LmtPrice      *market.Price
	AuxPrice      *market.Price
	TIF           string
	OCAGroup      string
	Account       string
	OpenClose     string
	Origin        int
	OrderRef      string
	ClientID      int
	PermID        int64

	OutsideRTH         bool
	Hidden             bool
	DiscretionaryAmt   *market.Price
	GoodAfterTime      string
	SharesAllocation   string // such as "1518189976.1/DU1/100"
	FAGroup            string
	FAMethod           string
	FAPercentage       string
	FAProfile          string // below 177
	ModelCode          string
	GoodTillDate       string
	Rule80A            string
	PercentOffset      Number
	SettlingFirm       string
	ShortSaleSlot      int
	DesignatedLocation string
	ExemptCode         int

	AuctionStrategy *int
	StartingPrice   *market.Price
	StockRefPrice   *market.Price
	Delta           Number
	StockRangeLower *market.Price
	StockRangeUpper *market.Price
	DisplaySize     *int
	BlockOrder      bool
	SweepToFill     bool
	AllOrNone       bool
	MinQty          *int
	OCAType         int
	ETradeOnly      bool
	FirmQuoteOnly   bool
	NBBOPriceCap    *market.Price
	ParentID        int64
	TriggerMethod   int

	Volatility            Number
	VolatilityType        *int
	DeltaNeutralOrderType string // live gateways send "None" for none, with its block
	DeltaNeutralAuxPrice  *market.Price
	DeltaNeutral          DeltaNeutralOrder // there when DeltaNeutralOrderType is not empty
	ContinuousUpdate      bool
	ReferencePriceType    *int
	TrailStopPrice        *market.Price
	TrailingPercent       Number
	BasisPoints           Number
	BasisPointsType       *int

	ComboLegsDescription string
	ComboLegs            []ComboLeg
	ComboLegPrices       []*market.Price
	SmartComboRouting    []TagValue
	ScaleInitLevelSize   *int
	ScaleSubsLevelSize   *int
	ScalePriceIncrement  *market.Price
	Scale                Scale // there when ScalePriceIncrement is above 0
	HedgeType            string
	HedgeParam           string // there when HedgeType is not empty
	OptOutSmartRouting   bool
	ClearingAccount      string
	ClearingIntent       string // IB, Away, PTA
	NotHeld              bool
	DeltaNeutralContract *DeltaNeutralContract
	AlgoStrategy         string
	AlgoParams           []TagValue // there when AlgoStrategy is not empty
	Solicited            bool

	WhatIf             bool
	Status             string // see [OrderStatus]
	Margin             Margin
	Commission         *market.Money
	MinCommission      *market.Money
	MaxCommission      *market.Money
	CommissionCurrency string
	Preview            Preview // from 195
	WarningText        string
	RandomizeSize      bool
	RandomizePrice     bool

	PegBench              PegBench // there when OrderType is PEG BENCH
	Conditions            []Condition
	ConditionsIgnoreRTH   bool // there with Conditions
	ConditionsCancelOrder bool // there with Conditions

	AdjustedOrderType        string // live gateways send "None" for none
	TriggerPrice             *market.Price
	AdjustedTrailStopPrice   *market.Price // TrailStopPrice a second time
	LmtPriceOffset           *market.Price
	AdjustedStopPrice        *market.Price
	AdjustedStopLimitPrice   *market.Price
	AdjustedTrailingAmount   *market.Price
	AdjustableTrailingUnit   int
	SoftDollarName           string
	SoftDollarValue          string
	SoftDollarDisplayName    string
	CashQty                  *market.Money
	DontUseAutoPriceForHedge bool
	IsOMSContainer           bool
	DiscretionaryUpToLimit   bool
	UsePriceMgmtAlgo         *int
	Duration                 *int
	PostToATS                *int
	AutoCancelParent         bool
	MinTradeQty              *int
	MinCompeteSize           *int
	CompeteAgainstBestOffset Number // "Infinity" = up to mid
	MidOffsetAtWhole         Number
	MidOffsetAtHalf          Number

	CustomerAccount      string // from 183
	ProfessionalCustomer bool   // from 184
	BondAccruedInterest  string // from 185
	IncludeOvernight     bool   // from 189
	ExtOperator          string // from 193
	ManualOrderIndicator *int   // from 193
	Submitter            string // from 198
	ImbalanceOnly        bool   // from 199
}

// ID implements [Message].
func (OpenOrder) ID() int { return IDOpenOrder }

// Append implements [Message].
func (m OpenOrder) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "openOrder", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *OpenOrder) read(r *reader) { m.walk(reading(r)) }

// walk goes through the fields of the protocol sheet's section 5.3.
func (m *OpenOrder) walk(w *walk) {
	m.walkBasics(w)
	m.walkGroups(w)
	m.walkLimits(w)
	m.walkVolatility(w)
	m.walkCombo(w)
	m.walkHedge(w)
	m.walkState(w)
	walkConditions(w, &m.Conditions, &m.ConditionsIgnoreRTH, &m.ConditionsCancelOrder)
	m.walkAdjusted(w)
	m.walkRules(w)
	m.walkAdded(w)
}

func (m *OpenOrder) walkBasics(w *walk) {
	w.int64("orderId", &m.OrderID)
	w.contract11(&m.Contract)
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
	w.int("clientId", &m.ClientID)
	w.int64("permId", &m.PermID)
	w.bool("outsideRth", &m.OutsideRTH)
	w.bool("hidden", &m.Hidden)
	w.price("discretionaryAmt", &m.DiscretionaryAmt)
	w.str("goodAfterTime", &m.GoodAfterTime)
	w.str("sharesAllocation", &m.SharesAllocation)
}

func (m *OpenOrder) walkGroups(w *walk) {
	w.str("faGroup", &m.FAGroup)
	w.str("faMethod", &m.FAMethod)
	w.str("faPercentage", &m.FAPercentage)
	if w.v < verFAProfileGone {
		w.str("faProfile", &m.FAProfile)
	}
	w.str("modelCode", &m.ModelCode)
	w.str("goodTillDate", &m.GoodTillDate)
	w.str("rule80A", &m.Rule80A)
	w.number("percentOffset", &m.PercentOffset)
	w.str("settlingFirm", &m.SettlingFirm)
	w.int("shortSaleSlot", &m.ShortSaleSlot)
	w.str("designatedLocation", &m.DesignatedLocation)
	w.int("exemptCode", &m.ExemptCode)
}

func (m *OpenOrder) walkLimits(w *walk) {
	w.optInt("auctionStrategy", &m.AuctionStrategy)
	w.price("startingPrice", &m.StartingPrice)
	w.price("stockRefPrice", &m.StockRefPrice)
	w.number("delta", &m.Delta)
	w.price("stockRangeLower", &m.StockRangeLower)
	w.price("stockRangeUpper", &m.StockRangeUpper)
	w.maxInt("displaySize", &m.DisplaySize)
	w.bool("blockOrder", &m.BlockOrder)
	w.bool("sweepToFill", &m.SweepToFill)
	w.bool("allOrNone", &m.AllOrNone)
	w.optInt("minQty", &m.MinQty)
	w.int("ocaType", &m.OCAType)
	w.bool("eTradeOnly", &m.ETradeOnly)
	w.bool("firmQuoteOnly", &m.FirmQuoteOnly)
	w.price("nbboPriceCap", &m.NBBOPriceCap)
	w.int64("parentId", &m.ParentID)
	w.int("triggerMethod", &m.TriggerMethod)
}

func (m *OpenOrder) walkVolatility(w *walk) {
	w.number("volatility", &m.Volatility)
	w.optInt("volatilityType", &m.VolatilityType)
	w.str("deltaNeutralOrderType", &m.DeltaNeutralOrderType)
	w.price("deltaNeutralAuxPrice", &m.DeltaNeutralAuxPrice)
	if m.DeltaNeutralOrderType != "" { // "None" is not empty: its block is there
		m.DeltaNeutral.walk(w)
	}
	w.bool("continuousUpdate", &m.ContinuousUpdate)
	w.optInt("referencePriceType", &m.ReferencePriceType)
	w.price("trailStopPrice", &m.TrailStopPrice)
	w.number("trailingPercent", &m.TrailingPercent)
	w.number("basisPoints", &m.BasisPoints)
	w.optInt("basisPointsType", &m.BasisPointsType)
}

func (m *OpenOrder) walkCombo(w *walk) {
	w.str("comboLegsDescrip", &m.ComboLegsDescription)
	walkCombo(w, &m.ComboLegs, &m.ComboLegPrices, &m.SmartComboRouting)
	w.maxInt("scaleInitLevelSize", &m.ScaleInitLevelSize)
	w.maxInt("scaleSubsLevelSize", &m.ScaleSubsLevelSize)
	w.price("scalePriceIncrement", &m.ScalePriceIncrement)
	if above0(m.ScalePriceIncrement) {
		m.Scale.walk(w)
	}
}

func (m *OpenOrder) walkHedge(w *walk) {
	w.str("hedgeType", &m.HedgeType)
	if m.HedgeType != "" {
		w.str("hedgeParam", &m.HedgeParam)
	}
	w.bool("optOutSmartRouting", &m.OptOutSmartRouting)
	w.str("clearingAccount", &m.ClearingAccount)
	w.str("clearingIntent", &m.ClearingIntent)
	w.bool("notHeld", &m.NotHeld)
	walkHedgeContract(w, &m.DeltaNeutralContract, &m.AlgoStrategy, &m.AlgoParams)
	w.bool("solicited", &m.Solicited)
}

func (m *OpenOrder) walkState(w *walk) {
	w.bool("whatIf", &m.WhatIf)
	w.str("status", &m.Status)
	m.Margin.walk(w)
	w.money("commission", &m.Commission)
	w.money("minCommission", &m.MinCommission)
	w.money("maxCommission", &m.MaxCommission)
	w.str("commissionCurrency", &m.CommissionCurrency)
	if w.v >= verFullOrderPreview {
		m.Preview.walk(w)
	}
	w.text("warningText", &m.WarningText)
	w.bool("randomizeSize", &m.RandomizeSize)
	w.bool("randomizePrice", &m.RandomizePrice)
	if pegsBenchmark(m.OrderType) {
		m.PegBench.walk(w)
	}
}

func (m *OpenOrder) walkAdjusted(w *walk) {
	w.str("adjustedOrderType", &m.AdjustedOrderType)
	w.maxPrice("triggerPrice", &m.TriggerPrice)
	w.maxPrice("adjusted trailStopPrice", &m.AdjustedTrailStopPrice)
	w.maxPrice("lmtPriceOffset", &m.LmtPriceOffset)
	w.maxPrice("adjustedStopPrice", &m.AdjustedStopPrice)
	w.maxPrice("adjustedStopLimitPrice", &m.AdjustedStopLimitPrice)
	w.maxPrice("adjustedTrailingAmount", &m.AdjustedTrailingAmount)
	w.int("adjustableTrailingUnit", &m.AdjustableTrailingUnit)
	w.str("softDollarTier.name", &m.SoftDollarName)
	w.str("softDollarTier.value", &m.SoftDollarValue)
	w.str("softDollarTier.displayName", &m.SoftDollarDisplayName)
	w.money("cashQty", &m.CashQty)
}

func (m *OpenOrder) walkRules(w *walk) {
	w.bool("dontUseAutoPriceForHedge", &m.DontUseAutoPriceForHedge)
	w.bool("isOmsContainer", &m.IsOMSContainer)
	w.bool("discretionaryUpToLimitPrice", &m.DiscretionaryUpToLimit)
	w.optInt("usePriceMgmtAlgo", &m.UsePriceMgmtAlgo)
	w.optInt("duration", &m.Duration)
	w.optInt("postToAts", &m.PostToATS)
	w.bool("autoCancelParent", &m.AutoCancelParent)
	m.walkPegOffsets(w)
}

// walkPegOffsets goes through the five fields of orders pegged to the best
// price or the mid-point, which are always there.
func (m *OpenOrder) walkPegOffsets(w *walk) {
	w.optInt("minTradeQty", &m.MinTradeQty)
	w.optInt("minCompeteSize", &m.MinCompeteSize)
	w.number("competeAgainstBestOffset", &m.CompeteAgainstBestOffset)
	w.number("midOffsetAtWhole", &m.MidOffsetAtWhole)
	w.number("midOffsetAtHalf", &m.MidOffsetAtHalf)
}

// walkAdded goes through what versions after 176 added at the end.
func (m *OpenOrder) walkAdded(w *walk) {
	if w.v >= verCustomerAccount {
		w.str("customerAccount", &m.CustomerAccount)
	}
	if w.v >= verProfessionalCustomer {
		w.bool("professionalCustomer", &m.ProfessionalCustomer)
	}
	if w.v >= verBondAccruedInterest {
		w.str("bondAccruedInterest", &m.BondAccruedInterest)
	}
	if w.v >= verIncludeOvernight {
		w.bool("includeOvernight", &m.IncludeOvernight)
	}
	if w.v >= verCMETaggingOpenOrder {
		w.str("extOperator", &m.ExtOperator)
		w.maxInt("manualOrderIndicator", &m.ManualOrderIndicator)
	}
	if w.v >= verSubmitter {
		w.str("submitter", &m.Submitter)
	}
	if w.v >= verImbalanceOnly {
		w.bool("imbalanceOnly", &m.ImbalanceOnly)
	}
}

// NewOpenOrder returns what a live gateway tells about an order that client
// clientID placed: the order's own fields, and in the rest the values that were
// recorded from a live gateway, as odd as they are. A price that the order does
// not have is told as 0, the price of a market order among them; only OrderType
// says which prices count.
func NewOpenOrder(p PlaceOrder, clientID int, permID int64, status string) OpenOrder {
	o := OpenOrder{
		OrderID: p.OrderID, Contract: p.Contract, ClientID: clientID, PermID: permID, Status: status,
		Action: p.Action, TotalQuantity: p.TotalQuantity, OrderType: p.OrderType,
		LmtPrice: orZero(p.LmtPrice), AuxPrice: orZero(p.AuxPrice), TIF: p.TIF, OCAGroup: p.OCAGroup,
		Account: p.Account, OpenClose: p.OpenClose, Origin: p.Origin, OrderRef: p.OrderRef,
		OutsideRTH: p.OutsideRTH, Hidden: p.Hidden, DiscretionaryAmt: p.DiscretionaryAmt.Ptr(),
		GoodAfterTime: p.GoodAfterTime, GoodTillDate: p.GoodTillDate, FAGroup: p.FAGroup,
		FAMethod: p.FAMethod, FAPercentage: p.FAPercentage, FAProfile: p.FAProfile,
		ModelCode: p.ModelCode, Rule80A: p.Rule80A, PercentOffset: p.PercentOffset,
		SettlingFirm: p.SettlingFirm, ShortSaleSlot: p.ShortSaleSlot,
		DesignatedLocation: p.DesignatedLocation, ExemptCode: p.ExemptCode,
		AuctionStrategy: &p.AuctionStrategy, StartingPrice: p.StartingPrice, StockRefPrice: p.StockRefPrice,
		Delta: p.Delta, StockRangeLower: p.StockRangeLower, StockRangeUpper: p.StockRangeUpper,
		BlockOrder: p.BlockOrder, SweepToFill: p.SweepToFill, AllOrNone: p.AllOrNone,
		MinQty: p.MinQty, OCAType: p.OCAType, ParentID: p.ParentID, TriggerMethod: p.TriggerMethod,
		Volatility: p.Volatility, VolatilityType: p.VolatilityType, ContinuousUpdate: p.ContinuousUpdate,
		DeltaNeutralAuxPrice: p.DeltaNeutralAuxPrice, DeltaNeutralOrderType: "None", DeltaNeutral: DeltaNeutralOrder{OpenClose: "?"},
		ComboLegs: p.ComboLegs, ComboLegPrices: p.ComboLegPrices, SmartComboRouting: p.SmartComboRouting,
		ScaleInitLevelSize: p.ScaleInitLevelSize, ScaleSubsLevelSize: p.ScaleSubsLevelSize,
		ScalePriceIncrement: p.ScalePriceIncrement, Scale: p.Scale,
		DeltaNeutralContract: p.DeltaNeutralContract, AlgoStrategy: p.AlgoStrategy, AlgoParams: p.AlgoParams,
		PegBench: p.PegBench, Conditions: p.Conditions,
		ConditionsIgnoreRTH: p.ConditionsIgnoreRTH, ConditionsCancelOrder: p.ConditionsCancelOrder,
		ReferencePriceType: p.ReferencePriceType, TrailStopPrice: p.TrailStopPrice, TrailingPercent: p.TrailingPercent,
		HedgeType: p.HedgeType, HedgeParam: p.HedgeParam, OptOutSmartRouting: p.OptOutSmartRouting,
		ClearingAccount: p.ClearingAccount, ClearingIntent: p.ClearingIntent, NotHeld: p.NotHeld,
		Solicited: p.Solicited, WhatIf: p.WhatIf,
		RandomizeSize: p.RandomizeSize, RandomizePrice: p.RandomizePrice,
		AdjustedOrderType: p.AdjustedOrderType, TriggerPrice: p.TriggerPrice,
		AdjustedTrailStopPrice: p.TrailStopPrice, LmtPriceOffset: p.LmtPriceOffset,
		AdjustedStopPrice: p.AdjustedStopPrice, AdjustedStopLimitPrice: p.AdjustedStopLimitPrice,
		AdjustedTrailingAmount: p.AdjustedTrailingAmount, AdjustableTrailingUnit: p.AdjustableTrailingUnit,
		SoftDollarName: p.SoftDollarName, SoftDollarValue: p.SoftDollarValue, CashQty: p.CashQty,
		DontUseAutoPriceForHedge: true, IsOMSContainer: p.IsOMSContainer,
		DiscretionaryUpToLimit: p.DiscretionaryUpToLimit, UsePriceMgmtAlgo: p.UsePriceMgmtAlgo,
		Duration: p.Duration, PostToATS: p.PostToATS, AutoCancelParent: p.AutoCancelParent,
		MinTradeQty: p.MinTradeQty, MinCompeteSize: p.MinCompeteSize,
		CompeteAgainstBestOffset: p.CompeteAgainstBestOffset,
		MidOffsetAtWhole:         p.MidOffsetAtWhole, MidOffsetAtHalf: p.MidOffsetAtHalf, CustomerAccount: p.CustomerAccount,
		ProfessionalCustomer: p.ProfessionalCustomer, IncludeOvernight: p.IncludeOvernight,
		ExtOperator: p.ExtOperator, ManualOrderIndicator: p.ManualOrderIndicator, ImbalanceOnly: p.ImbalanceOnly,
	}
	o.fillVenueDefaults(p)
	return o
}

// fillVenueDefaults sets what a live gateway makes of fields left unset.
func (m *OpenOrder) fillVenueDefaults(p PlaceOrder) {
	zero := 0
	if p.DeltaNeutralOrderType != "" {
		m.DeltaNeutralOrderType, m.DeltaNeutral = p.DeltaNeutralOrderType, p.DeltaNeutral
	}
	if p.DisplaySize != 0 {
		m.DisplaySize = &p.DisplaySize
	}
	if m.OCAType == 0 {
		m.OCAType = 3
	}
	if m.PercentOffset == "" {
		m.PercentOffset = "0"
	}
	if m.ClearingIntent == "" {
		m.ClearingIntent = "IB"
	}
	if m.AdjustedOrderType == "" {
		m.AdjustedOrderType = "None"
	}
	if m.CashQty == nil {
		m.CashQty = &market.Money{}
	}
	for _, n := range []**int{&m.UsePriceMgmtAlgo, &m.VolatilityType, &m.ReferencePriceType} {
		if *n == nil {
			*n = &zero
		}
	}
}

func orZero(p *market.Price) *market.Price {
	if p == nil {
		return &market.Price{}
	}
	return p
}
