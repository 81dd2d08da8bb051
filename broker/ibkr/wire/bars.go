package wire

import (
	"robotrader/broker/market"
)

// ReqHistoricalData asks for bars.
type ReqHistoricalData struct {
	ReqID          int
	Contract       Contract
	Legs           []ComboLeg // of a BAG: conId, ratio, action and exchange
	IncludeExpired bool
	EndDateTime    string // "" = now; must be empty with KeepUpToDate
	BarSize        string // such as "1 min"
	Duration       string // such as "2 D"
	RegularOnly    bool   // useRTH
	WhatToShow     string // TRADES, MIDPOINT, BID, ASK, …; SCHEDULE is answered by HistoricalSchedule
	FormatDate     int    // 1 text, 2 seconds since 1970
	KeepUpToDate   bool
	ChartOptions   string
}

// CancelHistoricalData ends a [ReqHistoricalData].
type CancelHistoricalData struct{ ReqID int }

// Bar is one bar of [HistoricalData].
type Bar struct {
	// Date is when the bar begins, in the form asked for: seconds since 1970,
	// "20260402 09:30:00 US/Eastern" (older servers: two blanks and no zone),
	// or "20260402" for a bar of a day and longer.
	Date                   string
	Open, High, Low, Close market.Price
	Volume                 *market.Qty   // nil where the bar is not of trades (-1 on the wire)
	WAP                    *market.Price // weighted average, rounded to eight decimals; nil likewise
	Trades                 int           // -1 = not told
}

// HistoricalData answers a [ReqHistoricalData].
type HistoricalData struct {
	ReqID      int
	Start, End string // below version 196 only; then HistoricalDataEnd has them
	Bars       []Bar
}

// HistoricalDataEnd follows [HistoricalData]; since version 196.
type HistoricalDataEnd struct {
	ReqID      int
	Start, End string // End may be missing
}

// HistoricalDataUpdate is the newest bar of a request with KeepUpToDate.
type HistoricalDataUpdate struct {
	ReqID int
	Bar   Bar
}

// HistoricalSchedule answers a [ReqHistoricalData] for SCHEDULE.
type HistoricalSchedule struct {
	ReqID      int
	Start, End string // such as "20260402-09:30:00"
	TimeZone   string
	Sessions   []ScheduleSession
}

// ScheduleSession is one session of a [HistoricalSchedule].
type ScheduleSession struct{ Start, End, RefDate string }

// ID implements [Message].
func (ReqHistoricalData) ID() int { return IDReqHistoricalData }

// Append implements [Message]. Mind the order: bar size before duration.
func (m ReqHistoricalData) Append(dst []byte, v Version) ([]byte, error) {
	return appendClient(dst, v, "reqHistoricalData", m.ID(), m.walk)
}

func (m *ReqHistoricalData) walk(w *walk) {
	w.int("reqId", &m.ReqID)
	w.contract12(&m.Contract)
	w.bool("includeExpired", &m.IncludeExpired)
	w.str("endDateTime", &m.EndDateTime)
	w.str("barSizeSetting", &m.BarSize)
	w.str("durationStr", &m.Duration)
	w.bool("useRTH", &m.RegularOnly)
	w.str("whatToShow", &m.WhatToShow)
	w.int("formatDate", &m.FormatDate)
	if m.Contract.SecType == "BAG" {
		list(w, "comboLegs", &m.Legs, 4, (*ComboLeg).walkRequest)
	}
	w.bool("keepUpToDate", &m.KeepUpToDate)
	w.str("chartOptions", &m.ChartOptions)
}

// ID implements [Message].
func (CancelHistoricalData) ID() int { return IDCancelHistoricalData }

// Append implements [Message].
func (m CancelHistoricalData) Append(dst []byte, v Version) ([]byte, error) {
	return requestOf(dst, v, "cancelHistoricalData", IDCancelHistoricalData, 1, m.ReqID)
}

func (m *CancelHistoricalData) read(r *reader) {
	r.skip("version")
	m.ReqID = r.int("reqId")
}

// barFields is how many fields a bar of message 17 has.
const barFields = 8

// ID implements [Message].
func (HistoricalData) ID() int { return IDHistoricalData }

// Append implements [Message].
func (m HistoricalData) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalData", IDHistoricalData)
	w.int(m.ReqID)
	if v < verHistoricalDataEnd {
		w.str("start", m.Start)
		w.str("end", m.End)
	}
	w.int(len(m.Bars))
	for i := range m.Bars {
		b := &m.Bars[i]
		w.str("bar.date", b.Date)
		w.price(b.Open)
		w.price(b.High)
		w.price(b.Low)
		w.price(b.Close)
		w.barVolume(b.Volume)
		w.barWAP(b.Volume, b.WAP)
		w.int(b.Trades)
	}
	return w.finish()
}

