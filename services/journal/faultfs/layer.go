package faultfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// layer is the name under which SQLite knows it.
const layer = "faulty"

// unix is what SQLite's own layer does, and faulty the copy of it. They live as
// long as the process, in memory that the collector does not know.
var unix struct {
	once   sync.Once
	err    error
	vfs    sqlite3.Tsqlite3_vfs
	files  sync.Mutex          // guards what follows
	faulty map[uintptr]uintptr // calls of a file (they differ with its locks) to ours in their place
	open   map[uintptr]*sqliteFile
}

// sqliteFile is a file that SQLite has open.
type sqliteFile struct {
	disk  *Disk
	file  int
	calls *sqlite3.Tsqlite3_io_methods // SQLite's own
}

// The forms of the functions of a layer, as the library translates them from C.
type (
	openFunc   = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc = func(tls *libc.TLS, vfs, name uintptr, folder int32) int32
	closeFunc  = func(tls *libc.TLS, file uintptr) int32
	writeFunc  = func(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32
	sizeFunc   = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc   = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// pointer is what the library calls for a function, which must be one of the
// package: the library's memory does not keep a closure.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the other way round.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// at reads the library's memory.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// register makes the layer known to SQLite, once a process.
func register() error {
	unix.once.Do(func() {
		tls := libc.NewTLS()
		defer tls.Close()
		name, err := libc.CString("unix")
		if err != nil {
			unix.err = err
			return
		}
		defer libc.Xfree(tls, name)
		own := sqlite3.Xsqlite3_vfs_find(tls, name)
		if own == 0 {
			unix.err = errors.New("faultfs: SQLite has no layer unix here")
			return
		}
		unix.vfs = *at[sqlite3.Tsqlite3_vfs](own)
		unix.open, unix.faulty = map[uintptr]*sqliteFile{}, map[uintptr]uintptr{}
		copied := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(unix.vfs)))
		called, err := libc.CString(layer)
		if err != nil || copied == 0 {
			unix.err = errors.Join(err, errors.New("faultfs: no memory"))
			return
		}
		vfs := at[sqlite3.Tsqlite3_vfs](copied)
		*vfs = unix.vfs
		vfs.FpNext, vfs.FzName = 0, called
		vfs.FxOpen, vfs.FxDelete = pointer[openFunc](xOpen), pointer[deleteFunc](xDelete)
		if rc := sqlite3.Xsqlite3_vfs_register(tls, copied, 0); rc != sqlite3.SQLITE_OK {
			unix.err = fmt.Errorf("faultfs: register the layer: code %d", rc)
		}
	})
	return unix.err
}

// coded carries a code of SQLite's through a [Disk]'s calls.
type coded int32

func (c coded) Error() string { return fmt.Sprintf("SQLite's code %d", int32(c)) }

func coding(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	return coded(rc)
}

// code is what SQLite's own layer makes of an error of the system: other for
// any but a full disk.
func code(err error, full, other int32) int32 {
	c, ok := errors.AsType[coded](err)
	switch {
	case err == nil:
		return sqlite3.SQLITE_OK
	case ok:
		return int32(c)
	case errors.Is(err, syscall.ENOSPC):
		return full
	}
	return other
}

func xOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	open := function[openFunc](unix.vfs.FxOpen)
	if name == 0 { // a nameless file for a sort
		return open(tls, vfs, name, file, flags, out)
	}
	path := libc.GoString(name)
	disk := of(path)
	if disk == nil {
		return open(tls, vfs, name, file, flags, out)
	}
	number, err := disk.open(filepath.Base(path), flags&sqlite3.SQLITE_OPEN_CREATE != 0, func(readOnly bool) error {
		if readOnly { // SQLite's own layer tries this next
			flags = flags&^(sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_CREATE) | sqlite3.SQLITE_OPEN_READONLY
		}
		return coding(open(tls, vfs, name, file, flags, out))
	})
	if err != nil {
		at[sqlite3.Tsqlite3_file](file).FpMethods = 0 // nothing to close
		return code(err, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CANTOPEN)
	}
	return watch(tls, file, &sqliteFile{disk: disk, file: number})
}

// watch puts our calls in place of the file's.
func watch(tls *libc.TLS, file uintptr, f *sqliteFile) int32 {
	unix.files.Lock()
	defer unix.files.Unlock()
	head := at[sqlite3.Tsqlite3_file](file)
	own := head.FpMethods
	f.calls = at[sqlite3.Tsqlite3_io_methods](own)
	if unix.faulty[own] == 0 {
		p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*f.calls)))
		if p == 0 {
			return sqlite3.SQLITE_NOMEM
		}
		calls := at[sqlite3.Tsqlite3_io_methods](p)
		*calls = *f.calls
		calls.FxClose, calls.FxWrite = pointer[closeFunc](xClose), pointer[writeFunc](xWrite)
		calls.FxTruncate, calls.FxSync = pointer[sizeFunc](xTruncate), pointer[syncFunc](xSync)
		unix.faulty[own] = p
	}
	head.FpMethods = unix.faulty[own]
	unix.open[file] = f
	return sqlite3.SQLITE_OK
}

func opened(file uintptr) *sqliteFile {
	unix.files.Lock()
	defer unix.files.Unlock()
	return unix.open[file]
}

func xClose(tls *libc.TLS, file uintptr) int32 {
	unix.files.Lock()
	f := unix.open[file]
	delete(unix.open, file)
	unix.files.Unlock()
	return function[closeFunc](f.calls.FxClose)(tls, file)
}

func xWrite(tls *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	f := opened(file)
	data := unsafe.Slice(at[byte](buf), n)
	err := f.disk.write(f.file, off, data, func(n int) error {
		return coding(function[writeFunc](f.calls.FxWrite)(tls, file, buf, int32(n), off)) //nolint:gosec // not more than was asked
	})
	return code(err, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)
}

func xTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := opened(file)
	err := f.disk.truncate(f.file, size, func() error {
		return coding(function[sizeFunc](f.calls.FxTruncate)(tls, file, size))
	})
	return code(err, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_TRUNCATE)
}

// xSync flushes the folder, too, when SQLite's own layer is about to: once for
// a log that it may have made.
func xSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := opened(file)
	folder := at[sqlite3.TunixFile](file).FctrlFlags&sqlite3.UNIXFILE_DIRSYNC != 0
	err := f.disk.flush(f.file, folder, func() error {
		return coding(function[syncFunc](f.calls.FxSync)(tls, file, flags))
	})
	return code(err, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_FSYNC)
}

func xDelete(tls *libc.TLS, vfs, name uintptr, folder int32) int32 {
	remove := function[deleteFunc](unix.vfs.FxDelete)
	path := libc.GoString(name)
	disk := of(path)
	if disk == nil {
		return remove(tls, vfs, name, folder)
	}
	err := disk.remove(filepath.Base(path), folder != 0, func() error {
		return coding(remove(tls, vfs, name, folder))
	})
	return code(err, sqlite3.SQLITE_IOERR_DELETE, sqlite3.SQLITE_IOERR_DELETE)
}
