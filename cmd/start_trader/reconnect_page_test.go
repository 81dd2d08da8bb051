package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// hanging listens as a gateway does that accepts and says nothing. Once it is
// healed, connections reach the gateway behind it; its socket stays the same,
// so nothing but a person's word makes a trader try again.
type hanging struct {
	ln       net.Listener
	behind   string
	healed   atomic.Bool
	accepted atomic.Int32
	wg       sync.WaitGroup
	mu       sync.Mutex // guards open
	open     []net.Conn
}

func startHanging(t *testing.T, behind string) *hanging {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hanging{ln: ln, behind: behind}
	h.wg.Go(h.accept)
	t.Cleanup(func() {
		ln.Close()
		h.mu.Lock()
		for _, c := range h.open {
			c.Close()
		}
		h.mu.Unlock()
		h.wg.Wait()
	})
	return h
}

func (h *hanging) accept() { // ends with the listener
	for {
		c, err := h.ln.Accept()
		if err != nil {
			return
		}
		h.accepted.Add(1)
		h.keep(c)
		if !h.healed.Load() {
			continue
		}
		up, err := net.Dial("tcp", h.behind)
		if err != nil {
			c.Close()
			continue
		}
		h.keep(up)
		h.wg.Go(func() { passOn(up, c) }) // both end with the connections
		h.wg.Go(func() { passOn(c, up) })
	}
}

func (h *hanging) keep(c net.Conn) {
	h.mu.Lock()
	h.open = append(h.open, c)
	h.mu.Unlock()
}

func passOn(to, from net.Conn) {
	_, _ = io.Copy(to, from) // its end is what matters
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// A gateway that hangs: the page says what a person has to do and makes no
// attempt by itself; after sign-in its button does, and leads to Ready.
func TestPageReconnects(t *testing.T) {
	browser(t)
	t.Parallel()
	_, addr := startGateway(t, "127.0.0.1:0")
	h := startHanging(t, addr)
	file := filepath.Join(t.TempDir(), "trader.yaml")
	if err := os.WriteFile(file, []byte("supervisor:\n  wedged_limit: 1\nbroker:\n  ibkr:\n    handshake_timeout: 1500ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := startTrader(t, "--config", file, "--broker", "ibkr", "--gateway", h.ln.Addr().String(), "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	s := p.awaits(t, "needs_restart with advice", 15*time.Second, func(s shown) bool {
		return s.State == "needs_restart" && s.Failed == "version" && strings.Contains(s.Advice, "restart")
	})
	t.Logf("the page says %s → %s", s.Cause, s.Advice)
	told := func(q string) string {
		return asks(t, p, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, q)))
	}
	if f := told("#link-failure"); !strings.Contains(f, "says nothing") {
		t.Errorf("the failure is %q", f)
	}
	if b := told("#link-breaker"); b == "" {
		t.Error("nothing tells what is awaited")
	}
	p.pictures(t, "needs-restart")
	p.clean(t)
	p.does(t, chromedp.EmulateViewport(wideX, wideY))

	h.healed.Store(true)
	before := h.accepted.Load()
	token, err := os.ReadFile(filepath.Join(tr.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	p.does(t, chromedp.Click("#reconnect"), chromedp.WaitVisible("#token"))
	if text := told("#sign-in"); !strings.Contains(text, "data folder") {
		t.Errorf("the dialog does not say where the token is: %q", text)
	}
	p.clean(t)
	p.pictures(t, "sign-in")
	p.does(t, chromedp.EmulateViewport(wideX, wideY), chromedp.SendKeys("#token", "a wrong one"), chromedp.Click("#token-send"))
	awaits(t, "a wrong token is told", 5*time.Second, func() (string, bool) {
		text := told("#sign-in")
		return text, strings.Contains(text, "not the trader's token")
	})
	if got := h.accepted.Load(); got != before {
		t.Errorf("%d attempts were made without a right to", got-before)
	}
	p.does(t, chromedp.SendKeys("#token", strings.TrimSpace(string(token))), chromedp.Click("#token-send"))
	p.awaits(t, "Ready", 15*time.Second, func(s shown) bool { return s.State == "ready" && s.Rungs == 9 })

	// The cookie is the browser's: no script sees it, and no other page's
	// request goes with it.
	if cookies := asks(t, p, chromedp.Evaluate[string]("document.cookie")); cookies != "" {
		t.Errorf("a script sees %q", cookies)
	}
	if stored := asks(t, p, chromedp.Evaluate[int]("localStorage.length + sessionStorage.length")); stored != 0 {
		t.Errorf("the page keeps %d things", stored)
	}
	// Once signed in, it is asked no more, but whether one is sure.
	sessions := h.accepted.Load()
	p.does(t, chromedp.Click("#reconnect"), chromedp.WaitVisible("#reconnect-sure"), chromedp.Click("#reconnect-sure"))
	p.awaits(t, "Ready with another session", 15*time.Second, func(s shown) bool {
		return h.accepted.Load() > sessions && s.State == "ready"
	})
	awaits(t, "the health of the session", 10*time.Second, func() (string, bool) {
		text := told("#health")
		return text, strings.Contains(text, "round trip") && strings.Contains(text, "usfarm") && strings.Contains(text, "of 45 a second")
	})
	p.pictures(t, "health")
	res, err := http.Post("http://"+tr.addr+"/api/reconnect", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a cookie: %d %v", res.StatusCode, err)
	}
}
