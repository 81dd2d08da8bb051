package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is shown is what would load again: no key is left out, no value is told
// in words that mean another one.
func TestSettingsLoadAgain(t *testing.T) {
	for _, args := range [][]string{
		{"AAPL"}, {"--config", "testdata/all.good.yaml"}, {"--config", "latency.yaml", "AAPL,MSFT"}, {"--config", "paper.yaml", "AAPL"},
	} {
		cfg, err := Load(args, nil)
		if err != nil {
			t.Fatal(err)
		}
		again := layer{source: "settings", values: map[string]any{}}
		for _, s := range cfg.Settings() {
			again.values[s.Key] = s.Value
		}
		got := DefaultConfig()
		if errs := again.apply(&got); len(errs) > 0 {
			t.Fatalf("%q: %v", args, errs)
		}
		if errs := got.settle(); len(errs) > 0 {
			t.Fatalf("%q: %v", args, errs)
		}
		if diff := cmp.Diff(cfg.Settings(), got.Settings()); diff != "" {
			t.Errorf("%q: %s", args, diff)
		}
	}
}

func TestSettingsTellTheirSource(t *testing.T) {
	cfg, err := Load([]string{"--client-id", "7", "--set", "fast=5", "--run-for", "90s", "AAPL,MSFT"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Setting{}
	for _, s := range cfg.Settings() {
		got[s.Key] = s
	}
	for _, want := range []Setting{
		{"broker.ibkr.client_id", "7", false},
		{"broker.name", "sim", true},
		{"runner.params.fast", "5", false},
		{"run_for", "1m30s", false},
		{"symbols", "AAPL,MSFT", false},
		{"websocket.headless", "false", true},
	} {
		if got[want.Key] != want {
			t.Errorf("%+v, want %+v", got[want.Key], want)
		}
	}
}

func TestSettingsHideSecrets(t *testing.T) {
	for _, tt := range []struct{ key, value, want string }{
		{"bus.url", "nats://me:pass@h:4222,nats://other@i:4222,nats://j:1", "nats://hidden@h:4222,nats://hidden@i:4222,nats://j:1"},
		{"bus.url", "nats://me:p%zz@h:4222", hidden},
		{"bus.url", "nats://me:pa,ss@h:4222,nats://j:1", hidden},
		{"bus.url", "me:pass@h:4222", hidden},
		{"bus.url", "pass@h", hidden},
		{"data.dir", "/home/me@work/data", "/home/me@work/data"},
		{"alerts.token", "abc", hidden},
		{"runner.params.Api-Key", "abc", hidden},
		{"runner.params.PASSWORD", "abc", hidden},
		{"runner.params.monkey", "abc", "abc"},
		{"alerts.token", "", ""},
		{"bus.url", "embedded", "embedded"},
	} {
		if got := shown(tt.key, tt.value); got != tt.want {
			t.Errorf("%s %s: shown as %s, want %s", tt.key, tt.value, got, tt.want)
		}
	}
	cfg := DefaultConfig()
	cfg.Bus.URL = "nats://me:pass@h:4222"
	for _, s := range cfg.Settings() {
		if strings.Contains(s.Value, "pass") {
			t.Errorf("%+v", s)
		}
	}
}

// Nor does the text of a fault tell one.
func TestFaultsHideSecrets(t *testing.T) {
	for _, env := range []string{
		"TRADER_BUS__URL=nats://me:hunter2@h:4222", "TRADER_BUS__URL=me:hunter2@h", "TRADER_BUS__LISTEN=me:hunter2@h",
	} {
		_, err := Load([]string{"AAPL"}, []string{env})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "bus.") {
			t.Errorf("%s: %v", env, err)
		}
	}
}
