package journal

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// handle is an open file. It is an alias of a type without a name, so that a
// disk of another package can give one.
type handle = interface {
	Write(b []byte) (int, error)
	Sync() error
	Close() error
}

// disk is where the files of a journal are. There is one, [system]; tests have
// another, which loses power. Nothing outside this package can give one.
type disk interface {
	// Layer names the layer through which SQLite reaches its files; "" is its own.
	Layer() string
	// OpenFile opens a file, or a folder to flush it.
	OpenFile(name string, flag int) (handle, error)
	Rename(from, to string) error
}

// system is the disk of this machine.
type system struct{}

func (system) Layer() string { return "" }

func (system) OpenFile(name string, flag int) (handle, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err // and no interface that holds a nil file
	}
	return f, nil
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }

// pace is how often a journal does by itself what it does by itself.
type pace struct {
	mend    time.Duration // tries to go on after a failure
	witness time.Duration // brings the witness up to date
}

// ordinary is the pace of every journal outside the tests.
var ordinary = pace{mend: mendEvery, witness: witnessEvery}

// openOn is Open with the journal's files on a disk, and a pace.
func openOn(path string, on disk, p pace) (*Journal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	j := &Journal{
		path: path, disk: on, pace: p, ctx: context.WithoutCancel(ctx),
		lock: make(chan struct{}, 1), queue: newQueue(), done: make(chan struct{}), restored: make(chan struct{}, 1),
		unwatch: make(chan struct{}), watched: make(chan struct{}),
	}
	if err := j.openFile(ctx); err != nil {
		return nil, err
	}
	j.lock <- struct{}{}
	go j.recorder()
	go j.watch()
	return j, nil
}

// dsn is how SQLite is told of a file on a disk.
func dsn(on disk, path, mode string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	q := url.Values{"mode": {mode}, "_pragma": pragmas}
	if layer := on.Layer(); layer != "" {
		q.Set("vfs", layer)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// syncFolder makes the names in a folder durable.
func syncFolder(on disk, dir string) error {
	d, err := on.OpenFile(filepath.Clean(dir), os.O_RDONLY)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}
