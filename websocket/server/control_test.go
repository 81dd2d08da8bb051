package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// fakeControl counts what it was told.
type fakeControl struct {
	mu  sync.Mutex
	by  []string
	err error
	// modes are what was asked of the mode.
	modes []string
	// hang lets an order last until its context ends.
	hang bool
}

func (c *fakeControl) Reconnect(ctx context.Context, by string) error {
	if c.hang {
		<-ctx.Done()
		return fmt.Errorf("journal: %w", ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = append(c.by, by)
	return c.err
}

// set notes what mode was asked for, and why.
func (c *fakeControl) set(ctx context.Context, what, by, reason string) (event.ModeChange, error) {
	err := c.Reconnect(ctx, by)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.modes = append(c.modes, what+": "+reason)
	return event.ModeChange{Mode: broker.Halted, Pending: []event.Ending{{OrderID: 7, Ref: "a", Symbol: "AAPL", Cancel: event.CancelWaits}}}, err
}

func (c *fakeControl) Halt(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.set(ctx, "halt", by, reason)
}

func (c *fakeControl) ReduceOnly(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.set(ctx, "reduce_only", by, reason)
}

func (c *fakeControl) Resume(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.set(ctx, "resume", by, reason)
}

func (c *fakeControl) Flatten(ctx context.Context, by, reason string) (event.ModeChange, error) {
	return c.set(ctx, "flatten", by, reason)
}

func (c *fakeControl) Settle(ctx context.Context, by string, s event.Settling) (order.Order, error) {
	_, err := c.set(ctx, "settle "+s.Ref+" as "+s.As, by, s.Reason)
	return order.Order{Ref: s.Ref, State: order.Cancelled}, err
}

func controlled(c Control) *Server {
	p := parts()
	p.Control, p.Token = c, token
	return New(DefaultConfig(), p, silent)
}

func holds(t string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+t) }
}

func from(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func body(kind, text string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", kind)
		r.Body = io.NopCloser(strings.NewReader(text))
	}
}

