package wire

import "robotrader/broker/market"

// samples has each message of both tables.
var samples = []sample{
	// Session.
	whole[StartAPI](true),
	whole[ManagedAccts](false),
	whole[ReqManagedAccts](true),
	whole[NextValidID](false),
	whole[ReqIDs](true),
	whole[ReqCurrentTime](true),
	whole[CurrentTime](false),
	whole[ReqTimeInMillis](true).from(197),
	whole[TimeInMillis](false).from(197),
	whole[SetServerLogLevel](true),
	whole[ReqUserInfo](true),
	whole[UserInfo](false),
	sampleOf(false, func(m ErrMsg, v Version) ErrMsg {
		if v < 194 {
			m.Time = 0
		}
		return m
	}),

	// Market data.
	sampleOf(true, func(m ReqMktData, _ Version) ReqMktData {
		m.Legs = legs(m.Contract, m.Legs)
		return m
	}),
	whole[CancelMktData](true),
	whole[ReqMarketDataType](true),
	sampleOf(false, func(m TickPrice, _ Version) TickPrice {
		if m.PriceUnset {
			m.Price = market.Price{}
		}
		if m.SizeUnset {
			m.Size = market.Qty{}
		}
		return m
	}),
	sampleOf(false, func(m TickSize, _ Version) TickSize {
		if m.SizeUnset {
			m.Size = market.Qty{}
		}
		return m
	}),
	sampleOf(false, func(m TickString, _ Version) TickString {
		m.Text = append([]byte{}, m.Text...)
		return m
	}),
	whole[TickGeneric](false),
	whole[TickReqParams](false),
	sampleOf(false, keepOptionComputation),
	whole[MarketDataType](false),
	whole[TickSnapshotEnd](false),
	whole[RerouteMktData](false),
	whole[ReqTickByTick](true),
	whole[CancelTickByTick](true),
	sampleOf(false, keepTickByTick),

	// History.
	sampleOf(true, func(m ReqHistoricalData, _ Version) ReqHistoricalData {
		m.Legs = legs(m.Contract, m.Legs)
		return m
	}),
	whole[CancelHistoricalData](true),
	sampleOf(false, func(m HistoricalData, v Version) HistoricalData {
		if v >= 196 {
			m.Start, m.End = "", ""
		}
		m.Bars = append([]Bar(nil), m.Bars...)
		for i := range m.Bars {
			m.Bars[i].dropMinusOne()
		}
		return m
	}),
	sampleOf(false, func(m HistoricalDataUpdate, _ Version) HistoricalDataUpdate {
		m.Bar.dropMinusOne()
		return m
	}),
	whole[HistoricalDataEnd](false).from(196),
	whole[HistoricalSchedule](false),
	whole[ReqHistoricalTicks](true),
	whole[HistoricalTicks](false),
	whole[HistoricalTicksBidAsk](false),
	whole[HistoricalTicksLast](false),
	whole[ReqHeadTimestamp](true),
	whole[CancelHeadTimestamp](true),
	whole[HeadTimestamp](false),
	whole[ReqRealTimeBars](true),
	whole[CancelRealTimeBars](true),
	sampleOf(false, func(m RealTimeBar, _ Version) RealTimeBar {
		dropMinusOne(&m.Volume, &m.WAP)
		return m
	}),

	// Depth.
	whole[ReqMktDepth](true),
	whole[CancelMktDepth](true),
	whole[MarketDepth](false),
	whole[MarketDepthL2](false),
	whole[RerouteMktDepth](false),
	whole[ReqDepthExchanges](true),
	whole[DepthExchanges](false),

	// Contracts.
	whole[ReqContractDetails](true),
	whole[ContractDataEnd](false),
	sampleOf(false, keepContractData),
	sampleOf(false, keepBond),
	whole[ReqMarketRule](true),
	whole[MarketRule](false),
	whole[ReqMatchingSymbols](true),
	whole[SymbolSamples](false),
	whole[ReqSecDefOptParams](true),
	whole[SecDefOptParams](false),
	whole[SecDefOptParamsEnd](false),
	whole[ReqSmartComponents](true),
	whole[SmartComponents](false),

	// Accounts.
	whole[ReqAccountUpdates](true),
	whole[AccountValue](false),
	sampleOf(false, func(m PortfolioValue, _ Version) PortfolioValue {
		m.Contract.Exchange = ""
		return m
	}),
	whole[AcctUpdateTime](false),
	whole[AcctDownloadEnd](false),
	whole[ReqPositions](true),
	whole[CancelPositions](true),
	sampleOf(false, func(m Position, _ Version) Position {
		m.Contract.PrimaryExchange = ""
		return m
	}),
	whole[PositionEnd](false),
	whole[ReqAccountSummary](true),
	whole[CancelAccountSummary](true),
	whole[AccountSummary](false),
	whole[AccountSummaryEnd](false),
	whole[ReqPositionsMulti](true),
	whole[CancelPositionsMulti](true),
	sampleOf(false, func(m PositionMulti, _ Version) PositionMulti {
		m.Contract.PrimaryExchange = ""
		return m
	}),
	whole[PositionMultiEnd](false),
	whole[ReqAccountUpdatesMulti](true),
	whole[CancelAccountUpdatesMulti](true),
	whole[AccountUpdateMulti](false),
	whole[AccountUpdateMultiEnd](false),
	whole[ReqPnL](true),
	whole[CancelPnL](true),
	whole[PnL](false),
	whole[ReqPnLSingle](true),
	whole[CancelPnLSingle](true),
	whole[PnLSingle](false),
	whole[ReqFamilyCodes](true),
	whole[FamilyCodes](false),
	whole[ReqSoftDollarTiers](true),
	whole[SoftDollarTiers](false),
	whole[ReqNewsBulletins](true),
	whole[CancelNewsBulletins](true),
	whole[NewsBulletin](false),

	// Orders.
	sampleOf(true, keepPlaceOrder),
	sampleOf(true, func(m CancelOrder, v Version) CancelOrder {
		m.Incomplete = false
		if v < 192 {
			m.ExtOperator, m.ManualOrderIndicator = "", nil
		}
		return m
	}),
	sampleOf(true, func(m ReqGlobalCancel, v Version) ReqGlobalCancel {
		if v < 192 {
			return ReqGlobalCancel{}
		}
		return m
	}),
	whole[ReqOpenOrders](true),
	whole[ReqAllOpenOrders](true),
	whole[ReqAutoOpenOrders](true),
	whole[ReqCompletedOrders](true),
	sampleOf(false, keepOpenOrder),
	sampleOf(false, keepCompletedOrder),
	whole[OpenOrderEnd](false),
	whole[CompletedOrdersEnd](false),
	whole[OrderBound](false),
	whole[OrderStatus](false),
	sampleOf(true, func(m ReqExecutions, v Version) ReqExecutions {
		if v < 200 {
			m.LastNDays, m.SpecificDates = nil, nil
		}
		return m
	}),
	sampleOf(false, func(m ExecDetails, v Version) ExecDetails {
		m.Contract.PrimaryExchange = ""
		if v < 178 {
			m.PendingPriceRevision = false
		}
		if v < 198 {
			m.Submitter = ""
		}
		return m
	}),
	whole[ExecDetailsEnd](false),
	whole[CommissionReport](false),
}

