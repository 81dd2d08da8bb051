package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
)

// handle answers one message of a ready session. An error ends the session.
func (c *conn) handle(payload []byte, received time.Time) error {
	s := c.s
	id, _ := wire.PeekID(payload)
	if id == wire.IDPlaceOrder && s.cfg.OnOrder != nil {
		s.cfg.OnOrder(received, c.client.id)
	}
	msg, err := wire.DecodeClient(c.version, payload)
	s.lock()
	defer s.unlock()
	if id == wire.IDPlaceOrder || id == wire.IDCancelOrder {
		defer func() {
			c.orders++
			s.touch()
		}()
	}
	if ok, first := c.rate.allow(received); !ok {
		return c.tooFast(first)
	}
	s.catchUp(received)
	if err != nil {
		c.malformed(id, payload, err)
		return nil
	}
	c.dispatch(msg, received)
	return nil
}

// tooFast refuses a message beyond the limit, and the session at its third
// strike.
func (c *conn) tooFast(first bool) error {
	if first {
		c.fail(noID, codeMaxRate, "Max rate of messages per second has been exceeded: max=%d (%d)", c.s.cfg.MaxRate, c.rate.strikes)
	}
	if c.rate.strikes >= maxStrikes {
		return fmt.Errorf("more than %d messages a second, %d times: %w", c.s.cfg.MaxRate, c.rate.strikes, errFinished)
	}
	return nil
}

// malformed tells that a frame could not be read. An order's error carries the
// order's id where the frame has one.
func (c *conn) malformed(id int, payload []byte, err error) {
	about := int64(noID)
	if id == wire.IDPlaceOrder {
		if _, rest, ok := bytes.Cut(payload, []byte{0}); ok {
			field, _, _ := bytes.Cut(rest, []byte{0})
			if n, err := strconv.ParseInt(string(field), 10, 64); err == nil && n > 0 {
				about = n
			}
		}
	}
	if errors.Is(err, wire.ErrUnsupported) {
		c.fail(about, codeValidation, "Error validating request.-'%s' : cause - not built in the simulated gateway: %v", wire.ClientName(id), err)
		return
	}
	c.fail(about, codeServerRead, "Error reading request. %v", err)
}

// dispatch answers one decoded message.
func (c *conn) dispatch(msg wire.Message, received time.Time) {
	switch m := msg.(type) {
	case wire.ReqMktData:
		c.reqMktData(m)
	case wire.CancelMktData:
		c.cancelMktData(m)
	case wire.PlaceOrder:
		c.placeOrder(m)
	case wire.CancelOrder:
		c.cancelOrder(m)
	case wire.ReqGlobalCancel:
		c.globalCancel()
	case wire.ReqOpenOrders:
		c.openOrders(func(client int) bool { return client == c.client.id })
	case wire.ReqAllOpenOrders:
		c.openOrders(func(int) bool { return true })
	case wire.ReqExecutions:
		c.executions(m)
	case wire.ReqHistoricalData:
		c.history(m)
	case wire.ReqContractDetails:
		c.contractDetails(m)
	case wire.ReqAccountUpdates:
		c.accountUpdates(m)
	case wire.ReqAccountSummary:
		c.accountSummary(m)
	default:
		c.dispatchPlain(msg, received)
	}
}

// dispatchPlain answers the messages that need a line or two.
func (c *conn) dispatchPlain(msg wire.Message, received time.Time) {
	s := c.s
	switch m := msg.(type) {
	case wire.ReqCurrentTime:
		// Of two within one second the second gets no answer (ib_insync #604).
		if received.Sub(c.timeAsked) >= time.Second {
			c.timeAsked = received
			c.send(wire.CurrentTime{Epoch: s.clock.Now(received).Unix()})
		}
	case wire.ReqTimeInMillis:
		c.send(wire.TimeInMillis{Epoch: s.clock.Now(received).UnixMilli()})
	case wire.ReqManagedAccts:
		c.send(wire.ManagedAccts{List: strings.Join(s.cfg.Accounts, ",")})
	case wire.ReqIDs:
		c.send(wire.NextValidID{OrderID: c.client.highest + 1})
	case wire.ReqPositions:
		c.reqPositions()
	case wire.CancelPositions:
		c.positions = false
	case wire.CancelAccountSummary:
		delete(c.summaries, m.ReqID)
	case wire.ReqMarketDataType:
		if m.Kind < wire.MarketDataLive || m.Kind > wire.MarketDataDelayedFrozen {
			c.fail(noID, codeValidation, "Error validating request.-'reqMarketDataType' : cause - Incorrect market data type %d", m.Kind)
		} // the data is live whatever kind is asked for, as with a subscription
	case wire.ReqAutoOpenOrders:
		if c.client.id != 0 {
			c.fail(noID, codeAutoBind, "Only the default client (i.e 0) can auto bind orders")
		} // nobody makes orders by hand here
	case wire.ReqCompletedOrders:
		c.send(wire.CompletedOrdersEnd{}) // completed orders are not kept; executions are
	case wire.SetServerLogLevel, wire.CancelHistoricalData: // nothing to answer: history is answered at once
	default:
		c.fail(noID, codeValidation, "Error validating request.-'%s' : cause - the simulated gateway does not answer it", wire.ClientName(msg.ID()))
	}
}
