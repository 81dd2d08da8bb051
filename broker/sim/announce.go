package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// Announcer tells the bus what is simulated, once a second and at its end, as
// long as a gateway is played.
type Announcer struct {
	adapter *Adapter
	conn    *bus.Conn
	log     *slog.Logger
	quit    chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
}

// NewAnnouncer returns an announcer that is silent until Start.
func NewAnnouncer(a *Adapter, conn *bus.Conn, log *slog.Logger) *Announcer {
	return &Announcer{adapter: a, conn: conn, log: log, quit: make(chan struct{})}
}

// Start begins to tell and returns at once.
func (n *Announcer) Start() { n.wg.Go(n.run) }

func (n *Announcer) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ended := n.adapter.Ended()
	for {
		select {
		case <-tick.C:
		case <-ended:
			ended = nil
		case <-n.quit:
			return
		}
		if n.adapter.running() == nil {
			continue
		}
		if err := bus.Publish(n.conn, event.Sim, n.adapter.State()); err != nil {
			n.log.Warn("sim_state_not_published", "error", err)
		}
	}
}

// Stop ends the announcer's goroutine, at most until ctx ends.
func (n *Announcer) Stop(ctx context.Context) error {
	n.once.Do(func() { close(n.quit) })
	done := make(chan struct{})
	go func() { defer close(done); n.wg.Wait() }() // ends with run
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sim: announcer: %w", ctx.Err())
	}
}
