package journal

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// BenchmarkDurable compares what an intent costs with what nothing can be
// cheaper than: one row committed alone by the same store, and an append and
// flush of a plain file. They take turns, 30 ms apart, in one run.
func BenchmarkDurable(b *testing.B) {
	dir := b.TempDir()
	j := open(b, filepath.Join(dir, "journal.db"))
	ways := []struct {
		name string
		do   func(n int)
		took []time.Duration
	}{
		{name: "intend", do: func(n int) {
			if err := j.Intend(b.Context(), placed(n)); err != nil {
				b.Fatal(err)
			}
		}},
		{name: "bare_commit", do: bareCommit(b, filepath.Join(dir, "bare.db"))},
		{name: "append_and_flush", do: appendAndFlush(b, filepath.Join(dir, "plain"))},
	}
	ticker := time.NewTicker(30 * time.Millisecond)
	defer ticker.Stop()
	for n := 1; b.Loop(); n++ {
		for i := range ways {
			<-ticker.C
			began := time.Now()
			ways[i].do(n)
			ways[i].took = append(ways[i].took, time.Since(began))
		}
		// What a gateway tells of an order while the next one is far away.
		if err := j.Record(b.Context(),
			broker.Record{Wall: wall0, Order: became(n, order.Sent)}, broker.Record{Wall: wall0, Order: became(n, order.Filled)},
			broker.Record{Wall: wall0, Fill: execution(n, placed(n).Intent.ID)}); err != nil {
			b.Fatal(err)
		}
	}
	for _, w := range ways {
		slices.Sort(w.took)
		b.ReportMetric(float64(w.took[len(w.took)/2].Nanoseconds())/1000, w.name+"_µs")
	}
}

func bareCommit(b *testing.B, path string) func(int) {
	b.Helper()
	db, err := sql.Open("sqlite", dsn(system{}, path, "rwc", "journal_mode(WAL)", "synchronous(FULL)"))
	must(b, err)
	b.Cleanup(func() { must(b, db.Close()) })
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE t (seq INTEGER PRIMARY KEY, data TEXT)")
	must(b, err)
	insert, err := db.Prepare("INSERT INTO t (data) VALUES (?)")
	must(b, err)
	return func(n int) {
		args, err := intentArgs(new(placed(n)))
		must(b, err)
		_, err = insert.ExecContext(context.Background(), args[6])
		must(b, err)
	}
}

func appendAndFlush(b *testing.B, path string) func(int) {
	b.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(b, err)
	b.Cleanup(func() { must(b, f.Close()) })
	return func(n int) {
		args, err := intentArgs(new(placed(n)))
		must(b, err)
		_, err = f.WriteString(args[6].(string))
		must(b, err)
		must(b, f.Sync())
	}
}

// BenchmarkIntentArgs encodes an order's row with the numbers of the whole gate.
func BenchmarkIntentArgs(b *testing.B) {
	b.ReportAllocs()
	r := placed(1)
	for n := range 35 {
		r.Decision.Saw.Text("number_"+strconv.Itoa(n), "187.25000000")
	}
	for b.Loop() {
		args, err := intentArgs(&r)
		must(b, err)
		if _, _, err = (ledger{}).seal(intents, args); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReports stores reports as fast as they are taken, each an execution,
// and counts until all are durable. None may be lost: with more of them than may
// wait for the disk, who records is held back.
func BenchmarkReports(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "journal.db"))
	n := 0
	began := time.Now()
	for b.Loop() {
		n++
		if err := j.Record(b.Context(), broker.Record{Wall: wall0, Fill: execution(1, strconv.Itoa(n))}); err != nil {
			b.Fatal(err)
		}
	}
	must(b, j.Sync(b.Context()))
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "reports/s")
	var stored int
	must(b, j.db.QueryRowContext(b.Context(), "SELECT count(DISTINCT exec_id) FROM executions").Scan(&stored))
	if stored != n {
		b.Errorf("%d of %d reports are stored", stored, n)
	}
}
