package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Spare copies the journal in the file path into a folder on another disk, for
// when its own cannot be written, and returns the copy's path: a journal that can
// be opened and goes on from where this one ended. Of its own disk it only reads,
// without SQLite, which keeps files of its own beside a journal. No trader may run:
// whoever calls it holds the data folder's lock.
//
// A copy that is there goes on, so that what was begun with it is known; one that
// is older than the journal is not touched, and an error.
func Spare(path, folder string) (string, error) {
	to := filepath.Join(folder, filepath.Base(path))
	newest, err := changed(path)
	if err != nil {
		return "", fmt.Errorf("journal: spare: %w; name the data folder of a trader that has run", err)
	}
	switch there, err := changed(to); {
	case err == nil && there.Before(newest):
		return "", fmt.Errorf("journal: spare: %s is older than %s, which has gone on since; name a new folder", to, path)
	case err == nil:
		return to, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("journal: spare: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("journal: spare: %w", ofDisk(err))
	}
	part := to + ".part"
	for from, beside := range map[string]string{path + "-wal": to + "-wal", witnessPath(path): witnessPath(to)} {
		err := copyFile(from, beside)
		if errors.Is(err, fs.ErrNotExist) { // nor may the copy have one, as of a try that failed half way
			if err = os.Remove(beside); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return "", fmt.Errorf("journal: spare: %w", ofDisk(err))
		}
	}
	if err := copyFile(path, part); err != nil {
		return "", fmt.Errorf("journal: spare: %w", ofDisk(err))
	}
	if err := os.Rename(part, to); err != nil { // the last step: a copy that is there is whole
		return "", fmt.Errorf("journal: spare: %w", err)
	}
	return to, syncFolder(system{}, folder)
}

// changed is when a journal's file, or its log, was written last.
func changed(path string) (time.Time, error) {
	file, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	newest := file.ModTime()
	if log, err := os.Stat(path + "-wal"); err == nil && log.ModTime().After(newest) {
		newest = log.ModTime()
	}
	return newest, nil
}
