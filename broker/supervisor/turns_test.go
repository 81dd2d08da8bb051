package supervisor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

// turns asks once, as a watchdog does.
func (r *rig) turns() error {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	return r.Turns(ctx)
}

// A watchdog sees the loop turn in every state that can last; not during an
// attempt that hangs, which ends within what Busy says.
func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(context.Context, func(broker.Rung)) (*fakeSession, error)
		want broker.LinkState
	}{
		{"ready", good, broker.Ready},
		{"down", down, broker.Waiting},
		{"wedged", wedge, broker.NeedsRestart},
		{"refused", refuse, broker.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil, tt.play)
				r.Start()
				r.until(t, tt.want, 10*time.Minute)
				for range 20 {
					if err := r.turns(); err != nil {
						t.Fatal(err)
					}
				}
				r.stop(t)
				if r.turns() == nil {
					t.Error("it turns after its end")
				}
			})
		})
	}
}

func TestAnAttemptThatHangsIsNoDeadLoopYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context, _ func(broker.Rung)) (*fakeSession, error) {
			<-ctx.Done()
			return nil, &broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.NoReply, Advice: "look"}
		}
		r := newRig(t, nil, hangs)
		r.Start()
		synctest.Wait()
		began := time.Now()
		if r.turns() == nil {
			t.Error("it turns though an attempt hangs")
		}
		for r.turns() != nil {
		}
		if took := time.Since(began); took > r.cfg.Busy(0) {
			t.Errorf("it turned after %v, Busy says %v", took, r.cfg.Busy(0))
		}
		r.stop(t)
	})
}
