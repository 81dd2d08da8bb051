package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is a segment that is being written.
type file interface {
	io.WriteCloser
	Truncate(size int64) error
}

// files is where segments are; tests have disks that fill up.
type files interface {
	list() ([]segment, error) // oldest first
	create(no uint64) (file, error)
	remove(no uint64) error
	read(no uint64, most int64) ([]byte, error)
}

// segment is one file of the ring.
type segment struct {
	no   uint64
	size int64
}

// Folder is the name of the ring's folder in a data folder.
const Folder = "frames"

const suffix = ".rec"

// folder is the files of a data folder.
type folder struct{ data string }

func (f folder) dir() string { return filepath.Join(f.data, Folder) }

func (f folder) path(no uint64) string {
	return filepath.Join(f.dir(), fmt.Sprintf("%08d%s", no, suffix))
}

// list returns the segments; a folder that is not there has none. Files by
// other names are not ours.
func (f folder) list() ([]segment, error) {
	entries, err := os.ReadDir(f.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	var all []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		no, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || len(digits) < 8 || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed a moment ago
		}
		all = append(all, segment{no, info.Size()})
	}
	slices.SortFunc(all, func(a, b segment) int { return int(min(max(int64(a.no-b.no), -1), 1)) })
	return all, nil
}

func (f folder) create(no uint64) (file, error) {
	if err := os.MkdirAll(f.dir(), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(f.path(no), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func (f folder) remove(no uint64) error {
	if err := os.Remove(f.path(no)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// read returns at most the first most bytes of a segment.
func (f folder) read(no uint64, most int64) (b []byte, err error) {
	in, err := os.Open(f.path(no))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return io.ReadAll(io.LimitReader(in, min(most, maxSegment)))
}

// ring is the writer's side of the folder. It is not safe for concurrent use.
type ring struct {
	files files
	cfg   Config
	head  func() []byte // what stands at the beginning of a segment

	segments []segment // oldest first, with the one that is written
	total    int64     // bytes of all segments
	written  uint64    // bytes of this process
	next     uint64    // number of the next segment
	cur      file      // nil before the first record, and after a fault
}

// look learns what is there, and returns the number of the newest session.
func (g *ring) look() (lastSession uint64, err error) {
	all, err := g.files.list()
	if err != nil {
		return 0, err
	}
	g.segments, g.total = all, 0
	for _, s := range all {
		g.total += s.size
		g.next = max(g.next, s.no+1)
	}
	g.next = max(g.next, 1)
	for _, s := range slices.Backward(all) {
		b, err := g.files.read(s.no, s.size)
		if err != nil {
			return 0, fmt.Errorf("recorder: %w", err)
		}
		scan := newScan(s.no, b)
		if !scan.headed {
			continue // a kill within its first moment
		}
		lastSession = scan.lastSession
		for r, ok := scan.next(); ok; r, ok = scan.next() {
			lastSession = max(lastSession, r.Session)
		}
		return lastSession, nil
	}
	return 0, nil
}

// append writes whole, unsealed records, which it seals. With an error it
// returns those that are not written.
func (g *ring) append(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		if g.cur == nil {
			if err := g.begin(); err != nil {
				return b, err
			}
		}
		room := int(g.cfg.Segment - g.size())
		n := 0
		for n < len(b) && n+recordLen(b[n:]) <= room {
			n += seal(b[n:])
		}
		if n == 0 { // full
			if err := g.close(); err != nil {
				return b, fmt.Errorf("recorder: %w", err)
			}
			continue
		}
		if err := g.write(b[:n]); err != nil {
			return b, err
		}
		b = b[n:]
	}
	return nil, nil
}

// size is that of the segment which is written.
func (g *ring) size() int64 { return g.segments[len(g.segments)-1].size }

// write appends to the present segment, the whole of b or, as far as the disk
// lets us undo it, nothing.
func (g *ring) write(b []byte) error {
	s := &g.segments[len(g.segments)-1]
	n, err := g.cur.Write(b)
	g.grow(s, int64(n))
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return nil
	}
	if g.cur.Truncate(s.size-int64(n)) == nil {
		g.grow(s, -int64(n))
	}
	return fmt.Errorf("recorder: segment %d: %w", s.no, errors.Join(err, g.close()))
}

func (g *ring) grow(s *segment, n int64) {
	s.size += n
	g.total += n
	g.written += uint64(n) // a negative n takes back what was added
}

// begin makes room for a whole segment and begins it.
func (g *ring) begin() error {
	if err := g.makeRoom(); err != nil {
		return err
	}
	f, err := g.files.create(g.next)
	if err != nil {
		no := g.next
		if errors.Is(err, fs.ErrExist) {
			g.next++ // it is no segment, or look had seen it: the next attempt passes it
		}
		return fmt.Errorf("recorder: segment %d: %w", no, err)
	}
	g.cur = f
	g.segments = append(g.segments, segment{no: g.next})
	g.next++
	if err := g.write(g.head()); err != nil {
		last := g.segments[len(g.segments)-1]
		if g.files.remove(last.no) == nil { // nothing is in it
			g.total -= last.size
			g.segments = g.segments[:len(g.segments)-1]
		}
		return err
	}
	return nil
}

// makeRoom removes the oldest segments until a whole new one fits.
func (g *ring) makeRoom() error {
	for len(g.segments) > 0 && (g.total+g.cfg.Segment > g.cfg.MaxBytes || len(g.segments) >= maxFiles) {
		oldest := g.segments[0]
		if err := g.files.remove(oldest.no); err != nil {
			return fmt.Errorf("recorder: the oldest segment cannot be removed: %w", err)
		}
		g.total -= oldest.size
		g.segments = g.segments[1:]
	}
	return nil
}

// close ends the present segment.
func (g *ring) close() error {
	if g.cur == nil {
		return nil
	}
	f := g.cur
	g.cur = nil
	return f.Close()
}
