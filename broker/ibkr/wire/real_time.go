package wire

import "robotrader/broker/market"

// ReqRealTimeBars asks for a bar every five seconds. Section 4.3.
type ReqRealTimeBars struct {
	ReqID       int
	Contract    Contract
	BarSize     int    // seconds; venues know 5 only, and ignore it
	WhatToShow  string // TRADES, MIDPOINT, BID, ASK
	RegularOnly bool   // useRTH
	Options     string
}

// CancelRealTimeBars ends a [ReqRealTimeBars].
type CancelRealTimeBars struct{ ReqID int }

// RealTimeBar is one bar of five seconds.
type RealTimeBar struct {
	ReqID                  int
	Time                   int64 // its begin, seconds since 1970
	Open, High, Low, Close market.Price
	Volume                 *market.Qty   // nil where the bar is not of trades (-1 on the wire)
	WAP                    *market.Price // weighted average; nil likewise
	Trades                 int           // -1 = not told
}

// ReqHeadTimestamp asks how far back a contract's history goes.
type ReqHeadTimestamp struct {
	ReqID          int
	Contract       Contract
	IncludeExpired bool
	RegularOnly    bool   // useRTH
	WhatToShow     string // TRADES, …
	FormatDate     int    // 1 text, 2 seconds since 1970
}

// CancelHeadTimestamp ends a [ReqHeadTimestamp].
type CancelHeadTimestamp struct{ ReqID int }

// HeadTimestamp answers a [ReqHeadTimestamp].
type HeadTimestamp struct {
	ReqID     int
	Timestamp string // in the form asked for: "19801212-14:30:00", or seconds since 1970
}

// ID implements [Message].
func (ReqRealTimeBars) ID() int { return IDReqRealTimeBars }

// Append implements [Message].
func (m ReqRealTimeBars) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqRealTimeBars", m.ID(), m.walk)
}

func (m *ReqRealTimeBars) walk(w *walk) {
	w.constant("version", "3")
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.int("barSize", &m.BarSize)
	w.str("whatToShow", &m.WhatToShow)
	w.bool("useRTH", &m.RegularOnly)
	w.str("realTimeBarsOptions", &m.Options)
}

// ID implements [Message].
func (CancelRealTimeBars) ID() int { return IDCancelRealTimeBars }

// Append implements [Message].
func (m CancelRealTimeBars) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelRealTimeBars", m.ID(), m.walk)
}

func (m *CancelRealTimeBars) walk(w *walk) {
	w.constant("version", "1")
	w.int("reqId", &m.ReqID)
}

// ID implements [Message].
func (RealTimeBar) ID() int { return IDRealTimeBar }

// Append implements [Message].
func (m RealTimeBar) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "realTimeBars", IDRealTimeBar)
	w.int(3)
	w.int(m.ReqID)
	w.int64(m.Time)
	w.price(m.Open)
	w.price(m.High)
	w.price(m.Low)
	w.price(m.Close)
	w.barVolume(m.Volume)
	w.barWAP(m.Volume, m.WAP)
	w.int(m.Trades)
	return w.finish()
}

func (m *RealTimeBar) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
	m.Time = r.int64("time")
	m.Open = r.price("open")
	m.High = r.price("high")
	m.Low = r.price("low")
	m.Close = r.price("close")
	m.Volume = r.optSize("volume")
	m.WAP = r.optPrice("wap")
	m.Trades = r.int("count")
	dropMinusOne(&m.Volume, &m.WAP)
}

// ID implements [Message].
func (ReqHeadTimestamp) ID() int { return IDReqHeadTimestamp }

// Append implements [Message].
func (m ReqHeadTimestamp) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqHeadTimestamp", m.ID(), m.walk)
}

func (m *ReqHeadTimestamp) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.bool("includeExpired", &m.IncludeExpired)
	w.bool("useRTH", &m.RegularOnly)
	w.str("whatToShow", &m.WhatToShow)
	w.int("formatDate", &m.FormatDate)
}

// ID implements [Message].
func (CancelHeadTimestamp) ID() int { return IDCancelHeadTimestamp }

// Append implements [Message].
func (m CancelHeadTimestamp) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "cancelHeadTimestamp", m.ID(), m.walk)
}

func (m *CancelHeadTimestamp) walk(w *walk) { w.int("reqId", &m.ReqID) }

// ID implements [Message].
func (HeadTimestamp) ID() int { return IDHeadTimestamp }

// Append implements [Message].
func (m HeadTimestamp) Append(dst []byte, v Version) ([]byte, error) {
	return appendServer(dst, v, "headTimestamp", m.ID(), m.walk)
}

func (m *HeadTimestamp) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.str("headTimestamp", &m.Timestamp)
}
