package supervisor

import (
	"context"
	"fmt"
	"time"
)

// Turns returns nil when the goroutine has turned: it holds a session, or waits
// for the next attempt. While it makes an attempt it has no time for that, for
// at most [Config.Busy]. It is for a watchdog.
func (s *Supervisor) Turns(ctx context.Context) error {
	select {
	case s.ping <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("supervisor: the loop does not turn in state %v: %w", s.Link().State, ctx.Err())
	}
}

// Busy bounds one attempt with its close, in which the loop does not turn;
// steps is what the rungs after the handshake may take together.
func (c Config) Busy(steps time.Duration) time.Duration {
	return c.OpenTimeout + steps + c.CloseTimeout + lookWithin + busyMargin
}

// busyMargin is for what has no deadline of its own and takes moments, such as
// the timeline's place in the journal, on a machine that is busy too.
const busyMargin = 15 * time.Second