// legs returns the legs that a request for c's market data carries, with the
// fields that it carries.
func legs(c Contract, drawn []ComboLeg) (out []ComboLeg) {
	if c.SecType != "BAG" {
		return nil
	}
	for _, l := range drawn {
		out = append(out, ComboLeg{ConID: l.ConID, Ratio: l.Ratio, Action: l.Action, Exchange: l.Exchange})
	}
	return out
}

func keepTickByTick(m TickByTick, _ Version) TickByTick {
	keep := TickByTick{ReqID: m.ReqID, Kind: 1 + m.Kind&3, Time: m.Time}
	switch keep.Kind {
	case TBTBidAsk:
		keep.Bid, keep.Ask, keep.BidSize, keep.AskSize = m.Bid, m.Ask, m.BidSize, m.AskSize
		keep.BidPastLow, keep.AskPastHigh = m.BidPastLow, m.AskPastHigh
	case TBTMidPoint:
		keep.Price = m.Price
	default:
		keep.Price, keep.Size, keep.Exchange, keep.Conditions = m.Price, m.Size, m.Exchange, m.Conditions
		keep.PastLimit, keep.Unreported = m.PastLimit, m.Unreported
	}
	return keep
}

// keepOptionComputation makes nil of the numbers that say "not computed".
func keepOptionComputation(m TickOptionComputation, _ Version) TickOptionComputation {
	if m.ImpliedVol != nil && *m.ImpliedVol < 0 {
		m.ImpliedVol = nil
	}
	for _, f := range []**float64{&m.Delta, &m.Gamma, &m.Vega, &m.Theta} {
		if *f != nil && **f == -2 {
			*f = nil
		}
	}
	for _, p := range []**market.Price{&m.OptPrice, &m.PVDividend, &m.UnderlyingPrice} {
		if *p != nil && **p == minusOne {
			*p = nil
		}
	}
	return m
}

