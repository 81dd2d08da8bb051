package journal

import (
	"os"
	"sync/atomic"
	"time"
)

// The kinds of durable commits, see [Figures].
const (
	CommitIntent = "intent" // on its order's way out
	CommitGroup  = "group"  // of reports, behind it
)

// Figures is how the journal's writes fare.
type Figures struct {
	Rows     int64  // of its chain that are durable, of all its life
	Behind   int64  // of them, those that the witness does not tell of yet
	Waiting  int    // records that wait to be written
	Failures uint64 // how often it began to fail since it was opened
	Database int64  // size of the file, bytes; -1 = not known
	Log      int64  // size of its write-ahead log, bytes; -1 = not known
	// Commits are how long it took until an intent or a group was durable, by
	// kind.
	Commits map[string]Spans
}

// Spans counts lengths of time by their length.
type Spans struct {
	Counts [len(spanBounds) + 1]uint64 // of those at most as long as each of [SpanBounds], and of longer ones
	Sum    time.Duration
}

// spanBounds reach from a commit on a fast disk to one on a disk that hangs.
var spanBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

// SpanBounds are the bounds that [Spans] counts by, ascending.
func SpanBounds() []time.Duration { return spanBounds[:] }

// spans is Spans while it is counted. One writer adds at a time, under the
// journal's lock or as the recorder; it is read at any time.
type spans struct {
	counts [len(spanBounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

func (s *spans) add(d time.Duration) {
	i := 0
	for i < len(spanBounds) && d > spanBounds[i] {
		i++
	}
	s.counts[i].Add(1)
	s.sum.Add(int64(d))
}

func (s *spans) read() (r Spans) {
	for i := range s.counts {
		r.Counts[i] = s.counts[i].Load()
	}
	r.Sum = time.Duration(s.sum.Load())
	return r
}

// took holds how long commits took.
type took struct{ intent, group spans }

// Figures may be called at any time, also while a write hangs.
func (j *Journal) Figures() Figures {
	f := Figures{
		Waiting: j.queue.len(), Failures: j.queue.failures(),
		Database: size(j.path), Log: size(j.path + "-wal"),
		Commits: map[string]Spans{CommitIntent: j.took.intent.read(), CommitGroup: j.took.group.read()},
	}
	j.tip.mu.Lock()
	defer j.tip.mu.Unlock()
	f.Rows, f.Behind = j.tip.durable.Count, j.tip.durable.Count-j.tip.shown
	return f
}

// size of a file, -1 when it is not known.
func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return -1
	}
	return info.Size()
}

// failures tells how often the queue began to fail.
func (q *queue) failures() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failed
}
