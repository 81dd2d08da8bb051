package supervisor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
)

// Whatever the gateway does, whatever the kernel tells and whatever people ask:
// no two opens are within a second of the last close (the fake adapter holds
// that), none comes before it was announced but for a person or for evidence,
// hangs in a row are bounded, and Stop ends it from any state.
func TestWhateverHappensItNeverHammers(t *testing.T) {
	plays := map[string]func(context.Context, func(broker.Rung)) (*fakeSession, error){
		"good": good, "down": down, "wedge": wedge, "refuse": refuse,
		"flap": func(ctx context.Context, on func(broker.Rung)) (*fakeSession, error) {
			s, err := good(ctx, on)
			s.lose()
			return s, err
		},
		"closed": fails(broker.Error{Op: "open", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.ClosedEarly}),
		"taken":  fails(broker.Error{Op: "open", Kind: broker.ErrGatewayDown, Rung: broker.RungStartAPI, Failure: broker.ClientIDInUse}),
	}
	names := []string{"wedge", "wedge", "wedge", "good", "down", "refuse", "flap", "closed", "taken"}
	rapid.Check(t, func(rt *rapid.T) {
		sequence := rapid.SliceOfN(rapid.SampledFrom(names), 1, 30).Draw(rt, "plays")
		acts := rapid.SliceOfN(rapid.SampledFrom([]string{"wait", "wait", "hour", "reconnect", "storm", "change", "blind", "gone"}), 1, 20).Draw(rt, "acts")
		synctest.Test(t, func(t *testing.T) {
			var list []func(context.Context, func(broker.Rung)) (*fakeSession, error)
			for _, n := range sequence {
				list = append(list, plays[n])
			}
			k := &kernel{e: gateway1}
			r := newRig(t, nil, list...)
			r.parts.Evidence = k.look
			r.Start()
			began, asked, changes := time.Now(), 0, 1
			for i, act := range acts {
				switch act {
				case "wait":
					time.Sleep(7 * time.Second)
				case "hour":
					time.Sleep(time.Hour)
				case "reconnect":
					r.reconnect(t)
					asked++
				case "storm":
					for range 50 {
						r.reconnect(t)
						time.Sleep(20 * time.Millisecond)
					}
					asked += 2 // a second of it
				case "change":
					k.set(other(func(e *broker.Evidence) { e.Inode = uint64(1000 + i) }))
					changes++
				case "blind":
					k.set(blind)
				case "gone":
					k.set(shut)
					changes++
				}
				synctest.Wait()
			}
			judgeHammering(t, r, sequence, began, asked, changes)
			r.stop(t)
		})
		if t.Failed() {
			rt.Fatalf("plays %v, acts %v", sequence, acts)
		}
	})
}

// judgeHammering holds the rules against what was done.
func judgeHammering(t *testing.T, r *rig, sequence []string, began time.Time, asked, changes int) {
	t.Helper()
	calls := r.a.opened()
	took := time.Since(began)
	// The last play repeats. Of a gateway that hangs for ever there are five
	// attempts, two for each change, twelve where nothing is readable, and one
	// for each request; sequence's others come on top.
	if sequence[len(sequence)-1] == "wedge" {
		if most := len(sequence) + 5 + 2*changes + maxTries + 2*asked; len(calls) > most {
			t.Errorf("%d attempts at a gateway that hangs, want at most %d", len(calls), most)
		}
	}
	if sequence[len(sequence)-1] == "refuse" {
		if most := len(sequence) + 2*asked + 2*changes; len(calls) > most {
			t.Errorf("%d attempts at a gateway that refuses, want at most %d", len(calls), most)
		}
	}
	// The shortest waits that the jitter allows are a second.
	if most := int(took/time.Second) + 1; len(calls) > most {
		t.Errorf("%d attempts in %v", len(calls), took)
	}
	// What was announced is kept, but for a person and for new evidence.
	var next *time.Time
	for _, l := range r.published() {
		if l.State == broker.Connecting && l.Cause == "trying again" && asked == 0 && changes == 1 {
			if next == nil || l.Since.Before(*next) {
				t.Errorf("tries again at %v, announced was %v", l.Since, next)
			}
		}
		if l.NextRetry != nil && l.State != broker.Waiting && l.State != broker.NeedsRestart {
			t.Errorf("%v announces an attempt", l.State)
		}
		next = l.NextRetry
		if l.State == broker.Connecting {
			next = nil
		}
	}
}
