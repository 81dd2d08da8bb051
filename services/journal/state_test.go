package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// quota lets no file of this process grow beyond a size, as a full disk would,
// until the returned function is called.
func quota(t *testing.T, size int64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size), Max: old.Max}))
	return func() { must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)) }
}

// hasty is open with short waits between the tries to mend.
func hasty(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := openOn(path, system{}, pace{mend: 20 * time.Millisecond, witness: witnessEvery})
	must(t, err)
	t.Cleanup(func() { shut(t, j) })
	must(t, j.Sync(t.Context()))
	return j
}

func restored(t *testing.T, j *Journal) {
	t.Helper()
	select {
	case <-j.Restored():
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not come back: %+v", j.Failure())
	}
	if f := j.Failure(); f != nil {
		t.Errorf("restored, and fails: %+v", f)
	}
}

func TestDiskFullStopsIntentsAndMendsByItself(t *testing.T) {
	path := file(t)
	j := hasty(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(1, order.Working)}))
	must(t, j.Sync(t.Context()))
	must(t, j.testify())
	info, err := os.Stat(path + "-wal")
	must(t, err)
	lift := quota(t, info.Size())
	defer lift()
	stored := 1
	for n := 2; n < 50; n++ {
		if err = j.Intend(t.Context(), placed(n)); err != nil {
			break
		}
		stored = n
	}
	if !errors.Is(err, ErrFull) && !errors.Is(err, ErrDisk) {
		t.Fatalf("a full disk takes intents: %v", err)
	}
	f := j.Failure()
	if f == nil || !f.Mends || f.Kind == nil || !strings.Contains(f.Err.Error(), "by itself") || time.Since(f.Since) > time.Minute {
		t.Errorf("state %+v", f)
	}
	if err := j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(1, order.Filled)}); err == nil {
		t.Error("a record is taken while the disk is full")
	}
	if err := j.Sync(t.Context()); err == nil {
		t.Error("a sync while the disk is full")
	}
	lift()
	restored(t, j)
	b := load(t, j, 99)
	if len(b.Orders) != stored || b.Orders[0].State != order.Working {
		t.Errorf("%d orders of %d acknowledged; the first is %v", len(b.Orders), stored, b.Orders[0].State)
	}
	must(t, j.Intend(t.Context(), placed(stored+1))) // nothing of the failed one is there
	shut(t, j)
	if _, err := Verify(t.Context(), path); err != nil {
		t.Error(err)
	}
}

// TestReallyFullDiskStopsIntentsAndMendsByItself fills a small disk of its own.
func TestReallyFullDiskStopsIntentsAndMendsByItself(t *testing.T) {
	dir := smallDisk(t, "1m")
	path := filepath.Join(dir, "journal.db")
	j := hasty(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	must(t, f.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	stored := 1
	for n := 2; n < 500; n++ {
		if err = j.Intend(t.Context(), placed(n)); err != nil {
			break
		}
		stored = n
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d intents: %v", stored, err)
	}
	if f := j.Failure(); f == nil || f.Kind != ErrFull || !f.Mends {
		t.Errorf("state %+v", f)
	}
	must(t, os.Remove(ballast))
	restored(t, j)
	must(t, j.Intend(t.Context(), placed(stored+1)))
	if b := load(t, j, 999); len(b.Orders) != stored+1 {
		t.Errorf("%d orders of %d acknowledged", len(b.Orders), stored+1)
	}
	shut(t, j)
	if _, err := Verify(t.Context(), path); err != nil {
		t.Error(err)
	}
}

// smallDisk mounts a disk in memory, of a size as mount has it.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Skipf("this machine does not let root mount a small disk: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// What was taken before the disk was full is written when it has room again.
func TestQueuedRecordsOutliveAFullDisk(t *testing.T) {
	path := file(t)
	j := hasty(t, path)
	must(t, j.Sync(t.Context()))
	info, err := os.Stat(path + "-wal")
	must(t, err)
	lift := quota(t, info.Size())
	defer lift()
	taken := 0
	for n := range 3000 {
		if j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(1, fmt.Sprint("e", n))}) != nil {
			break
		}
		taken++
	}
	if err := j.Sync(t.Context()); err == nil {
		t.Error("a full disk takes records")
	}
	lift()
	restored(t, j)
	must(t, j.Sync(t.Context()))
	b, err := j.Load(t.Context(), "", 5000)
	must(t, err)
	if len(b.Fills) != taken || taken == 0 {
		t.Errorf("%d records were taken, %d are there", taken, len(b.Fills))
	}
}

