package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// Which builds worked here is known without a trader.
func TestMatrix(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	dir := t.TempDir()
	for i, tt := range []struct {
		args string
		code int
		says []string
	}{
		{"matrix", 0, []string{"no handshake is recorded"}},
		{"probe --gateway-build 10.37.1 --gateway " + free.Addr().String(), 10, []string{"FAILED"}},
		{"matrix --gateway-build 10.37.1", 0, []string{"10.37.1 >", "tcp 1", "failed", "warning: gateway 10.37.1 failed here 1 of 1 times"}},
		{"matrix --mark 10.30.1 --note stable", 0, []string{"marked to run: 10.30.1", "stable"}},
		{"matrix --gateway-build 10.37.1", 0, []string{"10.30.1 is marked as the one to run (stable)"}},
		{"matrix --json --gateway-build 10.37.1", 0, []string{`"gateway_build": "10.30.1"`, `"running": "10.37.1"`, `"failed": 1`, `"median_ms": null`}},
		{"probe --gateway-build 10.37.1 --gateway " + free.Addr().String(), 10, []string{"10.30.1 is marked"}},
		{"matrix --unmark", 0, []string{"tcp 2"}},
		{"matrix --releases", 0, []string{"10.30.01", "187", "10.50.02", "226", "200"}},
		{"matrix --releases --json", 0, []string{`"api": "10.19"`, `"spoken": 176`}},
		{"matrix --mark=", 2, []string{"--mark"}},
		{"matrix --mark a/b/c --unmark", 2, []string{"opposite"}},
		{"matrix --note x", 2, []string{"--mark"}},
		{"matrix --gateway-build=a\tb", 2, []string{"one word"}},
		{"matrix --mark 10.1 --data " + filepath.Join(dir, "none"), 1, []string{"--data"}},
		{"matrix --data " + filepath.Join(dir, "none"), 1, []string{"no data folder"}},
		{"matrix --releases --data " + filepath.Join(dir, "none"), 0, []string{"10.30.01"}},
		{"matrix --mark 10.1 --note " + strings.Repeat("x", 201), 2, []string{"--note", "200 characters"}},
		{"matrix x", 2, []string{"x"}},
	} {
		args := strings.Split(tt.args, " ")
		if !strings.Contains(tt.args, "--data") {
			args = append(args, "--data", dir)
		}
		out, errs, code := told(t, args...)
		for _, say := range tt.says {
			if code != tt.code || !strings.Contains(out+errs, say) {
				t.Errorf("%d: %s: exit %d, want %d, nothing about %q in\n%s%s", i, tt.args, code, tt.code, say, out, errs)
			}
		}
	}
}
