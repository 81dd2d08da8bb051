package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// The secrets of the alerts' URLs, which nothing may show.
const (
	hookSecret  = "hook-0123456789abcdef"
	topicSecret = "my-secret-topic"
	passSecret  = "hunter2-hunter2"
	beatSecret  = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
)

// alertWithin is how soon after its cause an alert has to leave.
const alertWithin = 5 * time.Second

// told is a message that came to the webhook.
type told struct {
	Title, Message, Kind, Urgent string
}

// phone is the local server at which alerts and heartbeats come in.
type phone struct {
	*httptest.Server
	mu    sync.Mutex // guards what follows
	got   []told
	beats []string // method and what is behind the secret
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	p := &phone{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // what is cut off does not decode
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case r.URL.Path == "/"+hookSecret:
			var m told
			if err := json.Unmarshal(b, &m); err != nil {
				t.Errorf("webhook: %v: %s", err, b)
			}
			p.got = append(p.got, m)
		case strings.HasPrefix(r.URL.Path, "/"+beatSecret):
			p.beats = append(p.beats, r.Method+strings.TrimPrefix(r.URL.Path, "/"+beatSecret))
		default: // the topic of a service that refuses us and quotes what it was asked
			http.Error(w, "user with "+passSecret+" may not publish to "+topicSecret, http.StatusForbidden)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// settings writes a trader's configuration with more, and its file of secrets.
func (p *phone) settings(t *testing.T, more string) string {
	t.Helper()
	dir, here := t.TempDir(), strings.TrimPrefix(p.URL, "http://")
	urls := "generic://" + here + "/" + hookSecret + "?disabletls=yes&template=json\n" +
		"ntfy://u:" + passSecret + "@" + here + "/" + topicSecret + "?scheme=http\n"
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	alert := "alert:\n  name: here\n  heartbeat_every: 1s\n  urls_file: " + write("urls", urls) + "\n  heartbeat_url_file: " + write("beat", p.URL+"/"+beatSecret+"\n")
	return write("trader.yaml", alert+"\n"+more)
}

func (p *phone) all() []told {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]told(nil), p.got...)
}

// titles are those of the kinds that these tests see.
var titles = map[string]string{
	"not_ready": "Not ready to trade", "needs_restart": "The gateway needs a restart", "mode": "Trading is stopped",
	"finding": "The books differ from the broker", "delivery": "Alerts cannot be delivered",
}

// of returns the messages that tell of a kind: of its beginning, or its end.
// Messages that waited for each other come as one.
func (p *phone) of(kind string, over bool) (list []told) {
	title := "] " + titles[kind]
	if over {
		title = "] Over: " + titles[kind]
	}
	for _, m := range p.all() {
		where := m.Title
		if strings.Contains(m.Title, " more)") {
			where = m.Message
		}
		for range strings.Count(where, title) {
			list = append(list, m)
		}
	}
	return list
}

// hears waits for the one message of a kind and its beginning or end, and
// returns it.
func (p *phone) hears(t *testing.T, kind string, over bool, within time.Duration) told {
	t.Helper()
	var list []told
	awaits(t, fmt.Sprintf("alert of %s (over: %t)", kind, over), within, func() (string, bool) {
		list = p.of(kind, over)
		return fmt.Sprintf("%+v", p.all()), len(list) > 0
	})
	return list[0]
}

// beaten returns the newest beats and forgets them.
func (p *phone) beaten() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := strings.Join(p.beats, " ")
	p.beats = nil
	return s
}

func (tr trader) does(t *testing.T, args ...string) {
	t.Helper()
	start(t, "traderctl", append(args, "--data", tr.data)...).ends(t, 0, 20*time.Second)
}

