package journal

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"robotrader/broker"
)

// frames counts the log's frames and those that end a transaction, of the
// log's present use: https://sqlite.org/fileformat2.html#walformat.
func frames(t *testing.T, path string) (all, commits int) {
	t.Helper()
	b, err := os.ReadFile(path + "-wal")
	must(t, err)
	if len(b) < 32 {
		return 0, 0
	}
	for at := 32; at+24+page <= len(b); at += 24 + page {
		if string(b[at+8:at+16]) != string(b[16:24]) { // the salts of an earlier use
			break
		}
		if all++; binary.BigEndian.Uint32(b[at+4:]) != 0 {
			commits++
		}
	}
	return all, commits
}

// TestCommitsPerOrder counts, in the log itself, what an order costs on its way
// out: one transaction, and of at most four pages (a row, its index, and now
// and then a page that becomes full).
func TestCommitsPerOrder(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	between := 0 // orders beside which the recorder committed a group of its own, which flushes nothing here
	for n := 1; n <= 50; n++ {
		pages, before := frames(t, path)
		flushes := j.flushes.Load()
		must(t, j.Intend(t.Context(), placed(n)))
		after, commits := frames(t, path)
		if extra := commits - before - 1; extra > 0 && j.flushes.Load()-flushes == 1 {
			between += extra // nobody wakes it, but on a slow machine its pause may end here, and again
			continue
		}
		if commits-before != 1 || j.flushes.Load()-flushes != 1 || after-pages > 6 {
			t.Errorf("order %d: %d commits, %d flushes, %d pages", n, commits-before, j.flushes.Load()-flushes, after-pages)
		}
	}
	if between > 10 {
		t.Errorf("%d commits came between 50 orders", between)
	}
}

// TestReportsComeInGroupsAndNoneIsLost gives reports as fast as they are taken,
// and finds every one of them. BenchmarkReports has the rate.
func TestReportsComeInGroupsAndNoneIsLost(t *testing.T) {
	path := file(t)
	j := open(t, path)
	const reports = 5_000
	for n := range reports {
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(1, fmt.Sprint("e", n))}))
		if waits := j.queue.len(); waits > maxQueue {
			t.Fatalf("%d wait", waits)
		}
	}
	must(t, j.Sync(t.Context()))
	<-j.lock
	count, seq := j.ledger.Count, j.ledger.seq[executions]
	j.lock <- struct{}{}
	if count != reports || seq != reports {
		t.Errorf("%d rows of %d", seq, reports)
	}
}
