package recorder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func closeWell(t *testing.T, r *Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

// What is recorded is on disk 100 ms later, at once with Flush, and at the end.
func TestWhenItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(d, DefaultConfig(), bufferBytes, quiet)
		id := r.Begin("gw:4002", 7, time.Now())
		r.Frame(id, true, 200, time.Now(), []byte("49\x001\x00"))
		time.Sleep(writeEvery - time.Nanosecond)
		synctest.Wait()
		if got, _ := d.records(t); len(got) != 0 {
			t.Errorf("written before its time: %v", shorts(got))
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		want := []string{`1 begun "gw:4002\x007\x00"`, `1 out "49\x001\x00"`}
		got, _ := d.records(t)
		if diff := cmp.Diff(want, shorts(got)); diff != "" {
			t.Error(diff)
		}
		r.Frame(id, false, 200, time.Now(), []byte("49\x001\x005\x00"))
		if err := r.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		want = append(want, `1 in "49\x001\x005\x00"`)
		got, _ = d.records(t)
		if diff := cmp.Diff(want, shorts(got)); diff != "" {
			t.Error(diff)
		}
		r.End(id, time.Now(), "the gateway closed\x00it")
		closeWell(t, r)
		got, _ = d.records(t)
		if diff := cmp.Diff(append(want, `1 ended "the gateway closed it"`), shorts(got)); diff != "" {
			t.Error(diff)
		}
		r.Frame(id, false, 200, time.Now(), []byte("late\x00"))
		if s := r.Stats(); s.Frames != 2 || s.Dropped != 1 || s.Recording {
			t.Errorf("after the end: %+v", s)
		}
		if err := r.Flush(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("a flush after the end: %v", err)
		}
	})
}

// A disk that is too slow drops the newest frames, never waits, counts them,
// and tells of them where they are missing.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.slow = make(chan struct{})
		const bound = 16 << 10
		r := start(d, DefaultConfig(), bound, quiet)
		id := r.Begin("gw", 1, time.Now())
		payload := bytes.Repeat([]byte("x"), 1000)
		for range 100 { // nobody writes: these are taken, and then there is no room
			r.Frame(id, false, 200, time.Now(), payload)
		}
		synctest.Wait()
		if s := r.Stats(); s.Frames == 0 || s.Frames > bound/1000 || s.Frames+s.Dropped != 100 || !s.Recording {
			t.Fatalf("of 100 frames: %+v", s)
		}
		time.Sleep(time.Second) // the writer stands in the middle of a write
		synctest.Wait()
		before := r.Stats()
		for range 100 {
			r.Frame(id, true, 200, time.Now(), payload)
		}
		if s := r.Stats(); s.Frames <= before.Frames || s.Frames+s.Dropped != 200 {
			t.Fatalf("of 200 frames: %+v, before: %+v", s, before)
		}
		close(d.slow)
		closeWell(t, r)
		all, damage := d.records(t)
		frames, missing := uint64(0), uint64(0)
		for _, rec := range all {
			switch rec.Kind {
			case In, Out:
				frames++
			case Gap:
				var n uint64
				if _, err := fmt.Sscan(rec.Fields()[0], &n); err != nil || rec.Fields()[1] != "the disk was slower than the frames" {
					t.Errorf("%v: %s", err, short(rec))
				}
				missing += n
			}
		}
		if s := r.Stats(); damage != 0 || frames != s.Frames || missing != s.Dropped {
			t.Errorf("%d frames and %d missing on disk, %d damaged; told %+v", frames, missing, damage, s)
		}
		if last := all[len(all)-1]; last.Kind != Gap {
			t.Errorf("what is missing at the end is not told: %s", short(last))
		}
	})
}