// A gateway that hangs while the market is open, then a halt: each is told once,
// within five seconds of its cause, and once more when it is over; the
// heartbeat says that the alarm is on. And nothing that the program writes or
// answers shows a secret.
func TestAlertsLeaveAndShowNoSecret(t *testing.T) {
	t.Parallel()
	p := newPhone(t)
	script := faultScript(t, "on connection 1: wedge for 4s")
	tr := startTrader(t, "--config", p.settings(t, "health: {alarm_after: 1s}\n"), "--log-level", "debug", "--faults", script, "AAPL")
	if m := p.hears(t, "not_ready", false, time.Second+alertWithin); m.Urgent != "true" {
		t.Errorf("%+v", m)
	}
	awaits(t, "a beat that says it", 15*time.Second, func() (string, bool) {
		s := p.beaten()
		return s, strings.Contains(s, "POST/fail")
	})
	awaitsReady(t, tr.addr, 15*time.Second)
	if m := p.hears(t, "not_ready", true, alertWithin); !strings.Contains(m.Message, "over, lasted ") {
		t.Errorf("%+v", m)
	}
	awaits(t, "a beat that says that all is well", 15*time.Second, func() (string, bool) {
		s := p.beaten()
		return s, strings.HasSuffix(s, "GET")
	})

	asked := begin()
	tr.does(t, "halt", "--reason", "earnings")
	if m := p.hears(t, "mode", false, alertWithin); asked.over(alertWithin) || !strings.Contains(m.Message, "the mode is halted: ") || !strings.Contains(m.Message, "earnings") || !strings.Contains(m.Message, "traderctl resume") {
		t.Errorf("%v after its cause: %+v", asked.took(), m)
	}
	tr.does(t, "resume")
	p.hears(t, "mode", true, alertWithin)
	for _, kind := range []string{"not_ready", "mode"} {
		if began, over := p.of(kind, false), p.of(kind, true); len(began) != 1 || len(over) != 1 {
			t.Errorf("%s was told %d times, its end %d times", kind, len(began), len(over))
		}
	}
	if m := p.hears(t, "delivery", false, alertWithin); !strings.Contains(m.Message, "ntfy") || !strings.Contains(m.Message, "403") {
		t.Errorf("of the place that refuses: %+v", m)
	}

	awaits(t, "the page's word about it", 5*time.Second, func() (string, bool) {
		_, s := get(tr.addr, "/api/state")
		return tail(s, 2000), strings.Contains(s, `"name":"ntfy"`) && strings.Contains(s, `"state":"failing"`) && strings.Contains(s, "] Over: Trading is stopped")
	})
	everything := p.everything(t, tr)
	for _, s := range []string{hookSecret, topicSecret, passSecret, beatSecret} {
		for name, text := range everything {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s shows a secret: …%.200s", name, text[max(0, i-100):])
			}
		}
	}
	if s := everything["metrics"]; !strings.Contains(s, `trader_alert_target_up{target="ntfy"} 0`) || !strings.Contains(s, `trader_alert_messages_total{kind="mode"} 2`) {
		t.Errorf("the metrics do not tell how alerting stands: %s", tail(s, 2000))
	}
}

// everything is all that a run of the trader, and its tools, write and answer.
func (p *phone) everything(t *testing.T, tr trader) map[string]string {
	t.Helper()
	file := p.settings(t, "")
	all := map[string]string{}
	for name, path := range map[string]string{"state": "/api/state", "metrics": "/metrics", "readyz": "/readyz", "healthz": "/healthz"} {
		status, body := get(tr.addr, path)
		if status != http.StatusOK || len(body) < 10 {
			t.Errorf("%s answers %d %.60s", path, status, body)
		}
		all[name] = body
	}
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	for _, args := range [][]string{
		{"status"}, {"status", "--json"}, {"bundle", "--config", file, "--out", bundle}, {"alert", "test", "--config", file},
	} {
		c := start(t, "traderctl", append(args, "--data", tr.data)...)
		c.wait(t, 60*time.Second)
		all["traderctl "+strings.Join(args[:min(2, len(args))], " ")] = c.said.String()
	}
	c := start(t, "start_trader", "--check", "--config", file, "--data", t.TempDir(), "--http", "off", "AAPL")
	c.wait(t, 30*time.Second)
	c.says(t, "alert.urls_file", "alert.heartbeat_every")
	all["--check"] = c.said.String()
	unpack(t, bundle, all)
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
	all["log"] = tr.said.String()
	if !strings.Contains(all["log"], "msg=alert_not_delivered") || !strings.Contains(all["log"], "[redacted]") {
		t.Errorf("the log does not tell of the place that refuses: %s", tail(all["log"], 2000))
	}
	err := filepath.WalkDir(tr.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil || len(all) < 15 {
		t.Errorf("%d texts were looked at: %v", len(all), err)
	}
	return all
}

// unpack adds what an archive holds.
func unpack(t *testing.T, path string, into map[string]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		into["bundle: "+h.Name] = string(text)
	}
}

