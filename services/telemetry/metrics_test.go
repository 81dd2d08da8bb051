package telemetry

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(rec.Body)
	if err != nil || rec.Code != 200 {
		t.Fatal(rec.Code, err)
	}
	return string(b)
}

func TestLinkMetrics(t *testing.T) {
	m := NewMetrics()
	since := time.Unix(1_700_000_000, 500_000_000)
	rungs := []broker.Rung{{Name: "tcp", OK: true, AtMS: 0.25}, {Name: "version", AtMS: 10_000}}
	for _, l := range []broker.Link{
		{State: broker.Connecting, Attempt: 1, Since: since},
		{State: broker.Handshaking, Attempt: 1, Since: since, Rungs: rungs},
		{State: broker.Waiting, Attempt: 1, Since: since, Rungs: rungs},
		{State: broker.Connecting, Attempt: 2, Since: since},
		{State: broker.Recovering, Attempt: 2, Since: since},
		{State: broker.Ready, Since: since},
		{State: broker.Degraded, Since: since},
		{State: broker.Ready, Since: since},
		{State: broker.Waiting, Since: since, Rungs: rungs},
	} {
		m.Link(l)
	}
	got := scrape(t, m)
	for _, want := range []string{
		`trader_link_state{state="waiting"} 1`,
		`trader_link_state{state="ready"} 0`,
		`trader_link_state{state="needs_restart"} 0`,
		`trader_link_rung_seconds{rung="tcp"} 0.00025`,
		`trader_link_attempts_total 2`,
		`trader_link_ready_total 1`,
		`trader_link_lost_total 1`,
		`trader_link_state_since_timestamp_seconds 1.7000000005e+09`,
		`trader_link_rung_failures_total{rung="version"} 1`,
		`trader_link_rung_failures_total{rung="tcp"} 0`,
		`trader_link_rung_reached{rung="tcp"} 0`, // the session is over
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if strings.Contains(got, `trader_link_rung_seconds{rung="version"}`) {
		t.Error("a rung that failed has no time of reaching it")
	}
}

func TestRecorderMetrics(t *testing.T) {
	m := NewMetrics()
	r := Recording{Frames: 7, Dropped: 2, Bytes: 4096, On: true}
	m.Recorder(func() Recording { return r })
	for _, want := range []string{
		"trader_recorder_frames_total 7", "trader_recorder_dropped_total 2",
		"trader_recorder_written_bytes_total 4096", "trader_recorder_recording 1",
	} {
		if got := scrape(t, m); !strings.Contains(got, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	r.On = false
	if !strings.Contains(scrape(t, m), "trader_recorder_recording 0") {
		t.Error("a recorder that stands still is not told")
	}
}
