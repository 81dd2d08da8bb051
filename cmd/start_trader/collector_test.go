package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestTheHeapHasAFloor(t *testing.T) {
	for _, tt := range []struct {
		held, roots uint64
		want        int
	}{
		{0, 0, mostPercent},
		{1 << 20, 0, mostPercent},
		{5 << 20, 0, 300},
		{5 << 20, 1 << 20, 250},
		{8 << 20, 0, 150},
		{9 << 20, 4 << 20, leastPercent},
		{10 << 20, 0, leastPercent},
		{100 << 20, 1 << 20, leastPercent},
	} {
		if got := percent(tt.held, tt.roots, heapFloor); got != tt.want {
			t.Errorf("%d MB held beside %d of roots: %d per cent, want %d", tt.held>>20, tt.roots>>20, got, tt.want)
		}
	}
}

// TestTheCollectorObeys: what is held by the test is little, so the goal is the
// floor and not twice of it. The environment goes before us.
func TestTheCollectorObeys(t *testing.T) {
	was := debug.SetGCPercent(leastPercent)
	defer debug.SetGCPercent(was)
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	c := startCollector()
	goal := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	awaits(t, "another rule than Go's", 5*time.Second, func() (string, bool) {
		metrics.Read(goal)
		return "", goal[0].Value.Uint64() > leastPercent
	})
	c.stop()
	debug.SetGCPercent(leastPercent)
	t.Setenv("GOGC", "70")
	c = startCollector()
	c.stop()
	if metrics.Read(goal); goal[0].Value.Uint64() != leastPercent {
		t.Errorf("with GOGC in the environment it is %d", goal[0].Value.Uint64())
	}
}

// TestTheCollectorFollowsACollection: a burst is seen with the collection that finds
// it, and not seconds later.
func TestTheCollectorFollowsACollection(t *testing.T) {
	was := debug.SetGCPercent(leastPercent)
	defer debug.SetGCPercent(was)
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	runtime.GC() // what another test held
	c := startCollector()
	defer c.stop()
	goal := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	is := func() uint64 { metrics.Read(goal); return goal[0].Value.Uint64() }
	awaits(t, "another rule than Go's", heapLook, func() (string, bool) { return "", is() > leastPercent })
	burst := make([]byte, heapFloor)
	runtime.GC()
	awaits(t, "Go's rule", heapLook/2, func() (string, bool) { return "", is() == leastPercent })
	runtime.KeepAlive(burst)
	runtime.GC()
	awaits(t, "the floor again", heapLook/2, func() (string, bool) { return "", is() > leastPercent })
}
