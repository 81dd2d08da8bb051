package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// TestAGatewayThatComesBackAsAnotherAccountIsRefused: what the books hold is the
// first account's, and no stop for it goes out in the other. The first account
// is served again when it comes back.
func TestAGatewayThatComesBackAsAnotherAccountIsRefused(t *testing.T) {
	reconciling(t, func(t *testing.T, r *rig, k *knowing) {
		_ = r.session.Close(t.Context())
		<-r.served
		other := newSession(r.trace)
		other.facts.Account, other.facts.Accounts = "DU2", []string{"DU2"}
		other.values = []broker.AccountValue{{Account: "DU2", Key: "NetLiquidation", Value: "7", Currency: "USD"}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := r.desk.Serve(ctx, &knowing{fakeSession: other})
		var told *broker.Error
		if !errors.Is(err, broker.ErrRefused) || !errors.As(err, &told) || told.Failure != broker.Forbidden {
			t.Fatalf("a session of another account: %v", err)
		}
		for _, name := range []string{"DU1", "DU2"} {
			if !strings.Contains(err.Error(), name) || !strings.Contains(told.Advice, name) {
				t.Errorf("%s is not named: %v; %s", name, err, told.Advice)
			}
		}
		if s := r.desk.State(t.Context()); s.Account != "DU1" || r.position() != market.Shares(100) || len(other.placed) != 0 {
			t.Errorf("account %s holds %v, and %d orders went to the other one", s.Account, r.position(), len(other.placed))
		}
		r.session = newSession(r.trace)
		r.session.held = heldAt("100")
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "187.25") }
		back := &knowing{fakeSession: r.session}
		r.serveAs(back)
		r.climbAs(t, back)
		synctest.Wait()
		if reply := r.ask(buy("a")); reply.Rule != "" {
			t.Errorf("with the first account back: %+v", reply)
		}
	}, func(r *rig, _ *Config) { r.session.held = heldAt("100") })
}
