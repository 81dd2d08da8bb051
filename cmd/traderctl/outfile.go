package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeFile writes the file that a flag names, as a whole or not at all, for its
// owner alone and without holding it in memory.
func writeFile(flag, path string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return 0, fmt.Errorf("--%s %s: %w", flag, path, err)
	}
	err = write(f)
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("--%s %s: %w; a place with room can be named there", flag, path, err), os.Remove(f.Name()))
	}
	return size, nil
}
