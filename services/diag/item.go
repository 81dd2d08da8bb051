package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLogs bounds the newest logs of a bundle together.
const maxLogs = 5 << 20

// JSONItem is a fact as a part of a bundle. A fact that comes with an error is
// written, too.
func JSONItem[T any](name, what string, fact func(ctx context.Context) (T, error)) Item {
	return Item{Name: name, What: what, Collect: func(ctx context.Context, w io.Writer) error {
		v, err := fact(ctx)
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(v))
	}}
}

// RecordItems are the probe records of a data folder and the matrix that they
// make.
func RecordItems(folder, running string) []Item {
	return []Item{
		JSONItem("matrix.json", "which gateway builds worked here", func(context.Context) (Matrix, error) {
			return MatrixOf(folder, running)
		}),
		{Name: logName, What: "the handshakes that were recorded", Collect: func(_ context.Context, w io.Writer) error {
			for _, name := range []string{logName + ".1", logName} {
				if err := copyFile(w, filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return nil
		}},
	}
}

// LogItems are the newest logs of a data folder, at most 5 MiB of them. Links
// are not followed.
func LogItems(folder string) []Item {
	dir := filepath.Join(folder, "logs")
	files := newest(dir)
	var items []Item
	room := int64(maxLogs)
	for _, f := range files {
		if room <= 0 {
			break
		}
		it := FileItem("logs/"+f.Name(), "the log "+f.Name(), filepath.Join(dir, f.Name()))
		it.Limit = room
		items = append(items, it)
		room -= f.Size()
	}
	return items
}

// newest lists the regular files of a folder, the newest first. Packed logs are
// left out: what is in them is older, and could not be masked as it is.
func newest(dir string) []fs.FileInfo {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no logs are no fault
	}
	var list []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && !strings.HasSuffix(e.Name(), ".gz") {
			list = append(list, info)
		}
	}
	slices.SortStableFunc(list, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	return list
}

// FileItem is a file of the data folder. A link is not followed: it would take
// out of the folder what nobody asked for.
func FileItem(name, what, path string) Item {
	return Item{Name: name, What: what, Collect: func(_ context.Context, w io.Writer) error { return copyFile(w, path) }}
}

// copyFile copies a file, of which links are not followed. One that grows while
// it is read ends where it was.
func copyFile(w io.Writer, path string) error {
	f, info, err := openRegular(path, os.Lstat)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(w, io.LimitReader(f, info.Size())); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// openRegular opens a file that is one, by the word of look: to open a pipe
// waits for somebody at its other end.
func openRegular(path string, look func(string) (fs.FileInfo, error)) (*os.File, fs.FileInfo, error) {
	info, err := look(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file (%s): remove it", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	return f, info, err
}

// readRegular reads a file that is one, and that is not longer than most.
func readRegular(path string, most int64) ([]byte, error) {
	f, info, err := openRegular(path, os.Stat)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that we write: remove it", path, info.Size(), most)
	}
	return io.ReadAll(io.LimitReader(f, most))
}
