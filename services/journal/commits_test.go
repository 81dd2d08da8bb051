package journal

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"robotrader/broker"
	"robotrader/broker/order"
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
		if commits-before == 2 {
			between++ // nobody wakes it, but on a slow machine its pause may end here
			continue
		}
		if commits-before != 1 || j.flushes.Load()-flushes != 1 || after-pages > 6 {
			t.Errorf("order %d: %d commits, %d flushes, %d pages", n, commits-before, j.flushes.Load()-flushes, after-pages)
		}
	}
	if between > 10 {
		t.Errorf("%d of 50 orders took two commits", between)
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

// TestPowerLossKeepsWhatWasAcknowledged is a model of a power loss, not one:
// no replaceable file layer exists for this store. At each acknowledged intent
// it notes how long the log was; afterwards it makes what a disk may hold that
// kept its promises and no more: all bytes up to there, and of the sectors
// behind each one or not, or torn, at random. It does not model a disk that
// lies about a flush, nor one that loses sectors which were durable; those are
// the witness's and the check sums'.
func TestPowerLossKeepsWhatWasAcknowledged(t *testing.T) {
	path := file(t)
	j := open(t, path)
	type moment struct {
		size  int64
		acked int
		seen  []byte // the witness then
	}
	var moments []moment
	for n := 1; n <= 12; n++ {
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint("e", n))}))
		must(t, j.Intend(t.Context(), placed(n)))
		info, err := os.Stat(path + "-wal")
		must(t, err)
		seen, err := os.ReadFile(witnessPath(path))
		must(t, err)
		moments = append(moments, moment{info.Size(), n, seen})
	}
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(1, order.Filled)}))
	must(t, j.Sync(t.Context()))
	db, err := os.ReadFile(path)
	must(t, err)
	wal, err := os.ReadFile(path + "-wal")
	must(t, err)
	dice := rand.New(rand.NewPCG(1, 2))
	const sector = 512
	for _, m := range moments {
		for range 2 {
			torn := append([]byte(nil), wal...)
			end := int(m.size) + dice.IntN(len(wal)-int(m.size)+1)
			for at := int(m.size); at < end; at += sector {
				to := min(at+sector, end)
				switch dice.IntN(3) {
				case 0: // never written
					clear(torn[at:to])
				case 1: // torn
					clear(torn[at+dice.IntN(to-at) : to])
				}
			}
			copied := filepath.Join(inMemory(t), "journal.db")
			must(t, os.WriteFile(copied, db, 0o600))
			must(t, os.WriteFile(copied+"-wal", torn[:end], 0o600))
			must(t, os.WriteFile(witnessPath(copied), m.seen, 0o600))
			c, err := Open(copied)
			if err != nil {
				t.Errorf("after %d intents: %v", m.acked, err)
				continue
			}
			for n := 1; n <= m.acked; n++ {
				if _, ok, err := c.Lookup(t.Context(), fmt.Sprint("t-", n)); !ok || err != nil {
					t.Errorf("intent %d of %d is lost: %v", n, m.acked, err)
				}
			}
			must(t, c.Sync(t.Context()))
			if _, err = Verify(t.Context(), copied); err != nil {
				t.Error(err)
			}
			shut(t, c)
		}
	}
}