func carries(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

var ownPage = origin("http://127.0.0.1:8787")

// signIn returns the cookie of a browser that gave the token.
func signIn(t testing.TB, s *Server) *http.Cookie {
	t.Helper()
	w := answer(s, "POST", "/api/login", ownPage, body("application/json", `{"token":" `+token+`\n"}`))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func TestWhoMayReconnect(t *testing.T) {
	c := &fakeControl{}
	s := controlled(c)
	in := signIn(t, s)
	other := *in
	other.Value = strings.Repeat("A", len(in.Value))
	for _, tt := range []struct {
		name   string
		method string
		path   string
		set    []func(*http.Request)
		status int
		says   string
	}{
		{"a program with the token", "POST", "/api/reconnect", []func(*http.Request){holds(token)}, 200, `"done":"reconnect"`},
		{"a browser that is signed in", "POST", "/api/reconnect", []func(*http.Request){carries(in), ownPage}, 200, `"state":"ready"`},
		{"a browser that tells where it stands otherwise", "POST", "/api/reconnect", []func(*http.Request){carries(in), header("Sec-Fetch-Site", "same-origin")}, 200, ""},
		{"nobody", "POST", "/api/reconnect", nil, 401, "traderctl"},
		{"a wrong token", "POST", "/api/reconnect", []func(*http.Request){holds(token[1:] + "0")}, 401, "data folder"},
		{"an empty token", "POST", "/api/reconnect", []func(*http.Request){holds("")}, 401, ""},
		{"another kind of key", "POST", "/api/reconnect", []func(*http.Request){header("Authorization", "Basic "+token)}, 401, ""},
		{"the token in the address", "POST", "/api/reconnect?token=" + token, nil, 401, ""},
		{"the token as cookie", "POST", "/api/reconnect", []func(*http.Request){carries(&http.Cookie{Name: in.Name, Value: token}), ownPage}, 401, ""},
		{"another cookie", "POST", "/api/reconnect", []func(*http.Request){carries(&other), ownPage}, 401, ""},
		{"a cookie without an origin", "POST", "/api/reconnect", []func(*http.Request){carries(in)}, 403, ""},
		{"a cookie from elsewhere", "POST", "/api/reconnect", []func(*http.Request){carries(in), origin("http://evil.example")}, 403, ""},
		{"a cookie from another port", "POST", "/api/reconnect", []func(*http.Request){carries(in), origin("http://127.0.0.1:3000")}, 403, ""},
		{"a cookie from a sandbox", "POST", "/api/reconnect", []func(*http.Request){carries(in), origin("null")}, 403, ""},
		{"a cookie from a sister site", "POST", "/api/reconnect", []func(*http.Request){carries(in), header("Sec-Fetch-Site", "same-site")}, 403, ""},
		{"headers that disagree", "POST", "/api/reconnect", []func(*http.Request){carries(in), ownPage, header("Sec-Fetch-Site", "cross-site")}, 403, ""},
		{"the token from a foreign page", "POST", "/api/reconnect", []func(*http.Request){holds(token), origin("http://evil.example")}, 403, ""},
		{"a foreign host", "POST", "/api/reconnect", []func(*http.Request){holds(token), host("evil.example")}, 403, "host"},
		{"reading", "GET", "/api/reconnect", []func(*http.Request){holds(token)}, 405, "POST"},
		{"another verb", "PUT", "/api/reconnect", []func(*http.Request){holds(token)}, 405, ""},
		{"nobody halts", "POST", "/api/halt", nil, 401, "traderctl"},
		{"nobody flattens", "POST", "/api/flatten", []func(*http.Request){carries(in)}, 403, ""},
		{"a foreign page resumes", "POST", "/api/resume", []func(*http.Request){carries(in), origin("http://evil.example")}, 403, ""},
		{"what is not built", "POST", "/api/liquidate", []func(*http.Request){holds(token)}, 405, ""},
	} {
		before := len(c.by)
		w := answer(s, tt.method, tt.path, tt.set...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s: %d %s, want %d %q", tt.name, w.Code, w.Body, tt.status, tt.says)
		}
		if done := len(c.by) - before; done != 0 && tt.status != 200 || done != 1 && tt.status == 200 {
			t.Errorf("%s: done %d times", tt.name, done)
		}
	}
	if by := strings.Join(c.by, "|"); by != "the token's holder at 192.0.2.1|the dashboard at 192.0.2.1|the dashboard at 192.0.2.1" {
		t.Errorf("recorded as asked by %s", by)
	}
}

func TestModesOverHTTP(t *testing.T) {
	c := &fakeControl{}
	s := controlled(c)
	for _, tt := range []struct {
		path, kind, body string
		status           int
		did              string // "" = nothing
		says             string
	}{
		{"halt", "", "", 200, "halt: ", `"pending":[{"order_id":7,"ref":"a","symbol":"AAPL","cancel":"waits"}]`},
		{"halt", "application/json", `{"reason":"a test"}`, 200, "halt: a test", `"done":"halt"`},
		{"halt", "application/json", `{"mode":"reduce_only"}`, 200, "reduce_only: ", ""},
		{"resume", "application/json", `{"reason":"all is well"}`, 200, "resume: all is well", ""},
		{"flatten", "", "", 200, "flatten: ", `"done":"flatten"`},
		{"halt", "application/json", `{"mode":"active"}`, 400, "", "reduce_only"},
		{"resume", "application/json", `{"mode":"reduce_only"}`, 400, "", "of halt"},
		{"halt", "application/json", `{"reason":"two\nlines"}`, 400, "", "one line"},
		{"halt", "application/json", `{"reason":"` + strings.Repeat("x", 201) + `"}`, 400, "", "200"},
		{"flatten", "application/json", `{`, 400, "", "not understood"},
		{"flatten", "text/plain", `{}`, 400, "", "application/json"},
	} {
		c.modes = nil
		set := []func(*http.Request){holds(token)}
		if tt.body != "" {
			set = append(set, body(tt.kind, tt.body))
		}
		w := answer(s, "POST", "/api/"+tt.path, set...)
		if did := strings.Join(c.modes, "|"); w.Code != tt.status || did != tt.did || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%s %s: %d %s, did %q", tt.path, tt.body, w.Code, w.Body, did)
		}
	}
	c.err = fmt.Errorf("a flatten is under way: %w", ErrNotNow)
	if w := answer(s, "POST", "/api/resume", holds(token)); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "under way") {
		t.Errorf("resume in a flatten: %d %s", w.Code, w.Body)
	}
	c.err = errors.New("journal: disk full")
	if w := answer(s, "POST", "/api/halt", holds(token)); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "disk full") {
		t.Errorf("a halt that is not stored: %d %s", w.Code, w.Body)
	}
}

