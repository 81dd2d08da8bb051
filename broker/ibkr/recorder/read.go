package recorder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A Source gives records, oldest first, and io.EOF after the last one. The
// payload of a record may be overwritten by the next call.
type Source interface {
	Next() (Record, error)
}

// A Rewinder is a source that can be read again: a [Reader] or [FileReader].
type Rewinder interface {
	Source
	Rewind() error
	nextAny() (Record, error) // with what only this package needs
}

// Damage is a part of a recording that could not be read and was skipped.
type Damage struct {
	Where string `json:"where"` // the file's name
	At    int64  `json:"at"`    // where in it: byte, or line of a text
	Bytes int64  `json:"bytes"` // how much was skipped
	Why   string `json:"why"`
}

func (d Damage) String() string {
	return fmt.Sprintf("%s at %d: %d bytes skipped: %s", d.Where, d.At, d.Bytes, d.Why)
}

const maxDamage = 1000 // told; what is more is counted

// damages collects what was skipped.
type damages struct {
	list  []Damage
	total int
}

func (d *damages) add(one Damage) {
	d.total++
	if len(d.list) < maxDamage {
		d.list = append(d.list, one)
	}
}

// Damage returns what was skipped so far, at most the first 1,000, and the
// count of all.
func (d *damages) Damage() (list []Damage, total int) { return d.list, d.total }

// scan walks over the records of one segment.
type scan struct {
	damages
	name        string
	b           []byte
	at          int
	headed      bool
	lastSession uint64 // the newest one before the segment
}

func newScan(no uint64, b []byte) *scan {
	s := &scan{name: filepath.Base(folder{}.path(no)), b: b}
	switch seen := min(len(b), len(magic)); {
	case string(b[:seen]) != magic[:seen]:
		s.skip(len(b), "this is no segment of ours")
	case len(b) < headLen:
		s.skip(len(b), cutOff)
	default:
		s.headed, s.lastSession, s.at = true, binary.BigEndian.Uint64(b[len(magic):]), headLen
	}
	return s
}

func (s *scan) skip(n int, why fault) {
	if n > 0 {
		s.add(Damage{s.name, int64(s.at), int64(n), string(why)})
	}
	s.at += n
}

// next returns the next record, which shares the segment's bytes. A record that
// is damaged is skipped alone when what follows it is one again, and else the
// rest of the segment is.
func (s *scan) next() (Record, bool) {
	for s.headed && s.at < len(s.b) {
		rest := s.b[s.at:]
		r, n, why := parseRecord(rest)
		if why == whole {
			s.at += n
			return r, true
		}
		if n > 0 && n < len(rest) {
			if _, _, then := parseRecord(rest[n:]); then == whole {
				s.skip(n, why)
				continue
			}
		}
		if why == badSum && n == len(rest) {
			why = cutOff // the last one, with its length but not its end: a hole in the file
		}
		s.skip(len(rest), why)
	}
	return Record{}, false
}

// Reader reads the ring of a data folder, as it was when [Open] looked, whether
// or not a trader is writing it.
type Reader struct {
	damages
	files    files
	segments []segment
	at       int
	scan     *scan
}

// Open looks at the ring of a data folder. A folder without one gives no
// records.
func Open(dir string) (*Reader, error) {
	r := &Reader{files: folder{dir}}
	var err error
	r.segments, err = r.files.list()
	return r, err
}

// Rewind begins again at the oldest record.
func (r *Reader) Rewind() error {
	r.at, r.scan, r.damages = 0, nil, damages{}
	return nil
}

// Next implements [Source].
func (r *Reader) Next() (Record, error) { return uncarried(r) }

// uncarried returns the next record that somebody else may see.
func uncarried(src Rewinder) (Record, error) {
	for {
		if rec, err := src.nextAny(); err != nil || rec.Kind != carried {
			return rec, err
		}
	}
}

func (r *Reader) nextAny() (Record, error) {
	for {
		if r.scan != nil {
			if rec, ok := r.scan.next(); ok {
				return rec, nil
			}
			r.told()
		}
		if r.at == len(r.segments) {
			return Record{}, io.EOF
		}
		s := r.segments[r.at]
		r.at++
		b, err := r.files.read(s.no, s.size)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the ring has moved on
		}
		if err != nil {
			return Record{}, fmt.Errorf("recorder: %w", err)
		}
		r.scan = newScan(s.no, b)
	}
}

// told takes over what the segment's scan skipped.
func (r *Reader) told() {
	for _, d := range r.scan.list {
		r.add(d)
	}
	r.total += r.scan.total - len(r.scan.list)
	r.scan = nil
}

// OpenFile opens one file: an export (see [WriteMasked]) or a segment. The
// caller closes it.
func OpenFile(path string) (*FileReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	r := &FileReader{file: f, name: filepath.Base(path)}
	if err := r.Rewind(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// FileReader reads one file.
type FileReader struct {
	damages
	file *os.File
	name string
	scan *scan
	text *Text
}

// Rewind begins again.
func (r *FileReader) Rewind() error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("recorder: %w", err)
	}
	r.scan, r.text, r.damages = nil, nil, damages{}
	in := bufio.NewReader(r.file)
	head, err := in.Peek(len(magic))
	if err == nil && string(head) == magic {
		b, err := io.ReadAll(io.LimitReader(in, maxSegment))
		if err != nil {
			return fmt.Errorf("recorder: %w", err)
		}
		r.scan = newScan(0, b)
		r.scan.name = r.name
		return nil
	}
	r.text, err = NewText(in, r.name)
	return err
}

// Next implements [Source].
func (r *FileReader) Next() (Record, error) { return uncarried(r) }

func (r *FileReader) nextAny() (rec Record, err error) {
	if r.text != nil {
		rec, err = r.text.Next()
		r.damages = r.text.damages
		return rec, err
	}
	if rec, ok := r.scan.next(); ok {
		return rec, nil
	}
	r.damages = r.scan.damages
	return Record{}, io.EOF
}

// Close closes the file.
func (r *FileReader) Close() error { return r.file.Close() }
