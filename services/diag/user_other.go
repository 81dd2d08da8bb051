//go:build !unix

package diag

import "io/fs"

// ownerOf is not told by this system.
func ownerOf(fs.FileInfo) (uid int, ok bool) { return 0, false }

// writable is not told by this system in one way.
func writable(string) error { return nil }

// refused is not told by this system in one way.
func refused(error) bool { return false }
