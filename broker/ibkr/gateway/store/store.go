// Package store keeps a state in a folder: a snapshot, and a log of what changed
// since.
//
// It promises that what Append was given before the process was killed is there
// at the next Open, that a snapshot is replaced whole or not at all, that one
// process has the folder at a time, and that damage is found and told, never
// read over. It does not promise the last moments before a power cut: a change
// is written at once and synced with the next snapshot only.
//
// # Design
//
// A snapshot has a generation, and a log belongs to the snapshot of its
// generation. A new generation begins with an empty log and comes into force
// with the rename of its snapshot, so that at every instant there is one whole
// pair. Every record carries a checksum; what the records mean is the caller's.
//
// The last line of a log may be torn, by a kill in the middle of a write: it is
// dropped, and nobody was told of it, because Append had not returned. Any other
// damage refuses to open.
package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

// The names in the folder. The log's ends with its generation.
const (
	snapshotName = "sim-state.json"
	logPrefix    = "sim-changes-"
	lockName     = "sim.lock"
)

// format is the version of the files' form; what is in the records has its own.
const format = 1

// maxRecord bounds a snapshot and a line of the log: more is damage.
const maxRecord = 1 << 30

var (
	// ErrLocked means that another process has the folder.
	ErrLocked = errors.New("store: another program has the folder")
	// ErrDamaged means that a file is not as it was written.
	ErrDamaged = errors.New("store: damaged")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Store is an open folder. It is not safe for concurrent use. After an error
// of Append or Replace it is of no use but to be closed.
type Store struct {
	dir  string
	lock *flock.Flock

	generation uint64
	log        *os.File
	size       int64 // of the log
	line       uint64
	buf        []byte
}

// Saved is what was found in a folder.
type Saved struct {
	// Snapshot is nil where nothing was saved.
	Snapshot []byte
	// Changes are the records since the snapshot, oldest first.
	Changes [][]byte
	// Place names a change, for errors.
	Place func(i int) string
}

// header is the first line of a snapshot.
type header struct {
	Format     int    `json:"format"`
	Generation uint64 `json:"generation"`
	Bytes      int    `json:"bytes"`
	CRC        string `json:"crc32c"`
}

// Open takes an existing folder and reads what is in it. The error wraps
// [ErrLocked] or [ErrDamaged] and names the mend. The caller calls Replace
// before the first Append.
func Open(dir string, log *slog.Logger) (*Store, Saved, error) {
	s := &Store{dir: dir, lock: flock.New(filepath.Join(dir, lockName))}
	got, err := s.lock.TryLock()
	if err != nil {
		return nil, Saved{}, fmt.Errorf("store: lock %s: %w", dir, err)
	}
	if !got {
		return nil, Saved{}, fmt.Errorf("%w: %s: stop it, or name another folder", ErrLocked, dir)
	}
	saved, err := s.read(log)
	if err != nil {
		_ = s.lock.Unlock()
		return nil, Saved{}, err
	}
	return s, saved, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) logPath(generation uint64) string {
	return s.path(logPrefix + strconv.FormatUint(generation, 10) + ".jsonl")
}

func (s *Store) read(log *slog.Logger) (Saved, error) {
	path := s.path(snapshotName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.readNothing()
	}
	if err != nil {
		return Saved{}, fmt.Errorf("store: %w", err)
	}
	head, body, ok := bytes.Cut(text, []byte{'\n'})
	var h header
	if err := json.Unmarshal(head, &h); !ok || err != nil {
		return Saved{}, damaged(path, 1, "its first line is no header: %.60q", head)
	}
	body = bytes.TrimSuffix(body, []byte{'\n'})
	switch {
	case h.Format != format:
		return Saved{}, damaged(path, 1, "format %d, this program reads %d: use the release that wrote it", h.Format, format)
	case len(body) != h.Bytes || checksum(body) != h.CRC:
		return Saved{}, damaged(path, 2, "%d bytes with checksum %s, the header says %d and %s", len(body), checksum(body), h.Bytes, h.CRC)
	}
	s.generation = h.Generation
	saved := Saved{Snapshot: body, Place: func(i int) string { return fmt.Sprintf("%s:%d", s.logPath(h.Generation), i+1) }}
	saved.Changes, err = readLog(s.logPath(h.Generation), log)
	return saved, err
}

// readNothing is for a folder without a snapshot: a log without one is damage,
// except an empty one, which a process leaves that was killed at its very start.
func (s *Store) readNothing() (Saved, error) {
	logs, err := filepath.Glob(s.path(logPrefix + "*"))
	if err != nil {
		return Saved{}, fmt.Errorf("store: %w", err)
	}
	for _, path := range logs {
		if st, err := os.Stat(path); err != nil || st.Size() > 0 {
			return Saved{}, damaged(path, 1, "it has no snapshot %s beside it", snapshotName)
		}
	}
	return Saved{}, nil
}

func damaged(path string, line int, text string, a ...any) error {
	return fmt.Errorf("%w: %s:%d: %s; put back a copy of the folder, or begin anew in an empty one", ErrDamaged, path, line, fmt.Sprintf(text, a...))
}

func checksum(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }

// Replace saves a snapshot, durably and whole, and begins an empty log. What
// was saved before is gone then. body is JSON without a newline.
func (s *Store) Replace(body []byte) error {
	next := s.generation + 1
	log, err := os.OpenFile(s.logPath(next), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("store: begin a log: %w", err)
	}
	head, err := json.Marshal(header{format, next, len(body), checksum(body)})
	if err == nil {
		text := append(append(append(head, '\n'), body...), '\n')
		err = WriteFile(s.path(snapshotName), text)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("store: save: %w", err), log.Close())
	}
	if s.log != nil {
		err = s.log.Close()
	}
	s.generation, s.log, s.size, s.line = next, log, 0, 0
	return errors.Join(err, s.sweep())
}

// sweep removes the logs of other generations.
func (s *Store) sweep() error {
	logs, err := filepath.Glob(s.path(logPrefix + "*"))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, path := range logs {
		if path != s.logPath(s.generation) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// Append writes a record, which is JSON without a newline, to the log. When it
// returns the operating system has it.
func (s *Store) Append(record []byte) error {
	s.line++
	b := strconv.AppendUint(s.buf[:0], s.line, 10)
	b = fmt.Appendf(b, " %08x ", crc32.Checksum(record, castagnoli))
	b = append(append(b, record...), '\n')
	s.buf = b
	if s.log == nil {
		return errors.New("store: append: the folder was given back")
	}
	n, err := s.log.Write(b)
	s.size += int64(n)
	if err != nil {
		return fmt.Errorf("store: append: %w", err)
	}
	return nil
}

// Size is how many bytes the log has.
func (s *Store) Size() int64 { return s.size }

// Close gives the folder back. What was appended is synced.
func (s *Store) Close() error {
	var err error
	if s.log != nil {
		err = errors.Join(s.log.Sync(), s.log.Close())
		s.log = nil
	}
	return errors.Join(err, s.lock.Unlock())
}
