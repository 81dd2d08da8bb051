package wire

import (
	"bytes"

	"robotrader/broker/market"
)

// CancelOrder is message 4, client to gateway.
//
// From 192 on a gateway silently drops a cancel that lacks ExtOperator and
// ManualOrderIndicator. Decoding such a cancel succeeds and sets Incomplete, so
// that a simulated gateway can drop it, too.
type CancelOrder struct {
	OrderID               int64
	ManualOrderCancelTime string
	ExtOperator           string // from 192
	ManualOrderIndicator  *int   // from 192
	Incomplete            bool   // decoded only: fields of 192 and above are missing
}

// ReqGlobalCancel is message 58, client to gateway: cancel every order of the
// account, those made elsewhere included.
type ReqGlobalCancel struct {
	ExtOperator          string // from 192
	ManualOrderIndicator *int   // from 192
}

// ReqOpenOrders is message 5, client to gateway: the open orders of this
// client, answered by [OpenOrder], [OrderStatus] and [OpenOrderEnd].
type ReqOpenOrders struct{}

// ReqAllOpenOrders is message 16, client to gateway: the open orders of all
// API clients.
type ReqAllOpenOrders struct{}

// ReqAutoOpenOrders is message 15, client to gateway: bind orders made by hand
// to client 0. Other client ids are refused with code 327.
type ReqAutoOpenOrders struct{ AutoBind bool }

// ReqCompletedOrders is message 99, client to gateway.
type ReqCompletedOrders struct{ APIOnly bool }

// OpenOrderEnd is message 53, gateway to client: the list of open orders is
// complete.
type OpenOrderEnd struct{}

// CompletedOrdersEnd is message 102, gateway to client.
type CompletedOrdersEnd struct{}

// OrderBound is message 100, gateway to client: an order made by hand now has
// an API order id.
type OrderBound struct {
	PermID   int64
	ClientID int
	OrderID  int64
}

// OrderStatus is message 3, gateway to client. Duplicates are normal, and a
// status is a hint: executions tell what was filled.
type OrderStatus struct {
	OrderID       int64
	Status        string // ApiPending, PendingSubmit, PendingCancel, PreSubmitted, Submitted, ApiCancelled, Cancelled, Filled, Inactive
	Filled        *market.Qty
	Remaining     *market.Qty
	AvgFillPrice  *market.Price // computed by the venue, rounded to eight decimals
	PermID        int64
	ParentID      int64
	LastFillPrice *market.Price
	ClientID      int
	WhyHeld       string // such as "locate"
	MktCapPrice   *market.Price
}

// ID implements [Message].
func (CancelOrder) ID() int { return IDCancelOrder }

// Append implements [Message]. A cancel that is Incomplete is written without
// the fields of 192, for tests of what a gateway does about it.
func (m CancelOrder) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "cancelOrder", m.ID())
	if v < verCMETagging {
		w.int(1)
	}
	w.int64(m.OrderID)
	w.str("manualOrderCancelTime", m.ManualOrderCancelTime)
	switch {
	case v >= verCMETagging && !m.Incomplete:
		f := writing(&w)
		f.str("extOperator", &m.ExtOperator)
		f.optInt("manualOrderIndicator", &m.ManualOrderIndicator)
	case v >= verRFQ && v < verRFQGone:
		w.empty()
		w.empty()
		w.str("manualOrderIndicator", unsetIntText)
	}
	return w.finish()
}

func (m *CancelOrder) read(r *reader) {
	switch fields := bytes.Count(r.rest, []byte{0}); {
	case r.v < verCMETagging:
		m.readVersioned(r)
	case fields == 3 && bytes.HasPrefix(r.rest, []byte("1\x00")):
		// The layout of older versions, version field and all: what clients
		// that do not know 192 still send.
		m.Incomplete = true
		m.readVersioned(r)
	case fields < 4:
		m.Incomplete = true
		m.OrderID = r.int64("orderId")
		if r.more() {
			m.ManualOrderCancelTime = r.str("manualOrderCancelTime")
		}
		if r.more() {
			m.ExtOperator = r.str("extOperator")
		}
	default:
		m.OrderID = r.int64("orderId")
		m.ManualOrderCancelTime = r.str("manualOrderCancelTime")
		m.ExtOperator = r.str("extOperator")
		m.ManualOrderIndicator = r.optInt("manualOrderIndicator")
	}
}

