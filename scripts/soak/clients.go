package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"robotrader/scripts/rig"
)

// clients are the dashboards of one trader: one that stays, and those that pass.
type clients struct {
	addr  string
	quick bool

	passing atomic.Int64 // that are connected now
	passed  atomic.Int64 // that came and went
	stalled atomic.Int64 // that stopped reading
	cut     atomic.Int64 // of them, those that the trader let go

	mu   sync.Mutex    // guards what follows
	lag  time.Duration // the longest of a message since it was asked for last
	gaps int           // numbers that the feed left out
}

// head is what every message of the feed has.
type head struct {
	Type  string    `json:"type"`
	Epoch any       `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
}

// stay follows the feed until ctx ends, over all lives of the trader, and holds
// the numbers of its messages against each other.
func (c *clients) stay(ctx context.Context) {
	for ctx.Err() == nil {
		var last head
		_ = rig.Follow(ctx, c.addr, func(message []byte) { // it ends with the trader
			var h head
			if json.Unmarshal(message, &h) != nil {
				return
			}
			lag := time.Since(h.At)
			c.mu.Lock()
			defer c.mu.Unlock()
			if last.Seq != 0 && h.Type != "snapshot" && h.Epoch == last.Epoch && h.Seq != last.Seq+1 {
				c.gaps++
			}
			if h.Type != "snapshot" { // which is of when it was asked for
				c.lag = max(c.lag, lag)
			}
			last = h
		})
		rig.Pause(ctx, 200*time.Millisecond)
	}
}

// worst returns the longest lag of a message since the last time.
func (c *clients) worst() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	lag := c.lag
	c.lag = 0
	return lag
}

// pass sends passing dashboards until ctx ends: one that leaves in order, one that
// is slow, one that vanishes, and one that stops reading. Between them it is
// calm for as long as they were there, so that there is something to compare.
func (c *clients) pass(ctx context.Context, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // no secret
	kinds := []func(context.Context){c.leaves, c.slow, c.vanishes}
	unit := time.Second
	if c.quick {
		unit = 300 * time.Millisecond
	}
	for n := 0; ; n++ {
		kind := kinds[n%len(kinds)]
		if n%12 == 5 && !c.quick {
			kind = c.stops
		}
		rig.Pause(ctx, unit*time.Duration(8+dice.IntN(12)))
		if ctx.Err() != nil {
			return
		}
		var wg sync.WaitGroup
		c.passing.Add(1)
		for range 1 + dice.IntN(4) {
			wg.Go(func() { kind(ctx); c.passed.Add(1) })
		}
		wg.Wait()
		c.passing.Add(-1)
	}
}

// read reads some messages, with a pause after each, until the trader ends.
func read(ctx context.Context, d *rig.Dashboard, messages int, pause time.Duration) {
	for range messages {
		if _, err := d.Read(ctx); err != nil {
			return
		}
		rig.Pause(ctx, pause)
	}
}

func (c *clients) leaves(ctx context.Context) {
	if d, err := rig.OpenDashboard(ctx, c.addr, 0); err == nil { // the trader may be down
		read(ctx, d, 30, 0)
		_ = d.Close() // it may be gone
	}
}

func (c *clients) slow(ctx context.Context) {
	if d, err := rig.OpenDashboard(ctx, c.addr, 4<<10); err == nil {
		read(ctx, d, 40, 100*time.Millisecond)
		_ = d.Close()
	}
}

func (c *clients) vanishes(ctx context.Context) {
	if d, err := rig.OpenDashboard(ctx, c.addr, 0); err == nil {
		read(ctx, d, 5, 0)
		_ = d.Drop()
	}
}

// stalls is how long one does not read: it answers no ping, and the trader lets
// it go after two of them and its patience to write, 50 s.
const stalls = 60 * time.Second

// stops reads a little and then nothing for long, and looks then whether it was
// let go. What the trader said of it may wait behind what was not read, or be lost
// with it; a connection that is gone answers what is written to it with a reset.
func (c *clients) stops(ctx context.Context) {
	d, err := rig.OpenDashboard(ctx, c.addr, 4<<10)
	if err != nil {
		return
	}
	defer d.Drop() //nolint:errcheck // it may be gone
	read(ctx, d, 3, 0)
	if rig.Pause(ctx, stalls); ctx.Err() != nil {
		return
	}
	c.stalled.Add(1)
	for range 3 {
		if d.Poke() != nil {
			c.cut.Add(1)
			return
		}
		rig.Pause(ctx, 300*time.Millisecond)
	}
}
