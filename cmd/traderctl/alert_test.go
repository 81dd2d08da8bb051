package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"robotrader/services/event"
)

// alertFile writes a configuration that tells the places.
func alertFile(t *testing.T, urls ...string) string {
	t.Helper()
	dir := t.TempDir()
	list := filepath.Join(dir, "urls")
	if err := os.WriteFile(list, []byte(strings.Join(urls, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "trader.yaml")
	if err := os.WriteFile(file, []byte("alert:\n  timeout: 2s\n  urls_file: "+list+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestStatusTellsOfAlerts(t *testing.T) {
	var b strings.Builder
	printAlerts(&b, nil)
	if b.Len() > 0 {
		t.Errorf("where nobody is told: %s", b.String())
	}
	printAlerts(&b, &event.AlertState{
		Targets: []event.AlertTarget{{Name: "ntfy", Where: "ntfy.sh", State: "failing", Lost: 2, Cause: "ntfy: it answers 403"}},
		On:      []event.AlertOn{{Title: "No market data", Cause: "AAPL is stale", Since: time.Now(), Untold: true}},
	})
	if want := "alerts\tntfy at ntfy.sh: failing, 0 delivered, 2 lost ntfy: it answers 403\ntrouble\tNo market data for 0s (held back): AAPL is stale\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestAlertTest(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.Contains(r.URL.Path, "wrong") {
			http.Error(w, "no topic my-wrong-topic", http.StatusForbidden)
		}
	}))
	defer s.Close()
	here := strings.TrimPrefix(s.URL, "http://")
	good, bad := "ntfy://"+here+"/my-secret-topic?scheme=http", "generic+http://"+here+"/my-wrong-topic"
	t.Run("all take it", func(t *testing.T) {
		out, errs, code := told(t, "alert", "test", "--config", alertFile(t, good))
		if code != 0 || !strings.Contains(out, "took it") || !strings.Contains(out, here) || strings.Contains(out+errs, "my-secret") {
			t.Errorf("exit %d: %s%s", code, out, errs)
		}
	})
	t.Run("one does not", func(t *testing.T) {
		out, errs, code := told(t, "alert", "test", "--json", "--config", alertFile(t, good, bad))
		var list []tried
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if code != 1 || len(list) != 2 || !list[0].OK || list[1].OK || list[1].Error != "webhook: it answers 403 Forbidden: no topic [redacted]" {
			t.Errorf("exit %d: %+v%s", code, list, errs)
		}
	})
	n := asked.Load()
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nobody":       {[]string{"--config", alertFile(t)}, 1, "nobody is told of troubles: set alert.urls_file"},
		"a wrong URL":  {[]string{"--config", alertFile(t, good, "ntfx://x/my-secret-topic")}, 3, `alert.urls: URL 2: service "ntfx" is none of`},
		"no such file": {[]string{"--config", "nowhere.yaml"}, 3, "nowhere.yaml"},
		"too much":     {[]string{"AAPL"}, 2, "AAPL"},
		"a bad flag":   {[]string{"--timeout", "-1s", "--config", alertFile(t, good)}, 2, "--timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := told(t, append([]string{"alert", "test"}, tt.args...)...)
			if code != tt.code || !strings.Contains(errs, tt.says) || strings.Contains(out+errs, "my-secret") {
				t.Errorf("exit %d: %s%s", code, out, errs)
			}
		})
	}
	if asked.Load() != n {
		t.Error("a place was asked though the command line or the configuration was wrong")
	}
}
