package recorder

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/ibkr/wire"
)

// sampleSegment returns a segment and where each of its records ends.
func sampleSegment() (b []byte, all []Record, ends []int) {
	b = appendHead(nil, 6)
	for i := range 12 {
		r := Record{
			Kind: In + Kind(i)%5, Session: uint64(7 + i/6), At: noon.Add(time.Duration(i)), Version: wire.Version(176 + i),
			Payload: bytes.Repeat([]byte{byte('a' + i)}, i*i),
		}
		all = append(all, r)
		b = append(b, one(r)...)
		ends = append(ends, len(b))
	}
	return b, all, ends
}

func scanned(b []byte) (all []Record, s *scan) {
	s = newScan(1, b)
	for r, ok := s.next(); ok; r, ok = s.next() {
		all = append(all, r)
	}
	return all, s
}

// A kill in the middle of a write, at every byte: all before it is read, what
// is torn is told, and nothing is made up.
func TestTornAtEveryByte(t *testing.T) {
	b, want, ends := sampleSegment()
	for cut := range len(b) + 1 {
		got, s := scanned(slices.Clone(b[:cut]))
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		if diff := cmp.Diff(shorts(want[:whole]), shorts(got)); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
		boundary := cut == 0 || cut == headLen || slices.Contains(ends, cut)
		if list, n := s.Damage(); (n == 0) != boundary || n > 1 {
			t.Errorf("cut at %d: damage %v", cut, list)
		}
		// The same with the rest of the file empty, as some disks leave it.
		hole := append(slices.Clone(b[:cut]), make([]byte, len(b)-cut)...)
		if got, _ := scanned(hole); len(got) < whole || len(got) > whole+1 || !slices.Equal(shorts(got[:whole]), shorts(want[:whole])) {
			t.Errorf("empty from %d: %v", cut, shorts(got))
		}
	}
}

// One byte that turned over costs one record, or, in a record's length, the
// rest of its segment: never a wrong record.
func TestFlippedByte(t *testing.T) {
	b, want, ends := sampleSegment()
	for at := range b {
		if at >= len(magic) && at < headLen {
			continue // the number of a session: nothing to compare
		}
		bad := slices.Clone(b)
		bad[at] ^= 0x40
		got, s := scanned(bad)
		hit := 0
		for hit < len(ends) && ends[hit] <= at {
			hit++
		}
		begin := headLen
		if hit > 0 {
			begin = ends[hit-1]
		}
		expect := shorts(want[:hit])
		switch {
		case at < len(magic):
			expect = nil
		case at >= begin+4: // not in the length
			expect = shorts(slices.Delete(slices.Clone(want), hit, hit+1))
		}
		if diff := cmp.Diff(expect, shorts(got), cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })); diff != "" {
			t.Errorf("byte %d: %s", at, diff)
		}
		if _, n := s.Damage(); n == 0 {
			t.Errorf("byte %d: nothing is told", at)
		}
	}
}

// FuzzSegment reads any bytes: it ends, does not panic, skips no byte in
// silence, and what it reads is what stands there.
func FuzzSegment(f *testing.F) {
	b, _, _ := sampleSegment()
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte(magic))
	f.Add(append(appendHead(nil, 1<<63), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := slices.Clone(in)
		all, s := scanned(in)
		took := 0
		if s.headed {
			took = headLen
		}
		for _, r := range all {
			b := one(r)
			if !bytes.Contains(in, b) {
				t.Fatalf("read %s, which does not stand there", short(r))
			}
			took += len(b)
			if r.Kind.Frame() {
				_ = Judge(r) // whatever it is, it is judged
			}
			_ = r.accounts()
			_ = r.Name()
			_ = NewMasker("DU1234567").Record(r)
		}
		for _, d := range s.list {
			took += int(d.Bytes)
		}
		if s.total == len(s.list) && took != len(in) {
			t.Errorf("%d of %d bytes are accounted for", took, len(in))
		}
		if !bytes.Equal(before, in) {
			t.Error("reading changed what was read")
		}
	})
}

