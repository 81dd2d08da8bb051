package alert

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"robotrader/services/health"
	"robotrader/services/task"
)

const (
	lookEvery  = time.Second
	diskEvery  = 2 * time.Second
	diskHangs  = 10 * time.Second // after which a disk that does not answer is told
	clockEvery = 4                // looks: an alert leaves within 5 s of its cause
	diskCalm   = 5                // a disk is calm again with a fifth more than must be free
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
// the clock. The disk has a goroutine of its own, because a disk that hangs
// holds whoever asks it, and that is not to hide the alarm. Make it with
// [NewWatch].
type Watch struct {
	hub   *Hub
	parts WatchParts
	least uint64 // bytes that must be free

	tasks *task.Group
	asked atomic.Int64 // when the disk was asked that has not answered, Unix time in ns; 0 = it has

	// Of the goroutine that looks alone.
	looks int
	ill   map[string]bool // components with trouble
}

// NewWatch returns a watch that has not started.
func NewWatch(cfg Config, hub *Hub, p WatchParts) *Watch {
	return &Watch{hub: hub, parts: p, least: uint64(cfg.DiskFree) * mib, tasks: task.NewGroup("alert"), ill: map[string]bool{}}
}

// Start begins to look and returns at once; the goroutines live until Stop.
func (w *Watch) Start() {
	w.tasks.Go("watch", func(ctx context.Context) error { return every(ctx, lookEvery, w.look) })
	if w.parts.Free != nil {
		w.tasks.Go("disk", func(ctx context.Context) error { return every(ctx, diskEvery, w.disk) })
	}
}

// Stop returns when the goroutines have gone or ctx has ended: a disk that hangs
// can hold one. It may be called without Start.
func (w *Watch) Stop(ctx context.Context) error { return w.tasks.Stop(ctx) }

func every(ctx context.Context, d time.Duration, fn func(context.Context)) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			fn(ctx)
		}
	}
}

func (w *Watch) look(context.Context) {
	if w.parts.Registry != nil {
		w.components(w.parts.Registry)
	}
	if at := w.asked.Load(); at != 0 && time.Since(time.Unix(0, at)) >= diskHangs {
		w.hub.Raise(Trouble{Kind: Disk, Key: "hangs", Cause: "the data folder's disk does not answer", Advice: "look at it, and at its server where it is on a network: the journal waits for it, too"})
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
	w.asked.Store(time.Now().UnixNano())
	free, err := w.parts.Free(ctx)
	w.asked.Store(0)
	w.hub.Clear(Disk, "hangs")
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
