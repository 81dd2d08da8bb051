package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/websocket/server"
)

// counted counts what it was asked, and keeps what of the mode.
type counted struct {
	n     int
	modes []string
	err   error
}

func (c *counted) Reconnect(context.Context, string) error { c.n++; return nil }

func (c *counted) set(what, reason string) (event.ModeChange, error) {
	c.modes = append(c.modes, what+": "+reason)
	return event.ModeChange{
		Mode: broker.Halted, Reason: what, Flatten: what == "flatten",
		Pending: []event.Ending{{OrderID: 7, Ref: "a", Symbol: "AAPL", Cancel: event.CancelWaits}},
		Closing: []event.Closing{{Symbol: "AAPL", State: event.ClosingWaits}},
	}, c.err
}

func (c *counted) Halt(_ context.Context, _, why string) (event.ModeChange, error) {
	return c.set("halt", why)
}

func (c *counted) ReduceOnly(_ context.Context, _, why string) (event.ModeChange, error) {
	return c.set("reduce_only", why)
}

func (c *counted) Resume(_ context.Context, _, why string) (event.ModeChange, error) {
	return c.set("resume", why)
}

func (c *counted) Flatten(_ context.Context, _, why string) (event.ModeChange, error) {
	return c.set("flatten", why)
}

func (c *counted) Settle(_ context.Context, _ string, s event.Settling) (order.Order, error) {
	_, err := c.set("settle "+s.Ref+" as "+s.As, s.Reason)
	return order.Order{Ref: s.Ref, OrderID: 151, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(10), State: order.Cancelled, Note: "settled"}, err
}

func TestReconnect(t *testing.T) {
	const token = "abcdefghijklmnopqrstuvwxyz"
	told := func(args ...string) (string, int) {
		out, errs, code := told(t, append([]string{"reconnect"}, args...)...)
		if strings.Contains(out+errs, token) {
			t.Errorf("the token is told: %s%s", out, errs)
		}
		return out + errs, code
	}
	reg := health.New()
	reg.Link(broker.Link{State: broker.NeedsRestart, Cause: "the gateway hangs", Advice: "restart it"})
	control := &counted{}
	s := server.New(server.DefaultConfig(), server.Parts{Health: reg, Control: control, Token: token}, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if text, code := told("--data", dir); code != 1 || !strings.Contains(text, "no trader runs") {
		t.Errorf("without a trader: exit %d, %s", code, text)
	}
	file("trader.json", `{"pid":1,"http":"`+addr+`"}`)
	for _, tt := range []struct {
		name  string
		token string // of the data folder; "" = none
		args  []string
		code  int
		says  string
		did   bool
	}{
		{"no token", "", nil, 1, "--token-file", false},
		{"an empty file", "\n", nil, 1, "holds no token", false},
		{"a wrong one", "nonsense", nil, 1, "not the trader's token", false},
		{"two lines", token + "\n" + token, nil, 1, "holds no token", false},
		{"the folder's", token + "\n", nil, 0, "needs_restart", true},
		{"the folder's, as JSON", token + "\n", []string{"--json"}, 0, `"state":"needs_restart"`, true},
		{"another file's", "nonsense", []string{"--token-file", file("elsewhere", token)}, 0, "the gateway hangs", true},
		{"an argument", token, []string{"now"}, 2, "now", false},
	} {
		if tt.token != "" {
			file("token", tt.token)
		}
		before := control.n
		text, code := told(append([]string{"--data", dir}, tt.args...)...)
		if code != tt.code || !strings.Contains(text, tt.says) || (control.n > before) != tt.did {
			t.Errorf("%s: exit %d, %s; done %v", tt.name, code, text, control.n > before)
		}
	}
}

// A redirect does not take the token elsewhere, and a proxy does not see it.
func TestTokenGoesNowhereElse(t *testing.T) {
	var elsewhere int
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer thief.Close()
	t.Setenv("HTTP_PROXY", thief.URL)
	trader := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer trader.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("abcdefghijklmnopqrstuvwxyz"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := told(t, "reconnect", "--data", dir, "--http", trader.Listener.Addr().String())
	if code != 1 || elsewhere != 0 || !strings.Contains(errs, "307") {
		t.Errorf("exit %d, %d requests elsewhere, %s", code, elsewhere, errs)
	}
}
