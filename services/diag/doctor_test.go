package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
)

func TestDoctor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(t *testing.T) Question
		exit  int
		ids   []int // the client ids of the handshakes
	}{
		{"well", func(t *testing.T) Question {
			return Question{Gateway: play(t, "seed 1"), Config: func() ([]string, error) { return []string{"file trader.yaml"}, nil }}
		}, 0, []int{1}},
		{"nobody_listens", func(t *testing.T) Question {
			return Question{Gateway: freeAddress(t), TryIDs: true, TryTimeouts: true, TryTWS: true}
		}, 10, []int{1}},
		{"hangs", func(t *testing.T) Question {
			return Question{Gateway: hang(t, 3), Timeout: 300 * time.Millisecond}
		}, 11, []int{1}},
		{"wedged", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on connection 1: wedge"), Timeout: enough, TryIDs: true}
		}, 11, []int{1, 9999}},
		{"no_accounts", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: account list missing"), Timeout: enough}
		}, 14, []int{1}},
		{"no_next_id", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: next id missing"), Timeout: enough}
		}, 15, []int{1}},
		{"slow", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: ids late by 1100ms")}
		}, 0, []int{1}},
		{"id_in_use", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1")}
			hold(t, q.Gateway, 1)
			return q
		}, 13, []int{1, 9999}},
		{"bad_configuration", func(t *testing.T) Question {
			return Question{Gateway: play(t, "seed 1"), Config: func() ([]string, error) {
				return nil, errors.New("file t.yaml: run_for: \"x\" is not a duration\nbroker.name: \"y\" is neither sim nor ibkr")
			}}
		}, 1, []int{1}},
		{"trader_ready", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1"), Folder: folder(t)}
			hold(t, q.Gateway, 1)
			running(t, q.Folder, linkAt(broker.Ready, q.Gateway))
			return q
		}, 0, []int{9999}},
		{"trader_needs_restart", func(t *testing.T) Question {
			q := Question{Gateway: hang(t, 2), Folder: folder(t), TryIDs: true}
			running(t, q.Folder, linkAt(broker.NeedsRestart, q.Gateway))
			return q
		}, 1, nil},
		{"trader_not_asked", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1"), Folder: folder(t)}
			running(t, q.Folder, nil)
			return q
		}, 0, []int{9999}},
		{"before_a_start", func(t *testing.T) Question {
			q := Question{Instead: "the built-in simulated gateway", Folder: folder(t), Starts: true, HTTP: play(t, "seed 1")}
			running(t, q.Folder, linkAt(broker.Ready, "127.0.0.1:1"))
			return q
		}, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := examine(t, tt.given(t))
			if e.Exit != tt.exit {
				t.Errorf("exit %d, want %d:\n%s", e.Exit, tt.exit, e.text)
			}
			if diff := cmp.Diff(tt.ids, e.ids); diff != "" {
				t.Errorf("client ids of the handshakes: %s", diff)
			}
			golden(t, tt.name, e)
			for _, c := range e.Checks {
				if c.Started.IsZero() || c.Verdict == "" || c.Verdict == VerdictFailed && len(c.Advice) == 0 {
					t.Errorf("%+v", c)
				}
			}
		})
	}
}

// A gateway that hangs is asked once more by a person's word.
func TestForce(t *testing.T) {
	q := Question{Gateway: hang(t, 0), Folder: folder(t), Timeout: 200 * time.Millisecond, Force: true}
	running(t, q.Folder, linkAt(broker.NeedsRestart, q.Gateway))
	if e := examine(t, q); e.Exit != 11 || !slices.Equal(e.ids, []int{9999}) {
		t.Errorf("exit %d, handshakes with %v:\n%s", e.Exit, e.ids, e.text)
	}
}

