package faultfs

import (
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func disk(t *testing.T) (*Disk, string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600))
	d, err := New(dir)
	must(t, err)
	t.Cleanup(d.Close)
	return d, dir
}

func store(t *testing.T, d *Disk, name, text string, flush bool) {
	t.Helper()
	f, err := d.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	if flush {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

func flushFolder(t *testing.T, d *Disk, dir string) {
	t.Helper()
	f, err := d.OpenFile(dir, os.O_RDONLY)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

// What a crash leaves of a file is none, its name, or its bytes, as far as
// these were flushed.
func TestCrashKeepsWhatWasFlushedAndNoMore(t *testing.T) {
	d, dir := disk(t)
	store(t, d, filepath.Join(dir, "a"), "one", true)
	unnamed := d.Events()
	flushFolder(t, d, dir)
	named := d.Events()
	store(t, d, filepath.Join(dir, "b"), "two", false)
	must(t, d.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "a")))
	end := d.Events()
	for _, tt := range []struct {
		at   int
		loss Loss
		want string // of a; "-" = no such file
	}{
		{unnamed, Drop, "-"}, {unnamed, Keep, "one"}, {named, Drop, "one"}, {end, Drop, "one"}, {end, Keep, "two"}, {end - 1, Keep, "two"}, // a rename under way happened or not
	} {
		image := d.Crash(tt.at, tt.loss, 1, nil)
		got, ok := image["a"]
		if !ok {
			got = []byte("-")
		}
		if string(got) != tt.want || string(image["old"]) != "old" {
			t.Errorf("after %d events, %v: %q, want %q; old %q", tt.at, tt.loss, got, tt.want, image["old"])
		}
	}
	if got := d.Crash(end, Drop, 1, func(int, string) bool { return true })["a"]; len(got) != 0 {
		t.Errorf("a lying disk kept %q", got)
	}
	same := func(seed uint64) map[string][]byte { return d.Crash(end, Sector, seed, nil) }
	if !maps.EqualFunc(same(7), same(7), slices.Equal) {
		t.Error("the same seed gives another crash")
	}
}

// Each sector is new or old, and with some seed they differ.
func TestCrashTearsSectors(t *testing.T) {
	d, dir := disk(t)
	name := filepath.Join(dir, "f")
	store(t, d, name, strings.Repeat("a", 2048), true)
	flushFolder(t, d, dir)
	f, err := d.OpenFile(name, os.O_WRONLY)
	must(t, err)
	_, err = f.Write([]byte(strings.Repeat("b", 2048)))
	must(t, err)
	must(t, f.Close())
	mixed := 0
	for seed := range uint64(20) {
		got := string(d.Crash(d.Events(), Sector, seed, nil)["f"])
		for at := 0; at < 2048; at += 512 {
			if s := got[at : at+512]; s != strings.Repeat("a", 512) && s != strings.Repeat("b", 512) {
				t.Fatalf("seed %d: sector at %d is torn", seed, at)
			}
		}
		if strings.Contains(got, "a") && strings.Contains(got, "b") {
			mixed++
		}
	}
	if mixed == 0 {
		t.Error("no crash left some old and some new")
	}
}

// A flush that failed leaves in doubt what it was to flush, whatever comes later.
func TestFailedFlushLeavesItInDoubt(t *testing.T) {
	d, dir := disk(t)
	f, err := d.OpenFile(filepath.Join(dir, "f"), os.O_CREATE|os.O_WRONLY)
	must(t, err)
	flushFolder(t, d, dir)
	_, err = f.Write([]byte("lost"))
	must(t, err)
	d.Arm(&Fault{At: d.Calls(), Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) || d.Hit() != 1 {
		t.Errorf("flush: %v, %d hits", err, d.Hit())
	}
	_, err = f.Write([]byte("kept"))
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	if got := d.Crash(d.Events(), Drop, 1, nil)["f"]; string(got) != "\x00\x00\x00\x00kept" {
		t.Errorf("%q", got)
	}
}

// SQLite's own calls come here: it commits to a file whose crash has the row,
// and its errors are those of a disk.
func TestSQLiteWritesHere(t *testing.T) {
	d, dir := disk(t)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "x.db")+"?vfs="+d.Layer()+"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	must(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)")
	must(t, err)
	at := d.Events()
	d.Arm(&Fault{At: d.Calls(), Err: syscall.ENOSPC, Last: true, Half: true})
	if _, err = db.Exec("INSERT INTO t VALUES (2)"); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a full disk: %v", err)
	}
	d.Arm(nil)
	must(t, db.Close())
	other := t.TempDir()
	for name, b := range d.Crash(at, Drop, 1, nil) {
		must(t, os.WriteFile(filepath.Join(other, name), b, 0o600))
	}
	db, err = sql.Open("sqlite", filepath.Join(other, "x.db"))
	must(t, err)
	var sum int
	must(t, db.QueryRow("SELECT sum(a) FROM t").Scan(&sum))
	must(t, db.Close())
	if sum != 1 {
		t.Errorf("sum %d", sum)
	}
	if _, err := New(dir); err == nil {
		t.Error("a folder under watch twice")
	}
}
