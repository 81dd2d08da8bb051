package wire

import "robotrader/broker/market"

// CompletedOrder is message 101, gateway to client: an order of the day that
// is done. Section 5.4.
type CompletedOrder struct {
	// Order is the order as it was last told, without what this message does
	// not carry: OrderID, ClientID, the account's allocation, margins and
	// commissions, routing flags, adjustments and all else of its layout that
	// section 5.4 does not list. Those fields are neither written nor read.
	Order              OpenOrder
	AutoCancelDate     string
	FilledQuantity     *market.Qty
	RefFuturesConID    int64
	Shareholder        string
	RouteMarketableBBO bool
	ParentPermID       int64
	CompletedTime      string // "20260413 15:27:04 US/Eastern"
	CompletedStatus    string // such as "Filled Size: 100", "Cancelled by Trader"
}

// ID implements [Message].
func (CompletedOrder) ID() int { return IDCompletedOrder }

// Append implements [Message].
func (m CompletedOrder) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "completedOrder", m.ID(), m.walk)
}

// walk goes through the fields of the protocol sheet's section 5.4.
func (m *CompletedOrder) walk(w *walk) {
	o := &m.Order
	m.walkBasics(w)
	m.walkLimits(w)
	o.walkCombo(w)
	w.str("hedgeType", &o.HedgeType)
	if o.HedgeType != "" {
		w.str("hedgeParam", &o.HedgeParam)
	}
	w.str("clearingAccount", &o.ClearingAccount)
	w.str("clearingIntent", &o.ClearingIntent)
	w.bool("notHeld", &o.NotHeld)
	walkHedgeContract(w, &o.DeltaNeutralContract, &o.AlgoStrategy, &o.AlgoParams)
	w.bool("solicited", &o.Solicited)
	w.str("status", &o.Status)
	w.bool("randomizeSize", &o.RandomizeSize)
	w.bool("randomizePrice", &o.RandomizePrice)
	if pegsBenchmark(o.OrderType) {
		o.PegBench.walk(w)
	}
	walkConditions(w, &o.Conditions, &o.ConditionsIgnoreRTH, &o.ConditionsCancelOrder)
	w.maxPrice("adjusted trailStopPrice", &o.AdjustedTrailStopPrice)
	w.maxPrice("lmtPriceOffset", &o.LmtPriceOffset)
	w.money("cashQty", &o.CashQty)
	w.bool("dontUseAutoPriceForHedge", &o.DontUseAutoPriceForHedge)
	w.bool("isOmsContainer", &o.IsOMSContainer)
	m.walkOutcome(w)
	o.walkPegOffsets(w)
	if w.v >= verCustomerAccount {
		w.str("customerAccount", &o.CustomerAccount)
	}
	if w.v >= verProfessionalCustomer {
		w.bool("professionalCustomer", &o.ProfessionalCustomer)
	}
	if w.v >= verSubmitter {
		w.str("submitter", &o.Submitter)
	}
}

func (m *CompletedOrder) walkBasics(w *walk) {
	o := &m.Order
	w.contract11(&o.Contract)
	w.str("action", &o.Action)
	w.qty("totalQuantity", &o.TotalQuantity)
	w.str("orderType", &o.OrderType)
	w.price("lmtPrice", &o.LmtPrice)
	w.price("auxPrice", &o.AuxPrice)
	w.str("tif", &o.TIF)
	w.str("ocaGroup", &o.OCAGroup)
	w.str("account", &o.Account)
	w.str("openClose", &o.OpenClose)
	w.int("origin", &o.Origin)
	w.str("orderRef", &o.OrderRef)
	w.int64("permId", &o.PermID)
	w.bool("outsideRth", &o.OutsideRTH)
	w.bool("hidden", &o.Hidden)
	w.price("discretionaryAmt", &o.DiscretionaryAmt)
	w.str("goodAfterTime", &o.GoodAfterTime)
	o.walkGroups(w)
}

func (m *CompletedOrder) walkLimits(w *walk) {
	o := &m.Order
	w.price("startingPrice", &o.StartingPrice)
	w.price("stockRefPrice", &o.StockRefPrice)
	w.number("delta", &o.Delta)
	w.price("stockRangeLower", &o.StockRangeLower)
	w.price("stockRangeUpper", &o.StockRangeUpper)
	w.maxInt("displaySize", &o.DisplaySize)
	w.bool("sweepToFill", &o.SweepToFill)
	w.bool("allOrNone", &o.AllOrNone)
	w.optInt("minQty", &o.MinQty)
	w.int("ocaType", &o.OCAType)
	w.int("triggerMethod", &o.TriggerMethod)
	w.number("volatility", &o.Volatility)
	w.optInt("volatilityType", &o.VolatilityType)
	w.str("deltaNeutralOrderType", &o.DeltaNeutralOrderType)
	w.price("deltaNeutralAuxPrice", &o.DeltaNeutralAuxPrice)
	if b := &o.DeltaNeutral; o.DeltaNeutralOrderType != "" {
		w.int64("deltaNeutral.conId", &b.ConID)
		w.bool("deltaNeutral.shortSale", &b.ShortSale)
		w.int("deltaNeutral.shortSaleSlot", &b.ShortSaleSlot)
		w.str("deltaNeutral.designatedLocation", &b.DesignatedLocation)
	}
	w.bool("continuousUpdate", &o.ContinuousUpdate)
	w.optInt("referencePriceType", &o.ReferencePriceType)
	w.price("trailStopPrice", &o.TrailStopPrice)
	w.number("trailingPercent", &o.TrailingPercent)
}

func (m *CompletedOrder) walkOutcome(w *walk) {
	w.str("autoCancelDate", &m.AutoCancelDate)
	w.qty("filledQuantity", &m.FilledQuantity)
	w.int64("refFuturesConId", &m.RefFuturesConID)
	w.bool("autoCancelParent", &m.Order.AutoCancelParent)
	w.str("shareholder", &m.Shareholder)
	w.bool("imbalanceOnly", &m.Order.ImbalanceOnly)
	w.bool("routeMarketableToBbo", &m.RouteMarketableBBO)
	w.int64("parentPermId", &m.ParentPermID)
	w.text("completedTime", &m.CompletedTime)
	w.text("completedStatus", &m.CompletedStatus)
}