func keepContractData(m ContractData, v Version) ContractData {
	if v < 182 {
		m.LastTradeDate = ""
	}
	if v < 186 {
		m.Ineligibility = nil
	}
	switch {
	case m.Contract.SecType != "FUND" || v < 179:
		m.Fund = nil
	case m.Fund == nil:
		m.Fund = &Fund{}
	}
	return m
}

func keepBond(m BondContractData, v Version) BondContractData {
	c := m.Contract
	m.Contract = Contract{
		ConID: c.ConID, Symbol: c.Symbol, SecType: c.SecType, Exchange: c.Exchange,
		Currency: c.Currency, TradingClass: c.TradingClass,
	}
	if v < 188 {
		m.TimeZoneID, m.TradingHours, m.LiquidHours = "", "", ""
	}
	return m
}

// keepPlaceOrder returns what version v carries of an order.
func keepPlaceOrder(m PlaceOrder, v Version) PlaceOrder {
	m = withItsBlocks(m)
	if v >= 177 {
		m.FAProfile = ""
	}
	if v < 183 {
		m.CustomerAccount = ""
	}
	if v < 184 {
		m.ProfessionalCustomer = false
	}
	if v < 189 {
		m.IncludeOvernight = false
	}
	if v < 192 {
		m.ManualOrderIndicator = nil
	}
	if v < 199 {
		m.ImbalanceOnly = false
	}
	return m
}

// withItsBlocks returns the order without the blocks that its other fields do
// not ask for.
func withItsBlocks(m PlaceOrder) PlaceOrder {
	if m.Contract.SecType != "BAG" {
		m.ComboLegs, m.ComboLegPrices, m.SmartComboRouting = nil, nil, nil
	}
	if m.DeltaNeutralOrderType == "" {
		m.DeltaNeutral = DeltaNeutralOrder{}
	}
	if !above0(m.ScalePriceIncrement) {
		m.Scale = Scale{}
	}
	if m.HedgeType == "" {
		m.HedgeParam = ""
	}
	if m.AlgoStrategy == "" {
		m.AlgoParams = nil
	}
	if m.OrderType != "PEG BENCH" && m.OrderType != "PEGBENCH" {
		m.PegBench = PegBench{}
	}
	m.Conditions = keepConditions(m.Conditions)
	if len(m.Conditions) == 0 {
		m.ConditionsIgnoreRTH, m.ConditionsCancelOrder = false, false
	}
	if m.Contract.Exchange != "IBKRATS" {
		m.MinTradeQty = nil
	}
	offsets := m.OrderType == "PEG MID" || m.OrderType == "PEGMID"
	if m.OrderType == "PEG BEST" || m.OrderType == "PEGBEST" {
		offsets = m.CompeteAgainstBestOffset == "Infinity"
	} else {
		m.MinCompeteSize, m.CompeteAgainstBestOffset = nil, ""
	}
	if !offsets {
		m.MidOffsetAtWhole, m.MidOffsetAtHalf = "", ""
	}
	return m
}

