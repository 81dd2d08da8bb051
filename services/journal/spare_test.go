package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
)

// TestASpareGoesOn: the copy has all that was stored, is written on while the
// journal is only read, goes on when it is asked for again, and becomes the
// journal by a restore.
func TestASpareGoesOn(t *testing.T) {
	ctx := context.Background()
	path, folder := filepath.Join(t.TempDir(), "journal.db"), filepath.Join(t.TempDir(), "spare")
	latch := func(path string, m broker.Mode) {
		t.Helper()
		j, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := errors.Join(j.Record(ctx, broker.Record{Wall: now, Mode: &broker.ModeRecord{Mode: m, Reason: "a test", Since: now}}), j.Sync(ctx), j.Close(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Spare(path, folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	latch(path, broker.ReduceOnly)
	before := files(t, filepath.Dir(path))
	spare, err := Spare(path, folder)
	if err != nil {
		t.Fatal(err)
	}
	latch(spare, broker.Halted)
	if again, err := Spare(path, folder); err != nil || again != spare {
		t.Errorf("asked again: %s, %v", again, err)
	}
	mode := func(path string) broker.Mode {
		t.Helper()
		j, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := j.Load(ctx, "", 10)
		if err = errors.Join(err, j.Close(ctx)); err != nil {
			t.Fatal(err)
		}
		return b.Mode.Mode
	}
	if got := mode(spare); got != broker.Halted {
		t.Errorf("the copy begins again: %s", got)
	}
	if after := files(t, filepath.Dir(path)); after != before {
		t.Errorf("the journal's own folder was written:\n%s\nbefore\n%s", after, before)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := Spare(path, folder); err == nil || !strings.Contains(err.Error(), "name a new folder") {
		t.Errorf("a journal that went on since: %v", err)
	}
	if _, _, err := Restore(ctx, spare, path); err != nil {
		t.Fatal(err)
	}
	if got := mode(path); got != broker.Halted {
		t.Errorf("restored, the mode is %s", got)
	}
}

// files tells names, sizes and times of a folder's files.
func files(t *testing.T, folder string) string {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(e.Name() + " " + info.ModTime().String() + "\n")
	}
	return b.String()
}

// TestASpareHasNoLogOfAnEarlierTry: a copy that failed half way leaves a log, and
// the journal, which has gone on and was closed since, has none any more. SQLite
// would put what is in the old one over what is newer.
func TestASpareHasNoLogOfAnEarlierTry(t *testing.T) {
	ctx := context.Background()
	path, folder := filepath.Join(t.TempDir(), "journal.db"), t.TempDir()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	latch := func(m broker.Mode) error {
		now := time.Now()
		return errors.Join(j.Record(ctx, broker.Record{Wall: now, Mode: &broker.ModeRecord{Mode: m, Reason: "a test", Since: now}}), j.Sync(ctx))
	}
	if err := latch(broker.ReduceOnly); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, "journal.db")
	if err := copyFile(path+"-wal", to+"-wal"); err != nil { // and the disk was full
		t.Fatal(err)
	}
	if err := errors.Join(latch(broker.Halted), j.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a closed journal has a log: %v", err)
	}
	if _, err := Spare(path, folder); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(to)
	if err != nil {
		t.Fatal(err)
	}
	b, err := copied.Load(ctx, "", 10)
	if err = errors.Join(err, copied.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if b.Mode == nil || b.Mode.Mode != broker.Halted {
		t.Errorf("the copy's mode is %+v", b.Mode)
	}
}
