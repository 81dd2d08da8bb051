package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/services/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

var silent = slog.New(slog.DiscardHandler)

type fakeFeed struct{ err error }

func (f fakeFeed) State(context.Context) ([]byte, error) {
	return []byte(`{"type":"snapshot"}`), f.err
}
func (f fakeFeed) Join(add func([]byte)) { add([]byte(`{"type":"snapshot"}`)) }

// fakeHub takes every upgrade that the server lets through.
type fakeHub struct{ served []string }

func (h *fakeHub) Serve(w http.ResponseWriter, r *http.Request, join func(func([]byte))) error {
	h.served = append(h.served, r.URL.RequestURI())
	join(func(first []byte) { _, _ = w.Write(first) })
	return nil
}

var aLink = broker.Link{
	State: broker.Ready, Rung: broker.RungData, Since: time.Date(2026, 1, 5, 17, 0, 0, 0, time.UTC),
	Cause: "all rungs reached", Advice: "",
}

func told(l broker.Link) *health.Registry {
	r := health.New()
	r.Link(l)
	return r
}

func parts() Parts {
	return Parts{
		Feed: fakeFeed{}, Hub: &fakeHub{}, Health: told(aLink),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "go_goroutines 7") }),
		Pages: fstest.MapFS{
			"index.html":            {Data: []byte("<title>dashboard</title>")},
			"assets/index-abc12.js": {Data: []byte("export {}")},
		},
	}
}

