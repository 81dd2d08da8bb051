package faultfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// kind is what a call does.
type kind int

const (
	made      kind = iota // a name for a new file
	wrote                 // data at off
	cut                   // the file to off bytes
	flushed               // the file
	unflushed             // a flush of the file that failed
	renamed               // name to other
	removed               // name
	named                 // the folder flushed
)

var kinds = [...]string{"make", "write", "truncate", "flush", "failed flush", "rename", "remove", "flush folder"}

// op is one call.
type op struct {
	kind        kind
	file        int // of the Disk's files; 0 = none
	name, other string
	off         int64
	data        []byte
}

// A Fault is what happens to calls that change something.
type Fault struct {
	At   int           // number of the first call that fails, from 0, see [Disk.Calls]
	Err  syscall.Errno // ENOSPC, EIO or EROFS
	Last bool          // later ones fail as well, until [Disk.Arm]; with EROFS opening for writing, too
	Half bool          // a write that fails has written its first half
}

// Disk is a folder whose files are under watch. It is safe for concurrent use.
type Disk struct {
	dir string

	mu    sync.Mutex // guards what follows
	base  map[string][]byte
	names map[string]int // now, of files
	files int            // highest number
	ops   []op
	calls int
	fault *Fault
	hit   int // calls that failed
}

// New watches a folder, whose files are taken for durable.
func New(dir string) (*Disk, error) {
	if err := register(); err != nil {
		return nil, err
	}
	d := &Disk{dir: filepath.Clean(dir), base: map[string][]byte{}, names: map[string]int{}}
	list, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(d.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		d.base[e.Name()] = b
		d.files++
		d.names[e.Name()] = d.files
	}
	disks.Lock()
	defer disks.Unlock()
	if disks.byFolder == nil {
		disks.byFolder = map[string]*Disk{}
	}
	if disks.byFolder[d.dir] != nil {
		return nil, fmt.Errorf("faultfs: %s is under watch already", d.dir)
	}
	disks.byFolder[d.dir] = d
	return d, nil
}

// disks are those that SQLite's calls are for.
var disks struct {
	sync.Mutex
	byFolder map[string]*Disk
}

// of returns the disk of a file, nil when its folder is not under watch.
func of(path string) *Disk {
	disks.Lock()
	defer disks.Unlock()
	return disks.byFolder[filepath.Dir(path)]
}

// Close ends the watch. All its files are to be closed before.
func (d *Disk) Close() {
	disks.Lock()
	defer disks.Unlock()
	delete(disks.byFolder, d.dir)
}

// Layer is the name of SQLite's file layer, for vfs= of a database's URI.
func (d *Disk) Layer() string { return layer }

// Calls returns how many calls there were that change something.
func (d *Disk) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Events returns how many events there were, see [Disk.Crash]: the calls that
// changed something.
func (d *Disk) Events() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

// Event describes an event.
func (d *Disk) Event(at int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= len(d.ops) {
		return "the end"
	}
	o := d.ops[at]
	return strings.TrimSpace(fmt.Sprintf("%s %s %s at %d, %d bytes", kinds[o.kind], o.name, o.other, o.off, len(o.data)))
}

// Arm makes calls fail from now on, nil none.
func (d *Disk) Arm(f *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
	d.hit = 0
}

// Hit returns how many calls failed since Arm.
func (d *Disk) Hit() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

// call counts a call and returns the fault that meets it, nil for none. The
// caller has the mutex.
func (d *Disk) call() *Fault {
	n := d.calls
	d.calls++
	f := d.fault
	if f == nil || n < f.At || n > f.At && !f.Last {
		return nil
	}
	d.hit++
	return f
}

// note adds an event. The caller has the mutex.
func (d *Disk) note(o op) {
	o.data = slices.Clone(o.data)
	if o.name == "" {
		for name, file := range d.names {
			if file == o.file {
				o.name = name // for Event alone
			}
		}
	}
	d.ops = append(d.ops, o)
}

// enter returns the number of the file of a name, which is made when it is new.
// The caller has the mutex.
func (d *Disk) enter(name string) int {
	if file, ok := d.names[name]; ok {
		return file
	}
	d.files++
	d.names[name] = d.files
	d.note(op{kind: made, file: d.files, name: name})
	return d.files
}

