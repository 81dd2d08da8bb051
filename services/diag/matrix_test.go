package diag

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"robotrader/broker"
)

var dawn = time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)

func record(build string, version int, minute int, failedAt string, ms float64) Probe {
	p := Probe{GatewayBuild: build, ServerVersion: version, At: dawn.Add(time.Duration(minute) * time.Minute), Result: Ready, ElapsedMS: ms}
	if failedAt != "" {
		p.Result, p.FailedAt = Failed, failedAt
	}
	return p
}

func folderOf(t *testing.T, records ...Probe) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range records {
		if err := p.Append(dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMatrix(t *testing.T) {
	dir := folderOf(t,
		record("10.37.1", 200, 1, "", 4),
		record("10.37.1", 200, 2, "", 1),
		record("10.37.1", 200, 3, "", 9),
		record("10.9", 176, 4, "", 3),
		record("10.45.1", 200, 5, "", 2),
		record("10.45.1", 200, 6, "", 4),
		record("10.45.1", 0, 7, "version", 10000),
		record("10.45.1", 0, 8, "version", 10000),
		record("", 200, 9, "", 1),
		Probe{Result: Usage, GatewayBuild: "10.1", At: dawn},
	)
	f, err := os.OpenFile(filepath.Join(dir, logName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"gateway\":\"127.0\n[]\n"); err != nil { // a program that was killed, and nonsense
		t.Fatal(err)
	}
	f.Close()
	if err := record("10.37.1", 200, 10, "start_api", 8).Append(dir); err != nil { // goes on behind it
		t.Fatal(err)
	}
	if err := WriteMark(dir, &Mark{Build: "10.37.1", Note: "since May", At: dawn}); err != nil {
		t.Fatal(err)
	}
	m, err := MatrixOf(dir, "10.45.1")
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) time.Time { return dawn.Add(time.Duration(minute) * time.Minute) }
	ms := func(x float64) *float64 { return &x }
	want := []Cell{
		{Build: "", ServerVersion: 200, Ready: 1, FailedAt: map[string]int{}, MedianMS: ms(1), LastResult: Ready, FirstSeen: at(9), LastSeen: at(9)},
		{Build: "10.9", ServerVersion: 176, Ready: 1, FailedAt: map[string]int{}, MedianMS: ms(3), LastResult: Ready, FirstSeen: at(4), LastSeen: at(4)},
		{Build: "10.37.1", ServerVersion: 200, Ready: 3, Failed: 1, FailedAt: map[string]int{"start_api": 1}, MedianMS: ms(4), LastResult: Failed, LastFailed: "start_api", FirstSeen: at(1), LastSeen: at(10)},
		{Build: "10.45.1", ServerVersion: 0, Failed: 2, FailedAt: map[string]int{"version": 2}, LastResult: Failed, LastFailed: "version", FirstSeen: at(7), LastSeen: at(8)},
		{Build: "10.45.1", ServerVersion: 200, Ready: 2, FailedAt: map[string]int{}, MedianMS: ms(3), LastResult: Ready, FirstSeen: at(5), LastSeen: at(6)},
	}
	if diff := cmp.Diff(want, m.Cells, cmpopts.IgnoreUnexported(Cell{})); diff != "" {
		t.Error(diff)
	}
	if m.Untold != 1 || m.Broken != 2 || m.Marked == nil || m.Marked.Note != "since May" {
		t.Errorf("%+v", m)
	}
	wantWarnings := []string{
		"gateway 10.45.1 failed here 2 of 4 times, the last time too: at rung version, 2026-04-02T09:08:00Z",
		"gateway 10.45.1 runs, and 10.37.1 is marked as the one to run (since May)",
		"1 records do not tell the gateway's build: name it with --gateway-build",
		"2 lines of probes.jsonl are not understood and were left out",
	}
	if diff := cmp.Diff(wantWarnings, m.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryOfTheRunningBuild(t *testing.T) {
	for _, tt := range []struct {
		running string
		want    string // of the only warning, "" = none
		records []Probe
	}{
		{"10.37.1", "", []Probe{record("10.37.1", 200, 1, "", 1), record("10.30", 187, 2, "version", 1)}},
		{"10.37.1", "failed here before, 1 of 2 times; the last time it worked", []Probe{record("10.37.1", 0, 1, "tcp", 1), record("10.37.1", 200, 2, "", 1)}},
		{"10.37.1", "1 of 1 times, the last time too: at rung managed_accounts", []Probe{record("10.37.1", 200, 1, "managed_accounts", 1)}},
		{"", "", []Probe{record("10.37.1", 200, 1, "managed_accounts", 1)}},
		{"10.12", "older than API release 10.19", nil},
		{"a-build-of-my-own", "", nil},
	} {
		m, err := MatrixOf(folderOf(t, tt.records...), tt.running)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == "" && len(m.Warnings) > 0 || tt.want != "" && (len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], tt.want)) {
			t.Errorf("%q: %q, want %q", tt.running, m.Warnings, tt.want)
		}
	}
}

func TestNoRecordsAreNoError(t *testing.T) {
	m, err := MatrixOf(filepath.Join(t.TempDir(), "none"), "")
	if err != nil || len(m.Cells) != 0 || len(m.Warnings) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	b, err := json.Marshal(m)
	if err != nil || string(b) != `{"cells":[],"marked":null,"running":"","untold":0,"broken":0,"warnings":[]}` {
		t.Errorf("%s %v", b, err)
	}
}

func TestMark(t *testing.T) {
	dir := t.TempDir()
	if m, err := ReadMark(dir); m != nil || err != nil {
		t.Errorf("%v %v", m, err)
	}
	for _, build := range []string{"10.37.1", "10.41.1d"} {
		if err := WriteMark(dir, &Mark{Build: build, Note: "x", At: dawn}); err != nil {
			t.Fatal(err)
		}
		if m, err := ReadMark(dir); err != nil || m == nil || *m != (Mark{build, "x", dawn}) {
			t.Errorf("%v %v", m, err)
		}
	}
	if w := MarkWarning(dir, "10.37.1"); !strings.Contains(w, "10.41.1d is marked") {
		t.Error(w)
	}
	for _, same := range []string{"10.41.1d", ""} {
		if w := MarkWarning(dir, same); w != "" {
			t.Error(w)
		}
	}
	for _, bad := range []Mark{{Build: ""}, {Build: "a b"}, {Build: strings.Repeat("1", 41)}, {Build: "10\n"}, {Build: "10", Note: "a\nb"}, {Build: "10", Note: strings.Repeat("x", 201)}} {
		if err := WriteMark(dir, &bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := WriteMark(dir, nil); err != nil {
		t.Fatal(err)
	}
	if m, err := ReadMark(dir); m != nil || err != nil {
		t.Errorf("after taking it back: %v %v", m, err)
	}
	if err := WriteMark(filepath.Join(dir, "none"), nil); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without a folder: %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("files are left: %v %v", list, err)
	}
	if err := os.WriteFile(filepath.Join(dir, markName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMark(dir); err == nil || !strings.Contains(err.Error(), "mark again") {
		t.Errorf("half a file: %v", err)
	}
}

func TestReleases(t *testing.T) {
	list := Releases()
	for i, want := range map[int]Release{
		0:             {API: "10.19", Highest: 176, Spoken: 176},
		1:             {API: "10.30.01", Highest: 187, Spoken: 187},
		2:             {API: "10.37.02", Highest: 203, Spoken: 200},
		len(list) - 1: {API: "10.50.02", Highest: 226, Spoken: 200},
	} {
		if got := list[i]; got.Means == "" || got.API != want.API || got.Highest != want.Highest || got.Spoken != want.Spoken {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	for i := range list[1:] {
		if list[i+1].Highest < list[i].Highest {
			t.Errorf("%+v before %+v", list[i], list[i+1])
		}
	}
	for build, want := range map[string]string{
		"10.37.1": "10.37.02", "1037": "10.37.02", "10.41.1d": "10.41.01", "10.38": "10.37.02", "10.50": "10.50.02", "11.2": "10.50.02",
		"10.19.2a": "10.19", "10.29": "10.19", "10.18": "", "": "", "x": "", "10": "", "10.x": "", "-1.30": "", "9.99": "",
	} {
		if r, ok := ReleaseOf(build); ok != (want != "") || r.API != want {
			t.Errorf("%q: %q %v, want %q", build, r.API, ok, want)
		}
	}
}

// Every record counts once, whatever their order, and nothing in a file makes
// reading it fail.
func TestMatrixProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		builds := rapid.SampledFrom([]string{"", "10.37.1", "10.19", "x"})
		rungs := rapid.SampledFrom(append([]string{""}, handshake()...))
		var list []Probe
		ready, failed := 0, 0
		for range rapid.IntRange(0, 40).Draw(t, "records") {
			p := record(builds.Draw(t, "build"), rapid.SampledFrom([]int{0, 176, 200}).Draw(t, "version"), rapid.IntRange(0, 50).Draw(t, "minute"), rungs.Draw(t, "rung"), float64(rapid.IntRange(0, 9).Draw(t, "ms")))
			if p.Result == Ready {
				ready++
			} else {
				failed++
			}
			list = append(list, p)
		}
		for _, c := range cells(list) {
			ready, failed = ready-c.Ready, failed-c.Failed
			n := 0
			for _, k := range c.FailedAt {
				n += k
			}
			if n != c.Failed || (c.MedianMS == nil) != (c.Ready == 0) || c.LastSeen.Before(c.FirstSeen) {
				t.Fatalf("%+v", c)
			}
		}
		if ready != 0 || failed != 0 {
			t.Fatalf("%d ready and %d failed are not counted", ready, failed)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"result":"ready"}` + "\n{\n\n[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, broken, err := readRecords(strings.NewReader(string(b)))
		if err == nil && len(list)+broken > strings.Count(string(b), "\n")+1 {
			t.Errorf("%d records and %d broken lines in %q", len(list), broken, b)
		}
		cells(list)
	})
}

// Of a running trader's attempts, the first of a kind and changes are records.
func TestAttempts(t *testing.T) {
	var rungs []broker.Rung
	for i, name := range broker.Rungs() {
		rungs = append(rungs, broker.Rung{Name: name, OK: true, AtMS: float64(i)})
	}
	ready := broker.Link{State: broker.Ready, Rungs: rungs, Facts: broker.Facts{Gateway: "g:1", ServerVersion: 200, ClientID: 1, Accounts: []string{"DU1234567"}, NextOrderID: 7}}
	fail := func(state broker.LinkState, rung string, f broker.Failure) broker.Link {
		return broker.Link{State: state, Failure: f, Cause: "because", Rungs: []broker.Rung{{Name: rung, AtMS: 3}}, Facts: broker.Facts{Gateway: "g:1"}}
	}
	wedged, refused := fail(broker.Waiting, broker.RungVersion, broker.NoReply), fail(broker.Waiting, broker.RungTCP, broker.NobodyListens)
	connecting := broker.Link{State: broker.Connecting}
	lost := ready
	lost.State, lost.Failure = broker.Waiting, broker.SessionLost
	degraded := ready
	degraded.State = broker.Degraded
	simulated := ready
	simulated.Facts.Simulated = true
	step := fail(broker.Waiting, broker.RungClock, broker.StepFailed)
	told := func(build string) func(string) string { return func(string) string { return build } }
	var a Attempts
	for i, tt := range []struct {
		link  broker.Link
		build string
		want  string // "" = none
	}{
		{connecting, "", ""},
		{refused, "", "tcp"},
		{refused, "", ""}, // the same state, published anew
		{connecting, "", ""},
		{refused, "", ""}, // a retry that ended as the last
		{connecting, "", ""},
		{wedged, "10.37", "version"}, // another build
		{connecting, "", ""},
		{ready, "10.37", "ready"},
		{degraded, "10.37", ""},
		{ready, "10.37", ""},
		{lost, "10.37", ""}, // no handshake
		{connecting, "", ""},
		{step, "10.37", ""}, // the handshake was done, and a later rung failed
		{connecting, "", ""},
		{fail(broker.NeedsRestart, broker.RungVersion, broker.NoReply), "10.37", "version"}, // it was ready before
		{connecting, "", ""},
		{refused, "10.37", "tcp"}, // the change is worth a record
		{connecting, "", ""},
		{simulated, "", ""},
	} {
		p, worth := a.Link(tt.link, told(tt.build), "v1", dawn)
		got := p.FailedAt
		if worth && p.Result == Ready {
			got = Ready
		}
		if got != tt.want || worth != (tt.want != "") {
			t.Errorf("step %d: %q %v, want %q", i, got, worth, tt.want)
		}
		if worth && (p.Source != FromTrader || p.TraderVersion != "v1" || p.GatewayBuild != tt.build || p.Gateway != "g:1" || !p.At.Equal(dawn)) {
			t.Errorf("step %d: %+v", i, p)
		}
		if got == Ready && (len(p.Rungs) != 5 || p.ElapsedMS != 4 || p.ClientID != 1 || p.NextValidID != 7) {
			t.Errorf("%+v", p)
		}
		if got == "version" && (p.Failure != broker.NoReply || p.Error != "because") {
			t.Errorf("%+v", p)
		}
	}
}

// A link that flaps for days fills no disk and pushes no older record out.
func TestAttemptsAreBounded(t *testing.T) {
	told := func(build string) func(string) string { return func(string) string { return build } }
	var a Attempts
	rows := 0
	for i := range 10 * 3600 { // one change a second
		l := broker.Link{State: broker.Waiting, Failure: broker.NoReply, Rungs: []broker.Rung{{Name: broker.RungVersion}}, Facts: broker.Facts{Gateway: "g:1"}}
		if i%2 == 0 {
			l.Failure, l.Rungs[0].Name = broker.NobodyListens, broker.RungTCP
		}
		a.Link(broker.Link{State: broker.Connecting}, nil, "", dawn)
		if _, worth := a.Link(l, told(string(rune('a'+i%26))+string(rune('a'+i/26%26))), "", dawn.Add(time.Duration(i)*time.Second)); worth {
			rows++
		}
	}
	if rows != 10*maxRows || len(a.last) > maxKinds || len(a.order) != len(a.last) {
		t.Errorf("%d rows in ten hours, %d kinds", rows, len(a.last))
	}
}
