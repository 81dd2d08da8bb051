package server

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
)

// exposed returns a server that others can reach through a proxy at 10.0.0.4, or
// at this machine's ::1.
func exposed(c Control, headless bool) *Server {
	p := parts()
	p.Control, p.Token = c, token
	cfg := Config{Listen: "0.0.0.0:8787", Headless: headless, Hosts: []string{"trader.example"}, BehindProxy: []string{"10.0.0.4/32", "10.1.0.0/24", "::1/128"}}
	return New(cfg, p, silent)
}

// forwards makes a request as it comes from the proxy.
func forwards(person, proto string) func(*http.Request) {
	return func(r *http.Request) {
		r.RemoteAddr = "10.0.0.4:5555"
		r.Host = "10.0.0.9:8787"
		r.Header.Set("X-Forwarded-For", person)
		r.Header.Set("X-Forwarded-Proto", proto)
		r.Header.Set("X-Forwarded-Host", "trader.example")
	}
}

func overTLS(r *http.Request) { r.TLS = &tls.ConnectionState{} }

// Whoever can reach the server needs the token for what it knows; without it,
// only whether it serves and is ready is told, in a word.
func TestReadingNeedsTheToken(t *testing.T) {
	s, bare := exposed(&fakeControl{}, false), exposed(&fakeControl{}, true)
	viaProxy := forwards("203.0.113.7", "https")
	for _, tt := range []struct {
		name string
		s    *Server
		path string
		set  []func(*http.Request)
		code int
		says string
	}{
		{"the state", s, "/api/state", nil, 401, "needs the trader's token"},
		{"the state, with it", s, "/api/state", []func(*http.Request){holds(token)}, 200, "snapshot"},
		{"the state, with another", s, "/api/state", []func(*http.Request){holds("wrong")}, 401, "not the trader's token"},
		{"the state, with an empty one", s, "/api/state", []func(*http.Request){holds("")}, 401, "not the trader's token"},
		{"metrics", s, "/metrics", nil, 401, "needs the trader's token"},
		{"metrics, with it", s, "/metrics", []func(*http.Request){holds(token)}, 200, "go_goroutines"},
		{"the feed", s, "/ws", nil, 401, "needs the trader's token"},
		{"a part of the page", s, "/assets/index-abc12.js", nil, 401, "needs"},
		{"the page is the log-in", s, "/", nil, 401, `<script src="/login.js">`},
		{"the page, with it", s, "/", []func(*http.Request){holds(token)}, 200, "dashboard"},
		{"the log-in's script", s, "/login.js", nil, 200, "/api/login"},
		{"headless has no log-in", bare, "/", nil, 401, "needs"},
		{"alive", s, "/healthz", nil, 200, `{"status":"serving"}`},
		{"alive, with it", s, "/healthz", []func(*http.Request){holds(token)}, 200, `"alive":true`},
		{"ready", s, "/readyz", nil, 200, `{"ready":true,"state":"ready"}`},
		{"ready, with it", s, "/readyz", []func(*http.Request){holds(token)}, 200, "all rungs reached"},
		{"signed in?", s, "/api/session", nil, 200, `"control":true,"read":false`},
	} {
		w := answer(tt.s, "GET", tt.path, append([]func(*http.Request){viaProxy}, tt.set...)...)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s: %d %s, want %d that says %q", tt.name, w.Code, w.Body, tt.code, tt.says)
		}
	}
}

// A browser that signs in through the proxy reads with its cookie, which goes
// over https alone.
func TestSignInThroughTheProxy(t *testing.T) {
	c := &fakeControl{}
	s := exposed(c, false)
	via := forwards("203.0.113.7", "https")
	page := origin("https://trader.example")
	w := answer(s, "POST", "/api/login", via, page, body("application/json", `{"token":"`+token+`"}`))
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	in := w.Result().Cookies()[0]
	if !in.Secure || !in.HttpOnly || in.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %+v", in)
	}
	if w := answer(s, "GET", "/api/state", via, carries(in)); w.Code != 200 {
		t.Errorf("state by cookie: %d %s", w.Code, w.Body)
	}
	if w := answer(s, "GET", "/ws", via, page, carries(in)); w.Code != 200 {
		t.Errorf("feed by cookie: %d %s", w.Code, w.Body)
	}
	if w := answer(s, "GET", "/ws", via, origin("https://evil.example"), carries(in)); w.Code != 403 {
		t.Errorf("feed for a foreign page: %d %s", w.Code, w.Body)
	}
	if w := answer(s, "POST", "/api/halt", via, page, carries(in)); w.Code != 200 {
		t.Errorf("halt by cookie: %d %s", w.Code, w.Body)
	}
	if len(c.by) != 1 || !strings.Contains(c.by[0], "203.0.113.7") {
		t.Errorf("the record says %q, want the person's address", c.by)
	}
	if w := answer(s, "POST", "/api/logout", via, page, carries(in)); w.Code != 200 || !strings.Contains(w.Body.String(), `"read":false`) {
		t.Errorf("logout: %d %s", w.Code, w.Body)
	}
	if w := answer(s, "GET", "/api/state", via, carries(in)); w.Code != 401 {
		t.Errorf("state after logout: %d", w.Code)
	}
}

