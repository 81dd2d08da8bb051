package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzzStable feeds a family's decoders: no bytes make them panic, every error
// names its place, and what was read can be written and reads the same.
func fuzzStable(f *testing.F, file string) {
	type row struct {
		client bool
		id     int
	}
	var rows []row
	known := map[row]int{}
	for _, frame := range frames(f, file) {
		id, _ := PeekID(frame.payload)
		r := row{frame.client, id}
		if _, ok := known[r]; !ok {
			known[r] = len(rows)
			rows = append(rows, r)
		}
		_, fields, _ := cutField(frame.payload)
		f.Add(byte(known[r]), byte(frame.version-MinVersion), fields)
	}
	f.Fuzz(func(t *testing.T, which, version byte, fields []byte) {
		r := rows[int(which)%len(rows)]
		v := MinVersion + Version(version)%(MaxVersion-MinVersion+1)
		w := newWriter(nil, v, "fuzz", r.id, r.client)
		checkStable(t, r.client, v, append(w.b, fields...))
	})
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

func checkStable(t *testing.T, client bool, v Version, in []byte) {
	decode, strict := DecodeServer, DecodeServerStrict
	if client {
		decode, strict = DecodeClient, DecodeClientStrict
	}
	m, err := decode(v, in)
	if err != nil {
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Message == "" || fe.Field == "" || len(fe.Value) > 60 {
			t.Fatalf("%q: %v names no place", in, err)
		}
		return
	}
	b, err := m.Append(nil, v)
	if err != nil {
		t.Fatalf("%q was read as %+v, which cannot be written: %v", in, m, err)
	}
	again, err := strict(v, b)
	if err != nil {
		t.Fatalf("%q was written as %q, which cannot be read: %v", in, b, err)
	}
	if diff := cmp.Diff(m, again, exact); diff != "" {
		t.Fatalf("%q was written as %q: (-first +second)\n%s", in, b, diff)
	}
	if c, err := again.Append(nil, v); err != nil || string(c) != string(b) {
		t.Fatalf("%q was written as %q, then as %q, %v", in, b, c, err)
	}
}

func FuzzSession(f *testing.F)  { fuzzStable(f, "session.hex") }
func FuzzTicks(f *testing.F)    { fuzzStable(f, "ticks.hex") }
func FuzzBars(f *testing.F)     { fuzzStable(f, "bars.hex") }
func FuzzContract(f *testing.F) { fuzzStable(f, "contract.hex") }
func FuzzAccount(f *testing.F)  { fuzzStable(f, "account.hex") }
