package desk

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A watchdog sees the command loop turn, and that it does not while somebody
// keeps the turn.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		defer r.stop(t)
		turns := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			return r.desk.Turns(ctx)
		}
		for range 10 {
			if err := turns(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.desk.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // longer than between two looks of the loop
		if turns() == nil {
			t.Error("the loop turns though somebody keeps its turn")
		}
		r.desk.give()
		synctest.Wait()
		if err := turns(); err != nil {
			t.Error(err)
		}
	})
}