func anyRecord(t *rapid.T) Record {
	return Record{
		Kind:    rapid.SampledFrom([]Kind{In, Out, Begun, Ended, Gap}).Draw(t, "kind"),
		Session: rapid.Uint64().Draw(t, "session"),
		At:      time.Unix(0, rapid.Int64().Draw(t, "at")).UTC(),
		Version: wire.Version(rapid.Uint16().Draw(t, "version")),
		Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
	}
}

// A text for a ticket reads back as what it was made of.
func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t)
		line := appendText(nil, r)
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		got, err := parseText(strings.TrimSuffix(string(line), "\n"))
		if err != nil || short(got) != short(r) || !got.At.Equal(r.At) || got.Version != r.Version {
			t.Fatalf("%s: read as %s, %v", line, short(got), err)
		}
	})
}

// FuzzText reads any text: it ends, and what it takes is written as it stands.
func FuzzText(f *testing.F) {
	f.Add([]byte(textHead + "\n" + string(appendText(nil, Record{Kind: In, Session: 1, At: noon, Version: 200, Payload: []byte("1\x00")}))))
	f.Add([]byte(textHead + "\r\n\n2026-04-02T16:00:00Z 1 in 200 `1`\n2026-04-02T16:00:00+25:00 1 out 1 \"\"\nx"))
	f.Fuzz(func(t *testing.T, in []byte) {
		text, err := NewText(bytes.NewReader(in), "f")
		if err != nil {
			return
		}
		err = Select(text, Filter{}, 0, func(r Record) error {
			again, err := parseText(strings.TrimSuffix(string(appendText(nil, r)), "\n"))
			if err != nil || short(again) != short(r) || !again.At.Equal(r.At) {
				t.Errorf("%s, read again: %s, %v", short(r), short(again), err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSelect(t *testing.T) {
	text := textHead + "\n"
	for i := range 10 {
		r := Record{Kind: In + Kind(i%2), Session: uint64(1 + i/5), At: noon.Add(time.Duration(i) * time.Second), Version: 200, Payload: fmt.Appendf(nil, "%d\x001\x00", 1+i%4)}
		text += string(appendText(nil, r))
	}
	text += "not a line of ours\n" + string(appendText(nil, Record{Kind: Gap, At: noon.Add(time.Minute), Payload: []byte("3\x00full\x00")}))
	file := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, tt := range []struct {
		filter Filter
		last   int
		want   string // seconds after noon
	}{
		{Filter{}, 0, "0 1 2 3 4 5 6 7 8 9 60"},
		{Filter{}, 3, "8 9 60"},
		{Filter{}, 100, "0 1 2 3 4 5 6 7 8 9 60"},
		{Filter{Kind: In}, 2, "6 8"},
		{Filter{Kind: Out}, 0, "1 3 5 7 9"},
		{Filter{Session: 2}, 0, "5 6 7 8 9"},
		{Filter{Since: noon.Add(7 * time.Second)}, 0, "7 8 9 60"},
		{Filter{Message: "3"}, 0, "2 6"},
		{Filter{Message: "TickPrice"}, 0, "0 4 8"},
		{Filter{Message: "placeOrder"}, 0, ""},
		{Filter{Message: "gap"}, 0, "60"},
	} {
		if err := src.Rewind(); err != nil {
			t.Fatal(err)
		}
		var got []string
		err := Select(src, tt.filter, tt.last, func(r Record) error {
			got = append(got, fmt.Sprint(int(r.At.Sub(noon)/time.Second)))
			return nil
		})
		if strings.Join(got, " ") != tt.want || err != nil {
			t.Errorf("%+v, last %d: %v, %v; want %s", tt.filter, tt.last, got, err, tt.want)
		}
		if list, n := src.Damage(); n != 1 || list[0].At != 12 {
			t.Errorf("damage %v", list)
		}
	}
}
