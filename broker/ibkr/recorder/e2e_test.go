package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/market"
	"robotrader/broker/sim"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// played starts a simulated gateway and returns where it listens.
func played(t *testing.T) string {
	t.Helper()
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: "AAPL", Seed: 1, Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	server, err := gateway.New(gateway.DefaultConfig(), src, quiet)
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server.Addr().String()
}

// session opens a gateway, asks what a trader asks, waits for ticks, and closes.
func session(t *testing.T, address string, tap ibkr.Tap) broker.Facts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.Simulated, cfg.Tap, cfg.Log = address, true, tap, quiet
	opened, err := ibkr.New(cfg).Open(ctx, broker.OpenConfig{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*ibkr.Session)
	aapl := market.USStock("AAPL")
	_, timeErr := s.Time(ctx)
	_, positionsErr := s.Positions(ctx)
	_, accountErr := s.Account(ctx)
	_, detailsErr := s.Details(ctx, aapl)
	if err := errors.Join(timeErr, positionsErr, accountErr, detailsErr, s.Subscribe(ctx, aapl)); err != nil {
		t.Fatal(err)
	}
	for ticks := 0; ticks < 5; {
		b, err := s.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ticks += len(b.Ticks)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return s.Facts()
}

// A session is recorded from the hello to its end, both ways, in the order of
// each direction, and every frame decodes and is the same when encoded again.
func TestSessionIsRecorded(t *testing.T) {
	dir := t.TempDir()
	address := played(t)
	rec := recorder.Start(dir, recorder.DefaultConfig(), quiet)
	facts := session(t, address, rec)
	session(t, address, rec)
	if err := rec.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := recorder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	newest := map[recorder.Kind]time.Time{}
	err = recorder.Select(r, recorder.Filter{Session: 1}, 0, func(r recorder.Record) error {
		names = append(names, r.Kind.String()+" "+r.Name())
		if r.At.Before(newest[r.Kind]) {
			t.Errorf("%s at %v is before the one before it, %v", r.Name(), r.At, newest[r.Kind])
		}
		newest[r.Kind] = r.At
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	head := strings.Join(names[:min(len(names), 6)], ", ")
	if want := "begun begun, out hello, in serverHello, out startApi, in managedAccts, in nextValidId"; head != want {
		t.Errorf("the recording begins with %s; want %s", head, want)
	}
	all := strings.Join(names, ", ")
	for _, want := range []string{"out reqCurrentTime", "in currentTime", "out reqPositions", "in positionEnd", "out reqMktData", "in tickPrice"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	if !strings.HasSuffix(all, "ended ended") {
		t.Errorf("the recording does not end with the session's end: %s", names[len(names)-1])
	}
	if err := r.Rewind(); err != nil {
		t.Fatal(err)
	}
	frames := 0
	err = recorder.Replay(r, func(rec recorder.Record, o recorder.Outcome) error {
		frames++
		if o.Err != nil || !o.Known || o.Leftover || o.Again != recorder.SameBytes {
			t.Errorf("session %d %s %s: %+v: %q", rec.Session, rec.Kind, rec.Name(), o, rec.Payload)
		}
		return nil
	})
	if list, n := r.Damage(); err != nil || n != 0 || uint64(frames) != rec.Stats().Frames || frames < 40 {
		t.Errorf("%d frames of %+v, error %v, damage %v", frames, rec.Stats(), err, list)
	}
	if list, err := os.ReadDir(filepath.Join(dir, recorder.Folder)); err != nil || len(list) != 1 {
		t.Errorf("segments %v, %v", list, err)
	}

	var text bytes.Buffer
	n, err := recorder.WriteMasked(&text, dir, 30)
	if err != nil || n != 30 || strings.Count(text.String(), "\n") != 31 {
		t.Errorf("%d records, %v, in %s", n, err, text.String())
	}
	for _, a := range facts.Accounts {
		if strings.Contains(text.String(), a) {
			t.Errorf("the account %s is in what others see", a)
		}
	}
}

// An attempt that fails is recorded, too, and why it did.
func TestFailedHandshakeIsRecorded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() { // ends with the one connection of this test
		c, err := l.Accept()
		if err == nil {
			_, err = c.Read(make([]byte, 100))
			err = errors.Join(err, c.Close())
		}
		served <- err
	}()
	dir := t.TempDir()
	rec := recorder.Start(dir, recorder.DefaultConfig(), quiet)
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.Tap, cfg.Log = l.Addr().String(), rec, quiet
	_, opened := ibkr.New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
	if err := errors.Join(<-served, rec.Close(t.Context())); err != nil || opened == nil {
		t.Fatal(err, opened)
	}
	all := read(t, dir)
	if len(all) != 3 || all[0].Kind != recorder.Begun || all[1].Name() != "hello" || all[2].Kind != recorder.Ended || string(all[2].Payload) != opened.Error() {
		t.Errorf("recorded %+v; the attempt ended with %v", all, opened)
	}
	if f := all[0].Fields(); f[0] != l.Addr().String() || f[1] != "1" {
		t.Errorf("the session begins with %q", f)
	}
}

// A session that our own guards refuse has its end, which names accounts: they
// are masked in what others see.
func TestRefusedSessionIsRecorded(t *testing.T) {
	dir := t.TempDir()
	rec := recorder.Start(dir, recorder.DefaultConfig(), quiet)
	cfg := ibkr.DefaultConfig()
	cfg.Gateway, cfg.Tap, cfg.Log = played(t), rec, quiet
	_, err := ibkr.New(cfg).Open(t.Context(), broker.OpenConfig{Account: "OTHER77"}, nil)
	if !errors.Is(err, broker.ErrRefused) {
		t.Fatal(err)
	}
	if err := rec.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := read(t, dir)
	last := all[len(all)-1]
	if last.Kind != recorder.Ended || !strings.Contains(string(last.Payload), "OTHER77") {
		t.Errorf("the recording ends with %s %q", last.Kind, last.Payload)
	}
	var text bytes.Buffer
	if _, err := recorder.WriteMasked(&text, dir, 0); err != nil || strings.Contains(text.String(), "DU7654321") {
		t.Errorf("%v; an account is shown: %s", err, text.String())
	}
}

// The simulated gateway of a trader is recorded as a real one is, but not in
// lock-step.
func TestSimulatedGateway(t *testing.T) {
	for speed, want := range map[float64]bool{0: false, 1: true} {
		dir := t.TempDir()
		rec := recorder.Start(dir, recorder.DefaultConfig(), quiet)
		cfg := sim.DefaultConfig()
		cfg.Speed, cfg.Symbols, cfg.Tap, cfg.Log = speed, []market.Symbol{"AAPL"}, rec, quiet
		a := sim.New(cfg)
		s, err := a.Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(t.Context()), a.Stop(t.Context()), rec.Close(t.Context())); err != nil {
			t.Error(err)
		}
		if all := read(t, dir); (len(all) > 5) != want || !want && len(all) > 0 {
			t.Errorf("speed %v: %d records", speed, len(all))
		}
	}
}

// read returns all records of a data folder, which must be whole.
func read(t *testing.T, dir string) (all []recorder.Record) {
	t.Helper()
	r, err := recorder.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = recorder.Select(r, recorder.Filter{}, 0, func(r recorder.Record) error {
		r.Payload = bytes.Clone(r.Payload)
		all = append(all, r)
		return nil
	})
	if list, n := r.Damage(); err != nil || n > 0 {
		t.Errorf("damage %v, %v", list, err)
	}
	return all
}

// Others look while it is written and the ring moves on under them: they see
// whole records in order, and at most an end that is still being written.
func TestReadBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	cfg := recorder.Config{Segment: 64 << 10, MaxBytes: 256 << 10}
	rec := recorder.Start(dir, cfg, quiet)
	done := make(chan struct{})
	go func() { // ends with its frames
		defer close(done)
		payload := make([]byte, 100, 1000)
		for i := range 30_000 {
			rec.Frame(1, i%3 == 0, 200, time.Unix(0, int64(i)), payload[:100+i%900])
			if i%200 == 0 {
				if err := rec.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	looks, seen := 0, 0
	for over := false; !over; looks++ {
		select {
		case <-done:
			over = true
		default:
		}
		r, err := recorder.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		next := time.Time{}
		err = recorder.Select(r, recorder.Filter{}, 0, func(r recorder.Record) error {
			if r.At.Before(next) {
				t.Errorf("a frame of %v after one of %v", r.At, next)
			}
			next = r.At.Add(1)
			seen++
			return nil
		})
		list, _ := r.Damage()
		for _, d := range list {
			if !strings.Contains(d.Why, "still being written") {
				t.Errorf("%v", d)
			}
		}
		if err != nil || len(list) > 1 {
			t.Errorf("%v, damage %v", err, list)
		}
	}
	if err := rec.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if s := rec.Stats(); seen == 0 || s.Dropped > 0 || s.OnDisk > cfg.MaxBytes || s.Bytes < 10*uint64(cfg.MaxBytes) {
		t.Errorf("%d looks saw %d records; %+v", looks, seen, s)
	}
	t.Logf("%d looks saw %d records", looks, seen)
}
