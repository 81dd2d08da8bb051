package main

import (
	"bytes"
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

func TestModeCommands(t *testing.T) {
	const token = "abcdefghijklmnopqrstuvwxyz"
	control := &counted{}
	s := server.New(server.DefaultConfig(), server.Parts{Health: health.New(), Control: control, Token: token}, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"token": token, "trader.json": `{"pid":1,"http":"` + srv.Listener.Addr().String() + `"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		line string
		in   string
		code int
		did  string // "" = nothing
		says string
	}{
		{"halt", "", 0, "halt: ", "order   7 a (AAPL) has not ended; its cancel: waits for a link that is ready"},
		{"halt --reason testing", "", 0, "halt: testing", "mode    halted"},
		{"halt --json", "", 0, "halt: ", `"pending":[{"order_id":7,`},
		{"halt --reduce-only --reason x", "", 0, "reduce_only: x", ""},
		{"resume", "", 0, "resume: ", ""},
		{"flatten --yes", "", 0, "flatten: ", "position unknown"},
		{"flatten", "flatten\n", 0, "flatten: ", "under way"},
		{"flatten", "Flatten", 0, "flatten: ", ""},
		{"flatten", "yes\n", 2, "", "nothing was done"},
		{"flatten", "", 2, "", "nothing was done"},
		{"halt now", "", 2, "", "now"},
	} {
		control.modes = nil
		var out, errs bytes.Buffer
		root := command()
		root.SetArgs(append(strings.Fields(tt.line), "--data", dir))
		root.SetIn(strings.NewReader(tt.in))
		code := ended(t.Context(), root, &out, &errs)
		if did := strings.Join(control.modes, "|"); code != tt.code || did != tt.did || !strings.Contains(out.String()+errs.String(), tt.says) {
			t.Errorf("%s: exit %d, did %q, says %s%s", tt.line, code, did, &out, &errs)
		}
	}
	control.err = fmt.Errorf("a flatten is under way: %w", server.ErrNotNow)
	if out, errs, code := told(t, "resume", "--data", dir); code != 1 || !strings.Contains(errs, "under way") {
		t.Errorf("resume in a flatten: exit %d, %s%s", code, out, errs)
	}
}
