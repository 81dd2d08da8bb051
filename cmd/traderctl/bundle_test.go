package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/ibkr/wire"
	"robotrader/services/journal"
)

// packed returns the files of a bundle and all its bytes unpacked.
func packed(t *testing.T, path string) (files map[string]string, all string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for r := tar.NewReader(strings.NewReader(string(raw))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, string(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "trader-bundle/")] = string(b)
	}
}

const plantedAccount, plantedToken = "DU7654321", "5ecre7000000000000000000000000000000000000000000000000000000face"

// folderOfADeadTrader holds all that a trader leaves, with an account in every
// part.
func folderOfADeadTrader(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	link := broker.Link{State: broker.NeedsRestart, Cause: "account " + plantedAccount + " hangs", Facts: broker.Facts{Accounts: []string{plantedAccount, "XY-77-AB"}}}
	if err := errors.Join(j.RecordLink(t.Context(), link), j.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	r := recorder.Start(dir, recorder.DefaultConfig(), slog.New(slog.DiscardHandler))
	s := r.Begin("127.0.0.1:4002", 1, time.Now())
	r.Frame(s, false, wire.MaxVersion, time.Now(), []byte("15\x001\x00"+plantedAccount+"\x00"))
	r.End(s, time.Now(), "test")
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"token":                 plantedToken + "\n",
		"probes.jsonl":          `{"result":"failed","failed_at":"version","gateway_build":"10.37.1","accounts":["` + plantedAccount + `"],"rungs":[],"at":"2026-04-02T09:00:00Z"}` + "\n",
		"logs/broker_debug.log": `{"msg":"attempt","accounts":["` + plantedAccount + `"],"password":"hunter22"}` + "\n",
		"logs/other.log":        "bearer " + plantedToken + " for XY-77-AB\n",
		"settings.json":         `{"settings":[{"key":"broker.account","value":"(set, not shown)"},{"key":"symbols","value":"AAPL"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func clean(t *testing.T, all string) {
	t.Helper()
	for _, secret := range []string{plantedAccount, "7654321", plantedToken, "hunter22", "XY-77-AB"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%s is in it: %q", secret, all[max(0, i-80):min(len(all), i+80)])
		}
	}
}

func TestBundleOfADeadTrader(t *testing.T) {
	dir := folderOfADeadTrader(t)
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	out, errs, code := told(t, "bundle", "--data", dir, "--out", path, "--gateway-build", "10.37.1")
	if code != 0 || !strings.Contains(out, "before you send it") || !strings.Contains(out, "no trader runs") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	files, all := packed(t, path)
	clean(t, all+out)
	for name, want := range map[string]string{
		"README.txt": "before you send it", "MANIFEST.json": `"frames.txt"`, "versions.json": `"server_versions": "176..200"`,
		"matrix.json": "failed here 1 of 1 times", "probes.jsonl": `"gateway_build":"10.37.1"`, "settings.json": "AAPL",
		"timeline.jsonl": `"state":"needs_restart"`, "frames.txt": "DU*****21", "host.json": `"evidence"`,
		"logs/broker_debug.log": `"password":"[removed]"`, "logs/other.log": "bearer [removed] for XY****AB",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %s: %.300s", name, want, files[name])
		}
	}
	// The frames can be read back.
	frames := filepath.Join(t.TempDir(), "frames.txt")
	if err := os.WriteFile(frames, []byte(files["frames.txt"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := told(t, "frames", "--from", frames); code != 0 || !strings.Contains(out, "managedAccts") {
		t.Errorf("frames: exit %d: %s%s", code, out, errs)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside it: %v %v", left, err)
	}
}

func TestBundleBesideATrader(t *testing.T) {
	dir := folderOfADeadTrader(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a bundle needs no token")
		}
		_, _ = io.WriteString(w, `{"data":{"orders":[{"account":"U1112223","limit":"187.25"}]},"path":"`+r.URL.Path+`"}`)
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	out, errs, code := told(t, "bundle", "--json", "--data", dir, "--out", path, "--http", srv.Listener.Addr().String(), "--frames", "0")
	var m struct {
		File  string
		Bytes int
		Parts []struct{ Name, Missing string }
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil || code != 0 || m.File != path || m.Bytes == 0 || len(m.Parts) < 8 {
		t.Fatalf("exit %d: %s%s %v", code, out, errs, err)
	}
	files, all := packed(t, path)
	clean(t, all)
	if s := files["state.json"]; !strings.Contains(s, `"account":"U****23"`) && !strings.Contains(s, `"account":"U*****23"`) || !strings.Contains(s, "187.25") {
		t.Errorf("the state: %s", s)
	}
	if _, ok := files["frames.txt"]; ok || !strings.Contains(files["metrics.txt"], "/metrics") {
		t.Errorf("frames %v, metrics %s", ok, files["metrics.txt"])
	}
}

// A folder with nothing makes a bundle that says so; no folder makes none.
func TestBundleOfNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.tar.gz")
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("broker:\n  acount: DU7654321\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		say  string
	}{
		{"--data " + dir + " --out " + path, 0, "none are recorded"},
		{"--data " + dir + " --out " + path + " --config " + bad, 0, "--check"},
		{"--data " + dir + "/none --out " + path, 1, "no data folder"},
		{"--data " + dir + " --out " + dir + "/none/b.tar.gz", 1, "--out"},
		{"--data " + dir + " --frames -1", 2, "--frames"},
		{"--data " + dir + " x", 2, "x"},
	} {
		out, errs, code := told(t, append([]string{"bundle"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(out+errs, tt.say) || strings.Contains(out+errs, "DU7654321") {
			t.Errorf("%s: exit %d, want %d %q: %s%s", tt.args, code, tt.code, tt.say, out, errs)
		}
	}
}