// write, and what follows it, does a call on a file, by do unless a fault meets
// it. do is given how many bytes are to be written.
func (d *Disk) write(file int, off int64, data []byte, do func(n int) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(data)
	f := d.call()
	if f != nil {
		if n = 0; f.Half {
			n = len(data) / 2
		}
	}
	if n > 0 {
		if err := do(n); err != nil {
			return err
		}
		d.note(op{kind: wrote, file: file, off: off, data: data[:n]})
	}
	if f != nil {
		return f.Err
	}
	return nil
}

func (d *Disk) truncate(file int, size int64, do func() error) error {
	return d.change(op{kind: cut, file: file, off: size}, do)
}

// flush flushes a file, and the folder, too, when it is told to.
func (d *Disk) flush(file int, folder bool, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.call(); f != nil {
		d.note(op{kind: unflushed, file: file})
		return f.Err
	}
	if err := do(); err != nil {
		return err
	}
	if file != 0 {
		d.note(op{kind: flushed, file: file})
	}
	if folder {
		d.note(op{kind: named, name: "."})
	}
	return nil
}

func (d *Disk) remove(name string, folder bool, do func() error) error {
	err := d.change(op{kind: removed, name: name}, do)
	if err == nil && folder {
		err = d.flush(0, true, func() error { return nil })
	}
	return err
}

// Rename is os.Rename within the folder.
func (d *Disk) Rename(from, to string) error {
	return d.change(op{kind: renamed, name: filepath.Base(from), other: filepath.Base(to)}, func() error { return os.Rename(from, to) })
}

func (d *Disk) change(o op, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.call(); f != nil {
		return f.Err
	}
	if err := do(); err != nil {
		return err
	}
	d.note(o)
	switch o.kind {
	case removed:
		delete(d.names, o.name)
	case renamed:
		d.names[o.other] = d.names[o.name]
		delete(d.names, o.name)
	default:
	}
	return nil
}

// readOnly reports whether the disk became read-only for good. The caller has
// the mutex.
func (d *Disk) readOnly() bool {
	return d.fault != nil && d.fault.Last && d.fault.Err == syscall.EROFS && d.calls > d.fault.At
}

// open opens a file by do, which makes it if it may; a new file is a call. do
// is told when the disk has become read-only.
func (d *Disk) open(name string, mayMake bool, do func(readOnly bool) error) (file int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == 0 && mayMake {
		if f := d.call(); f != nil {
			return 0, f.Err
		}
	}
	if err := do(d.readOnly()); err != nil {
		return 0, err
	}
	return d.enter(name), nil
}

// OpenFile is os.OpenFile for a file of the folder, or the folder itself.
func (d *Disk) OpenFile(name string, flag int) (interface {
	Write(b []byte) (int, error)
	Sync() error
	Close() error
}, error,
) {
	h := &handle{disk: d}
	if filepath.Clean(name) == d.dir {
		var err error
		h.f, err = os.Open(name)
		return h, err
	}
	if flag&os.O_TRUNC != 0 && flag&os.O_APPEND != 0 {
		return nil, errors.New("faultfs: appending is not kept in mind")
	}
	var err error
	h.file, err = d.open(filepath.Base(name), flag&os.O_CREATE != 0, func(readOnly bool) (err error) {
		if readOnly && flag&(os.O_WRONLY|os.O_RDWR) != 0 && flag&os.O_EXCL == 0 { // that it exists is said first
			return syscall.EROFS
		}
		h.f, err = os.OpenFile(name, flag&^os.O_TRUNC, 0o600)
		return err
	})
	if err == nil && flag&os.O_TRUNC != 0 {
		err = d.truncate(h.file, 0, func() error { return h.f.Truncate(0) })
	}
	if err != nil {
		if h.f != nil {
			err = errors.Join(err, h.f.Close())
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return h, nil
}

// handle is a file, or the folder, that Go code opened.
type handle struct {
	disk *Disk
	f    *os.File
	file int // 0 = the folder
	at   int64
}

func (h *handle) Write(b []byte) (n int, err error) {
	err = h.disk.write(h.file, h.at, b, func(k int) (err error) {
		n, err = h.f.WriteAt(b[:k], h.at)
		return err
	})
	h.at += int64(n)
	return n, err
}

func (h *handle) Sync() error {
	return h.disk.flush(h.file, h.file == 0, h.f.Sync)
}

func (h *handle) Close() error { return h.f.Close() }