// readVersioned reads the layouts below 192.
func (m *CancelOrder) readVersioned(r *reader) {
	r.skip("version")
	m.OrderID = r.int64("orderId")
	m.ManualOrderCancelTime = r.str("manualOrderCancelTime")
	if r.v >= verRFQ && r.v < verRFQGone {
		r.skip("externalUserId")
		r.skip("extOperator")
		r.skip("manualOrderIndicator")
	}
}

// ID implements [Message].
func (ReqGlobalCancel) ID() int { return IDReqGlobalCancel }

// Append implements [Message].
func (m ReqGlobalCancel) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqGlobalCancel", m.ID())
	if v < verCMETagging {
		w.int(1)
		return w.finish()
	}
	f := writing(&w)
	f.str("extOperator", &m.ExtOperator)
	f.optInt("manualOrderIndicator", &m.ManualOrderIndicator)
	return w.finish()
}

func (m *ReqGlobalCancel) read(r *reader) {
	if r.v < verCMETagging {
		r.skip("version")
		return
	}
	m.ExtOperator = r.str("extOperator")
	m.ManualOrderIndicator = r.optInt("manualOrderIndicator")
}

// ID implements [Message].
func (ReqOpenOrders) ID() int { return IDReqOpenOrders }

// Append implements [Message].
func (m ReqOpenOrders) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqOpenOrders", m.ID())
	w.int(1)
	return w.finish()
}

func (m *ReqOpenOrders) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (ReqAllOpenOrders) ID() int { return IDReqAllOpenOrders }

// Append implements [Message].
func (m ReqAllOpenOrders) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqAllOpenOrders", m.ID())
	w.int(1)
	return w.finish()
}

func (m *ReqAllOpenOrders) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (ReqAutoOpenOrders) ID() int { return IDReqAutoOpenOrders }

// Append implements [Message].
func (m ReqAutoOpenOrders) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqAutoOpenOrders", m.ID())
	w.int(1)
	w.bool(m.AutoBind)
	return w.finish()
}

func (m *ReqAutoOpenOrders) read(r *reader) {
	r.skip("version")
	m.AutoBind = r.bool("autoBind")
}

// ID implements [Message].
func (ReqCompletedOrders) ID() int { return IDReqCompletedOrders }

// Append implements [Message].
func (m ReqCompletedOrders) Append(dst []byte, v Version) ([]byte, error) {
	w := clientMessage(dst, v, "reqCompletedOrders", m.ID())
	w.bool(m.APIOnly)
	return w.finish()
}

func (m *ReqCompletedOrders) read(r *reader) { m.APIOnly = r.bool("apiOnly") }

// ID implements [Message].
func (OpenOrderEnd) ID() int { return IDOpenOrderEnd }

// Append implements [Message].
func (m OpenOrderEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "openOrderEnd", m.ID())
	w.int(1)
	return w.finish()
}

func (m *OpenOrderEnd) read(r *reader) { r.skip("version") }

// ID implements [Message].
func (CompletedOrdersEnd) ID() int { return IDCompletedOrdersEnd }

// Append implements [Message].
func (m CompletedOrdersEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "completedOrdersEnd", m.ID())
	return w.finish()
}

func (m *CompletedOrdersEnd) read(*reader) {}

// ID implements [Message].
func (OrderBound) ID() int { return IDOrderBound }

// Append implements [Message].
func (m OrderBound) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "orderBound", m.ID())
	w.int64(m.PermID)
	w.int(m.ClientID)
	w.int64(m.OrderID)
	return w.finish()
}

func (m *OrderBound) read(r *reader) {
	m.PermID = r.int64("permId")
	m.ClientID = r.int("clientId")
	m.OrderID = r.int64("orderId")
}

// ID implements [Message].
func (OrderStatus) ID() int { return IDOrderStatus }

// Append implements [Message].
func (m OrderStatus) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "orderStatus", m.ID())
	m.walk(writing(&w))
	return w.finish()
}

func (m *OrderStatus) read(r *reader) { m.walk(reading(r)) }

func (m *OrderStatus) walk(w *walk) {
	w.int64("orderId", &m.OrderID)
	w.str("status", &m.Status)
	w.qty("filled", &m.Filled)
	w.qty("remaining", &m.Remaining)
	w.price("avgFillPrice", &m.AvgFillPrice)
	w.int64("permId", &m.PermID)
	w.int64("parentId", &m.ParentID)
	w.price("lastFillPrice", &m.LastFillPrice)
	w.int("clientId", &m.ClientID)
	w.str("whyHeld", &m.WhyHeld)
	w.price("mktCapPrice", &m.MktCapPrice)
}
