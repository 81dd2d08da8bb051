package ibkr

import (
	"context"
	"errors"

	"robotrader/broker"
)

// Adapter opens sessions with one gateway.
type Adapter struct{ cfg Config }

var _ broker.Adapter = (*Adapter)(nil)

// New returns the adapter. It connects nothing; cfg must be valid.
func New(cfg Config) *Adapter { return &Adapter{cfg} }

// Name returns "ibkr".
func (a *Adapter) Name() string { return "ibkr" }

// Open makes the handshake; see [broker.Adapter].
func (a *Adapter) Open(ctx context.Context, cfg broker.OpenConfig, on func(broker.Rung)) (broker.Session, error) {
	return nil, errors.New("not built yet")
}
