package ibkr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// ocaReduce is the type of our one-cancels-all groups: 2, what one order
// fills the others are reduced by in proportion, and the venue never has two of
// the group at an exchange at once ("with block"). Type 1 would cancel a
// position's stop by the first share of an exit, and type 3 lets two orders of
// the group fill at the same moment, beyond the position.
const ocaReduce = 2

// Place writes a new order to the socket, or the change of one under its own
// number, on the caller's goroutine; see [broker.Trader]. It is transmitted at
// once; the order's reference is the id of the intent that made it. When
// nothing came from the gateway for a while, it has to give a sign of life
// first.
func (s *Session) Place(ctx context.Context, t broker.Ticket) error {
	frame, err := s.frameOf(t)
	if err != nil {
		return &broker.Error{Op: placing(t), Kind: broker.ErrNotWritten, Err: err, Advice: "correct the order; nothing was sent"}
	}
	if err := s.proveAlive(ctx); err != nil {
		return &broker.Error{Op: placing(t), Kind: broker.ErrNotWritten, Err: err, Advice: "nothing was sent: look at the gateway's window; it may be tried again"}
	}
	if err := s.admit(ctx, pace.OrderNext); err != nil {
		return orderError(placing(t), err)
	}
	if err := s.proveAlive(ctx); err != nil { // again: the wait for room may have been long
		return orderError(placing(t), err)
	}
	if err := s.write(frame); err != nil {
		return orderError(placing(t), err)
	}
	return nil
}

// placing names what Place tries. Only an error needs it.
func placing(t broker.Ticket) string { return fmt.Sprintf("%s order %d", t.Intent.Action, t.OrderID) }

// encode returns the frame of a ticket, or what is wrong with that.
func (s *Session) encode(t broker.Ticket) ([]byte, error) {
	switch {
	case t.Intent.Action != order.Place && t.Intent.Action != order.Modify:
		return nil, fmt.Errorf("ibkr: action %.20q neither places nor changes an order", t.Intent.Action)
	case t.OrderID <= 0 || s.ids.Ours(t.OrderID):
		return nil, fmt.Errorf("ibkr: order id %d is not an order's: the gateway's next is %d", t.OrderID, s.facts.NextOrderID)
	case t.Account != s.facts.Account:
		return nil, fmt.Errorf("ibkr: account %.40q is not the session's, %s", t.Account, s.facts.Account)
	}
	if err := t.Intent.Validate(); err != nil {
		return nil, err
	}
	o := wire.NewPlaceOrder(t.OrderID, wire.ContractOf(t.Contract))
	o.Action = string(t.Intent.Side)
	o.TotalQuantity = &t.Intent.Qty
	o.OrderType = string(t.Intent.Type)
	o.LmtPrice, o.AuxPrice = t.Intent.Limit, t.Intent.Stop
	o.TIF = string(t.Intent.TIF)
	o.OutsideRTH = t.Intent.OutsideRTH
	if t.Intent.OCA != "" {
		o.OCAGroup, o.OCAType = t.Intent.OCA, ocaReduce
	}
	o.Account = t.Account
	o.OrderRef = t.Ref()
	return wire.AppendMessage(make([]byte, 0, 512), o, s.v)
}

// Cancel writes a cancel to the socket; see [broker.Trader].
func (s *Session) Cancel(ctx context.Context, orderID int64) error {
	op := fmt.Sprintf("cancel order %d", orderID)
	frame, err := wire.AppendMessage(make([]byte, 0, 64), wire.CancelOrder{OrderID: orderID}, s.v)
	if err != nil {
		return &broker.Error{Op: op, Kind: broker.ErrNotWritten, Err: err, Advice: "report this: the cancel cannot be written"}
	}
	s.mu.Lock()
	s.cancels.put(orderID) // before the write: its refusal may be faster than we
	s.mu.Unlock()
	return orderError(op, s.send(ctx, pace.CancelFirst, frame))
}

// orderError words what send tells of an order.
func orderError(op string, err error) error {
	if err == nil {
		return nil
	}
	kind, advice := broker.ErrOutcomeUnknown, "do not send it again: ask the gateway for its orders"
	if errors.Is(err, broker.ErrNotWritten) {
		kind, advice = broker.ErrNotWritten, "nothing was sent: it may be tried again"
	}
	return &broker.Error{Op: op, Kind: kind, Err: err, Advice: advice}
}

