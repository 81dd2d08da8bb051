package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapFloor is the size to which the heap may grow, at least, before it is
	// collected. What a trader holds is a few MB, of which Go would collect twice:
	// then each burst (a reconnection, a day's executions, a page that opens) makes
	// the process larger for good, and memory creeps for days. With a floor it has
	// its size within minutes, is collected a third as often, and what grows is seen.
	// Our own choice: above it, Go's rule holds.
	heapFloor = 20 << 20
	// heapFirst is what the heap takes from the machine at the start, of what the
	// floor lets it take within minutes anyway: a machine that has not so much says
	// so then, and not at night, and what grows afterwards is something held.
	// It is less than what makes Go collect by itself, which begins at 95 % of the floor.
	heapFirst = 16 << 20
	// heapLook is the most time between two looks at what is held. One follows each
	// collection, too: Go sets the next goal by what is held then, and a burst in
	// that moment would be given room by its own size times a per cent that was
	// meant for less.
	heapLook = 5 * time.Second
	// leastPercent is Go's own rule, twice what is held. With mostPercent Go's least
	// goal, 4 MB at a hundred per cent, is the floor.
	leastPercent, mostPercent = 100, 500
)

// collector keeps the collector's goal at [heapFloor] or above. One goroutine
// looks, until stop.
type collector struct {
	quit      chan struct{}
	done      chan struct{} // closed when the goroutine has gone
	collected chan struct{} // has a word after a collection
}

// startCollector begins, unless the environment says how to collect.
func startCollector() *collector {
	c := &collector{quit: make(chan struct{}), done: make(chan struct{}), collected: make(chan struct{}, 1)}
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		close(c.done)
		return c
	}
	debug.SetGCPercent(mostPercent)
	touch(make([]byte, heapFirst))
	runtime.GC() // the one that frees it: Go keeps the room that was in use at a collection, and gives all else back
	go c.run()
	return c
}

// touch writes to each page of some memory, which the machine gives only then.
//
//go:noinline
func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}

func (c *collector) run() {
	defer close(c.done)
	tick := time.NewTicker(heapLook)
	defer tick.Stop()
	c.listen()
	is := mostPercent
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	for {
		metrics.Read(held)
		var sizes [3]uint64
		for i, h := range held {
			if h.Value.Kind() == metrics.KindUint64 {
				sizes[i] = h.Value.Uint64()
			}
		}
		// A change stops all for some microseconds, so small ones are left out.
		if want := percent(sizes[0], sizes[1]+sizes[2], heapFloor); want > is+is/10 || want < is-is/10 {
			debug.SetGCPercent(want)
			is = want
		}
		select {
		case <-tick.C:
		case <-c.collected:
			c.listen()
		case <-c.quit:
			return
		}
	}
}

// listen has the end of the next collection told: it finds that nothing holds what
// is made here.
func (c *collector) listen() {
	runtime.AddCleanup(new([64]byte), func(collected chan<- struct{}) {
		select {
		case collected <- struct{}{}:
		default:
		}
	}, c.collected)
}

// stop ends the goroutine.
func (c *collector) stop() {
	close(c.quit)
	<-c.done
}

// percent is how much the heap may grow over what is held, so that it reaches the
// floor: in per cent of that and of the roots, which Go counts with it.
func percent(held, roots, floor uint64) int {
	switch {
	case held >= floor/2:
		return leastPercent
	case held == 0: // nothing was collected yet
		return mostPercent
	}
	return max(leastPercent, min(int((floor-held)*100/(held+roots)), mostPercent))
}
