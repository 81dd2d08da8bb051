package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
)

// faultScript writes a script for a trader's gateway.
func faultScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.faults")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// snapshot is what these tests read of /api/state.
type snapshot struct {
	Data struct {
		Link *broker.Link
		Sim  *struct {
			Market time.Time
			Faults []struct {
				Line  int
				Text  string
				Times int
			}
		}
	}
}

func stateOf(addr string) (s snapshot, text string) {
	_, body := get(addr, "/api/state")
	_ = json.Unmarshal([]byte(body), &s) // what cannot be read is seen as empty
	return s, body
}

// awaitsState waits until the dashboard's state is so.
func awaitsState(t *testing.T, tr trader, name string, within time.Duration, ok func(l broker.Link) bool) {
	t.Helper()
	awaits(t, name, within, func() (string, bool) {
		s, text := stateOf(tr.addr)
		if s.Data.Link == nil {
			return tail(text, 300), false
		}
		return fmt.Sprintf("%+v", *s.Data.Link), ok(*s.Data.Link)
	})
}

// A gateway that hangs at first: the state says so, and is ready when it
// answers.
func TestWedgedGatewayThenReady(t *testing.T) {
	t.Parallel()
	tr := startTrader(t, "--faults", faultScript(t, "on connection 1: wedge for 5s"), "AAPL")
	awaitsState(t, tr, "handshaking at the version", 3*time.Second, func(l broker.Link) bool {
		return l.State == broker.Handshaking
	})
	if status, _ := get(tr.addr, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d at a wedged gateway", status)
	}
	awaitsReady(t, tr.addr, 20*time.Second)
	awaits(t, "the fault in the state", 5*time.Second, func() (string, bool) {
		s, text := stateOf(tr.addr)
		return tail(text, 300), s.Data.Sim != nil && len(s.Data.Sim.Faults) == 1 && s.Data.Sim.Faults[0].Times == 1
	})
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}

// A restart with the port down while orders flow: not ready, then ready and
// trading again, and no order or execution is lost or doubled.
func TestRestartOfTheGateway(t *testing.T) {
	t.Parallel()
	latency, err := filepath.Abs("../../configs/latency.yaml") // in which every_tick may trade
	if err != nil {
		t.Fatal(err)
	}
	script := faultScript(t, "after 5s of connection 1: restart down 2s with ids back by 3")
	tr := startTrader(t, "--config", latency, "--strategy", "every_tick", "--faults", script, "AAPL")
	awaitsReady(t, tr.addr, 10*time.Second)
	if r := awaitsNotReady(t, tr.addr, 15*time.Second); !strings.Contains(r.Cause, "gateway down") {
		t.Errorf("after the reset: %+v", r)
	}
	awaitsReady(t, tr.addr, 30*time.Second)
	before := orders(t, tr)
	awaits(t, "orders after the restart", 15*time.Second, func() (string, bool) {
		n := orders(t, tr)
		return fmt.Sprint(n), n > before
	})
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
	sameBooks(t, tr.data)
}

// A data farm that comes back with dead streams costs no session: the symbol is
// stale, is asked for under a new id, and ticks again.
func TestDeadStreamsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	script := faultScript(t, "after 2s of ready: farm usfarm down\nafter 3s of ready: farm usfarm up without streams")
	tr := startTrader(t, "--faults", script, "AAPL")
	awaitsReady(t, tr.addr, 10*time.Second)
	awaits(t, "a second subscription", 25*time.Second, func() (string, bool) {
		_, body := get(tr.addr, "/metrics")
		return tail(tr.said.String(), 300), strings.Contains(body, `trader_health_subscriptions_total{symbol="AAPL"} 2`) &&
			strings.Contains(body, `trader_health_symbols{state="live"} 1`)
	})
	said := tr.said.String()
	for _, want := range []string{"2103", "state=stale", "2104"} {
		if !strings.Contains(said, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if n := strings.Count(said, "msg=link_ready"); n != 1 {
		t.Errorf("the link became ready %d times", n)
	}
	if status, r := ready(tr.addr); status != http.StatusOK {
		t.Errorf("/readyz answers %d: %+v", status, r)
	}
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}

var orderSent = regexp.MustCompile(`msg=order ref=\S+ .*state=sent`)

// orders counts the orders that the log says were sent.
func orders(t *testing.T, tr trader) int {
	t.Helper()
	return len(orderSent.FindAllString(tr.said.String(), -1))
}

// sameBooks holds the journal's executions and sums against the gateway's.
func sameBooks(t *testing.T, data string) {
	t.Helper()
	books := ledger(t, data)
	executions := export(t, data, "executions")
	agree(t, books, recompute(t, books.StartingCash, executions), portfolioOf(t, data))
	sameExecutions(t, books, table(t, executions))
}

// Reports that are lost, doubled and late change nothing of a day: it makes the
// same trades as without them, and all books agree.
func TestDayOfLostReports(t *testing.T) {
	t.Parallel()
	day := []string{"--sim-speed", "0", "--headless", "--http", "off", "--sim-data", "AAPL=" + ownDay(t, 1), "AAPL"}
	script := faultScript(t, `seed 3
on every orderStatus to client: drop it
with probability 0.5 on execDetails to client: duplicate it
with probability 0.5 on openOrder to client: duplicate it
on the 3rd execDetails to client: duplicate it after 2m
`)
	quiet := tradeDay(t, day)
	for range 2 {
		if diff := cmp.Diff(quiet, tradeDay(t, append([]string{"--faults", script}, day...))); diff != "" {
			t.Errorf("other trades (-without +with faults):\n%s", diff)
		}
	}
}

// A script that cannot be is refused before anything is started, with the mend.
func TestRefusesAFaultScript(t *testing.T) {
	for _, tt := range []struct{ script, say string }{
		{"on connection 1: wegde", "did you mean wedge?"},
		{"after 5s: silence", "does not go with speed 0"},
	} {
		p := start(t, "start_trader", "--data", filepath.Join(t.TempDir(), "d"), "--sim-speed", "0",
			"--sim-data", "AAPL="+ownDay(t, 1), "--faults", faultScript(t, tt.script), "AAPL")
		p.ends(t, exitConfig, 10*time.Second)
		if said := p.said.String(); !strings.Contains(said, tt.say) || !strings.Contains(said, "test.faults:1:") {
			t.Errorf("%s: says %s", tt.script, said)
		}
	}
}
