package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, dir string) (*Store, Saved) {
	t.Helper()
	s, saved, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s, saved
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// abandon leaves the folder as a killed process does.
func abandon(s *Store) {
	_ = s.log.Close()
	_ = s.lock.Unlock()
}

// written makes a folder with a snapshot and three changes, left by a kill.
func written(t *testing.T) (dir, log string) {
	t.Helper()
	dir = t.TempDir()
	s, saved := open(t, dir)
	if saved.Snapshot != nil || len(saved.Changes) != 0 {
		t.Fatalf("an empty folder holds %+v", saved)
	}
	must(t, s.Replace([]byte(`{"old":1}`)))
	must(t, s.Append([]byte(`{"lost":1}`)))
	must(t, s.Replace([]byte(`{"all":1}`)))
	for i := range 3 {
		must(t, s.Append(fmt.Appendf(nil, `{"n":%d}`, i)))
	}
	abandon(s)
	return dir, s.logPath(2)
}

func texts(list [][]byte) string { return string(bytes.Join(list, []byte{' '})) }

func TestKilledAndOpened(t *testing.T) {
	dir, _ := written(t)
	s, saved := open(t, dir)
	if string(saved.Snapshot) != `{"all":1}` || texts(saved.Changes) != `{"n":0} {"n":1} {"n":2}` {
		t.Errorf("saved %s, %s", saved.Snapshot, texts(saved.Changes))
	}
	must(t, s.Replace([]byte(`{"all":2}`)))
	must(t, s.Close())
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 { // lock, snapshot, log
		t.Errorf("files left: %v, %v", files, err)
	}
	_, saved = open(t, dir)
	if string(saved.Snapshot) != `{"all":2}` || len(saved.Changes) != 0 {
		t.Errorf("saved %s, %s", saved.Snapshot, texts(saved.Changes))
	}
}

func TestTwoProgramsCannotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir)
	if _, _, err := Open(dir, quiet); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second got %v", err)
	}
	must(t, s.Close())
	open(t, dir)
}

// A log that is cut anywhere loses its last line at most; one byte changed
// anywhere is found, or loses the last line where that looks torn.
func TestTornAndDamagedLogs(t *testing.T) {
	dir, path := written(t)
	whole, err := os.ReadFile(path)
	must(t, err)
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	for cut := range len(whole) {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		s, saved, err := Open(dir, quiet)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		want, left := 0, cut
		for _, l := range lines {
			if left >= len(l)-1 && len(l) > 0 { // a record is whole without its newline
				want++
			}
			left -= len(l)
		}
		if len(saved.Changes) != want {
			t.Errorf("cut at %d: %d records, want %d", cut, len(saved.Changes), want)
		}
		must(t, s.lock.Unlock())
	}
	for at := range whole {
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << bit
			must(t, os.WriteFile(path, bad, 0o600))
			s, _, err := Open(dir, quiet)
			if err == nil {
				t.Errorf("bit %d of byte %d changed, and nobody noticed", bit, at)
				must(t, s.lock.Unlock())
				continue
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("bit %d of byte %d changed: %v", bit, at, err)
			}
		}
	}
}

func TestDamagedSnapshots(t *testing.T) {
	dir, _ := written(t)
	path := filepath.Join(dir, snapshotName)
	whole, err := os.ReadFile(path)
	must(t, err)
	for at := range whole[:len(whole)-1] { // the last newline is no content
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		must(t, os.WriteFile(path, bad, 0o600))
		if _, _, err := Open(dir, quiet); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed from %q: %v", at, whole[at], err)
		}
	}
	must(t, os.Remove(path))
	if _, _, err := Open(dir, quiet); !errors.Is(err, ErrDamaged) {
		t.Errorf("a log without a snapshot: %v", err)
	}
	must(t, os.WriteFile(path, whole, 0o600))
	logs, err := filepath.Glob(filepath.Join(dir, logPrefix+"*"))
	must(t, err)
	must(t, os.Remove(logs[0]))
	if _, _, err := Open(dir, quiet); !errors.Is(err, ErrDamaged) {
		t.Errorf("a snapshot without its log: %v", err)
	}
}

// Whatever is written, and wherever the program is killed, all that was
// appended is there again.
func TestNothingAppendedIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		var snapshot string
		var changes []string
		s, _ := open(t, dir)
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			record := fmt.Sprintf(`{"step":%d,"text":%q}`, step, rapid.String().Draw(rt, "text"))
			switch what := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case what == 0 || snapshot == "":
				must(t, s.Replace([]byte(record)))
				snapshot, changes = record, nil
			case what == 1:
				abandon(s)
				var saved Saved
				s, saved = open(t, dir)
				if string(saved.Snapshot) != snapshot || texts(saved.Changes) != strings.Join(changes, " ") {
					rt.Fatalf("saved %s %s, want %s %s", saved.Snapshot, texts(saved.Changes), snapshot, changes)
				}
				must(t, s.Replace(saved.Snapshot))
				changes = nil
			default:
				must(t, s.Append([]byte(record)))
				changes = append(changes, record)
			}
		}
		must(t, s.Close())
	})
}
