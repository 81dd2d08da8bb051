package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/supervisor"
	"robotrader/configs"
)

func anAttempt() supervisor.Record {
	return supervisor.Record{
		Began: time.Unix(1, 0), Total: 3, Err: errors.New("no reply"),
		Link: broker.Link{Adapter: "ibkr", Failure: broker.NoReply, Breaker: broker.Breaker{State: broker.BreakerOpen}},
	}
}

func TestDebugLogIsOneLineAnAttempt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "broker_debug.log")
	var told bytes.Buffer
	d := openDebugLog(path, slog.New(slog.NewTextHandler(&told, nil)))
	for range 20 {
		d.record(anAttempt())
	}
	if err := d.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 20 || told.Len() > 0 {
		t.Fatalf("%d lines, told %q", len(lines), told.String())
	}
	var m struct {
		Msg, Outcome string
		Rungs        map[string]any
		Breaker      broker.Breaker
	}
	if err := json.Unmarshal([]byte(lines[19]), &m); err != nil {
		t.Fatal(err)
	}
	if m.Msg != "attempt" || m.Outcome != "no_reply" || m.Rungs["tcp"] != "not seen" || m.Breaker.State != broker.BreakerOpen {
		t.Errorf("line %s", lines[19])
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestDebugLogThatCannotBeWritten is told once, and stops nobody.
func TestDebugLogThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "logs"), nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	var told bytes.Buffer
	d := openDebugLog(filepath.Join(dir, "logs", "broker_debug.log"), slog.New(slog.NewTextHandler(&told, nil)))
	for range 10 {
		d.record(anAttempt())
	}
	if err := d.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(told.String(), "broker_debug_log_not_written"); n != 1 {
		t.Errorf("told %d times:\n%s", n, told.String())
	}
}

// TestDebugLogIsBounded: more than the bound is written, and less is there.
func TestDebugLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker_debug.log")
	d := openDebugLog(path, slog.New(slog.DiscardHandler))
	if d.file.MaxSize != 10 || d.file.MaxBackups != 5 || d.file.MaxAge != 0 {
		t.Fatalf("bounds %+v", d.file)
	}
	d.file.MaxSize, d.file.MaxBackups = 1, 2 // megabytes, files
	r := anAttempt()
	r.Err = errors.New(strings.Repeat("x", 100<<10))
	written := 0
	for range 60 { // 6 MB
		d.lines <- r // waits, unlike record: every line is to be written
		written++
	}
	if err := d.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for { // old files are removed behind our back
		var bytes int64
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err == nil {
				bytes += info.Size()
			}
		}
		if len(files) <= 3 && bytes <= 3<<20 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files with %d bytes of %d lines", len(files), bytes, written)
		}
		runtime.Gosched()
	}
}

// TestNoticesOfTheLink: what is expected is no warning, a log-in that nobody
// does is an error once, and a phase is told.
func TestNoticesOfTheLink(t *testing.T) {
	now := time.Date(2026, 4, 5, 1, 20, 0, 0, time.UTC)
	soon, late := now.Add(time.Minute), now.Add(-time.Minute)
	var p linkPast
	for i, tt := range []struct {
		link broker.Link
		want string // level and name, "" = none
	}{
		{broker.Link{State: broker.Connecting}, ""},
		{broker.Link{State: broker.Ready}, "info link_ready"},
		{broker.Link{State: broker.Ready}, ""},
		{broker.Link{State: broker.Degraded, Phase: broker.BeforePhase, Until: &soon, Cause: "near"}, "info link_degraded"},
		{broker.Link{State: broker.Waiting, Phase: broker.RestartPhase, Until: &soon, Cause: "expected"}, "info link_waiting"},
		{broker.Link{State: broker.Connecting, Phase: broker.RestartPhase, Until: &soon}, ""},
		{broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &soon}, "warning link_waiting"},
		{broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &late}, "error link_login_overdue"},
		{broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &late}, ""},
		{broker.Link{State: broker.Connecting, Phase: broker.FactorPhase, Until: &late}, ""},
		{broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &late}, ""}, // as before
		{broker.Link{State: broker.NeedsRestart}, "error link_needs_restart"},
		{broker.Link{State: broker.Waiting}, "warning link_waiting"},
		{broker.Link{State: broker.Connecting}, ""},
		{broker.Link{State: broker.Waiting}, ""}, // the next attempt, which ended alike
		{broker.Link{State: broker.Connecting}, ""},
		{broker.Link{State: broker.Waiting, Failure: broker.NobodyListens}, "warning link_waiting"},
		{broker.Link{State: broker.Connecting}, ""},
		{broker.Link{State: broker.Ready}, "info link_ready"},
		{broker.Link{State: broker.Waiting, Failure: broker.NobodyListens}, "warning link_waiting"},
		{broker.Link{State: broker.Waiting, Phase: broker.LoginPhase, Until: &soon}, "warning link_weekly_login"},
		{broker.Link{State: broker.Stopped}, "info link_stopped"},
	} {
		got := ""
		if n := p.notice(tt.link, now); n != nil {
			got = n.Level + " " + n.Name
		}
		if got != tt.want {
			t.Errorf("step %d, %v %q: %q, want %q", i, tt.link.State, tt.link.Phase, got, tt.want)
		}
	}
}

// TestOnlyARealGatewayHasACalendar: the simulated one restarts when its script
// says so, and the kernel knows nothing of it.
func TestOnlyARealGatewayHasACalendar(t *testing.T) {
	cfg := configs.DefaultConfig()
	c, err := linkConfig(cfg)
	if err != nil || c.Calendar != (supervisor.Calendar{}) {
		t.Errorf("simulated: %+v, %v", c.Calendar, err)
	}
	cfg.Broker.Name = "ibkr"
	if c, err = linkConfig(cfg); err != nil || c.Calendar.Restart.Off() || c.Calendar.Login.Off() || c.Calendar.LoginWithin != 10*time.Minute {
		t.Errorf("real: %+v, %v", c.Calendar, err)
	}
	cfg.Broker.IBKR.RestartAt, cfg.Broker.IBKR.LoginAt = "off", "off"
	if c, err = linkConfig(cfg); err != nil || !c.Calendar.Restart.Off() || !c.Calendar.Login.Off() {
		t.Errorf("switched off: %+v, %v", c.Calendar, err)
	}
}
