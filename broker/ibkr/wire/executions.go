package wire

import "robotrader/broker/market"

// ReqExecutions is message 7, client to gateway: the executions of the day
// that pass the filter, answered by [ExecDetails] with ReqID, and
// [ExecDetailsEnd].
type ReqExecutions struct {
	ReqID         int
	ClientID      int    // 0 = any
	Account       string // "" = any, and so on
	Time          string // from, "yyyymmdd-hh:mm:ss"
	Symbol        string
	SecType       string
	Exchange      string
	Side          string
	LastNDays     *int  // from 200
	SpecificDates []int // from 200, yyyymmdd
}

// ExecDetails is message 11, gateway to client: one execution. The same ExecID
// told twice is one execution; a correction has the same id up to the part
// behind the last dot.
type ExecDetails struct {
	ReqID                int // -1 when not asked for
	OrderID              int64
	Contract             Contract // without PrimaryExchange
	ExecID               string
	Time                 string // as the venue wrote it; see [ParseTime]
	Account              string
	Exchange             string
	Side                 string // BOT, SLD
	Shares               market.Qty
	Price                market.Price
	PermID               int64
	ClientID             int
	Liquidation          int
	CumQty               *market.Qty
	AvgPrice             *market.Price // computed by the venue, rounded to eight decimals
	OrderRef             string
	EVRule               string
	EVMultiplier         Number
	ModelCode            string
	LastLiquidity        int    // 1 added, 2 removed, 3 routed out
	PendingPriceRevision bool   // from 178
	Submitter            string // from 198
}

// ExecDetailsEnd is message 55, gateway to client. ReqID is -1 when the gateway
// left it out.
type ExecDetailsEnd struct{ ReqID int }

// CommissionReport is message 59, gateway to client. It follows its execution,
// sometimes late.
type CommissionReport struct {
	ExecID              string
	Commission          *market.Money
	Currency            string
	RealizedPNL         *market.Money // nil when the execution closed nothing
	Yield               Number
	YieldRedemptionDate *int // yyyymmdd
}

// ID implements [Message].
func (ReqExecutions) ID() int { return IDReqExecutions }

// Append implements [Message].
func (m ReqExecutions) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqExecutions", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *ReqExecutions) read(r *reader) { m.walk(reading(r)) }

func (m *ReqExecutions) walk(w *walk) {
	w.constant("version", "3")
	w.int("reqId", &m.ReqID)
	w.int("clientId", &m.ClientID)
	w.str("acctCode", &m.Account)
	w.str("time", &m.Time)
	w.str("symbol", &m.Symbol)
	w.str("secType", &m.SecType)
	w.str("exchange", &m.Exchange)
	w.str("side", &m.Side)
	if w.v >= verExecutionDays { // a gateway answers 320 when they are left out
		w.maxInt("lastNDays", &m.LastNDays)
		list(w, "specificDates", &m.SpecificDates, 1, func(date *int, w *walk) {
			w.int("specificDate", date)
		})
	}
}

// ID implements [Message].
func (ExecDetails) ID() int { return IDExecDetails }

// Append implements [Message].
func (m ExecDetails) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "execDetails", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *ExecDetails) read(r *reader) { m.walk(reading(r)) }

func (m *ExecDetails) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.int64("orderId", &m.OrderID)
	w.contract11(&m.Contract)
	w.str("execId", &m.ExecID)
	w.str("time", &m.Time)
	w.str("acctNumber", &m.Account)
	w.str("execution exchange", &m.Exchange)
	w.str("side", &m.Side)
	w.mustQty("shares", &m.Shares)
	w.mustPrice("price", &m.Price)
	w.int64("permId", &m.PermID)
	w.int("clientId", &m.ClientID)
	w.int("liquidation", &m.Liquidation)
	w.qty("cumQty", &m.CumQty)
	w.price("avgPrice", &m.AvgPrice)
	w.str("orderRef", &m.OrderRef)
	w.str("evRule", &m.EVRule)
	w.number("evMultiplier", &m.EVMultiplier)
	w.str("modelCode", &m.ModelCode)
	w.int("lastLiquidity", &m.LastLiquidity)
	if w.v >= verPendingPriceRevision {
		w.bool("pendingPriceRevision", &m.PendingPriceRevision)
	}
	if w.v >= verSubmitter {
		w.str("submitter", &m.Submitter)
	}
}

// ID implements [Message].
func (ExecDetailsEnd) ID() int { return IDExecDetailsEnd }

// Append implements [Message].
func (m ExecDetailsEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "execDetailsEnd", m.ID())
	w.int(1)
	w.int(m.ReqID)
	return w.finish()
}

// read tolerates a missing reqId, which gateways are reported to leave out.
func (m *ExecDetailsEnd) read(r *reader) {
	r.skip("version")
	if r.more() {
		m.ReqID = r.int("reqId")
	} else {
		m.ReqID = -1
	}
}

// ID implements [Message].
func (CommissionReport) ID() int { return IDCommissionReport }

// Append implements [Message].
func (m CommissionReport) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "commissionReport", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *CommissionReport) read(r *reader) { m.walk(reading(r)) }

func (m *CommissionReport) walk(w *walk) {
	w.constant("version", "1")
	w.str("execId", &m.ExecID)
	w.money("commission", &m.Commission)
	w.str("currency", &m.Currency)
	w.maxMoney("realizedPNL", &m.RealizedPNL)
	w.maxNumber("yield", &m.Yield)
	w.optInt("yieldRedemptionDate", &m.YieldRedemptionDate)
}
