package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The mend fits the fault: nobody looks for another user when a disk is full.
func TestMendFolder(t *testing.T) {
	for _, tt := range []struct {
		err  error
		says string
	}{
		{syscall.EROFS, "reading only"},
		{syscall.ENOSPC, "make room"},
		{syscall.EPERM, "another user"},
		{fs.ErrPermission, "another user"},
		{errors.New("else"), "--data"},
	} {
		got := mendFolder(fmt.Errorf("open: %w", tt.err))
		if !strings.Contains(got, tt.says) || !strings.Contains(got, "--data") {
			t.Errorf("%v: %s", tt.err, got)
		}
	}
}

// The folder becomes its owner's alone, and one that is so already is left as
// it is: a disk that is mounted for reading only would refuse even that.
func TestOwnAlone(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o755, 0o777, 0o700} {
		if err := errors.Join(os.Chmod(dir, mode), ownAlone(dir, 0o700)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("of %04o it made %v, %v", mode, info.Mode(), err)
		}
	}
	if err := ownAlone(filepath.Join(dir, "none"), 0o700); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// A token that is too short is refused, with the mend.
func TestShortToken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("short\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(dir); err == nil || !strings.Contains(err.Error(), "remove the file") || strings.Contains(err.Error(), "short") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.path("token")); err != nil || info.Mode().Perm() != 0o600 || len(f.token) != 64 {
		t.Errorf("%v %v, %d characters", info.Mode(), err, len(f.token))
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
}