// A gateway that is wedged for good, and a broker that then shows a position
// which nothing explains: each is told once within five seconds of its cause,
// and that it is over when a person has done something about it.
func TestAWedgeAndAFindingAreTold(t *testing.T) {
	t.Parallel()
	p := newPhone(t)
	script := "on connection 2: wedge\non connection 3: wedge\n"
	for n := range 20 { // from the second look at the positions on
		script += fmt.Sprintf("on the %dth position to client of connection 4: change field 15 of it to \"31\"\n", n+2)
	}
	script = strings.NewReplacer(" 2th", " 2nd", " 3th", " 3rd", " 21th", " 21st").Replace(script)
	_, addr := startGateway(t, "127.0.0.1:0", "--faults", faultScript(t, script))
	seeds(t, addr)
	file := p.settings(t, "supervisor: {wedged_limit: 2}\nbroker: {ibkr: {handshake_timeout: 1500ms}}\ndesk: {reconcile_every: 2s}\n")
	tr := startTrader(t, "--config", file, "--broker", "ibkr", "--gateway", addr, "--headless", "AAPL")
	since := begin() // and then the last look before the cause
	awaitsState(t, tr, "needs_restart", 15*time.Second, func(l broker.Link) bool {
		if l.State == broker.NeedsRestart {
			return true
		}
		since = begin()
		return false
	})
	m := p.hears(t, "needs_restart", false, alertWithin)
	if since.over(alertWithin) || m.Urgent != "true" || !strings.Contains(m.Message, "hangs") {
		t.Errorf("%v after its cause: %+v", since.took(), m)
	}
	tr.does(t, "reconnect")
	awaitsReady(t, tr.addr, 10*time.Second)
	p.hears(t, "needs_restart", true, alertWithin)

	since = begin()
	awaitsMode(t, tr, "reduce_only", func(c event.ModeChange) bool {
		if c.Mode == broker.ReduceOnly {
			return true
		}
		since = begin()
		return false
	})
	m = p.hears(t, "finding", false, alertWithin)
	if since.over(alertWithin) || !strings.Contains(m.Message, "AAPL, position: the books had 25, the broker has 31") || !strings.Contains(m.Message, "compare with the broker") {
		t.Errorf("%v after its cause: %+v", since.took(), m)
	}
	p.hears(t, "mode", false, alertWithin)
	tr.does(t, "resume")
	p.hears(t, "finding", true, alertWithin)
	p.hears(t, "mode", true, alertWithin)
	for _, kind := range []string{"needs_restart", "finding"} {
		if began, over := p.of(kind, false), p.of(kind, true); len(began) != 1 || len(over) != 1 {
			t.Errorf("%s was told %d times, its end %d times: %+v", kind, len(began), len(over), began)
		}
	}
	tr.signal(t, syscall.SIGTERM)
	tr.ends(t, exitStopped, stopsWithin)
}

// A wrong URL is found before anything starts, and not shown.
func TestAWrongURLIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "trader.yaml")
	if err := os.WriteFile(file, []byte("alert:\n  urls: [ntfx://ntfy.sh/"+topicSecret+"]\n  heartbeat_url: hc-ping.com/"+beatSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := start(t, "start_trader", "--config", file, "--data", t.TempDir(), "AAPL")
	tr.ends(t, exitConfig, 10*time.Second)
	tr.says(t, `alert.urls: URL 1: service "ntfx" is none of`, "alert.heartbeat_url: it is no URL such as")
	if said := tr.said.String(); strings.Contains(said, topicSecret) || strings.Contains(said, beatSecret) {
		t.Errorf("a secret is shown: %s", said)
	}
}