func orderReport(m wire.OpenOrder) (broker.OrderReport, error) {
	c, err := stock(m.Contract)
	if err != nil {
		return broker.OrderReport{}, fmt.Errorf("ibkr: open order %d: %w", m.OrderID, err)
	}
	r := broker.OrderReport{Order: orderOf(m, c.Symbol), Status: m.Status, WhatIf: m.WhatIf}
	r.Order.ConID = c.ConID
	r.Signal, r.Known = statuses[m.Status]
	return r, nil
}

// orderOf is the order in a report, in our words.
func orderOf(m wire.OpenOrder, symbol market.Symbol) order.Order {
	o := order.Order{
		Ref: m.OrderRef, OrderID: m.OrderID, PermID: m.PermID, ClientID: m.ClientID, Account: m.Account,
		Symbol: symbol, Side: order.Side(m.Action), Type: order.Type(m.OrderType), TIF: order.TIF(m.TIF), Limit: m.LmtPrice,
		OCA: m.OCAGroup, Extended: m.OutsideRTH,
	}
	if o.Type == order.Stop || o.Type == order.StopLimit {
		o.StopPrice = m.AuxPrice // of other types it is a distance, or 0
	}
	if m.Action == "SSHORT" {
		o.Side = order.Sell
	}
	if m.TotalQuantity != nil {
		o.Qty = *m.TotalQuantity
	}
	if o.Type != order.Limit {
		o.Limit = nil // gateways send 0 for what has no limit
	}
	return o
}

// completedReport is an order that is done. Its time is zero when it cannot be
// read.
func completedReport(m wire.CompletedOrder) (broker.CompletedReport, error) {
	c, err := stock(m.Order.Contract)
	if err != nil {
		return broker.CompletedReport{}, fmt.Errorf("ibkr: completed order %d: %w", m.Order.PermID, err)
	}
	r := broker.CompletedReport{Order: orderOf(m.Order, c.Symbol), Status: m.Order.Status, Why: m.CompletedStatus}
	if m.FilledQuantity != nil {
		r.Order.Filled = *m.FilledQuantity
	}
	r.Signal, r.Known = statuses[m.Order.Status]
	if at, err := wire.ParseTime(m.CompletedTime, venueZone); err == nil {
		r.At = at.UTC()
	}
	return r, nil
}

func statusReport(m wire.OrderStatus) broker.StatusReport {
	r := broker.StatusReport{
		OrderID: m.OrderID, PermID: m.PermID, ClientID: m.ClientID, Status: m.Status, WhyHeld: m.WhyHeld,
	}
	if m.Filled != nil {
		r.Filled = *m.Filled
	}
	if m.Remaining != nil {
		r.Remaining = *m.Remaining
	}
	r.Signal, r.Known = statuses[m.Status]
	return r
}

// venueZone is where a US venue's times are when they name no zone.
var venueZone = newYork()

func newYork() *time.Location {
	if z, err := time.LoadLocation("America/New_York"); err == nil {
		return z
	}
	return time.UTC // a machine without zones: better than no execution at all
}

var errNoSide = errors.New("neither BOT nor SLD")

// fill is an execution in our words. Its time is zero when it cannot be read:
// an execution counts, whatever its clock says.
func fill(m wire.ExecDetails) (order.Fill, error) {
	bad := func(err error) (order.Fill, error) {
		return order.Fill{}, fmt.Errorf("ibkr: execution %.60q of order %d: %w", m.ExecID, m.OrderID, err)
	}
	c, err := stock(m.Contract)
	if err != nil {
		return bad(err)
	}
	var side order.Side
	switch strings.ToUpper(m.Side) {
	case "BOT":
		side = order.Buy
	case "SLD":
		side = order.Sell
	default:
		return bad(fmt.Errorf("side %.20q: %w", m.Side, errNoSide))
	}
	at, err := wire.ParseTime(m.Time, venueZone)
	if err != nil {
		at = time.Time{}
	}
	return order.Fill{
		ExecID: m.ExecID, Ref: m.OrderRef, OrderID: m.OrderID, PermID: m.PermID, ClientID: m.ClientID,
		Account: m.Account, Symbol: c.Symbol, ConID: c.ConID, Side: side, Qty: m.Shares, Price: m.Price,
		Exchange: m.Exchange, At: at, Currency: c.Currency,
	}, nil
}

func commissionReport(m wire.CommissionReport) (r broker.CommissionReport, ok bool) {
	if m.Commission == nil {
		return r, false
	}
	return broker.CommissionReport{
		ExecID: m.ExecID, Commission: *m.Commission, Currency: m.Currency, RealizedPNL: m.RealizedPNL,
	}, true
}
