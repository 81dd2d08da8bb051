package desk

import (
	"context"
	"fmt"
)

// Turns returns nil when the command loop has turned, and had the turn whenever
// it needed it. A loop that does not within ctx hangs, or waits for somebody who
// does. It is for a watchdog.
func (d *Desk) Turns(ctx context.Context) error {
	select {
	case d.ping <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("desk: the command loop does not turn: %w", ctx.Err())
	}
}