// A full disk stops the recording, with the taps none the wiser, and a minute
// later it goes on: what is missing is counted, and told in its place.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(d, DefaultConfig(), bufferBytes, quiet)
		defer closeWell(t, r)
		id := r.Begin("gw", 1, time.Now())
		r.Frame(id, false, 200, time.Now(), []byte("15\x001\x00ABC4711\x00"))
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.room = d.total() + 10 })
		r.Frame(id, false, 200, time.Now(), []byte("1\x00"))
		if err := r.Flush(t.Context()); !errors.Is(err, errFull) {
			t.Errorf("a full disk: %v", err)
		}
		r.Frame(id, false, 200, time.Now(), []byte("2\x00"))
		if err := r.Flush(t.Context()); err == nil {
			t.Error("nothing is recorded, and Flush says nothing")
		}
		if s := r.Stats(); s.Recording || s.Fault == "" || s.Since.IsZero() || s.Frames != 1 || s.Dropped != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(retryEvery + time.Second) // still full
		if s := r.Stats(); s.Recording {
			t.Errorf("%+v", s)
		}
		r.Frame(id, false, 200, time.Now(), []byte("3\x00"))
		d.set(func() { d.room = -1 })
		time.Sleep(retryEvery)
		synctest.Wait()
		r.Frame(id, false, 200, time.Now(), []byte("4\x00"))
		if err := r.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		got, damage := d.records(t)
		want := []string{
			`1 begun "gw\x001\x00"`, `1 in "15\x001\x00ABC4711\x00"`,
			`0 gap "3\x00recording stopped: recorder: segment 1: no space left on device\x00"`,
			`1 in "4\x00"`,
		}
		if s := r.Stats(); damage != 0 || !s.Recording || s.Fault != "" || s.Frames != 2 || s.Dropped != 3 {
			t.Errorf("%d damaged, %+v", damage, s)
		}
		if diff := cmp.Diff(want, shorts(got)); diff != "" {
			t.Error(diff)
		}
		// The ring tells of the session and its account in the new segment, too.
		segments, _ := d.list()
		newest := segments[len(segments)-1].no
		last, _ := d.read(newest, maxSegment)
		scan := newScan(newest, last)
		head, _ := scan.next()
		if head.Kind != carried || head.Session != 1 || !slices.Contains(head.accounts(), "ABC4711") {
			t.Errorf("the new segment begins with %s", short(head))
		}
	})
}

// A frame that no segment can hold is a gap, and not the end of the recording.
func TestTooLongAFrame(t *testing.T) {
	d := newDisk()
	cfg := Config{Segment: minSegment, MaxBytes: 2 * minSegment}
	r := start(d, cfg, bufferBytes, quiet)
	r.Frame(1, false, 200, noon, make([]byte, minSegment))
	r.Frame(1, false, 200, noon, make([]byte, r.longest-recordMin))
	closeWell(t, r)
	got, _ := d.records(t)
	if s := r.Stats(); len(got) != 2 || s.Dropped != 1 || s.Frames != 1 || d.most > cfg.MaxBytes {
		t.Errorf("%d records, %+v", len(got), s)
	}
}

// Sessions count on over processes, and the accounts are known for masking
// after the ring has forgotten who named them.
func TestSessionsAndAccountsOutlive(t *testing.T) {
	d := newDisk()
	cfg := Config{Segment: minSegment, MaxBytes: 2 * minSegment}
	for process := range uint64(3) {
		r := start(d, cfg, bufferBytes, quiet)
		id := r.Begin("gw", 1, noon)
		if id != process+1 {
			t.Errorf("process %d begins with session %d", process, id)
		}
		account := fmt.Sprintf("ACCOUNT-%d", process)
		r.Frame(id, false, 200, noon, []byte("15\x001\x00"+account+",\x00"))
		for range 10 {
			r.Frame(id, false, 200, noon, bytes.Repeat([]byte("x"), 20_000))
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.Frame(id, false, 200, noon, []byte("4\x00-1\x001\x00"+account+"\x00\x000\x00"))
		closeWell(t, r)
		src := &Reader{files: d}
		src.segments, _ = d.list()
		mask, err := MaskOf(src)
		if err != nil {
			t.Fatal(err)
		}
		named := false
		err = Select(src, Filter{}, 0, func(rec Record) error {
			named = named || len(rec.accounts()) > 0 && slices.Contains(rec.accounts(), account)
			if bytes.Contains(mask.Record(rec).Payload, []byte(account)) {
				t.Errorf("the account is shown by %s", short(rec))
			}
			return nil
		})
		if err != nil || named {
			t.Errorf("the ring has not passed the handshake, so this proves nothing (%v)", err)
		}
	}
}

// Taps of several sessions, readers of the figures and flushes go together.
func TestConcurrentTaps(t *testing.T) {
	d := newDisk()
	r := start(d, DefaultConfig(), bufferBytes, quiet)
	const sessions, frames = 6, 2000
	var wg sync.WaitGroup
	for range sessions {
		wg.Go(func() {
			id := r.Begin("gw", 1, time.Now())
			payload := make([]byte, 8)
			for i := range frames {
				binary.BigEndian.PutUint64(payload, uint64(i))
				r.Frame(id, i%2 == 0, 200, time.Now(), payload)
				if i%500 == 0 {
					if err := r.Flush(t.Context()); err != nil {
						t.Error(err)
					}
					_ = r.Stats()
				}
			}
			r.End(id, time.Now(), "done")
		})
	}
	wg.Wait()
	closeWell(t, r)
	next, ended := map[uint64]uint64{}, 0
	all, damage := d.records(t)
	for _, rec := range all {
		switch {
		case rec.Kind == Ended:
			ended++
		case rec.Kind.Frame():
			if n := binary.BigEndian.Uint64(rec.Payload); n != next[rec.Session] {
				t.Fatalf("session %d: frame %d where %d is due", rec.Session, n, next[rec.Session])
			}
			next[rec.Session]++
		}
	}
	if s := r.Stats(); damage != 0 || ended != sessions || s.Frames != sessions*frames || s.Dropped != 0 || len(next) != sessions {
		t.Errorf("%d ends, %d damaged, %+v", ended, damage, s)
	}
}

// A folder that cannot be made is told, and does not keep a trader from trading.
func TestFolderCannotBeMade(t *testing.T) {
	r := Start("/dev/null", DefaultConfig(), quiet)
	defer closeWell(t, r)
	id := r.Begin("gw", 1, noon)
	r.Frame(id, false, 200, noon, []byte("1\x00"))
	if err := r.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "/dev/null/frames") {
		t.Errorf("%v, want an error that names the folder", err)
	}
	if s := r.Stats(); s.Recording || s.Dropped != 1 || s.Frames != 0 {
		t.Errorf("%+v", s)
	}
}