// answer asks a server without a socket.
func answer(s *Server, method, target string, set ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8787"
	for _, f := range set {
		f(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func host(h string) func(*http.Request)   { return func(r *http.Request) { r.Host = h } }
func origin(o string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Origin", o) } }

func TestRoutes(t *testing.T) {
	page, headless := New(DefaultConfig(), parts(), silent), New(Config{Headless: true}, parts(), silent)
	bare := parts()
	bare.Metrics, bare.Pages = nil, nil
	none := New(DefaultConfig(), bare, silent)
	for _, tt := range []struct {
		server       *Server
		method, path string
		status       int
		kind, body   string // the body contains it
	}{
		{page, "GET", "/healthz", 200, "application/json", `"status":"serving"`},
		{page, "GET", "/readyz", 200, "application/json", `"state":"ready"`},
		{page, "GET", "/metrics", 200, "", "go_goroutines"},
		{page, "GET", "/api/state", 200, "application/json", `{"type":"snapshot"}`},
		{page, "GET", "/ws", 200, "", `{"type":"snapshot"}`},
		{page, "GET", "/", 200, "text/html; charset=utf-8", "dashboard"},
		{page, "HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{page, "GET", "/assets/index-abc12.js", 200, "text/javascript; charset=utf-8", "export"},
		{page, "GET", "/assets/", 404, "", "not found"}, // no list of files
		{page, "GET", "/assets/other.js", 404, "", "not found"},
		{page, "GET", "/../server.go", 307, "", ""}, // to the cleaned path
		{page, "GET", "/server.go", 404, "", ""},
		{page, "GET", "/api/nothing", 404, "", ""},
		{headless, "GET", "/", 200, "text/plain; charset=utf-8", "headless"},
		{headless, "GET", "/index.html", 404, "", ""},
		{headless, "GET", "/api/state", 200, "application/json", "snapshot"},
		{headless, "GET", "/readyz", 200, "application/json", "ready"},
		{headless, "GET", "/metrics", 200, "", "go_goroutines"},
		{none, "GET", "/", 200, "text/plain; charset=utf-8", "headless"},
		{none, "GET", "/metrics", 404, "", ""},
	} {
		w := answer(tt.server, tt.method, tt.path)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) || tt.kind != "" && w.Header().Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: %d %s %.80q; want %d %s %q", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.kind, tt.body)
		}
	}
}

// Nothing changes any state yet: whatever the path, only reading is understood.
func TestNothingButReading(t *testing.T) {
	for _, headless := range []bool{false, true} {
		s := New(Config{Headless: headless}, parts(), silent)
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, path := range []string{"/", "/api/state", "/api/halt", "/api/resume", "/api/flatten", "/api/reconnect", "/ws", "/metrics", "/healthz", "/readyz", "/assets/x.js"} {
				if w := answer(s, method, path); w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusNotFound {
					t.Errorf("%s %s (headless %v): %d", method, path, headless, w.Code)
				}
			}
		}
	}
}

func TestReadiness(t *testing.T) {
	for state := broker.Connecting; state <= broker.Stopped; state++ {
		p := parts()
		l := aLink
		l.State, l.Cause, l.Advice = state, "because", "do this"
		p.Health = told(l)
		w := answer(New(DefaultConfig(), p, silent), "GET", "/readyz")
		want := http.StatusServiceUnavailable
		if state == broker.Ready {
			want = http.StatusOK
		}
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %d, %s", state, w.Code, w.Header().Get("Cache-Control"))
		}
		if got, want := strings.TrimSpace(w.Body.String()),
			fmt.Sprintf(`{"ready":%v,`, state == broker.Ready)+`"state":"`+state.String()+`","rung":"data","since":"2026-01-05T17:00:00Z","cause":"because","advice":"do this"}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestStateOfAStoppedFeed(t *testing.T) {
	p := parts()
	p.Feed = fakeFeed{errors.New("feed: stopped")}
	w := answer(New(DefaultConfig(), p, silent), "GET", "/api/state")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "feed: stopped") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// A page elsewhere can make a browser send any path here, under any name that
// its owner points at this machine. Only names that are ours are served.
func TestHostGuard(t *testing.T) {
	s := New(Config{Hosts: []string{"trader.example", "Box"}}, parts(), silent)
	for h, ok := range map[string]bool{
		"127.0.0.1:8787": true, "127.0.0.1": true, "127.9.9.9:1": true, "localhost": true, "localhost:8787": true, "LocalHost:8787": true,
		"[::1]:8787": true, "[::1]": true, "trader.example": true, "TRADER.example:443": true, "box:8787": true,
		"evil.example": false, "evil.example:8787": false, "": false, "127.0.0.1.evil.example": false, "localhost.evil.example:8787": false,
		"trader.example.evil.example": false, "xtrader.example": false, "192.168.1.2:8787": false, "0.0.0.0:8787": false, "[::]:8787": false,
		"[fe80::1]:8787": false, "evil.example:127.0.0.1": false, "127.0.0.1@evil.example": false, "2130706433": false, "localhost:1:2": false,
	} {
		for _, path := range []string{"/", "/api/state", "/ws", "/metrics", "/readyz", "/healthz", "/assets/index-abc12.js"} {
			w := answer(s, "GET", path, host(h))
			if ok && w.Code != http.StatusOK || !ok && w.Code != http.StatusForbidden {
				t.Errorf("host %q %s: %d", h, path, w.Code)
			}
			if !ok && strings.Contains(w.Body.String(), "snapshot") {
				t.Errorf("host %q %s: the refusal tells %q", h, path, w.Body)
			}
		}
	}
}

func TestOriginOfAnUpgrade(t *testing.T) {
	s := New(Config{Hosts: []string{"trader.example"}}, parts(), silent)
	for _, tt := range []struct {
		host, origin string
		ok           bool
	}{
		{"127.0.0.1:8787", "", true}, // no browser
		{"127.0.0.1:8787", "http://127.0.0.1:8787", true},
		{"localhost:8787", "http://localhost:8787", true},
		{"[::1]:8787", "http://[::1]:8787", true},
		{"trader.example", "https://trader.example", true},
		{"127.0.0.1:8787", "http://evil.example", false}, // our Host, foreign Origin
		{"127.0.0.1:8787", "http://evil.example:8787", false},
		{"127.0.0.1:8787", "http://127.0.0.1:3000", false}, // another program's page
		{"127.0.0.1:8787", "http://localhost:8787", false},
		{"127.0.0.1:8787", "http://127.0.0.1:8787.evil.example", false},
		{"127.0.0.1:8787", "http://127.0.0.1:8787@evil.example", false},
		{"127.0.0.1:8787", "null", false}, // a sandboxed frame, a file
		{"127.0.0.1:8787", "file://", false},
		{"127.0.0.1:8787", "%%", false},
		{"evil.example", "http://evil.example", false}, // DNS rebinding: both agree
	} {
		set := []func(*http.Request){host(tt.host)}
		if tt.origin != "" {
			set = append(set, origin(tt.origin))
		}
		if w := answer(s, "GET", "/ws", set...); (w.Code == http.StatusOK) != tt.ok || !tt.ok && w.Code != http.StatusForbidden {
			t.Errorf("host %s origin %q: %d, want allowed %v", tt.host, tt.origin, w.Code, tt.ok)
		}
	}
}

func TestAfterIsAcceptedAndGetsASnapshot(t *testing.T) {
	p := parts()
	h := p.Hub.(*fakeHub)
	s := New(DefaultConfig(), p, silent)
	for _, q := range []string{"", "?after=e:5", "?after=", "?after=%00%FF", "?after=e:5&after=x"} {
		if w := answer(s, "GET", "/ws"+q); w.Body.String() != `{"type":"snapshot"}` {
			t.Errorf("%q: %d %q", q, w.Code, w.Body)
		}
	}
	if len(h.served) != 5 {
		t.Errorf("the hub served %q", h.served)
	}
}

func TestHeaders(t *testing.T) {
	s := New(DefaultConfig(), parts(), silent)
	for path, cache := range map[string]string{
		"/": "no-cache", "/assets/index-abc12.js": "public, max-age=31536000, immutable", "/assets/missing.js": "", "/api/state": "no-store", "/readyz": "no-store",
	} {
		h := answer(s, "GET", path).Header()
		if got := h.Get("Cache-Control"); got != cache {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, cache)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s %q", path, name, got)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe-eval") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: too much is allowed: %v", path, h)
		}
	}
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func startServer(t *testing.T, cfg Config, p Parts) *Server {
	t.Helper()
	s := New(cfg, p, silent)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(within(t)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestListenOff(t *testing.T) {
	s := startServer(t, Config{Listen: Off}, parts())
	if s.Addr() != "" {
		t.Errorf("listens on %s", s.Addr())
	}
}

func TestPortInUse(t *testing.T) {
	one := startServer(t, Config{Listen: "127.0.0.1:0"}, parts())
	two := New(Config{Listen: one.Addr()}, parts(), silent)
	err := two.Start()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), one.Addr()) || !strings.Contains(err.Error(), "--http") {
		t.Errorf("error %v does not name place and mend", err)
	}
	if err := two.Stop(within(t)); err != nil {
		t.Errorf("Stop of what did not start: %v", err)
	}
	if err := New(Config{Listen: "192.0.2.1:1"}, parts(), silent).Start(); err == nil || strings.Contains(err.Error(), "another program") {
		t.Errorf("an address that is not this machine's: %v", err)
	}
}

// Time and size of a request are bounded, so that a client that sends or reads
// a byte now and then holds nothing for ever.
func TestRequestsAreBounded(t *testing.T) {
	s := startServer(t, Config{Listen: "127.0.0.1:0"}, parts())
	if h := s.http; h.ReadHeaderTimeout <= 0 || h.ReadHeaderTimeout > 10*time.Second || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes > 64<<10 {
		t.Errorf("bounds are %v %v %v %v %d", h.ReadHeaderTimeout, h.ReadTimeout, h.WriteTimeout, h.IdleTimeout, h.MaxHeaderBytes)
	}
	c := dial(t, s)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of header: %d", resp.StatusCode)
	}
}

func TestSlowHeaderIsCut(t *testing.T) {
	s := New(Config{Listen: "127.0.0.1:0"}, parts(), silent)
	s.http.ReadHeaderTimeout = 50 * time.Millisecond
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(within(t)); err != nil {
			t.Error(err)
		}
	}()
	c := dial(t, s)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: local")
	if _, err := io.ReadAll(c); err != nil { // to its end, which is ours
		t.Errorf("the connection was not closed: %v", err)
	}
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.Addr(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A browser opens connections that it may want later, and a request may hang:
// neither keeps the server from stopping, nor makes that a fault.
func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	p := parts()
	hang, goOn := make(chan struct{}), make(chan struct{})
	p.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(hang); <-goOn })
	s := New(Config{Listen: "127.0.0.1:0"}, p, silent)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	idle, busy := dial(t, s), dial(t, s)
	fmt.Fprint(busy, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-hang
	began := time.Now()
	if err := s.Stop(within(t)); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > stopGrace+patience/2 {
		t.Errorf("Stop took %v", took)
	}
	close(goOn)
	if _, err := io.ReadAll(idle); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the idle connection: %v", err)
	}
	if _, err := net.DialTimeout("tcp", s.Addr(), patience); err == nil {
		t.Error("the port is still open")
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want []string // parts of the error; none means valid
	}{
		{DefaultConfig(), nil},
		{Config{Listen: Off}, nil},
		{Config{Listen: "localhost:0", Hosts: []string{"trader.example"}}, nil},
		{Config{Listen: "[::1]:80"}, nil},
		{Config{Listen: ""}, []string{"websocket.listen", `""`}},
		{Config{Listen: ":8787"}, []string{"can be reached from other machines", "--tls-cert", "--behind-proxy"}},
		{Config{Listen: "0.0.0.0:8787"}, []string{"can be reached from other machines"}},
		{Config{Listen: "[::]:8787", BehindProxy: []string{"10.0.0.4/32", "fd00::/64"}}, nil},
		{Config{Listen: "127.0.0.1:8787", TLSCert: "c"}, []string{"websocket.tls_key: missing"}},
		{Config{Listen: "127.0.0.1:8787", TLSKey: "k"}, []string{"websocket.tls_cert: missing"}},
		{Config{Listen: "127.0.0.1"}, []string{"host:port"}},
		{Config{Listen: "127.0.0.1:70000"}, []string{"host:port"}},
		{Config{Listen: "x:-1", Hosts: []string{"a:1", "", "http://x"}}, []string{`"x:-1"`, `"a:1"`, `""`, `"http://x"`}}, // all at once
	} {
		err := tt.cfg.Validate()
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%+v: %v", tt.cfg, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v lacks %s", tt.cfg, err, want)
			}
		}
	}
}

func TestReadinessIsJSONOfTheContract(t *testing.T) {
	var got map[string]any
	if err := json.Unmarshal(answer(New(DefaultConfig(), parts(), silent), "GET", "/readyz").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "rung", "since", "cause", "advice"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s in %v", name, got)
		}
	}
}
