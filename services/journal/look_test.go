package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
)

// A quick look tells the mode, that a journal was restored and still waits, and
// that one is cut short; it goes on while a trader writes.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	if _, err := Look(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	path := filepath.Join(dir, "journal.db")
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	latch := func(m broker.Mode, reason string) {
		t.Helper()
		r := broker.Record{Wall: time.Now(), Mode: &broker.ModeRecord{Mode: m, Since: time.Now(), Reason: reason}}
		if err := errors.Join(j.Record(t.Context(), r), j.Sync(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	latch(broker.Active, "a start")
	latch(broker.Halted, "earnings")
	if l, err := Look(t.Context(), dir); err != nil || l.Rows != 2 || l.Mode == nil || l.Mode.Mode != broker.Halted || l.Restored != "" {
		t.Errorf("while it is written: %+v, %v", l, err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	backup, other := filepath.Join(t.TempDir(), "b.db"), t.TempDir()
	if _, err := Backup(t.Context(), path, backup); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Restore(t.Context(), backup, filepath.Join(other, "journal.db")); err != nil {
		t.Fatal(err)
	}
	if l, err := Look(t.Context(), other); err != nil || l.Restored != "b.db" || !l.Witness {
		t.Errorf("restored: %+v, %v", l, err)
	}
	// The backup is older than the witness of what was restored: its end is missing.
	b, err := os.ReadFile(backup)
	if err == nil {
		err = os.WriteFile(filepath.Join(other, "journal.db"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Look(t.Context(), other); !errors.Is(err, broker.ErrUntrusted) || !strings.Contains(err.Error(), "durable") && !errors.Is(err, ErrLost) {
		t.Errorf("cut short: %v", err)
	}
}