// barVolume writes the volume of a bar, which is -1 where it is not of trades.
func (w *writer) barVolume(volume *market.Qty) {
	if volume == nil {
		w.int(-1)
		return
	}
	w.qty(*volume)
}

func (w *writer) barWAP(volume *market.Qty, wap *market.Price) {
	if volume == nil && wap == nil {
		w.int(-1)
		return
	}
	w.optPrice(wap)
}

func (m *HistoricalData) read(r *reader) {
	m.ReqID = r.int("reqId")
	if r.v < verHistoricalDataEnd {
		m.Start = r.str("start")
		m.End = r.str("end")
	}
	m.Bars = items(r, r.count("barCount", barFields), func(b *Bar) {
		b.Date = r.str("bar.date")
		b.Open = r.price("bar.open")
		b.High = r.price("bar.high")
		b.Low = r.price("bar.low")
		b.Close = r.price("bar.close")
		b.Volume = r.optSize("bar.volume")
		b.WAP = r.optPrice("bar.wap")
		b.Trades = r.int("bar.barCount")
		b.dropMinusOne()
	})
}

// dropMinusOne makes nil of the -1 that bars without trades carry.
func (b *Bar) dropMinusOne() { dropMinusOne(&b.Volume, &b.WAP) }

func dropMinusOne(volume **market.Qty, wap **market.Price) {
	if *volume != nil && **volume == minusOneQty {
		*volume = nil
	}
	if *volume == nil && *wap != nil && **wap == minusOne {
		*wap = nil
	}
}

var minusOneQty = market.MustQty("-1")

// ID implements [Message].
func (HistoricalDataEnd) ID() int { return IDHistoricalDataEnd }

// Append implements [Message].
func (m HistoricalDataEnd) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalDataEnd", IDHistoricalDataEnd)
	w.since(verHistoricalDataEnd)
	w.int(m.ReqID)
	w.str("start", m.Start)
	w.str("end", m.End)
	return w.finish()
}

func (m *HistoricalDataEnd) read(r *reader) {
	r.since(verHistoricalDataEnd)
	m.ReqID = r.int("reqId")
	m.Start = r.str("start")
	if r.more() { // seen live without it
		m.End = r.str("end")
	}
}

// ID implements [Message].
func (HistoricalDataUpdate) ID() int { return IDHistoricalDataUpdate }

// Append implements [Message]. The order of fields is not that of
// [HistoricalData].
func (m HistoricalDataUpdate) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalDataUpdate", IDHistoricalDataUpdate)
	b := &m.Bar
	w.int(m.ReqID)
	w.int(b.Trades)
	w.str("date", b.Date)
	w.price(b.Open)
	w.price(b.Close)
	w.price(b.High)
	w.price(b.Low)
	w.barWAP(b.Volume, b.WAP)
	w.barVolume(b.Volume)
	return w.finish()
}

func (m *HistoricalDataUpdate) read(r *reader) {
	b := &m.Bar
	m.ReqID = r.int("reqId")
	b.Trades = r.int("barCount")
	b.Date = r.str("date")
	b.Open = r.price("open")
	b.Close = r.price("close")
	b.High = r.price("high")
	b.Low = r.price("low")
	b.WAP = r.optPrice("wap")
	b.Volume = r.optSize("volume")
	b.dropMinusOne()
}

// ID implements [Message].
func (HistoricalSchedule) ID() int { return IDHistoricalSchedule }

// Append implements [Message].
func (m HistoricalSchedule) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, "historicalSchedule", IDHistoricalSchedule)
	w.int(m.ReqID)
	w.str("start", m.Start)
	w.str("end", m.End)
	w.str("timeZone", m.TimeZone)
	w.int(len(m.Sessions))
	for _, s := range m.Sessions {
		w.str("session.start", s.Start)
		w.str("session.end", s.End)
		w.str("session.refDate", s.RefDate)
	}
	return w.finish()
}

func (m *HistoricalSchedule) read(r *reader) {
	m.ReqID = r.int("reqId")
	m.Start = r.str("start")
	m.End = r.str("end")
	m.TimeZone = r.str("timeZone")
	m.Sessions = items(r, r.count("sessionCount", 3), func(s *ScheduleSession) {
		s.Start = r.str("session.start")
		s.End = r.str("session.end")
		s.RefDate = r.str("session.refDate")
	})
}
