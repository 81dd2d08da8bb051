package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
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
		c.Fail(venue.NoID, venue.MaxRate, "Max rate of messages per second has been exceeded: max=%d (%d)", c.s.cfg.MaxRate, c.rate.strikes)
	}
	if c.rate.strikes >= maxStrikes {
		return fmt.Errorf("more than %d messages a second, %d times: %w", c.s.cfg.MaxRate, c.rate.strikes, errFinished)
	}
	return nil
}

// malformed tells that a frame could not be read. An order's error carries the
// order's id where the frame has one.
func (c *conn) malformed(id int, payload []byte, err error) {
	about := int64(venue.NoID)
	if id == wire.IDPlaceOrder {
		if _, rest, ok := bytes.Cut(payload, []byte{0}); ok {
			field, _, _ := bytes.Cut(rest, []byte{0})
			if n, err := strconv.ParseInt(string(field), 10, 64); err == nil && n > 0 {
				about = n
			}
		}
	}
	if errors.Is(err, wire.ErrUnsupported) {
		c.Fail(about, venue.Validation, "Error validating request.-'%s' : cause - not built in the simulated gateway: %v", wire.ClientName(id), err)
		return
	}
	c.Fail(about, venue.ServerRead, "Error reading request. %v", err)
}

// dispatch answers one decoded message: each part of the gateway has its own.
func (c *conn) dispatch(msg wire.Message, received time.Time) {
	s := c.s
	if !s.feed.Handle(c, msg) && !s.blotter.Handle(c, msg) && !s.ledger.Handle(c, msg) {
		c.dispatchPlain(msg, received)
	}
}

// dispatchPlain answers the messages about the session itself.
func (c *conn) dispatchPlain(msg wire.Message, received time.Time) {
	s := c.s
	switch msg.(type) {
	case wire.ReqCurrentTime:
		// Of two within one second the second gets no answer, section 4.1. Of
		// reqCurrentTimeInMillis nothing like it is known: it is answered.
		if received.Sub(c.timeAsked) >= time.Second {
			c.timeAsked = received
			c.Send(wire.CurrentTime{Epoch: s.v.Clock.Now(received).Unix()})
		}
	case wire.ReqTimeInMillis:
		c.Send(wire.TimeInMillis{Epoch: s.v.Clock.Now(received).UnixMilli()})
	case wire.ReqManagedAccts:
		c.Send(s.managedAccts())
	case wire.SetServerLogLevel: // nothing to answer
	default:
		c.Fail(venue.NoID, venue.Validation, "Error validating request.-'%s' : cause - the simulated gateway does not answer it", wire.ClientName(msg.ID()))
	}
}
