package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"

	"robotrader/broker"
)

// ErrNoTrader means that the client for which a [Pacer] counts has no session
// that is ready.
var ErrNoTrader = errors.New("gateway: the trader has no session")

// errNotLockStep means that somebody paces a gateway that runs by itself.
var errNotLockStep = errors.New("gateway: market time runs by itself: set speed 0 to pace it")

// Pacer moves the market time of a gateway with speed 0, for the one client
// that it counts for.
type Pacer struct {
	s        *Server
	clientID int
}

// Pacer returns the pacer for a client id.
func (s *Server) Pacer(clientID int) *Pacer { return &Pacer{s, clientID} }

// Next moves market time to the tape's next instant, lets all of it happen, and
// returns the counts of the trader's session. The error is io.EOF when the
// tape has ended, and wraps [ErrNoTrader] when nobody would hear it; market
// time has not moved then.
func (p *Pacer) Next(ctx context.Context) (broker.Instant, error) {
	if p.s.cfg.Speed != 0 {
		return broker.Instant{}, errNotLockStep
	}
	if err := ctx.Err(); err != nil {
		return broker.Instant{}, err
	}
	p.s.lock()
	defer p.s.unlock()
	c, err := p.session()
	if err != nil {
		return broker.Instant{}, err
	}
	if !p.s.pending {
		return broker.Instant{}, io.EOF
	}
	at := p.s.next.At
	for p.s.pending && !p.s.next.At.After(at) {
		p.s.step()
	}
	return p.instant(c), nil
}

// Settle waits until the gateway has handled that many order messages
// (placeOrder, cancelOrder) of the trader's present session, and returns the
// counts then.
func (p *Pacer) Settle(ctx context.Context, written uint64) (broker.Instant, error) {
	for {
		at, handled, changed, err := p.look()
		if err != nil {
			return broker.Instant{}, err
		}
		if handled >= written {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return broker.Instant{}, fmt.Errorf("gateway: settle: %d of %d order messages came: %w", handled, written, ctx.Err())
		}
	}
}

// look returns the counts, how many order messages are handled, and what is
// closed when that changes.
func (p *Pacer) look() (at broker.Instant, handled uint64, changed <-chan struct{}, err error) {
	p.s.lock()
	defer p.s.unlock()
	c, err := p.session()
	if err != nil {
		return at, 0, nil, err
	}
	return p.instant(c), c.orders, p.s.changed, nil
}

func (p *Pacer) session() (*conn, error) {
	cl := p.s.clients[p.clientID]
	if cl == nil || cl.conn == nil || !cl.conn.ready {
		return nil, fmt.Errorf("client id %d: %w", p.clientID, ErrNoTrader)
	}
	return cl.conn, nil
}

func (p *Pacer) instant(c *conn) broker.Instant {
	return broker.Instant{At: p.s.v.Now(), Ticks: c.ticks, Reports: c.reports}
}
