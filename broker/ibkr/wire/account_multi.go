package wire

import "robotrader/broker/market"

// ReqPositionsMulti asks for positions by account and model, and for their
// changes. Section 4.7.
type ReqPositionsMulti struct {
	ReqID     int
	Account   string // "" = all
	ModelCode string // "" = all
}

// CancelPositionsMulti ends a [ReqPositionsMulti].
type CancelPositionsMulti struct{ ReqID int }

// PositionMulti is one position of one account and model.
type PositionMulti struct {
	ReqID     int
	Account   string
	Contract  Contract // without PrimaryExchange
	Position  market.Qty
	AvgCost   *market.Price // computed by the venue; nil = not told
	ModelCode string
}

// PositionMultiEnd tells that all positions were told once.
type PositionMultiEnd struct{ ReqID int }

// ReqAccountUpdatesMulti asks for account values by account and model, and for
// their changes.
type ReqAccountUpdatesMulti struct {
	ReqID        int
	Account      string
	ModelCode    string
	LedgerAndNLV bool // only the ledger and the net liquidation value
}

// CancelAccountUpdatesMulti ends a [ReqAccountUpdatesMulti].
type CancelAccountUpdatesMulti struct{ ReqID int }

// AccountUpdateMulti is one value of one account and model.
type AccountUpdateMulti struct {
	ReqID                                    int
	Account, ModelCode, Key, Value, Currency string
}

// AccountUpdateMultiEnd tells that all values were told once.
type AccountUpdateMultiEnd struct{ ReqID int }

// versionAndReqID walks a message that is a version and a request's id.
func (w *walk) versionAndReqID(p *int) {
	w.constant("version", "1")
	w.int("reqId", p)
}

// ID implements [Message].
func (ReqPositionsMulti) ID() int { return IDReqPositionsMulti }

// Append implements [Message].
func (m ReqPositionsMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqPositionsMulti", m.ID(), m.walk)
}

func (m *ReqPositionsMulti) walk(w *walk) {
	w.versionAndReqID(&m.ReqID)
	w.str("account", &m.Account)
	w.str("modelCode", &m.ModelCode)
}

// ID implements [Message].
func (CancelPositionsMulti) ID() int { return IDCancelPositionsMulti }

// Append implements [Message].
func (m CancelPositionsMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelPositionsMulti", m.ID(), m.walk)
}

func (m *CancelPositionsMulti) walk(w *walk) { w.versionAndReqID(&m.ReqID) }

// ID implements [Message].
func (PositionMulti) ID() int { return IDPositionMulti }

// Append implements [Message].
func (m PositionMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "positionMulti", m.ID(), m.walk)
}

func (m *PositionMulti) walk(w *walk) {
	w.versionAndReqID(&m.ReqID)
	w.str("account", &m.Account)
	w.contract11(&m.Contract)
	w.mustQty("position", &m.Position)
	w.price("avgCost", &m.AvgCost)
	w.str("modelCode", &m.ModelCode)
}

// ID implements [Message].
func (PositionMultiEnd) ID() int { return IDPositionMultiEnd }

// Append implements [Message].
func (m PositionMultiEnd) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "positionMultiEnd", m.ID(), m.walk)
}

func (m *PositionMultiEnd) walk(w *walk) { w.versionAndReqID(&m.ReqID) }

// ID implements [Message].
func (ReqAccountUpdatesMulti) ID() int { return IDReqAccountUpdatesMulti }

// Append implements [Message].
func (m ReqAccountUpdatesMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqAccountUpdatesMulti", m.ID(), m.walk)
}

func (m *ReqAccountUpdatesMulti) walk(w *walk) {
	w.versionAndReqID(&m.ReqID)
	w.str("account", &m.Account)
	w.str("modelCode", &m.ModelCode)
	w.bool("ledgerAndNLV", &m.LedgerAndNLV)
}

// ID implements [Message].
func (CancelAccountUpdatesMulti) ID() int { return IDCancelAccountUpdatesMulti }

// Append implements [Message].
func (m CancelAccountUpdatesMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelAccountUpdatesMulti", m.ID(), m.walk)
}

func (m *CancelAccountUpdatesMulti) walk(w *walk) { w.versionAndReqID(&m.ReqID) }

// ID implements [Message].
func (AccountUpdateMulti) ID() int { return IDAccountUpdateMulti }

// Append implements [Message].
func (m AccountUpdateMulti) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "accountUpdateMulti", m.ID(), m.walk)
}

func (m *AccountUpdateMulti) walk(w *walk) {
	w.versionAndReqID(&m.ReqID)
	w.str("account", &m.Account)
	w.str("modelCode", &m.ModelCode)
	w.str("key", &m.Key)
	w.text("value", &m.Value)
	w.str("currency", &m.Currency)
}

// ID implements [Message].
func (AccountUpdateMultiEnd) ID() int { return IDAccountUpdateMultiEnd }

// Append implements [Message].
func (m AccountUpdateMultiEnd) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "accountUpdateMultiEnd", m.ID(), m.walk)
}

func (m *AccountUpdateMultiEnd) walk(w *walk) { w.versionAndReqID(&m.ReqID) }
