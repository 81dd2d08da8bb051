package runner

import (
	"context"
	"errors"
	"time"
)

// lookAgain is how often Turning looks whether the monitor is free.
const lookAgain = 5 * time.Millisecond

// Turning returns nil when the runner handles what comes: when nobody holds its
// monitor for as long as ctx lasts, as a strategy that does not return would.
func (r *Runner) Turning(ctx context.Context) error {
	t := time.NewTicker(lookAgain)
	defer t.Stop()
	for !r.mu.TryLock() {
		select {
		case <-ctx.Done():
			return errors.New("it handles nothing; a strategy may not have returned")
		case <-t.C:
		}
	}
	r.mu.Unlock()
	return nil
}
