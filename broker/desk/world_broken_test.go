package desk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/runner/risk"
)

// A fake is what is broken on purpose, to see that the checks notice it.
type fake string

const (
	nothingBroken   fake = ""
	unsyncedIntents fake = "the journal acknowledges an intent before it is durable"
	forgottenIDs    fake = "the door and the journal forget ids that were asked before"
	noGate          fake = "the gate allows everything"
	allReduces      fake = "the gate calls everything a reduction"
	slackGate       fake = "the gate calls everything a reduction that is against what is held"
	hastyLink       fake = "the link is called ready before the rungs are done"
	deafHalt        fake = "a halt is acknowledged and not carried out"
	lostFills       fake = "a restart forgets the executions that were counted"
	reusedNumbers   fake = "a session begins at the number that the gateway names"
)

// fakeGate is a gate that is broken, nil when it is not.
func (w *world) fakeGate(honest *risk.Gate) Gate {
	allow := func(v broker.View, reduction bool) order.Decision {
		return order.Decision{Allowed: true, At: v.Now, Saw: order.SawOf("reduction", fmt.Sprint(reduction))}
	}
	switch w.fake {
	case noGate:
		return gateFunc(func(v broker.View, _ order.Intent) order.Decision { return allow(v, false) })
	case allReduces:
		return gateFunc(func(v broker.View, _ order.Intent) order.Decision { return allow(v, true) })
	case slackGate:
		return gateFunc(func(v broker.View, in order.Intent) order.Decision {
			if v.Position != nil && v.Position.Sign()*in.Side.Signed(in.Qty).Sign() < 0 {
				return allow(v, true)
			}
			return honest.Decide(v, in)
		})
	}
	return nil
}

// A check that never fails proves nothing: each of these breaks one promise,
// and a few seeds must notice it, by a check that is there for it.
func TestWorldNoticesWhatIsBroken(t *testing.T) {
	for f, checks := range map[fake][]string{
		unsyncedIntents: {"durable_intent"},
		forgottenIDs:    {"no_duplicate", "nothing_forgotten"},
		noGate:          {"limits", "mode"},
		allReduces:      {"reduction"},
		slackGate:       {"reduction"},
		hastyLink:       {"ready"},
		deafHalt:        {"mode"},
		lostFills:       {"sums", "nothing_forgotten"},
		reusedNumbers:   {"number_once"},
	} {
		t.Run(strings.ReplaceAll(string(f), " ", "_"), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				if _, broken, _ := playWorld(t, seed+1, f); broken != "" {
					if check, _, _ := strings.Cut(broken, ":"); !slices.Contains(checks, check) {
						t.Errorf("seed %d: noticed by %s, and it is for %v to do so", seed+1, broken, checks)
					}
					t.Logf("seed %d: %s", seed+1, broken)
					return
				}
			}
			t.Error("200 seeds did not notice it")
		})
	}
}
