package journal

import (
	"testing"
	"time"
)

// TestFigures counts what a journal does, and that it fails.
func TestFigures(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	before := j.Figures()
	for n := 1; n <= 3; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
	}
	must(t, j.Sync(t.Context()))
	must(t, j.Sync(t.Context())) // what became of the orders is written behind the intents
	after := j.Figures()
	if got := total(after.Commits[CommitIntent]) - total(before.Commits[CommitIntent]); got != 3 {
		t.Errorf("%d commits of intents were counted, want 3", got)
	}
	if total(after.Commits[CommitGroup]) == total(before.Commits[CommitGroup]) || after.Commits[CommitGroup].Sum <= 0 {
		t.Errorf("groups: %+v, then %+v", before.Commits[CommitGroup], after.Commits[CommitGroup])
	}
	if rows := after.Rows - before.Rows; rows != 6 { // each an intent and its order's first state
		t.Errorf("%d rows, want 6", rows)
	}
	if after.Behind < 0 || after.Behind > after.Rows || after.Waiting != 0 || after.Failures != 0 || after.Database <= 0 || after.Log <= 0 {
		t.Errorf("%+v", after)
	}
	must(t, j.testify())
	if f := j.Figures(); f.Behind != 0 {
		t.Errorf("the witness was just written and is %d rows behind", f.Behind)
	}
}

func TestFailuresAreCountedOnce(t *testing.T) {
	q := newQueue()
	q.fail(ErrDisk)
	q.fail(ErrDisk) // the same failure, met again
	if n := q.failures(); n != 1 {
		t.Errorf("%d failures, want 1", n)
	}
	q.recover()
	q.fail(ErrFull)
	if n := q.failures(); n != 2 {
		t.Errorf("%d failures, want 2", n)
	}
}

func total(s Spans) (n uint64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

func TestSpans(t *testing.T) {
	var s spans
	for _, d := range []time.Duration{0, 50 * time.Microsecond, 51 * time.Microsecond, time.Minute} {
		s.add(d)
	}
	r := s.read()
	if r.Counts[0] != 2 || r.Counts[1] != 1 || r.Counts[len(SpanBounds())] != 1 || r.Sum != time.Minute+101*time.Microsecond {
		t.Errorf("%+v", r)
	}
}
