package recorder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// Whatever comes, however long, and however often the process is started
// again: the ring never holds more than its bound, and the newest records are
// in it, in order and whole.
func TestRingHoldsItsBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := Config{Segment: rapid.Int64Range(200, 2000).Draw(rt, "segment")}
		cfg.MaxBytes = 2*cfg.Segment + rapid.Int64Range(0, 5000).Draw(rt, "more")
		d := newDisk()
		var wrote []Record
		serial := uint64(0)
		starts := rapid.IntRange(1, 4).Draw(rt, "starts")
		for range starts {
			g := &ring{files: d, cfg: cfg, head: func() []byte { return appendHead(nil, serial) }}
			last, err := g.look()
			if err != nil || last != serial {
				rt.Fatalf("session %d is the newest, want %d, %v", last, serial, err)
			}
			for range rapid.IntRange(0, 30).Draw(rt, "batches") {
				var batch []byte
				for range rapid.IntRange(1, 5).Draw(rt, "records") {
					size := rapid.IntRange(0, int(cfg.Segment)-headLen-recordMin).Draw(rt, "size")
					serial++
					r := Record{Kind: In, Session: serial, At: noon, Version: 200, Payload: bytes.Repeat([]byte{byte(serial)}, size)}
					wrote = append(wrote, r)
					batch = appendUnsealed(batch, r.Kind, r.Session, r.At, r.Version, r.Payload)
				}
				if _, err := g.append(batch); err != nil {
					rt.Fatal(err)
				}
				if d.most > cfg.MaxBytes {
					rt.Fatalf("%d bytes on disk, bound %d", d.most, cfg.MaxBytes)
				}
				if g.total != d.total() {
					rt.Fatalf("the ring believes in %d bytes, there are %d", g.total, d.total())
				}
			}
			if err := g.close(); err != nil {
				rt.Fatal(err)
			}
		}
		got, damage := d.records(t)
		if damage != 0 || len(got) > len(wrote) || len(wrote) > 0 && len(got) == 0 {
			rt.Fatalf("%d of %d records, %d damaged", len(got), len(wrote), damage)
		}
		for i, r := range wrote[len(wrote)-len(got):] {
			if short(got[i]) != short(r) || !got[i].At.Equal(r.At) || got[i].Version != r.Version {
				rt.Fatalf("record %d is %s, want %s", i, short(got[i]), short(r))
			}
		}
	})
}

// A trader that is started again and again does not fill the folder with small
// files.
func TestRingBoundsItsFiles(t *testing.T) {
	d := newDisk()
	for range maxFiles + 10 {
		g := &ring{files: d, cfg: DefaultConfig(), head: func() []byte { return appendHead(nil, 0) }}
		if _, err := g.look(); err != nil {
			t.Fatal(err)
		}
		_, err := g.append(appendUnsealed(nil, Ended, 1, noon, 0, "why"))
		if err := errors.Join(err, g.close()); err != nil {
			t.Fatal(err)
		}
	}
	if d.files > maxFiles {
		t.Errorf("%d files, bound %d", d.files, maxFiles)
	}
	if _, there := d.segs[maxFiles+10]; !there {
		t.Error("the newest segment is not there")
	}
}

// A disk that fills up in the middle of a write leaves whole records, and the
// ring goes on when there is room again, whether or not the half record could
// be cut off.
func TestRingOnAFullDisk(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		r := Record{Kind: Out, Session: 3, At: noon, Version: 187, Payload: []byte("49\x001\x00")}
		size := int64(len(one(r)))
		for room := range 4 * size {
			d := newDisk()
			d.room, d.keeps = room, keeps
			g := &ring{files: d, cfg: DefaultConfig(), head: func() []byte { return appendHead(nil, 0) }}
			fails := 0
			for range 4 {
				if _, err := g.append(appendUnsealed(nil, r.Kind, r.Session, r.At, r.Version, r.Payload)); errors.Is(err, errFull) {
					fails++
				} else if err != nil {
					t.Fatal(err)
				}
				if g.total != d.total() {
					t.Fatalf("room %d: the ring believes in %d bytes, there are %d", room, g.total, d.total())
				}
			}
			d.room = -1
			if _, err := g.append(appendUnsealed(nil, r.Kind, r.Session, r.At, r.Version, r.Payload)); err != nil {
				t.Fatal(err)
			}
			got, damage := d.records(t)
			if len(got) != 5-fails || fails == 0 || !keeps && damage > 0 {
				t.Errorf("room %d, keeps %v: %d records after %d failures, %d damaged", room, keeps, len(got), fails, damage)
			}
			for _, g := range got {
				if short(g) != short(r) {
					t.Errorf("room %d: %s", room, short(g))
				}
			}
		}
	}
}

// What stands in the way by a segment's name, and is none, is passed: it costs
// one attempt and not all recording.
func TestRingPassesWhatIsInTheWay(t *testing.T) {
	f := folder{t.TempDir()}
	if err := os.MkdirAll(f.path(1), 0o700); err != nil {
		t.Fatal(err)
	}
	g := &ring{files: f, cfg: DefaultConfig(), head: func() []byte { return appendHead(nil, 0) }}
	if _, err := g.look(); err != nil {
		t.Fatal(err)
	}
	one := func() []byte { return appendUnsealed(nil, Ended, 1, noon, 0, "why") }
	if _, err := g.append(one()); !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	if _, err := g.look(); err != nil { // as the next attempt does
		t.Fatal(err)
	}
	_, err := g.append(one())
	if err := errors.Join(err, g.close()); err != nil {
		t.Error(err)
	}
}
