package health

import (
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

func TestReadyOnlyInStateReady(t *testing.T) {
	r := New()
	if a := r.Ready(); a.Ready || a.State != "starting" {
		t.Errorf("before any word: %+v", a)
	}
	for s := broker.Connecting; s <= broker.Stopped; s++ {
		since := time.Unix(100, 0)
		r.Link(broker.Link{State: s, Rung: "clock", Cause: "c", Advice: "a", Since: since})
		a := r.Ready()
		if a.Ready != (s == broker.Ready) || a.State != s.String() || a.Rung != "clock" || a.Cause != "c" || a.Advice != "a" || !a.Since.Equal(since) {
			t.Errorf("state %v: %+v", s, a)
		}
	}
}

func TestTroubleMakesNotReadyUntilTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New()
		r.Link(broker.Link{State: broker.Ready})
		r.Report("journal", "")
		r.Report("bus", "")
		if !r.Ready().Ready {
			t.Fatal("all is well, and not ready")
		}
		time.Sleep(time.Second)
		r.Report("journal", "disk full")
		began := time.Now()
		time.Sleep(time.Second)
		r.Report("journal", "disk still full")
		a := r.Ready()
		if a.Ready || a.State != "ready" || len(a.Trouble) != 1 || a.Trouble[0].Detail != "disk still full" || !a.Trouble[0].Since.Equal(began) {
			t.Errorf("with trouble: %+v", a)
		}
		r.Report("journal", "")
		if a := r.Ready(); !a.Ready || a.Trouble != nil {
			t.Errorf("trouble taken back: %+v", a)
		}
		if c := r.Alive().Components; len(c) != 2 || c[0].Name != "bus" || c[1].Name != "journal" || !c[1].OK {
			t.Errorf("components %+v", c)
		}
	})
}