// By which ways a request may come, and who is believed to have sent it.
func TestWays(t *testing.T) {
	s := exposed(&fakeControl{}, false)
	chain := func(list ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["X-Forwarded-For"] = list }
	}
	via := forwards("203.0.113.7", "https")
	for _, tt := range []struct {
		name string
		set  []func(*http.Request)
		code int    // of the state, asked for with the token
		from string // whose wrong token is counted; "" = not looked at
	}{
		{"through the proxy", []func(*http.Request){via}, 200, "203.0.113.7"},
		{"through two of ours", []func(*http.Request){via, chain("203.0.113.7, 10.1.0.9")}, 200, "203.0.113.7"},
		{"what the person wrote is not believed", []func(*http.Request){via, chain("127.0.0.1, 203.0.113.7")}, 200, "203.0.113.7"},
		{"nor in a header before the proxy's", []func(*http.Request){via, chain("10.0.0.4", "203.0.113.7")}, 200, "203.0.113.7"},
		{"no address", []func(*http.Request){via, chain("unknown")}, 403, ""},
		{"the proxy was asked in the clear", []func(*http.Request){forwards("203.0.113.7", "http")}, 403, ""},
		{"the proxy does not say how", []func(*http.Request){via, func(r *http.Request) { r.Header.Del("X-Forwarded-Proto") }}, 403, ""},
		{"two words for how", []func(*http.Request){via, func(r *http.Request) { r.Header.Add("X-Forwarded-Proto", "https") }}, 403, ""},
		{"the proxy does not say for whom", []func(*http.Request){from("10.0.0.4:1")}, 403, ""},
		{"from elsewhere in the clear", []func(*http.Request){from("10.0.0.5:1")}, 403, ""},
		{"from elsewhere, in the proxy's words", []func(*http.Request){via, from("10.0.0.5:1")}, 403, ""},
		{"from elsewhere over TLS", []func(*http.Request){from("192.0.2.9:1"), overTLS, header("X-Forwarded-For", "10.9.9.9")}, 200, "192.0.2.9"},
		{"from this machine in the clear", []func(*http.Request){from("127.0.0.1:1")}, 200, "127.0.0.1"},
		{"from this machine, not through the proxy on it", []func(*http.Request){from("[::1]:1")}, 200, "::1"},
		{"an address that is none", []func(*http.Request){from("pipe")}, 403, ""},
	} {
		if w := answer(s, "GET", "/api/state", append(tt.set, holds(token))...); w.Code != tt.code {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.code)
		}
		if tt.from == "" {
			continue
		}
		var seen *http.Request
		catch := s.enter(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r }))
		r := httptestRequest(tt.set...)
		catch.ServeHTTP(nil, r)
		if got := peer(seen).String(); got != tt.from {
			t.Errorf("%s: it comes from %s, want %s", tt.name, got, tt.from)
		}
		for _, h := range forwarded {
			if len(seen.Header.Values(h)) > 0 {
				t.Errorf("%s: %s is still there", tt.name, h)
			}
		}
	}
}

// A Host that is a number is taken by a server that others reach, because a page
// elsewhere comes with a name; a name has to be told.
func TestHostsOfAnExposedServer(t *testing.T) {
	s := exposed(&fakeControl{}, false)
	for h, code := range map[string]int{
		"192.0.2.1:8787": 200, "[2001:db8::1]:8787": 200, "trader.example": 200, "TRADER.example:443": 200, "localhost:8787": 200,
		"evil.example": 403, "192.0.2.1.evil.example": 403, "": 403,
	} {
		if w := answer(s, "GET", "/api/state", from("192.0.2.9:1"), overTLS, holds(token), host(h)); w.Code != code {
			t.Errorf("host %q: %d %s, want %d", h, w.Code, w.Body, code)
		}
	}
	if w := answer(controlled(&fakeControl{}), "GET", "/api/state", host("192.0.2.1:8787")); w.Code != 403 {
		t.Errorf("a server of this machine alone takes host 192.0.2.1: %d", w.Code)
	}
}

// Wrong tokens are counted by person, not by proxy.
func TestGuessesAreHeldBackByPerson(t *testing.T) {
	s := exposed(&fakeControl{}, false)
	for range maxWrong + 1 {
		answer(s, "GET", "/api/state", forwards("203.0.113.7", "https"), holds("wrong"))
	}
	if w := answer(s, "GET", "/api/state", forwards("203.0.113.7", "https"), holds("wrong")); w.Code != 429 {
		t.Errorf("one who guesses: %d", w.Code)
	}
	if w := answer(s, "GET", "/api/state", forwards("203.0.113.8", "https"), holds("wrong")); w.Code != 401 {
		t.Errorf("another one behind the same proxy: %d", w.Code)
	}
}

// Without a token to guard it, nothing is served to others.
func TestNoTokenNoExposure(t *testing.T) {
	s := New(Config{Listen: "0.0.0.0:0", Hosts: []string{"trader.example"}, BehindProxy: []string{"10.0.0.4/32"}}, parts(), silent)
	if err := s.Start(); err == nil || !strings.Contains(err.Error(), "no token that guards it") {
		t.Errorf("start: %v", err)
	}
	if w := answer(s, "GET", "/api/state", forwards("203.0.113.7", "https"), holds("")); w.Code != 401 {
		t.Errorf("an empty token reads: %d", w.Code)
	}
}
