package alert

import (
	"context"
	"fmt"
	"time"

	"robotrader/services/health"
	"robotrader/services/task"
)

const (
	lookEvery  = time.Second
	diskEvery  = 2  // looks
	clockEvery = 30 // looks
	diskCalm   = 5  // a disk is calm again with a fifth more than must be free
	mib        = 1 << 20
)

// WatchParts are what a watch looks at. Nil is not looked at.
type WatchParts struct {
	Registry *health.Registry
	// Free tells how many bytes the data folder's disk has free.
	Free func(ctx context.Context) (uint64, error)
	// Clock tells whether something keeps this machine's clock right; known is
	// false where the system does not tell.
	Clock func() (right, known bool)
}

// Watch looks once a second at what nobody tells on the bus: the health's
// registry, in which the alarm stands that depends on no link, the disk and
// the clock. Make it with [NewWatch].
type Watch struct {
	hub   *Hub
	parts WatchParts
	least uint64 // bytes that must be free

	tasks *task.Group

	// Of the goroutine alone.
	looks int
	ill   map[string]bool // components with trouble
}

// NewWatch returns a watch that has not started.
func NewWatch(cfg Config, hub *Hub, p WatchParts) *Watch {
	return &Watch{hub: hub, parts: p, least: uint64(cfg.DiskFree) * mib, tasks: task.NewGroup("alert"), ill: map[string]bool{}}
}

// Start begins to look and returns at once; the goroutine lives until Stop.
func (w *Watch) Start() { w.tasks.Go("watch", w.run) }

// Stop returns when the goroutine has gone or ctx has ended: a disk that hangs
// can hold it. It may be called without Start.
func (w *Watch) Stop(ctx context.Context) error { return w.tasks.Stop(ctx) }

func (w *Watch) run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			w.look(ctx)
		}
	}
}

func (w *Watch) look(ctx context.Context) {
	if w.parts.Registry != nil {
		w.components(w.parts.Registry)
	}
	if w.parts.Free != nil && w.looks%diskEvery == 0 {
		w.disk(ctx)
	}
	if w.parts.Clock != nil && w.looks%clockEvery == 0 {
		switch right, known := w.parts.Clock(); {
		case known && !right:
			w.hub.Raise(Trouble{Kind: Clock, Key: "kernel", Cause: "nothing keeps this machine's clock right (the kernel says: not synchronised)", Advice: "run an NTP client, such as chrony or systemd-timesyncd"})
		case known:
			w.hub.Clear(Clock, "kernel")
		}
	}
	w.looks++
}

// components tells of the parts that have trouble. The first words about one
// are told; they hold how long it lasts, so that a change of them is no news.
func (w *Watch) components(r *health.Registry) {
	for _, c := range r.Alive().Components {
		k, key := Component, c.Name
		switch c.Name {
		case health.AlarmName:
			k, key = NotReady, ""
		case string(Journal):
			k, key = Journal, "file" // beside what the desk says of it
		}
		if c.OK {
			if w.ill[c.Name] {
				delete(w.ill, c.Name)
				w.hub.Clear(k, key)
			}
			continue
		}
		if !w.ill[c.Name] {
			w.ill[c.Name] = true
			cause := c.Detail
			if k == Component {
				cause = c.Name + ": " + cause
			}
			w.hub.Raise(Trouble{Kind: k, Key: key, Cause: cause, Advice: "look at the dashboard, or traderctl status"})
		}
	}
}

func (w *Watch) disk(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	free, err := w.parts.Free(ctx)
	switch {
	case err != nil: // the journal tells when it cannot be written
	case free < w.least:
		w.hub.Raise(Trouble{
			Kind: Disk, Cause: fmt.Sprintf("the data folder's disk has less than %d MiB free", w.least/mib),
			Advice: fmt.Sprintf("make room: %d MiB are left, and without any, entries are refused", free/mib),
		})
	case free >= w.least+w.least/diskCalm:
		w.hub.Clear(Disk, "")
	}
}