// nowhere takes all and keeps nothing.
type nowhere struct{ *disk }

func (nowhere) create(uint64) (file, error) { return nowhere{}, nil }
func (nowhere) remove(uint64) error         { return nil }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Truncate(int64) error        { return nil }
func (nowhere) Close() error                { return nil }

// BenchmarkTap is what one frame costs the session's reader.
func BenchmarkTap(b *testing.B) {
	payload := []byte("1\x006\x001073741828\x002\x00186.92\x00600\x001\x00")
	for _, size := range []int{len(payload), 1000} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			r := start(nowhere{newDisk()}, DefaultConfig(), bufferBytes, quiet)
			frame := append(slices.Clone(payload), make([]byte, size-len(payload))...)
			for range 200_000 { // both buffers have grown
				r.Frame(1, false, 200, noon, frame)
			}
			if err := r.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r.Frame(1, false, 200, noon, frame)
				if i%20_000 == 0 { // some hundred times a busy market
					b.StopTimer()
					if err := r.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
			b.StopTimer()
			if err := r.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// However full the disk is and however the frames fall on segments: what the
// figures call recorded is on disk, and the rest is called dropped.
func TestFiguresAreTrue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.room = rapid.Int64Range(0, 4*minSegment).Draw(rt, "room")
			r := start(d, Config{Segment: minSegment, MaxBytes: 2 * minSegment}, bufferBytes, quiet)
			n := rapid.IntRange(1, 12).Draw(rt, "frames")
			for range n {
				r.Frame(1, false, 200, time.Now(), make([]byte, rapid.IntRange(1, 30_000).Draw(rt, "size")))
				switch rapid.IntRange(0, 3).Draw(rt, "then") {
				case 0:
					_ = r.Flush(t.Context()) // it may be full
				case 1:
					time.Sleep(retryEvery + time.Second)
				}
			}
			closeWell(t, r)
			before := r.Stats()
			all, _ := d.records(t)
			frames := uint64(0)
			for _, rec := range all {
				if rec.Kind.Frame() {
					frames++
				}
			}
			_, whole := d.segs[1] // else the ring has moved on, or it never got there
			if before.Frames+before.Dropped != uint64(n) || frames > before.Frames || whole && frames != before.Frames {
				rt.Fatalf("%d frames, %d on disk, figures %+v", n, frames, before)
			}
		})
	})
}

// TestABufferShrinksAgain: what a burst made long does not stay so. Seen in a
// soak.
func TestABufferShrinksAgain(t *testing.T) {
	for _, tt := range []struct{ used, room, want int }{
		{100, firstBytes, firstBytes},
		{firstBytes, 2 * firstBytes, 2 * firstBytes},
		{bufferBytes / 2, bufferBytes, bufferBytes},
		{firstBytes, bufferBytes, firstBytes},
		{0, bufferBytes, firstBytes},
		{100, 1000, 1000}, // a test's own bound
	} {
		if got := emptied(make([]byte, tt.used, tt.room)); len(got) != 0 || cap(got) != tt.want {
			t.Errorf("%d of %d bytes used leave %d of %d, want room for %d", tt.used, tt.room, len(got), cap(got), tt.want)
		}
	}
}
