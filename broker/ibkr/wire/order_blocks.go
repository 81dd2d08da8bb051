package wire

import "robotrader/broker/market"

// DeltaNeutralOrder is the block behind a delta-neutral order type.
type DeltaNeutralOrder struct {
	ConID              int64
	SettlingFirm       string
	ClearingAccount    string
	ClearingIntent     string
	OpenClose          string // live gateways send "?"
	ShortSale          bool
	ShortSaleSlot      int
	DesignatedLocation string
}

// ComboLeg is one leg of a BAG.
type ComboLeg struct {
	ConID              int64
	Ratio              int
	Action             string
	Exchange           string
	OpenClose          int
	ShortSaleSlot      int
	DesignatedLocation string
	ExemptCode         int
}

// walkCombo goes through the legs of a combination, their prices and the
// routing parameters.
func walkCombo(w *walk, legs *[]ComboLeg, prices *[]*market.Price, routing *[]TagValue) {
	list(w, "comboLegs", legs, 8, (*ComboLeg).walk)
	list(w, "orderComboLegs", prices, 1, func(p **market.Price, w *walk) {
		w.price("orderComboLeg.price", p)
	})
	list(w, "smartComboRoutingParams", routing, 2, (*TagValue).walk)
}

// walkRequest goes through the four fields of a leg that requests for market
// data carry.
func (b *ComboLeg) walkRequest(w *walk) {
	w.int64("comboLeg.conId", &b.ConID)
	w.int("comboLeg.ratio", &b.Ratio)
	w.str("comboLeg.action", &b.Action)
	w.str("comboLeg.exchange", &b.Exchange)
}

// walkHedgeContract goes through the delta-neutral contract and the algorithm,
// which are neighbours in every order.
func walkHedgeContract(w *walk, hedge **DeltaNeutralContract, algo *string, params *[]TagValue) {
	optional(w, "deltaNeutralContract", hedge, (*DeltaNeutralContract).walk)
	w.str("algoStrategy", algo)
	if *algo != "" {
		list(w, "algoParams", params, 2, (*TagValue).walk)
	}
}

// walkConditions goes through the conditions, and what is said of all of them
// when there are any.
func walkConditions(w *walk, conditions *[]Condition, ignoreRTH, cancelOrder *bool) {
	list(w, "conditions", conditions, 4, (*Condition).walk)
	if len(*conditions) > 0 {
		w.bool("conditionsIgnoreRth", ignoreRTH)
		w.bool("conditionsCancelOrder", cancelOrder)
	}
}

// TagValue is one pair of a list: an algorithm's parameter, a security id.
type TagValue struct{ Tag, Value string }

// Scale is the block behind a scale order's price increment.
type Scale struct {
	PriceAdjustValue    *market.Price
	PriceAdjustInterval *int
	ProfitOffset        *market.Price
	AutoReset           bool
	InitPosition        *int
	InitFillQty         *int
	RandomPercent       bool
}

// DeltaNeutralContract is the hedge of a delta-neutral order.
type DeltaNeutralContract struct {
	ConID        int64
	Delta, Price Number
}

// Margin is what an order would do to the account's margins.
type Margin struct {
	InitBefore, MaintBefore, EquityBefore *market.Money
	InitChange, MaintChange, EquityChange *market.Money
	InitAfter, MaintAfter, EquityAfter    *market.Money
}

// Preview is the part of a what-if answer that came with version 195.
type Preview struct {
	MarginCurrency string
	OutsideRTH     Margin
	SuggestedSize  *market.Qty
	RejectReason   string
	Allocations    []Allocation
}

// Allocation is one account's part of a previewed order.
type Allocation struct {
	Account                          string
	Position, Desired, After         *market.Qty
	DesiredAllocQty, AllowedAllocQty *market.Qty
	Monetary                         bool
}

// PegBench is the block of a pegged-to-benchmark order.
type PegBench struct {
	ReferenceConID    int64
	Decrease          bool
	PeggedChange      Number
	ReferenceChange   Number
	ReferenceExchange string
}

// Condition is one condition of a conditional order. Which fields it has
// depends on Type.
type Condition struct {
	Type          int    // 1 price, 3 time, 4 margin, 5 execution, 6 volume, 7 percent change
	Connector     string // "a" and, "o" or, with the next condition
	More          bool   // not for executions
	Value         string // price, time, percent, volume or change
	ConID         int64  // price, volume, percent change
	Exchange      string // these, and executions
	TriggerMethod int    // price
	SecType       string // executions
	Symbol        string // executions
}

func (b *DeltaNeutralOrder) walk(w *walk) {
	w.int64("deltaNeutral.conId", &b.ConID)
	w.str("deltaNeutral.settlingFirm", &b.SettlingFirm)
	w.str("deltaNeutral.clearingAccount", &b.ClearingAccount)
	w.str("deltaNeutral.clearingIntent", &b.ClearingIntent)
	w.str("deltaNeutral.openClose", &b.OpenClose)
	w.bool("deltaNeutral.shortSale", &b.ShortSale)
	w.int("deltaNeutral.shortSaleSlot", &b.ShortSaleSlot)
	w.str("deltaNeutral.designatedLocation", &b.DesignatedLocation)
}

