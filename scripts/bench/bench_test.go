package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shirou/gopsutil/v4/disk"
	"go.uber.org/goleak"

	"robotrader/broker/ibkr/wire"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "echo" { // the other process of TestMirror
		os.Exit(echo(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

func TestQuantiles(t *testing.T) {
	var s sample
	if s.median() != 0 || s.at(0.9) != 0 {
		t.Error("an empty sample has figures")
	}
	for i := range 100 {
		s = append(s, time.Duration(100-i)*time.Microsecond) // not sorted
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.9: 90, 0.99: 99, 1: 100} {
		if got := s.at(q); got != want*time.Microsecond {
			t.Errorf("quantile %v is %v, want %v µs", q, got, want)
		}
	}
	if got := s.median(); got != 50500*time.Nanosecond {
		t.Errorf("median of an even number is %v, want 50.5 µs", got)
	}
	if got := s[:99].median(); got != 51*time.Microsecond {
		t.Errorf("median of 2 to 100 is %v, want 51 µs", got)
	}
	if s[0] != 100*time.Microsecond {
		t.Error("the sample was sorted in place")
	}
}

func TestSection(t *testing.T) {
	s := section{title: "x"}
	s.judge("good", "1", "2", true)
	s.judge("bad", "3", "2", false)
	s.add("neither", "4")
	lines := strings.Split(s.String(), "\n")
	if !strings.HasSuffix(lines[1], "PASS") || !strings.HasSuffix(lines[2], "MISSED") || strings.ContainsAny(lines[3], "PM") {
		t.Errorf("verdicts are wrong:\n%s", s)
	}
}

func TestResults(t *testing.T) {
	const out = `goos: linux
pkg: robotrader/broker/ibkr/wire
cpu: Intel(R) Xeon(R) Processor
BenchmarkDecodeTick    	12345678	        95.50 ns/op	       0 B/op	       0 allocs/op
PASS
ok  	robotrader/broker/ibkr/wire	1.5s
?   	robotrader/websocket/web	[no test files]
pkg: robotrader/services/bus
BenchmarkTwoHops/keep-2         	     100	     22000 ns/op	         3.000 messages	     512 B/op	       9 allocs/op
BenchmarkPlain	     100	     1 ns/op
BenchmarkPaced-2	     100	     30000000 ns/op	   45.10 µs/median	   60.0 µs/p90	  16 B/op	   1 allocs/op
`
	want := []result{
		{"broker/ibkr/wire DecodeTick", 95.5, 0, 0, ""},
		{"services/bus TwoHops/keep-2", 22000, 512, 9, ""},
		{"services/bus Plain", 1, -1, -1, ""},
		{"services/bus Paced-2", 3e7, 16, 1, "45.10 µs/median, 60.0 µs/p90"},
	}
	if d := cmp.Diff(want, results(out), cmp.AllowUnexported(result{})); d != "" {
		t.Error(d)
	}
}

func TestFileSystem(t *testing.T) {
	mounts := []disk.PartitionStat{
		{Mountpoint: "/", Fstype: "ext4"},
		{Mountpoint: "/tmp", Fstype: "tmpfs"},
		{Mountpoint: "/home/x", Fstype: "xfs"},
		{Mountpoint: "/home/x", Fstype: "btrfs"},
	}
	for folder, want := range map[string]string{
		"/tmp/a": "tmpfs", "/tmp": "tmpfs", "/tmpfiles": "ext4", "/home/x/data": "btrfs", "/srv": "ext4",
	} {
		if got := fileSystem(folder, mounts); got != want {
			t.Errorf("%s is on %s, want %s", folder, got, want)
		}
	}
	if got := fileSystem("/tmp", nil); got != "unknown" {
		t.Errorf("without mounts: %s", got)
	}
}

// TestMirror runs the echo as a process, with frames as the gateway makes them.
func TestMirror(t *testing.T) {
	tick := wire.AppendFrame(nil, []byte("46\x006\x001\x0045\x001700000000\x00"))
	tick = wire.AppendFrame(tick, []byte("1\x006\x001\x004\x00187.25\x00100\x000\x00"))
	order := wire.AppendFrame(nil, []byte("3\x001\x00"))
	m, err := startMirror(tick, order)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d, err := m.round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d <= 0 || d > laneWait {
			t.Errorf("an echo took %v", d)
		}
	}
	if err := m.end(); err != nil {
		t.Errorf("the echo's end: %v", err)
	}
	for range m.back { // until its reader has gone
	}
}

// TestVenue answers the gateway's ticks with nothing: the lane must say so, and
// must not find an order that was never sent.
func TestVenue(t *testing.T) {
	v, err := newVenue()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := v.trade(ctx); err == nil {
		t.Error("a tick that nobody heard was answered")
	}
	stopping, cancel := context.WithTimeout(t.Context(), laneWait)
	defer cancel()
	if err := v.Stop(stopping); err != nil {
		t.Error(err)
	}
}

func TestCycles(t *testing.T) {
	var calls []string
	lane1 := &lane{name: "a", round: func(context.Context) (time.Duration, error) { calls = append(calls, "a"); return 1, nil }}
	lane2 := &lane{name: "b", round: func(context.Context) (time.Duration, error) { calls = append(calls, "b"); return 2, nil }}
	began := time.Now()
	if err := cycles(t.Context(), 2, 1, lane1, lane2); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 5*cadence/2 {
		t.Errorf("3 cycles of %v took %v", cadence, took)
	}
	if got := strings.Join(calls, ""); got != "ababab" {
		t.Errorf("the lanes ran %s, want ababab", got)
	}
	if len(lane1.took) != 2 || len(lane2.took) != 2 {
		t.Errorf("%d and %d figures of 2 cycles that count", len(lane1.took), len(lane2.took))
	}
}