func TestFullDiskStopsTheWitnessToo(t *testing.T) {
	path := file(t)
	j := hasty(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Sync(t.Context()))
	j.tip.told(0) // nothing but the witness is left to write
	lift := quota(t, 0)
	defer lift()
	if err := j.testify(); !errors.Is(err, ErrFull) {
		t.Errorf("a witness on a full disk: %v", err)
	}
	lift()
	must(t, j.testify()) // by itself it had to fail first
	j.queue.mu.Lock()
	down := j.queue.err != nil
	j.queue.mu.Unlock()
	if down { // the ticker was faster
		restored(t, j)
	}
}

func TestLockedFileIsASaidStateAndPasses(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	other, err := open2(path)
	must(t, err)
	_, err = other.write.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(1, "e1")}))
	err = j.Intend(t.Context(), placed(1))
	if !errors.Is(err, ErrLocked) {
		t.Errorf("an intent behind a foreign lock: %v", err)
	}
	for j.Failure() == nil { // the recorder's own wait is two seconds
		if t.Context().Err() != nil {
			t.Fatal("the state is not told")
		}
	}
	if f := j.Failure(); f.Kind != ErrLocked || !f.Mends {
		t.Errorf("state %+v", f)
	}
	_, err = other.write.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	must(t, errors.Join(other.closeFile()...))
	must(t, j.Sync(t.Context()))
	must(t, j.Intend(t.Context(), placed(1)))
	if f := j.Failure(); f != nil {
		t.Errorf("the lock is gone, and the state is %+v", f)
	}
	if b := load(t, j, 9); len(b.Fills) != 1 || len(b.Orders) != 1 {
		t.Errorf("%+v", b)
	}
}

// An intent that a foreign lock turned away is told as well, and that the lock
// is gone, when there is nothing else to write.
func TestLockThatStopsAnIntentIsToldAndPasses(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Sync(t.Context()))
	other, err := open2(path)
	must(t, err)
	_, err = other.write.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	if err := j.Intend(t.Context(), placed(1)); !errors.Is(err, ErrLocked) {
		t.Errorf("an intent behind a foreign lock: %v", err)
	}
	if f := j.Failure(); f == nil || f.Kind != ErrLocked || !f.Mends {
		t.Errorf("state %+v", f)
	}
	_, err = other.write.ExecContext(t.Context(), "ROLLBACK")
	must(t, errors.Join(append(other.closeFile(), err)...))
	for j.Failure() != nil {
		if t.Context().Err() != nil {
			t.Fatal("that the lock is gone is not found out")
		}
		runtime.Gosched()
	}
	must(t, j.Intend(t.Context(), placed(1)))
}

// open2 is another program's connection.
func open2(path string) (*Journal, error) {
	j := &Journal{path: path}
	var err error
	if j.db, err = sql.Open("sqlite", dsn(system{}, path, "rw")); err != nil {
		return nil, err
	}
	j.write, err = j.db.Conn(context.Background())
	return j, err
}

// TestReadOnlyDiskRefusesToStartAndChangesNothing lets a process open a journal that it may not write.
func TestReadOnlyDiskRefusesToStartAndChangesNothing(t *testing.T) {
	path := file(t)
	lived(t, path)
	before, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Chmod(path, 0o444))
	must(t, os.Chmod(witnessPath(path), 0o444))
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o555))
		defer os.Chmod(dir, 0o755)
	}
	exe := filepath.Join(t.TempDir(), "test")
	self, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(exe, self, 0o755)) //nolint:gosec // a program
	for dir := filepath.Dir(exe); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_READER="+path)
	cmd.Dir = "/"
	if os.Geteuid() == 0 { // who may write everything
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	must(t, err)
	if !strings.Contains(string(out), ErrReadOnly.Error()) || !strings.Contains(string(out), "permissions") {
		t.Errorf("it says %q", out)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if string(after) != string(before) {
		t.Error("the file was changed")
	}
}

// reader tries to open a journal for writing and says what came of it.
func reader(path string) {
	_, err := Open(path)
	fmt.Println(err)
}