// Without a token that guards it, there is no control.
func TestNoControlWithoutToken(t *testing.T) {
	c := &fakeControl{}
	p := parts()
	p.Control = c
	s := New(DefaultConfig(), p, silent)
	for _, path := range []string{"/api/reconnect", "/api/login", "/api/logout"} {
		for _, key := range []string{"", "x"} {
			if w := answer(s, "POST", path, holds(key), body("application/json", `{"token":""}`)); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	}
	if w := answer(s, "GET", "/api/session"); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"signed_in":false,"until":null,"control":false,"read":true}` {
		t.Errorf("session: %d %s", w.Code, w.Body)
	}
	if len(c.by) != 0 {
		t.Errorf("done by %q", c.by)
	}
}

func TestFailedAndLateOrders(t *testing.T) {
	s := controlled(&fakeControl{err: errors.New("journal: disk full")})
	if w := answer(s, "POST", "/api/reconnect", holds(token)); w.Code != 503 || !strings.Contains(w.Body.String(), "disk full") {
		t.Errorf("a failed order: %d %s", w.Code, w.Body)
	}
	synctest.Test(t, func(t *testing.T) {
		s := controlled(&fakeControl{hang: true})
		began := time.Now()
		w := answer(s, "POST", "/api/reconnect", holds(token))
		if took := time.Since(began); w.Code != 503 || took != controlWithin || !strings.Contains(w.Body.String(), "asking twice is harmless") {
			t.Errorf("a late order: %d %s after %v", w.Code, w.Body, took)
		}
	})
}

func TestLogin(t *testing.T) {
	s := controlled(&fakeControl{})
	in := signIn(t, s)
	if in.Name != "trader_session_8787" || !in.HttpOnly || in.SameSite != http.SameSiteStrictMode || in.Secure || in.Path != "/" || in.MaxAge != 12*3600 || in.Domain != "" {
		t.Errorf("the cookie is %+v", in)
	}
	if strings.Contains(in.Value, token) || len(in.Value) < 40 {
		t.Errorf("the cookie's value is %s", in.Value)
	}
	r := httptest.NewRequest("POST", "https://127.0.0.1:8787/api/login", strings.NewReader(`{"token":"`+token+`"}`))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r) // httptest gives it a TLS state
	if cs := w.Result().Cookies(); len(cs) != 1 || !cs[0].Secure {
		t.Errorf("over TLS: %d %+v", w.Code, cs)
	}
	for _, tt := range []struct {
		name, kind, body string
		status           int
	}{
		{"a wrong token", "application/json", `{"token":"x"}`, 401},
		{"no token", "application/json", `{}`, 401},
		{"no JSON", "application/json", `token=` + token, 400},
		{"too long", "application/json", `{"token":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"a form of another page", "text/plain", `{"token":"` + token + `"}`, 415},
		{"no kind", "", `{"token":"` + token + `"}`, 415},
	} {
		w := answer(s, "POST", "/api/login", body(tt.kind, tt.body))
		if w.Code != tt.status || len(w.Result().Cookies()) != 0 || strings.Contains(w.Body.String(), token) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
	if w := answer(s, "POST", "/api/login", origin("http://evil.example"), body("application/json", `{"token":"`+token+`"}`)); w.Code != 403 {
		t.Errorf("from elsewhere: %d", w.Code)
	}

	told := func(c *http.Cookie) (a SignedIn) {
		if err := json.Unmarshal(answer(s, "GET", "/api/session", carries(c)).Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := told(in); !a.SignedIn || a.Until == nil || !a.Control {
		t.Errorf("signed in as %+v", a)
	}
	if w := answer(s, "POST", "/api/logout", carries(in)); w.Code != 403 {
		t.Errorf("signed out by a request that tells no origin: %d", w.Code)
	}
	w = answer(s, "POST", "/api/logout", carries(in), ownPage)
	if cs := w.Result().Cookies(); w.Code != 200 || len(cs) != 1 || cs[0].MaxAge >= 0 {
		t.Errorf("logout: %d %+v", w.Code, cs)
	}
	if a := told(in); a.SignedIn || a.Until != nil {
		t.Errorf("after the logout: %+v", a)
	}
	// The same browser's new sign-in ends its old one.
	one := signIn(t, s)
	if w := answer(s, "POST", "/api/login", ownPage, carries(one), body("application/json", `{"token":"`+token+`"}`)); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if told(one).SignedIn {
		t.Error("the old cookie is still good")
	}
}

func TestSignInEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(&fakeControl{})
		in := signIn(t, s)
		may := func(c *http.Cookie) bool {
			return answer(s, "POST", "/api/reconnect", carries(c), ownPage).Code == 200
		}
		time.Sleep(sessionLife - time.Nanosecond)
		if !may(in) {
			t.Error("signed out early")
		}
		time.Sleep(time.Nanosecond)
		if may(in) {
			t.Error("signed in for longer than told")
		}
		// One more than there is room for signs out the first.
		var list []*http.Cookie
		for range maxSessions + 1 {
			list = append(list, signIn(t, s))
			time.Sleep(time.Second)
		}
		for i, c := range list {
			if may(c) != (i > 0) {
				t.Errorf("browser %d: %v", i, may(c))
			}
		}
		if n := len(s.logins.live); n != maxSessions {
			t.Errorf("%d are kept", n)
		}
	})
}

func TestWrongTokensAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(&fakeControl{})
		try := func(addr, key string) int {
			return answer(s, "POST", "/api/reconnect", from(addr), holds(key)).Code
		}
		for i := range maxWrong {
			if code := try("127.0.0.1:1", "x"); code != 401 {
				t.Fatalf("wrong token %d: %d", i, code)
			}
		}
		w := answer(s, "POST", "/api/login", from("127.0.0.1:2"), body("application/json", `{"token":"x"}`)) // login counts, too
		if w.Code != 429 || w.Header().Get("Retry-After") != "61" {
			t.Errorf("the next: %d, Retry-After %s", w.Code, w.Header().Get("Retry-After"))
		}
		if code := try("127.0.0.2:1", "x"); code != 401 {
			t.Errorf("another address: %d", code)
		}
		if code := try("127.0.0.1:3", token); code != 200 {
			t.Errorf("the right token from that address: %d", code)
		}
		time.Sleep(wrongWindow)
		if code := try("127.0.0.1:1", "x"); code != 401 {
			t.Errorf("a minute later: %d", code)
		}
	})
}

// Whoever comes from how many addresses, the memory for them is bounded, and
// none gets more wrong ones a minute than it may.
func TestWrongTokensProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAttempts()
		now := time.Unix(0, 0)
		taken := map[netip.Addr][]time.Time{} // let through, by address
		many := rapid.IntRange(0, 9).Draw(t, "many addresses") == 0
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
			addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 3).Draw(t, "address"))})
			wait, _ := a.fail(addr, now)
			if wait < 0 || wait > wrongWindow {
				t.Fatalf("wait %v", wait)
			}
			if wait == 0 {
				taken[addr] = append(taken[addr], now)
			}
			if n := taken[addr]; len(n) > 2*maxWrong && now.Sub(n[len(n)-1-2*maxWrong]) < wrongWindow {
				t.Fatalf("more than %d in a minute", 2*maxWrong) // windows are fixed: two may touch
			}
		}
		if many {
			for i := range maxAddresses + 50 {
				a.fail(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), now)
			}
		}
		if len(a.wrong) > maxAddresses {
			t.Fatalf("%d addresses are kept", len(a.wrong))
		}
	})
}

func TestPeer(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:5": "127.0.0.1", "[::1]:5": "::1", "[::ffff:10.0.0.1]:5": "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::", "[fe80::1%eth0]:5": "fe80::", "nonsense": "invalid IP",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		if got := peer(r).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// Nothing that is logged or answered holds the token, a wrong one, or a cookie.
func TestSecretsStaySecret(t *testing.T) {
	var log bytes.Buffer
	p := parts()
	p.Control, p.Token = &fakeControl{err: errors.New("no")}, token
	s := New(DefaultConfig(), p, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	in := signIn(t, s)
	const wrong = "WRONGTOKEN"
	var told strings.Builder
	for range maxWrong + 2 {
		for _, set := range [][]func(*http.Request){{holds(token)}, {holds(wrong)}, {carries(in), ownPage}, {carries(in)}, {body("application/json", `{"token":"`+wrong+`"`)}} {
			for _, path := range []string{"/api/reconnect", "/api/login", "/api/logout"} {
				told.WriteString(answer(s, "POST", path, set...).Body.String())
			}
		}
	}
	for _, secret := range []string{token, wrong, in.Value} {
		if strings.Contains(log.String(), secret) || strings.Contains(told.String(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
	if n := strings.Count(log.String(), "http_wrong_token\""); n != maxWrong {
		t.Errorf("%d wrong tokens are logged, want %d: the log is bounded as well", n, maxWrong)
	}
}
