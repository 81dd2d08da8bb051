package sim

import (
	"context"

	"robotrader/broker"
	"robotrader/broker/ibkr/gateway"
)

// ErrNoTrader means that the trader has no session with the gateway, so there
// is nobody for whom market time could move. Wait for the link.
var ErrNoTrader = gateway.ErrNoTrader

// Pacer moves the market time of a gateway with speed 0.
type Pacer struct{ a *Adapter }

// Pacer returns the adapter's pacer. It may be called before the start.
func (a *Adapter) Pacer() *Pacer { return &Pacer{a} }

func (p *Pacer) pacer() (*gateway.Pacer, error) {
	server := p.a.running()
	if server == nil {
		return nil, ErrNoTrader
	}
	return server.Pacer(p.a.cfg.ClientID), nil
}

// Next moves market time to the next instant; see [gateway.Pacer.Next].
func (p *Pacer) Next(ctx context.Context) (broker.Instant, error) {
	g, err := p.pacer()
	if err != nil {
		return broker.Instant{}, err
	}
	return g.Next(ctx)
}

// Settle waits for the gateway to have handled order messages; see
// [gateway.Pacer.Settle].
func (p *Pacer) Settle(ctx context.Context, written uint64) (broker.Instant, error) {
	g, err := p.pacer()
	if err != nil {
		return broker.Instant{}, err
	}
	return g.Settle(ctx, written)
}
