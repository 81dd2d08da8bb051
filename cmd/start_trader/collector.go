package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryFloor is what Go may take from the machine, at least: heap, stacks and
	// what it needs to manage them. What a trader holds is a few MB, of which Go's own
	// rule would collect twice: then each burst (a reconnection, a day's executions, a
	// page that opens) makes the process larger for good, and memory creeps for days.
	// With a floor it has its size from the start and keeps it, but for 1 or 2 MB that
	// Go gives back and takes again. Our own choice: where more is held, about Go's rule
	// holds.
	memoryFloor = 28 << 20
	// heapFirst is what the heap takes from the machine at the start, of what it would
	// take within hours anyway: a machine that has not so much says so then, and not at
	// night, and what grows afterwards is something held.
	heapFirst = 24 << 20
	// headroom is what Go leaves free of a limit this small.
	headroom = 1 << 20
	// heapLook is the most time between two looks at what is held. One follows most
	// collections, too, as the limit is set by what that one found.
	heapLook = 5 * time.Second
)

// collector keeps Go's memory limit at [memoryFloor] or above. One goroutine looks,
// until stop.
type collector struct {
	quit      chan struct{}
	done      chan struct{} // closed when the goroutine has gone
	collected chan struct{} // has a word after a collection
	restore   func()
}

// startCollector begins, unless the environment says how to collect.
func startCollector() *collector {
	c := &collector{quit: make(chan struct{}), done: make(chan struct{}), collected: make(chan struct{}, 1), restore: func() {}}
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		close(c.done)
		return c
	}
	// The limit alone says when to collect. After each collection Go gives back what
	// was not in use at it: one that is forced upon a process that rests, as with any
	// percentage every two minutes, gives back nearly all, for the next burst to take.
	most, percent := debug.SetMemoryLimit(memoryFloor), debug.SetGCPercent(-1)
	c.restore = func() { debug.SetMemoryLimit(most); debug.SetGCPercent(percent) }
	touch(make([]byte, heapFirst))
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
	var m usage
	for {
		// A change stops all for some microseconds, so those that are small beside what
		// the heap has are left out.
		held, others := m.read()
		is, want := debug.SetMemoryLimit(-1), limit(held, others)
		if want > is+held/5 || want < is-held/5 || want == memoryFloor && is != want {
			debug.SetMemoryLimit(want)
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

// listen has the end of the next collection told, or of the one after that when one
// is under way: it finds that nothing holds what is made here.
func (c *collector) listen() {
	runtime.AddCleanup(new([64]byte), func(collected chan<- struct{}) {
		select {
		case collected <- struct{}{}:
		default:
		}
	}, c.collected)
}

// stop ends the goroutine, and has memory collected as before.
func (c *collector) stop() {
	close(c.quit)
	<-c.done
	c.restore()
}

// usage reads what Go has of the machine.
type usage struct{ samples [5]metrics.Sample }

// read returns what the newest collection found held, and what Go has besides its
// objects: stacks, management, and heap that is lost between objects.
func (u *usage) read() (held, others int64) {
	for i, name := range [...]string{
		"/gc/heap/live:bytes", "/memory/classes/total:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes", "/memory/classes/heap/released:bytes",
	} {
		u.samples[i].Name = name
	}
	metrics.Read(u.samples[:])
	var n [len(u.samples)]int64
	for i, s := range u.samples {
		if s.Value.Kind() == metrics.KindUint64 {
			n[i] = int64(s.Value.Uint64()) //nolint:gosec // bytes of this process
		}
	}
	return n[0], n[1] - n[2] - n[3] - n[4]
}

// limit is the memory with which the heap may grow to about twice what is held, as by
// Go's own rule, or the floor.
func limit(held, others int64) int64 { return max(memoryFloor, 2*held+others+headroom) }