func TestPlanned(t *testing.T) {
	q := Question{Gateway: "127.0.0.1:4002", ClientID: 1, SpareID: 9999}
	at := func(state broker.LinkState, gateway string, id int) trader {
		return trader{runs: true, link: &broker.Link{State: state, Facts: broker.Facts{Gateway: gateway, ClientID: id}}}
	}
	for _, tt := range []struct {
		name  string
		t     trader
		force bool
		id    int
		skip  bool
	}{
		{"no trader", trader{}, false, 1, false},
		{"one that cannot be asked", trader{runs: true}, false, 9999, false},
		{"ready", at(broker.Ready, q.Gateway, 1), false, 9999, false},
		{"ready elsewhere", at(broker.Ready, "127.0.0.1:4001", 1), false, 1, false},
		{"ready with another id", at(broker.Ready, q.Gateway, 2), false, 1, false},
		{"hangs elsewhere", at(broker.NeedsRestart, "127.0.0.1:4001", 1), false, 1, false},
		{"hangs", at(broker.NeedsRestart, q.Gateway, 1), false, 0, true},
		{"hangs, with another id", at(broker.NeedsRestart, q.Gateway, 2), false, 0, true},
		{"hangs, and a person says so", at(broker.NeedsRestart, q.Gateway, 1), true, 9999, false},
		{"waiting", at(broker.Waiting, q.Gateway, 1), false, 9999, false},
		{"not a try yet", at(broker.Connecting, "", 0), false, 9999, false},
		{"the same by its name", at(broker.Ready, "localhost:4002", 1), false, 9999, false},
		{"the same by another address", at(broker.Waiting, "[::1]:4002", 1), false, 9999, false},
		{"perhaps the same", at(broker.Ready, "192.0.2.7:4002", 1), false, 9999, false},
		{"the same by its name, with another id", at(broker.Ready, "localhost:4002", 2), false, 1, false},
		{"hangs, by its name", at(broker.NeedsRestart, "localhost:4002", 1), false, 0, true},
		{"another folder's", trader{seen: 7}, false, 9999, false},
	} {
		q.Force = tt.force
		if p := planned(q, tt.t); p.id != tt.id || p.skip != tt.skip || (tt.t.runs || tt.t.seen != 0) != (p.why != "") {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
}

func TestOffset(t *testing.T) {
	at := time.Date(2026, 4, 5, 21, 49, 26, 500e6, time.UTC)
	for _, tt := range []struct {
		told string
		want time.Duration
		ok   bool
	}{
		{"20260405 23:49:26 CET", 0, true},
		{"20260406 03:34:26 +0545", 0, true}, // Nepal
		{"20260405 23:49:36 \xd6\xd0", -10 * time.Second, true},
		{"20260405 16:49:20", 6 * time.Second, true},
		{"20260405 23:50:26 CET", -time.Minute, true},
		{"20260405", 0, false},
		{"20261305 23:49:26 CET", 0, false},
		{"", 0, false},
	} {
		got, ok := offsetOf(Probe{At: at, ConnectionTime: tt.told})
		if ok != tt.ok || got != tt.want {
			t.Errorf("%q: %v, %v; want %v, %v", tt.told, got, ok, tt.want, tt.ok)
		}
	}
	c := Check{Verdict: VerdictOK}
	checkOffset(&c, &Probe{At: at, ConnectionTime: "20260405 23:49:36 CET"})
	if c.Verdict != VerdictWarning {
		t.Errorf("ten seconds: %+v", c)
	}
}

// A step that hangs ends by its limit, and so does the report.
func TestStepThatHangs(t *testing.T) {
	release := make(chan struct{})
	done := make(chan struct{})
	c := run(t.Context(), "disk", 20*time.Millisecond, func(context.Context, *Check) { <-release; close(done) })
	close(release)
	<-done
	if c.Verdict != VerdictFailed || len(c.Found) != 1 || !strings.Contains(c.Found[0], "did not end within") {
		t.Errorf("%+v", c)
	}
}

func TestFolder(t *testing.T) {
	look := func(dir string) Check {
		return run(t.Context(), "data_folder", localWithin, func(ctx context.Context, c *Check) { checkFolder(ctx, c, dir, false) })
	}
	dir := folder(t)
	if c := look(dir); c.Verdict != VerdictOK {
		t.Errorf("%+v", c)
	}
	if c := look(filepath.Join(dir, "a", "b")); c.Verdict != VerdictOK || !strings.Contains(c.Found[0], "does not exist yet") {
		t.Errorf("%+v", c)
	}
	if c := look(filepath.Join(dir, "token")); c.Verdict != VerdictFailed {
		t.Errorf("%+v", c)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Join(dir, "token"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if c := look(dir); c.Verdict != VerdictWarning || len(c.Advice) != 2 {
		t.Errorf("%+v", c)
	}
}

// The names are a contract with scripts.
func TestReportJSON(t *testing.T) {
	e := examine(t, Question{Gateway: play(t, "seed 1")})
	b, err := json.Marshal(e.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"gateway":"127.0.0.1:`, `"client_id":1`, `"exit":0`, `"do_not":["`, `"name":"handshake"`, `"verdict":"ok"`, `"took_ms":`,
		`"found":["`, `"advice":[]`, `"probe":{"gateway"`, `"sockets":{"queue":0`, `"version":"10.37"`, `"open_files":120`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	var names []string
	for _, c := range e.Checks {
		names = append(names, c.Name)
	}
	want := "configuration data_folder trader journal service clock calendar gateway_process sockets ports handshake gateway_clock"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("checks %s, want %s", got, want)
	}
	if n := strings.Count(mustRead(t, filepath.Join(e.Folder, "probes.jsonl")), "\n"); n != 1 {
		t.Errorf("%d handshakes recorded, want 1", n)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ExampleCheck_Text() {
	c := Check{Name: "data_folder", Verdict: VerdictWarning, TookMS: 0.25, Found: []string{"./data, mode 0755"}, Advice: []string{"chmod 700 ./data"}}
	if err := c.Text(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// warning  data folder               0.2 ms
	//            ./data, mode 0755
	//          → chmod 700 ./data
}