// keepOpenOrder returns what version v carries of an open order.
func keepOpenOrder(m OpenOrder, v Version) OpenOrder {
	m = toldBlocks(m)
	if v >= 177 {
		m.FAProfile = ""
	}
	if v < 183 {
		m.CustomerAccount = ""
	}
	if v < 184 {
		m.ProfessionalCustomer = false
	}
	if v < 185 {
		m.BondAccruedInterest = ""
	}
	if v < 189 {
		m.IncludeOvernight = false
	}
	if v < 193 {
		m.ExtOperator, m.ManualOrderIndicator = "", nil
	}
	if v < 195 {
		m.Preview = Preview{}
	}
	if v < 198 {
		m.Submitter = ""
	}
	if v < 199 {
		m.ImbalanceOnly = false
	}
	return m
}

// toldBlocks returns the order without the blocks that its other fields do not
// announce.
func toldBlocks(m OpenOrder) OpenOrder {
	m.Contract.PrimaryExchange = ""
	if m.DeltaNeutralOrderType == "" {
		m.DeltaNeutral = DeltaNeutralOrder{}
	}
	if !above0(m.ScalePriceIncrement) {
		m.Scale = Scale{}
	}
	if m.HedgeType == "" {
		m.HedgeParam = ""
	}
	if m.AlgoStrategy == "" {
		m.AlgoParams = nil
	}
	if m.OrderType != "PEG BENCH" && m.OrderType != "PEGBENCH" {
		m.PegBench = PegBench{}
	}
	m.Conditions = keepConditions(m.Conditions)
	if len(m.Conditions) == 0 {
		m.ConditionsIgnoreRTH, m.ConditionsCancelOrder = false, false
	}
	return m
}

// keepConditions returns the conditions with a type that exists, and of each
// only the fields that its type has.
func keepConditions(drawn []Condition) (out []Condition) {
	for i, c := range drawn {
		keep := Condition{Type: []int{1, 3, 4, 5, 6, 7}[(i+len(c.Value))%6], Connector: c.Connector}
		switch keep.Type {
		case 5:
			keep.SecType, keep.Exchange, keep.Symbol = c.SecType, c.Exchange, c.Symbol
		case 1:
			keep.TriggerMethod = c.TriggerMethod
			fallthrough
		case 6, 7:
			keep.ConID, keep.Exchange = c.ConID, c.Exchange
			fallthrough
		default:
			keep.More, keep.Value = c.More, c.Value
		}
		out = append(out, keep)
	}
	return out
}

// keepCompletedOrder clears what section 5.4 does not list.
func keepCompletedOrder(m CompletedOrder, v Version) CompletedOrder {
	o := keepOpenOrder(m.Order, v)
	o.ImbalanceOnly = m.Order.ImbalanceOnly // at every version here
	o.OrderID, o.ClientID, o.SharesAllocation = 0, 0, ""
	o.AuctionStrategy, o.BlockOrder, o.ETradeOnly, o.FirmQuoteOnly, o.NBBOPriceCap, o.ParentID = nil, false, false, false, nil, 0
	o.DeltaNeutral = DeltaNeutralOrder{
		ConID: o.DeltaNeutral.ConID, ShortSale: o.DeltaNeutral.ShortSale,
		ShortSaleSlot: o.DeltaNeutral.ShortSaleSlot, DesignatedLocation: o.DeltaNeutral.DesignatedLocation,
	}
	o.BasisPoints, o.BasisPointsType, o.OptOutSmartRouting = "", nil, false
	o.WhatIf, o.Margin, o.Preview, o.WarningText = false, Margin{}, Preview{}, ""
	o.Commission, o.MinCommission, o.MaxCommission, o.CommissionCurrency = nil, nil, nil, ""
	o.AdjustedOrderType, o.TriggerPrice, o.AdjustedStopPrice, o.AdjustedStopLimitPrice = "", nil, nil, nil
	o.AdjustedTrailingAmount, o.AdjustableTrailingUnit = nil, 0
	o.SoftDollarName, o.SoftDollarValue, o.SoftDollarDisplayName = "", "", ""
	o.DiscretionaryUpToLimit, o.UsePriceMgmtAlgo, o.Duration, o.PostToATS = false, nil, nil, nil
	o.BondAccruedInterest, o.IncludeOvernight, o.ExtOperator, o.ManualOrderIndicator = "", false, "", nil
	m.Order = o
	return m
}
