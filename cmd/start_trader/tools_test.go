package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A person makes the trader try again, packs what a ticket needs beside it and
// after it died, and none of that tells the token.
func TestReconnectAndBundle(t *testing.T) {
	t.Parallel()
	gateway, addr := startGateway(t, "127.0.0.1:0")
	tr := startTrader(t, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsReady(t, tr.addr, 10*time.Second)
	secret, err := os.ReadFile(filepath.Join(tr.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(secret))
	post := func(key string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+tr.addr+"/api/reconnect", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := post("nonsense"); got != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", got)
	}
	epoch := opened(t, tr.addr)
	p := start(t, "traderctl", "reconnect", "--data", tr.data)
	p.ends(t, 0, 15*time.Second)
	p.says(t, "taken up")
	awaits(t, "another session", 15*time.Second, func() (string, bool) {
		status, r := ready(tr.addr)
		now := opened(t, tr.addr)
		return r.Cause, status == http.StatusOK && now != "" && now != epoch
	})

	bundle := func(name string, says ...string) {
		path := filepath.Join(t.TempDir(), name)
		p := start(t, "traderctl", "bundle", "--data", tr.data, "--out", path, "--gateway", addr)
		p.ends(t, 0, 60*time.Second)
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
		text := string(raw)
		for _, secret := range []string{token, "DU7654321", "7654321"} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s: %s is in it: %q", name, secret, text[max(0, i-80):min(len(text), i+80)])
			}
		}
		for _, say := range says {
			if !strings.Contains(text, say) {
				t.Errorf("%s: nothing about %q", name, say)
			}
		}
	}
	bundle("beside.tar.gz", `"type":"snapshot"`, "a person asked to reconnect", `"source":"trader"`, "DU*****21")
	if strings.Contains(tr.said.String(), token) {
		t.Error("the trader says the token")
	}

	tr.killed(t)
	bundle("dead.tar.gz", "nobody answers at", "a person asked to reconnect", `"broker.ibkr.client_id"`)
	p = start(t, "traderctl", "matrix", "--json", "--data", tr.data)
	p.ends(t, 0, 15*time.Second)
	p.says(t, `"server_version": 200`)
	p = start(t, "traderctl", "reconnect", "--data", tr.data)
	p.ends(t, 1, 15*time.Second)
	gateway.signal(t, syscall.SIGTERM)
}

// opened is when the link's session was opened, as /api/state tells it.
func opened(t *testing.T, addr string) string {
	t.Helper()
	_, body := get(addr, "/api/state")
	var m struct {
		Data struct {
			Link struct {
				State string
				Facts struct{ Opened string }
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return ""
	}
	return m.Data.Link.Facts.Opened
}
