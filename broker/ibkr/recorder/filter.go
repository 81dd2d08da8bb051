package recorder

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// Filter chooses records. The zero value passes all.
type Filter struct {
	// Since passes what is not older. Default: everything.
	Since time.Time
	// Session passes one session's records. Default 0: all, and gaps.
	Session uint64
	// Kind passes In or Out alone. Default 0: all, and marks.
	Kind Kind
	// Message passes one message, by its name in any case or by its number, or
	// a mark by its word. Default "": all.
	Message string
}

// Match reports whether r passes.
func (f Filter) Match(r Record) bool {
	switch {
	case r.At.Before(f.Since), f.Session != 0 && r.Session != f.Session, f.Kind != 0 && r.Kind != f.Kind:
		return false
	case f.Message == "" || strings.EqualFold(f.Message, r.Name()):
		return true
	}
	id, ok := r.ID()
	n, err := strconv.Atoi(f.Message)
	return ok && err == nil && n == id
}

// Select calls do with the newest last records of src that pass, all with last
// 0 or less, oldest first, until it returns an error.
func Select(src Source, f Filter, last int, do func(Record) error) error {
	var kept []Record // a ring once it is full
	oldest := 0
	for {
		r, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case !f.Match(r):
		case last <= 0:
			if err := do(r); err != nil {
				return err
			}
		case len(kept) < last:
			r.Payload = bytes.Clone(r.Payload)
			kept = append(kept, r)
		default:
			r.Payload = append(kept[oldest].Payload[:0], r.Payload...)
			kept[oldest] = r
			oldest = (oldest + 1) % last
		}
	}
	for i := range kept {
		if err := do(kept[(oldest+i)%len(kept)]); err != nil {
			return err
		}
	}
	return nil
}
