package main

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/services/health"
	"robotrader/websocket/server"
)

func TestSettleAnOrder(t *testing.T) {
	const token = "abcdefghijklmnopqrstuvwxyz"
	control := &counted{}
	s := server.New(server.DefaultConfig(), server.Parts{Health: health.New(), Control: control, Token: token}, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	settle := func(args ...string) (string, int) {
		out, errs, code := told(t, append([]string{"orders", "settle", "--http", srv.Listener.Addr().String(), "--token-file", file}, args...)...)
		return out + errs, code
	}
	if out, code := settle("a", "--as", "cancelled", "--reason", "seen in TWS"); code != 0 || !strings.Contains(out, "order   151 a (AAPL): cancelled, 0 of 10 filled\nnote    settled") {
		t.Errorf("exit %d, %s", code, out)
	}
	if len(control.modes) != 1 || control.modes[0] != "settle a as cancelled: seen in TWS" {
		t.Errorf("asked %q", control.modes)
	}
	for _, args := range [][]string{{"--as", "cancelled", "--reason", "x"}, {"a", "--as", "gone", "--reason", "x"}, {"a", "--as", "filled"}} {
		if out, code := settle(args...); code != 2 {
			t.Errorf("%q: exit %d, %s", args, code, out)
		}
	}
	control.err = fmt.Errorf("%w: the broker lists it as open", server.ErrNotNow)
	if out, code := settle("a", "--as", "absent", "--reason", "x"); code != 1 || !strings.Contains(out, "the broker lists it as open") {
		t.Errorf("contradicted: exit %d, %s", code, out)
	}
}
