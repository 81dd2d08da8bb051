//go:build unix

package diag

import (
	"errors"
	"io/fs"
	"syscall"
)

// ownerOf returns the user whom a file belongs to.
func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}

// writable returns why this program cannot write into a folder. It writes
// nothing.
func writable(dir string) error { return syscall.Access(dir, writeAccess) }

const writeAccess = 2 // W_OK of access(2)

// refused reports whether nobody listens at an address.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
