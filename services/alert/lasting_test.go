package alert

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/services/health"
)

// A trouble that outlasts the target's own outage is told when the target is
// back: what was given up meanwhile is no riddle as long as it is still so.
func TestWhatStillStandsIsToldAfterAnOutage(t *testing.T) {
	hubs(t, func(t *testing.T, h *Hub, w *wire, _ *told) {
		w.hang("a.example.org", true)
		h.Raise(Trouble{Kind: NotReady, Cause: "not ready for 5m0s"})
		h.Raise(data("A"))
		time.Sleep(40 * time.Minute) // beyond retry_for
		h.Clear(StaleData, "A")
		w.hang("a.example.org", false)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		got := strings.Join(w.at("a.example.org"), "\n")
		if !strings.Contains(got, "not ready for 5m0s") {
			t.Errorf("a got %q", got)
		}
		if strings.Contains(got, "A is stale") && !strings.Contains(got, "over") {
			t.Errorf("a got what is over as if it were not: %q", got)
		}
		n := len(w.at("a.example.org"))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if more := w.at("a.example.org"); len(more) != n {
			t.Errorf("it is told again and again: %q", more[n:])
		}
		if more := strings.Join(w.at("b.example.org"), "\n"); strings.Count(more, "not ready for 5m0s") != 1 {
			t.Errorf("b got %q", more)
		}
	})
}

// A disk that hangs holds up what else is looked at no more than it is told of
// itself.
func TestADiskThatHangsIsToldAndHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := folding()
		r := health.New()
		free := make(chan struct{})
		w := NewWatch(DefaultConfig(), h, WatchParts{
			Registry: r, Free: func(context.Context) (uint64, error) { <-free; return 600 * mib, nil }, // as statfs on a dead server: no deadline ends it
		})
		w.Start()
		time.Sleep(3 * time.Second)
		r.Report(health.AlarmName, "not ready for 5m0s")
		time.Sleep(4 * time.Second)
		synctest.Wait()
		wants(t, h, "an alarm while the disk hangs", "not_ready")
		time.Sleep(time.Minute)
		synctest.Wait()
		wants(t, h, "a minute", "disk hangs, not_ready")
		close(free)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wants(t, h, "the disk answers", "not_ready")
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Troubles beyond the room are told of once, however often they are raised.
func TestMoreThanTheRoomIsNoStorm(t *testing.T) {
	b := book(nil)
	var all []string
	for s := range 3000 {
		now := noon.Add(time.Duration(s) * time.Second)
		for i := range maxItems + 6 {
			b.Raise(now, data(fmt.Sprintf("S%03d", i)))
		}
		if s := said(b, now); s != "" {
			all = append(all, s)
		}
	}
	if len(all) != 1 || !strings.HasSuffix(all[0], "and 6 more, of which nothing is kept: see the dashboard") {
		t.Errorf("said %d times, the last %q", len(all), all[len(all)-1])
	}
	now := noon.Add(time.Hour)
	for i := range maxItems + 6 {
		b.Clear(now, StaleData, fmt.Sprintf("S%03d", i))
	}
	said(b, now)
	for i := range maxItems + 6 {
		b.Raise(now.Add(time.Minute), data(fmt.Sprintf("S%03d", i)))
	}
	if s := said(b, now.Add(time.Minute)); !strings.HasSuffix(s, "and 6 more, of which nothing is kept: see the dashboard") {
		t.Errorf("the next time it says %q", s)
	}
}

// One urgent kind that flaps does not use up the hour of the others.
func TestAFlappingKindSilencesNoOther(t *testing.T) {
	b := book(nil)
	now := noon
	for range 40 * 60 { // a bus that comes and goes each second
		b.Raise(now, Trouble{Kind: Component, Key: "bus", Cause: fmt.Sprintf("bus: lost since %v", now)})
		b.Due(now)
		b.Clear(now, Component, "bus")
		b.Due(now)
		now = now.Add(time.Second)
	}
	b.Raise(now, Trouble{Kind: Naked, Key: "AAPL", Cause: "AAPL has no stop at the broker"})
	expect(t, b, now, "A position has no stop at the broker: AAPL has no stop at the broker")
}

// What was held back and is no news any more does not change how the next
// trouble is said.
func TestAHoldEndsWithItsNews(t *testing.T) {
	b := book(func(c *Config) { c.QuietHours = "12:10-12:20 UTC" })
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	b.Raise(at(0), Trouble{Kind: StaleData, Key: "A", Cause: "a"})
	expect(t, b, at(0), "No market data: a")
	b.Raise(at(11), Trouble{Kind: StaleData, Key: "A", Cause: "b"})
	expect(t, b, at(11), "")
	b.Raise(at(12), Trouble{Kind: StaleData, Key: "A", Cause: "a"})
	expect(t, b, at(12), "")
	b.Raise(at(30), Trouble{Kind: StaleData, Key: "A", Cause: "c"})
	expect(t, b, at(30), "No market data: now: c")
}

// Every share that may be configured has an end.
func TestRiskNearEndsWhateverItsShare(t *testing.T) {
	for _, near := range []int{1, 5, 10, 11, 80, 100} {
		cfg := DefaultConfig()
		cfg.RiskNear = near
		_, h := folding()
		c := NewCauses(cfg, h)
		c.Limits(used("daily_loss", 1, false))
		wants(t, h, fmt.Sprintf("near %d, used up", near), "risk_near daily_loss")
		c.Limits(used("daily_loss", 0, false))
		wants(t, h, fmt.Sprintf("near %d, nothing used", near), "")
	}
}
