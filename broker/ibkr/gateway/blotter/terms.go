package blotter

import (
	"fmt"
	"math"
	"strings"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// request is an order in the exchange's words, or a change of the order that is
// not nil. What cannot be said in them is refused here by name, with ok false;
// what the exchange does not do it refuses itself.
func (c *client) request(m *wire.PlaceOrder, change *placed) (r exchange.Request, d market.Details, ok bool) {
	fail := func(code int, format string, args ...any) (exchange.Request, market.Details, bool) {
		c.Fail(m.OrderID, code, format, args...)
		return exchange.Request{}, market.Details{}, false
	}
	invalid := func(format string, args ...any) (exchange.Request, market.Details, bool) {
		return fail(venue.Validation, "Error validating request.-'placeOrder' : cause - %s", fmt.Sprintf(format, args...))
	}
	if what := notSimulated(m); what != "" {
		return invalid("%s is not simulated", what)
	}
	if m.CashQty != nil && m.CashQty.Sign() > 0 {
		// A gateway takes amounts for currencies and crypto only.
		return fail(venue.CashQuantity, "Cash Quantity cannot be used for this order")
	}
	if m.TotalQuantity == nil {
		return invalid("The quantity is not set")
	}
	if d, ok = c.v.Find(m.Contract); !ok {
		return fail(venue.NoContract, venue.NoContractText)
	}
	if d.SizeStep == market.Shares(1) && *m.TotalQuantity != m.TotalQuantity.Whole() {
		return fail(venue.FractionalSize, "Fractional-sized order cannot be placed via API. Please use desktop version to place this order.")
	}
	r = exchange.Request{
		ClientID: c.id, OrderID: m.OrderID, Ref: m.OrderRef, Account: m.Account, Symbol: d.Contract.Symbol,
		Side: side(m.Action), Type: order.Type(m.OrderType), TIF: order.TIF(m.TIF), Qty: *m.TotalQuantity,
	}
	if r.TIF == "" {
		r.TIF = order.Day
	}
	if err := terms(&r, m, c.v.Zone); err != nil {
		return invalid("%v", err)
	}
	if change != nil && m.ParentID == change.ask.ParentID {
		r.Parent = change.order.Parent // which may have ended by now
		return r, d, true
	}
	if m.ParentID != 0 {
		parent := c.b.placed[orderKey{c.id, m.ParentID}]
		switch {
		case parent == nil || parent.order.State == order.Filled:
			return fail(venue.MissingParent, venue.MissingParentText)
		case parent.over:
			return fail(venue.Rejected, "Order rejected - reason:Parent order is being cancelled.")
		}
		r.Parent = parent.order.PermID
	}
	return r, d, true
}

// side is the order's direction. A short sale is a sale here: borrowing is not
// simulated.
func side(action string) order.Side {
	if action == "SSHORT" {
		return order.Sell
	}
	return order.Side(action)
}

// terms fills in prices, by the order's type, and what else it asks for. Clients
// write 0 for prices that a type does not have, or leave them empty.
func terms(r *exchange.Request, m *wire.PlaceOrder, zone *time.Location) error {
	switch r.Type {
	case order.Limit, order.LimitOnClose:
		r.Limit = m.LmtPrice
	case order.Stop, order.MarketIfTouched:
		r.Stop = m.AuxPrice
	case order.StopLimit, order.LimitIfTouched:
		r.Stop, r.Limit = m.AuxPrice, m.LmtPrice
	case order.Trail, order.TrailLimit:
		if err := trail(r, m); err != nil {
			return err
		}
	}
	r.OutsideRTH, r.AllOrNone, r.Hold = m.OutsideRTH, m.AllOrNone, !m.Transmit
	if m.MinQty != nil {
		r.MinQty = sharesOf(*m.MinQty)
	}
	if m.DisplaySize != math.MaxInt32 { // the wire's word for unset
		r.DisplaySize = sharesOf(m.DisplaySize)
	}
	r.OCAGroup, r.OCAType = m.OCAGroup, exchange.OCAType(m.OCAType)
	var err error
	if m.GoodAfterTime != "" {
		if r.GoodAfter, err = wire.ParseTime(m.GoodAfterTime, zone); err != nil {
			return fmt.Errorf("good after time: %w", err)
		}
	}
	if m.GoodTillDate != "" && r.TIF == order.GTD {
		if r.GoodTill, err = goodTill(m.GoodTillDate, zone); err != nil {
			return fmt.Errorf("good till date: %w", err)
		}
	}
	return nil
}

// sharesOf is a number of shares. One that no order can have stays one that the
// exchange refuses, within what a quantity holds.
func sharesOf(n int) market.Qty {
	return market.Shares(int64(min(max(n, -1), math.MaxInt32)))
}

// goodTill reads when an order expires: a day alone means the end of it.
func goodTill(text string, zone *time.Location) (time.Time, error) {
	at, err := wire.ParseTime(text, zone)
	if err == nil && len(text) == len("20060102") {
		at = at.AddDate(0, 0, 1).Add(-time.Second)
	}
	return at, err
}

// trail fills in the prices of a trailing order.
func trail(r *exchange.Request, m *wire.PlaceOrder) error {
	r.TrailAmount, r.TrailStop = above0(m.AuxPrice), above0(m.TrailStopPrice)
	if m.TrailingPercent != "" {
		p, err := market.ParsePercent(string(m.TrailingPercent))
		if err != nil {
			return fmt.Errorf("trailing percent: %w", err)
		}
		if p.Sign() != 0 {
			r.TrailPercent = &p
		}
	}
	if r.Type == order.TrailLimit {
		r.LimitOffset = m.LmtPriceOffset
		if r.LimitOffset == nil {
			r.Limit = above0(m.LmtPrice)
		}
	}
	return nil
}

func above0(p *market.Price) *market.Price {
	if p == nil || p.Sign() <= 0 {
		return nil
	}
	return p
}

// notSimulated names the first thing that the order asks for and the exchange
// does not do: doing less than asked in silence would be worse than refusing.
// Hidden, sweepToFill, blockOrder and the trigger method are taken and have no
// effect: nobody else trades here, and the last trade sets off every stop.
func notSimulated(m *wire.PlaceOrder) string {
	switch {
	case m.Contract.SecType == "BAG":
		return "a combination (combo legs)"
	case m.AlgoStrategy != "":
		return fmt.Sprintf("the algorithm %.20q", m.AlgoStrategy)
	case len(m.Conditions) > 0:
		return "a conditional order"
	case above0(m.ScalePriceIncrement) != nil || m.ScaleInitLevelSize != nil || m.ScaleTable != "":
		return "a scale order"
	case m.HedgeType != "":
		return "a hedge"
	case m.DeltaNeutralOrderType != "" && m.DeltaNeutralOrderType != "None" || m.DeltaNeutralContract != nil:
		return "a delta-neutral order"
	case strings.HasPrefix(m.OrderType, "PEG"):
		return fmt.Sprintf("a pegged order (%.20q)", m.OrderType)
	case m.TriggerPrice != nil || m.AdjustedOrderType != "" && m.AdjustedOrderType != "None":
		return "an adjusted order"
	case m.DiscretionaryAmt.Sign() != 0:
		return "a discretionary amount"
	case m.ActiveStartTime != "" || m.ActiveStopTime != "" || m.Duration != nil && *m.Duration > 0:
		return "an order's active time"
	case m.FAGroup != "" || m.ModelCode != "":
		return "an adviser's allocation"
	}
	return ""
}
