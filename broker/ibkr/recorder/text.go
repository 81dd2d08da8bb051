package recorder

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
)

// textHead is the first line of an export. Then each record is a line: time,
// session, kind, version, and the payload as a quoted text, in which \x00 ends
// a field.
const textHead = "robotrader frames 1"

// maxLine bounds a line that is read: a frame of which every byte is escaped.
const maxLine = 4*maxPayload + 256

// ErrNotText means a file that is no export.
var ErrNotText = errors.New("not an export of frames: its first line is not " + strconv.Quote(textHead))

// WriteMasked writes the newest last records of a data folder's ring, all with
// last 0 or less, as a text for other people: accounts are masked. It returns
// how many records it wrote. A trader may be running. [OpenFile] reads it back.
func WriteMasked(w io.Writer, dir string, last int) (n int, err error) {
	r, err := Open(dir)
	if err != nil {
		return 0, err
	}
	mask, err := MaskOf(r)
	if err != nil {
		return 0, err
	}
	return Export(w, r, Filter{}, last, mask)
}

// Export writes the newest last records of src that pass the filter, all with
// last 0 or less. A nil mask shows everything.
func Export(w io.Writer, src Source, f Filter, last int, mask *Masker) (n int, err error) {
	out := bufio.NewWriter(w)
	if _, err := out.WriteString(textHead + "\n"); err != nil {
		return 0, err
	}
	var line []byte
	err = Select(src, f, last, func(r Record) error {
		n++
		line = appendText(line[:0], mask.Record(r))
		_, err := out.Write(line)
		return err
	})
	return n, errors.Join(err, out.Flush())
}

// appendText appends the line of a record.
func appendText(b []byte, r Record) []byte {
	b = r.At.UTC().AppendFormat(b, time.RFC3339Nano)
	b = fmt.Appendf(b, " %d %s %d ", r.Session, r.Kind, int(r.Version))
	b = strconv.AppendQuoteToASCII(b, string(r.Payload))
	return append(b, '\n')
}

// Text reads an export. Lines that are none are skipped and told.
type Text struct {
	damages
	in   *bufio.Reader
	name string
	line int64
	buf  []byte
}

// NewText reads the first line. name stands in what is told.
func NewText(in io.Reader, name string) (*Text, error) {
	t := &Text{in: bufio.NewReader(in), name: name}
	line, err := t.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	if string(line) != textHead {
		return nil, fmt.Errorf("recorder: %s: %w", name, ErrNotText)
	}
	return t, nil
}

// next returns the next line without its end, cut to what one may have.
func (t *Text) next() ([]byte, error) {
	t.buf = t.buf[:0]
	t.line++
	for {
		part, err := t.in.ReadSlice('\n')
		if room := maxLine - len(t.buf); len(part) > room {
			part = part[:room]
		}
		t.buf = append(t.buf, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && (len(t.buf) == 0 || !errors.Is(err, io.EOF)):
			return nil, err
		default:
			return bytes.TrimRight(t.buf, "\r\n"), nil
		}
	}
}

// Next implements [Source].
func (t *Text) Next() (Record, error) {
	for {
		line, err := t.next()
		if err != nil {
			return Record{}, err
		}
		r, err := parseText(string(line))
		if err == nil {
			return r, nil
		}
		t.add(Damage{t.name, t.line, int64(len(line)), err.Error()})
	}
}

func parseText(line string) (r Record, err error) {
	part := strings.SplitN(line, " ", 5)
	if len(part) < 5 {
		return r, fmt.Errorf("%d words, want 5", len(part))
	}
	if r.At, err = time.Parse(time.RFC3339Nano, part[0]); err != nil {
		return r, fmt.Errorf("time %.40q: not like 2026-11-27T09:30:00.123456789Z", part[0])
	}
	r.At = r.At.UTC()
	if r.Session, err = strconv.ParseUint(part[1], 10, 64); err != nil {
		return r, fmt.Errorf("session %.40q: not a number", part[1])
	}
	for k := In; k <= Gap; k++ {
		if k.String() == part[2] {
			r.Kind = k
		}
	}
	if r.Kind == 0 {
		return r, fmt.Errorf("kind %.40q: not known", part[2])
	}
	v, err := strconv.ParseUint(part[3], 10, 16)
	if err != nil {
		return r, fmt.Errorf("version %.40q: not a number up to 65535", part[3])
	}
	r.Version = wire.Version(v)
	text, err := strconv.Unquote(part[4])
	if err != nil || part[4][0] != '"' || len(text) > maxPayload {
		return r, fmt.Errorf("payload %.40q: not a quoted text of at most %d bytes", part[4], maxPayload)
	}
	r.Payload = []byte(text)
	return r, nil
}
