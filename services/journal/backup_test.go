package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/order"
)

// TestDrill trades, makes a backup under load, destroys the journal, restores
// it and goes on.
func TestDrill(t *testing.T) {
	path := file(t)
	j := open(t, path)
	to := filepath.Join(t.TempDir(), "backup.db")
	trade := func(n int) {
		must(t, j.Intend(t.Context(), placed(n)))
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(n, order.Filled)}, broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint("e", n))}))
	}
	for n := 1; n <= 20; n++ {
		trade(n)
	}
	must(t, j.Sync(t.Context()))
	stop := make(chan struct{})
	var load1 sync.WaitGroup
	next := 21
	load1.Go(func() {
		for ; ; next++ {
			select {
			case <-stop:
				return
			default:
				trade(next)
			}
		}
	})
	rep, err := Backup(t.Context(), path, to)
	close(stop)
	load1.Wait()
	must(t, err)
	if rep.Chained < 60 {
		t.Errorf("the backup has %+v", rep)
	}
	if _, err := Backup(t.Context(), path, to); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second backup into the same file: %v", err)
	}
	shut(t, j)
	destroyed := []byte(strings.Repeat("destroyed", 1000))
	must(t, os.WriteFile(path, destroyed, 0o600))
	if _, err := Open(path); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "traderctl restore") {
		t.Fatalf("a destroyed journal: %v", err)
	}
	aside, _, err := Restore(t.Context(), to, path)
	must(t, err)
	if b, err := os.ReadFile(filepath.Join(aside, "journal.db")); err != nil || string(b) != string(destroyed) {
		t.Errorf("what was there is not kept in %s: %v", aside, err)
	}
	// The halt came on top, and the events of orders whose intents the backup
	// caught before the recorder had come to them.
	is, err := Verify(t.Context(), path)
	must(t, err)
	if w, err := readWitness(path); err != nil || !strings.Contains(w.Note, "restored at") || w.Count != is.Chained || is.Chained <= rep.Chained {
		t.Errorf("witness %+v of %+v, %v; the backup has %+v", w, is, err, rep)
	}
	j = open(t, path)
	b := load(t, j, 1<<20)
	var numbers, want []int64
	for i, o := range b.Orders {
		numbers, want = append(numbers, o.OrderID), append(want, int64(i+1))
	}
	if diff := cmp.Diff(want, numbers); diff != "" || len(b.Orders) < 20 || len(b.Orders) >= next {
		t.Errorf("%d orders: %s", len(b.Orders), diff)
	}
	seen := map[string]bool{}
	for _, f := range b.Fills {
		if seen[f.ExecID] {
			t.Errorf("%s is doubled", f.ExecID)
		}
		seen[f.ExecID] = true
	}
	top, err := j.HighWater(t.Context(), "DU1", 1)
	if err != nil || top != int64(len(b.Orders)) {
		t.Errorf("highest number %d, %v", top, err)
	}
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(1, "e1")})) // the venue tells the day again
	if again := load(t, j, 1<<20); len(again.Fills) != len(b.Fills) {
		t.Errorf("%d executions, %d before", len(again.Fills), len(b.Fills))
	}
	shut(t, j)
	if _, err := Verify(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func TestRestoreOfABadBackupTouchesNothing(t *testing.T) {
	path := file(t)
	lived(t, path)
	bad := filepath.Join(t.TempDir(), "bad.db")
	b, err := os.ReadFile(path)
	must(t, err)
	at := strings.Index(string(b), "a person")
	b[at] ^= 1
	must(t, os.WriteFile(bad, b, 0o600))
	if _, _, err := Restore(t.Context(), bad, path); !errors.Is(err, ErrCorrupt) {
		t.Errorf("restored a damaged backup: %v", err)
	}
	if _, err := Verify(t.Context(), path); err != nil {
		t.Errorf("the present journal: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	must(t, err)
	if len(left) != 2 { // the file and its witness
		t.Errorf("left %q", left)
	}
}

// A restore that was cut off at any step leaves what no trader starts with, or
// the whole, and can be done again.
func TestRestoreCutOffCanBeDoneAgain(t *testing.T) {
	path := file(t)
	lived(t, path)
	to := filepath.Join(t.TempDir(), "backup.db")
	_, err := Backup(t.Context(), path, to)
	must(t, err)
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(50)))
	shut(t, j)
	_, err = putAside(path) // and then the power went
	must(t, err)
	if j, err := Open(path); !errors.Is(err, ErrLost) {
		t.Fatalf("started without its journal: %v, %v", j, err)
	}
	_, rep, err := Restore(t.Context(), to, path)
	must(t, err)
	if got, err := Verify(t.Context(), path); err != nil || got.Chained != rep.Chained+1 { // the halt
		t.Errorf("%+v, %v", got, err)
	}
}

// A backup of the morning does not know that somebody halted at noon: a restored
// journal is halted until a person has looked.
func TestARestoredJournalIsHalted(t *testing.T) {
	path := file(t)
	lived(t, path)
	j := open(t, path)
	must(t, j.Record(t.Context(), broker.Record{Wall: time.Now(), Mode: &broker.ModeRecord{Mode: broker.Active, Reason: "resumed", Since: time.Now()}}))
	shut(t, j)
	to := filepath.Join(t.TempDir(), "backup.db")
	_, err := Backup(t.Context(), path, to)
	must(t, err)
	must(t, os.WriteFile(path+".restored-wal", []byte("of a restore that was cut off"), 0o600))
	_, _, err = Restore(t.Context(), to, path)
	must(t, err)
	j = open(t, path)
	defer shut(t, j)
	past, err := j.Load(t.Context(), "", 500)
	must(t, err)
	if past.Mode == nil || past.Mode.Mode != broker.Halted || !strings.Contains(past.Mode.Reason, "backup.db") {
		t.Errorf("mode %+v", past.Mode)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*restored*"))
	must(t, err)
	if len(left) != 0 {
		t.Errorf("left %q", left)
	}
}