func (b *ComboLeg) walk(w *walk) {
	w.int64("comboLeg.conId", &b.ConID)
	w.int("comboLeg.ratio", &b.Ratio)
	w.str("comboLeg.action", &b.Action)
	w.str("comboLeg.exchange", &b.Exchange)
	w.int("comboLeg.openClose", &b.OpenClose)
	w.int("comboLeg.shortSaleSlot", &b.ShortSaleSlot)
	w.str("comboLeg.designatedLocation", &b.DesignatedLocation)
	w.int("comboLeg.exemptCode", &b.ExemptCode)
}

// walk goes through a parameter of an algorithm or of combo routing.
func (b *TagValue) walk(w *walk) {
	w.str("tag", &b.Tag)
	w.str("value", &b.Value)
}

func (b *Scale) walk(w *walk) {
	w.price("scalePriceAdjustValue", &b.PriceAdjustValue)
	w.optInt("scalePriceAdjustInterval", &b.PriceAdjustInterval)
	w.price("scaleProfitOffset", &b.ProfitOffset)
	w.bool("scaleAutoReset", &b.AutoReset)
	w.optInt("scaleInitPosition", &b.InitPosition)
	w.optInt("scaleInitFillQty", &b.InitFillQty)
	w.bool("scaleRandomPercent", &b.RandomPercent)
}

func (b *DeltaNeutralContract) walk(w *walk) {
	w.int64("deltaNeutralContract.conId", &b.ConID)
	w.number("deltaNeutralContract.delta", &b.Delta)
	w.number("deltaNeutralContract.price", &b.Price)
}

// walk goes through the nine amounts: before, change, after, and in each the
// initial margin, the maintenance margin and the equity with loan value.
func (b *Margin) walk(w *walk) {
	for _, f := range [...]struct {
		name  string
		value **market.Money
	}{
		{"initMarginBefore", &b.InitBefore},
		{"maintMarginBefore", &b.MaintBefore},
		{"equityWithLoanBefore", &b.EquityBefore},
		{"initMarginChange", &b.InitChange},
		{"maintMarginChange", &b.MaintChange},
		{"equityWithLoanChange", &b.EquityChange},
		{"initMarginAfter", &b.InitAfter},
		{"maintMarginAfter", &b.MaintAfter},
		{"equityWithLoanAfter", &b.EquityAfter},
	} {
		w.maxMoney(f.name, f.value)
	}
}

func (b *Preview) walk(w *walk) {
	w.str("marginCurrency", &b.MarginCurrency)
	b.OutsideRTH.walk(w)
	w.minQty("suggestedSize", &b.SuggestedSize)
	w.text("rejectReason", &b.RejectReason)
	list(w, "allocations", &b.Allocations, 7, (*Allocation).walk)
}

func (b *Allocation) walk(w *walk) {
	w.str("allocation.account", &b.Account)
	w.qty("allocation.position", &b.Position)
	w.qty("allocation.positionDesired", &b.Desired)
	w.qty("allocation.positionAfter", &b.After)
	w.qty("allocation.desiredAllocQty", &b.DesiredAllocQty)
	w.qty("allocation.allowedAllocQty", &b.AllowedAllocQty)
	w.bool("allocation.isMonetary", &b.Monetary)
}

func (b *PegBench) walk(w *walk) {
	w.int64("referenceContractId", &b.ReferenceConID)
	w.bool("isPeggedChangeAmountDecrease", &b.Decrease)
	w.number("peggedChangeAmount", &b.PeggedChange)
	w.number("referenceChangeAmount", &b.ReferenceChange)
	w.str("referenceExchangeId", &b.ReferenceExchange)
}

// walk goes through the bodies of the protocol sheet's section 5.2.
func (b *Condition) walk(w *walk) {
	w.int("condition.type", &b.Type)
	w.str("condition.connector", &b.Connector)
	switch b.Type {
	case 1, 6, 7:
		w.bool("condition.isMore", &b.More)
		w.str("condition.value", &b.Value)
		w.int64("condition.conId", &b.ConID)
		w.str("condition.exchange", &b.Exchange)
		if b.Type == 1 {
			w.int("condition.triggerMethod", &b.TriggerMethod)
		}
	case 3, 4:
		w.bool("condition.isMore", &b.More)
		w.str("condition.value", &b.Value)
	case 5:
		w.str("condition.secType", &b.SecType)
		w.str("condition.exchange", &b.Exchange)
		w.str("condition.symbol", &b.Symbol)
	default:
		w.refuse("condition.type", b.Type, "condition type (1 and 3 to 7 are)")
	}
}
