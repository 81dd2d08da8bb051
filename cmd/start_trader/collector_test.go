package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryHasAFloor(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct{ held, others, want int64 }{
		{0, 0, memoryFloor},
		{6 * mb, 9 * mb, memoryFloor},
		{9 * mb, 9 * mb, memoryFloor},
		{10 * mb, 9 * mb, 30 * mb},
		{100 * mb, 20 * mb, 221 * mb},
	} {
		if got := limit(tt.held, tt.others); got != tt.want {
			t.Errorf("%d MB held beside %d of others: a limit of %d MB, want %d", tt.held/mb, tt.others/mb, got/mb, tt.want/mb)
		}
	}
}

// goRules puts back what a collector sets, at the end of a test.
func goRules(t *testing.T) {
	percent, most := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(most) })
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	runtime.GC() // what another test held
}

// TestTheCollectorObeys: the environment goes before us.
func TestTheCollectorObeys(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		goRules(t)
		t.Setenv(name, "70")
		c := startCollector()
		got := debug.SetMemoryLimit(-1)
		c.stop()
		if got != math.MaxInt64 {
			t.Errorf("with %s in the environment the limit is %d", name, got)
		}
	}
}

// TestAfterTheCollectorAllIsAsBefore: whatever runs in this process next has a limit
// that nobody raises any more.
func TestAfterTheCollectorAllIsAsBefore(t *testing.T) {
	goRules(t)
	startCollector().stop()
	if limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); limit != math.MaxInt64 || percent != 100 {
		t.Errorf("the limit is %d, and the percentage %d", limit, percent)
	}
}

// TestTheCollectorFollowsACollection: what a test holds is little, so the limit is
// near the floor; a burst makes room, for as long as it lasts.
func TestTheCollectorFollowsACollection(t *testing.T) {
	goRules(t)
	c := startCollector()
	defer c.stop()
	const burst = 4 * memoryFloor
	limited := func(ok func(int64) bool) func() (string, bool) {
		return func() (string, bool) { n := debug.SetMemoryLimit(-1); return "", ok(n) }
	}
	const within = 3 * heapLook // a collection that is under way tells nothing, and another may not come
	awaits(t, "a limit", within, limited(func(n int64) bool { return n < 2*burst }))
	held := make([]byte, burst)
	runtime.GC()
	awaits(t, "room for as much again", within, limited(func(n int64) bool { return n >= 2*burst }))
	runtime.KeepAlive(held)
	runtime.GC()
	awaits(t, "a limit as before", within, limited(func(n int64) bool { return n < 2*burst }))
}

// TestTheHeapIsThereFromTheStart: what grows later is something held.
func TestTheHeapIsThereFromTheStart(t *testing.T) {
	goRules(t)
	debug.FreeOSMemory()
	c := startCollector()
	defer c.stop()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if has := m.HeapSys - m.HeapReleased; has < heapFirst {
		t.Fatalf("the heap has %d MB of the machine's, want %d", has>>20, heapFirst>>20)
	}
}
