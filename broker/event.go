package broker

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Batch is what came in since the last call of [Session.Events], at least all
// of one read of the socket.
type Batch struct {
	Received time.Time // wall time of the newest read
	Ticks    []market.Tick
	Events   []Event
	// TickFrames and ReportFrames count the market-data and order-report
	// frames of the session up to and including this batch. A lock-step replay
	// compares them with what the gateway wrote.
	TickFrames   uint64
	ReportFrames uint64
}

// Event is anything but a tick: one of the types below, as a value.
type Event interface{ event() }

// OrderReport is a venue's description of an order (openOrder). WhatIf marks
// a margin preview, which is not an order.
type OrderReport struct {
	Order  order.Order // Ref, OrderID, PermID, ClientID, Account, Symbol, Side, Type, TIF, Qty, Limit
	Status string      // the venue's word
	Signal order.Signal
	Known  bool // false: the status is a word we do not know; Signal means nothing
	WhatIf bool
}

// CompletedReport is a venue's description of an order of the day that is done.
// Venues tell no order id and no client id with it: who it belongs to is told
// by its reference, or by the PermID that an earlier report gave.
type CompletedReport struct {
	Order  order.Order // Ref, PermID, Account, Symbol, Side, Type, TIF, Qty, Limit, Filled
	Status string      // the venue's word, such as "Filled"
	Signal order.Signal
	Known  bool   // false: the status is a word we do not know; Signal means nothing
	Why    string // the venue's words, such as "Cancelled by Trader"
	At     time.Time
}

// StatusReport is a venue's word on an order's status. It is a hint;
// executions are the truth about what was filled.
type StatusReport struct {
	OrderID   int64
	PermID    int64
	ClientID  int
	Status    string // the venue's word, such as "PreSubmitted"
	Signal    order.Signal
	Known     bool // false: a word we do not know; Signal means nothing
	Filled    market.Qty
	Remaining market.Qty
	WhyHeld   string
}

// ExecutionReport is one execution. Fill's commission is not known yet.
type ExecutionReport struct {
	Fill order.Fill
}

// CommissionReport tells what one execution cost.
type CommissionReport struct {
	ExecID      string        `json:"exec_id"`
	Commission  market.Money  `json:"commission"`
	Currency    string        `json:"currency"`
	RealizedPNL *market.Money `json:"realized_pnl"`
}

// NoticeKind says what a venue's message is about.
type NoticeKind uint8

// The kinds of notice.
const (
	NoticeInfo      NoticeKind = iota // for people only
	NoticeWarning                     // for people, with a consequence
	NoticeRequest                     // a request of ours failed
	NoticeReject                      // an order was refused
	NoticeCancelled                   // an order was cancelled (202); its status is authoritative
	NoticeNoCancel                    // a cancel was refused; the order stands
	NoticeDataDown                    // market data is broken or absent
	NoticeDataUp                      // market data is back
	NoticeDataLost                    // link back, subscriptions lost (1101)
	NoticeLinkDown                    // the gateway lost the venue (1100, 2110)
	NoticeLinkUp                      // link back, subscriptions kept (1102)
	NoticePacing                      // we sent too much
	NoticeSession                     // the session itself is refused or ends (326, 1300, …)
	NoticeSilent                      // the gateway left a time request unanswered; ours, it has no code
	NoticeAnswers                     // it answers again, after NoticeSilent
	NoticeReadOnly                    // the gateway's API is read-only (321); once a session
	NoticeCompeting                   // no data: another session of this user takes it (10197)
)

var noticeNames = [...]string{
	"info", "warning", "request", "reject", "cancelled", "no_cancel", "data_down", "data_up",
	"data_lost", "link_down", "link_up", "pacing", "session", "silent", "answers", "read_only", "competing",
}

func (k NoticeKind) String() string {
	if int(k) < len(noticeNames) {
		return noticeNames[k]
	}
	return "unknown"
}

// Notice is a venue's message: error, warning or news, whatever it is.
type Notice struct {
	Kind    NoticeKind
	Code    int
	Text    string
	OrderID int64         // 0 = not about an order
	Symbol  market.Symbol // "" = not about a symbol
	At      time.Time     // the venue's time, zero when not told
}

// AccountValue is one named value of the account, such as NetLiquidation. It
// stays text: some values are not numbers.
type AccountValue struct {
	Account  string `json:"account"`
	Key      string `json:"key"`
	Value    string `json:"value"`
	Currency string `json:"currency"`
}

// PositionReport is the venue's word on one position.
type PositionReport struct {
	Position order.Position
}

func (OrderReport) event()      {}
func (StatusReport) event()     {}
func (ExecutionReport) event()  {}
func (CommissionReport) event() {}
func (Notice) event()           {}
func (AccountValue) event()     {}
func (PositionReport) event()   {}
