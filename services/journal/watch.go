package journal

import (
	"context"
	"errors"
	"time"

	"robotrader/broker"
	"robotrader/services/task"
)

// kindWords are the words for the kinds of failure, and what a person can do.
var kindWords = []struct {
	kind         error
	word, advice string
}{
	{ErrFull, "full", "free some space on the disk of the data folder, or lift its quota"},
	{ErrReadOnly, "read_only", "check owner and permissions of the file and its folder, and that the disk is mounted for writing"},
	{ErrLocked, "locked", "close the program that has the journal open for writing"},
	{ErrDisk, "disk", "check the disk and the system's log"},
	{ErrCorrupt, "damaged", "stop the trader and restore a backup with traderctl restore FILE"},
	{ErrLost, "lost", "stop the trader and restore a backup with traderctl restore FILE"},
	{ErrTampered, "tampered", "stop the trader and restore a backup with traderctl restore FILE"},
}

// Trouble is [Journal.Failure] in words; nil when the journal works.
func (j *Journal) Trouble() *broker.JournalFailure {
	f := j.Failure()
	if f == nil {
		return nil
	}
	t := &broker.JournalFailure{
		Kind: "other", Since: f.Since.UTC().Round(0), Cause: f.Err.Error(), Advice: "look at the cause and at the trader's log", Mends: f.Mends,
	}
	for _, k := range kindWords {
		if errors.Is(f.Kind, k.kind) {
			t.Kind, t.Advice = k.word, k.advice
		}
	}
	if t.Mends {
		t.Advice += "; the journal then goes on by itself"
	} else {
		t.Advice += ", then start the trader again"
	}
	return t
}

// watchEvery is how often a [Watch] looks: a person is told within a second.
const watchEvery = 500 * time.Millisecond

// Watch tells of each change between a journal that works and one that does
// not. It asks for the state alone, so a disk that hangs does not hang it. Make
// one with [NewWatch].
type Watch struct {
	look func() *broker.JournalFailure
	tell func(*broker.JournalFailure)

	tasks *task.Group
}

// NewWatch returns a watch that has not started. It asks look, such as
// [Journal.Trouble], and calls tell from its own goroutine: with a failure when
// one begins or becomes another kind, with nil when it is over. Tell must not
// block for long.
func NewWatch(look func() *broker.JournalFailure, tell func(*broker.JournalFailure)) *Watch {
	return &Watch{look: look, tell: tell, tasks: task.NewGroup("journal")}
}

// Start begins to watch and returns at once; the goroutine lives until Stop.
func (w *Watch) Start() { w.tasks.Go("watch", w.run) }

// Stop ends the goroutine, and returns when it has gone or ctx has ended. It
// may be called without Start.
func (w *Watch) Stop(ctx context.Context) error { return w.tasks.Stop(ctx) }

func (w *Watch) run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var was *broker.JournalFailure
	for {
		now := w.look()
		switch {
		case now == nil && was == nil:
		case now == nil, was == nil, now.Kind != was.Kind, now.Mends != was.Mends, !now.Since.Equal(was.Since):
			w.tell(now)
		}
		was = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
