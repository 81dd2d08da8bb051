package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

var errFull = errors.New("no space left on device")

// disk is a folder in memory that can be full, and that remembers the most it
// ever held.
type disk struct {
	mu    sync.Mutex
	segs  map[uint64][]byte
	room  int64 // in all; below 0 is without end
	keeps bool  // what is written cannot be cut off again
	slow  chan struct{}
	most  int64
	files int // the most there were
}

func newDisk() *disk { return &disk{segs: map[uint64][]byte{}, room: -1} }

func (d *disk) total() (n int64) {
	for _, b := range d.segs {
		n += int64(len(b))
	}
	return n
}

func (d *disk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *disk) list() ([]segment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []segment
	for no, b := range d.segs {
		all = append(all, segment{no, int64(len(b))})
	}
	slices.SortFunc(all, func(a, b segment) int { return int(a.no) - int(b.no) })
	return all, nil
}

func (d *disk) create(no uint64) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.segs[no]; there {
		return nil, fs.ErrExist
	}
	d.segs[no] = nil
	d.files = max(d.files, len(d.segs))
	return &diskFile{d, no}, nil
}

func (d *disk) remove(no uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.segs, no)
	return nil
}

func (d *disk) read(no uint64, most int64) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, there := d.segs[no]
	if !there {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(b[:min(int64(len(b)), most)]), nil
}

type diskFile struct {
	d  *disk
	no uint64
}

func (f *diskFile) Write(b []byte) (int, error) {
	f.d.mu.Lock()
	slow := f.d.slow
	f.d.mu.Unlock()
	if slow != nil {
		<-slow
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := len(b)
	if room := f.d.room - f.d.total(); f.d.room >= 0 && int64(n) > room {
		n = int(max(room, 0))
	}
	f.d.segs[f.no] = append(f.d.segs[f.no], b[:n]...)
	f.d.most = max(f.d.most, f.d.total())
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func (f *diskFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.keeps {
		return errors.New("read-only file system")
	}
	f.d.segs[f.no] = f.d.segs[f.no][:size]
	return nil
}

func (f *diskFile) Close() error { return nil }

// records returns all that can be read of the disk, marks between segments
// left out.
func (d *disk) records(t testing.TB) (all []Record, damage int) {
	t.Helper()
	r := &Reader{files: d}
	var err error
	if r.segments, err = d.list(); err != nil {
		t.Fatal(err)
	}
	err = Select(r, Filter{}, 0, func(r Record) error {
		r.Payload = slices.Clone(r.Payload)
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, damage = r.Damage()
	return all, damage
}

// short says what a record is, for comparing.
func short(r Record) string { return fmt.Sprintf("%d %s %q", r.Session, r.Kind, r.Payload) }

func shorts(all []Record) []string {
	list := make([]string, len(all))
	for i, r := range all {
		list[i] = short(r)
	}
	return list
}

// one encodes a record as it stands on disk.
func one(r Record) []byte {
	b := appendUnsealed(nil, r.Kind, r.Session, r.At, r.Version, r.Payload)
	seal(b)
	return b
}

var noon = time.Date(2026, 4, 2, 16, 0, 0, 987654321, time.UTC)
