package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
)

// readLog returns the records of a log.
func readLog(path string, log *slog.Logger) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(path, 1, "the log of the snapshot is not there")
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var list [][]byte
	for line := 1; len(text) > 0; line++ {
		one, rest, whole := bytes.Cut(text, []byte{'\n'})
		record, why := parseLine(one, line)
		switch {
		case why == "": // the newline may be what a kill has cut off
			list = append(list, record)
		case whole || len(one) > 0 && endsInRecord(one, line):
			return nil, damaged(path, line, "%s", why)
		default:
			log.Warn("store_torn_line_dropped", "path", path, "line", line, "bytes", len(one))
		}
		text = rest
	}
	return list, nil
}

// parseLine returns the record of a line without its newline, or why it has
// none.
func parseLine(b []byte, line int) (record []byte, why string) {
	number, rest, ok1 := bytes.Cut(b, []byte{' '})
	sum, record, ok2 := bytes.Cut(rest, []byte{' '})
	switch {
	case len(b) > maxRecord:
		return nil, fmt.Sprintf("%d bytes in one line", len(b))
	case !ok1 || !ok2:
		return nil, fmt.Sprintf("%.60q is no record", b)
	case string(number) != strconv.Itoa(line):
		return nil, fmt.Sprintf("its number is %.20q", number)
	case string(sum) != checksum(record):
		return nil, fmt.Sprintf("its checksum is %s, not %.20q", checksum(record), sum)
	}
	return record, ""
}

// endsInRecord tells a line whose newline became another byte, which is damage,
// from one that was not written to its end.
func endsInRecord(b []byte, line int) bool {
	_, why := parseLine(b[:len(b)-1], line)
	return why == ""
}

// WriteFile writes a file whole or not at all: a file beside it first, durable,
// then a rename.
func WriteFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path)) // so that the rename survives a power loss, too
	if err != nil {
		return err
	}
	err = dir.Sync()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return err
}
