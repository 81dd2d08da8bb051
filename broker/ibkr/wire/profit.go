package wire

import "robotrader/broker/market"

// ReqPnL subscribes to an account's profit and loss. Section 4.7.
type ReqPnL struct {
	ReqID     int
	Account   string
	ModelCode string // default none
}

// CancelPnL ends a [ReqPnL].
type CancelPnL struct{ ReqID int }

// PnL is an account's profit and loss, about once a second. nil is not told.
type PnL struct {
	ReqID                       int
	Daily, Unrealized, Realized *market.Money
}

// ReqPnLSingle subscribes to the profit and loss of one position.
type ReqPnLSingle struct {
	ReqID     int
	Account   string
	ModelCode string // default none
	ConID     int64
}

// CancelPnLSingle ends a [ReqPnLSingle].
type CancelPnLSingle struct{ ReqID int }

// PnLSingle is the profit and loss of one position. nil is not told.
type PnLSingle struct {
	ReqID                              int
	Position                           *market.Qty
	Daily, Unrealized, Realized, Value *market.Money
}

// ID implements [Message].
func (ReqPnL) ID() int { return IDReqPnL }

// Append implements [Message].
func (m ReqPnL) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqPnL", m.ID(), m.walk)
}

func (m *ReqPnL) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("account", &m.Account)
	w.str("modelCode", &m.ModelCode)
}

// ID implements [Message].
func (CancelPnL) ID() int { return IDCancelPnL }

// Append implements [Message].
func (m CancelPnL) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelPnL", m.ID(), m.walk)
}

func (m *CancelPnL) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (PnL) ID() int { return IDPnL }

// Append implements [Message].
func (m PnL) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "pnl", m.ID(), m.walk)
}

func (m *PnL) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.maxMoney("dailyPnL", &m.Daily)
	w.maxMoney("unrealizedPnL", &m.Unrealized)
	w.maxMoney("realizedPnL", &m.Realized)
}

// ID implements [Message].
func (ReqPnLSingle) ID() int { return IDReqPnLSingle }

// Append implements [Message].
func (m ReqPnLSingle) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqPnLSingle", m.ID(), m.walk)
}

func (m *ReqPnLSingle) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("account", &m.Account)
	w.str("modelCode", &m.ModelCode)
	w.int64("conId", &m.ConID)
}

// ID implements [Message].
func (CancelPnLSingle) ID() int { return IDCancelPnLSingle }

// Append implements [Message].
func (m CancelPnLSingle) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelPnLSingle", m.ID(), m.walk)
}

func (m *CancelPnLSingle) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (PnLSingle) ID() int { return IDPnLSingle }

// Append implements [Message].
func (m PnLSingle) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "pnlSingle", m.ID(), m.walk)
}

func (m *PnLSingle) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.qty("position", &m.Position)
	w.maxMoney("dailyPnL", &m.Daily)
	w.maxMoney("unrealizedPnL", &m.Unrealized)
	w.maxMoney("realizedPnL", &m.Realized)
	w.maxMoney("value", &m.Value)
}
