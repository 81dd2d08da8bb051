package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A pre-flight shows the configuration, looks at machine and gateway, starts
// nothing and makes no folder.
func TestPreflight(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, tt := range []struct {
		name string
		args []string
		exit int
		say  []string
	}{
		{"the simulated gateway", []string{"AAPL", "--set", "fast=5"}, exitStopped, []string{
			"* symbols", "* runner.params.fast", "  broker.ibkr.client_id              1", "the built-in simulated gateway", "0 failed", "is free",
		}},
		{"a real one that is not there", []string{"AAPL", "--broker", "ibkr", "--gateway", freeAddr(t)}, 10, []string{
			"* broker.name", "nobody listens", "What not to do", "exit 10",
		}},
		{"a bad configuration", []string{"AAPL", "--client-id", "x"}, exitConfig, []string{"is not a whole number"}},
		{"a bad strategy", []string{"AAPL", "--strategy", "none"}, exitConfig, []string{"none"}},
		{"no symbol", nil, exitUsage, []string{"no symbol"}},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"--check", "--data", dir, "--http", freeAddr(t)}, tt.args...)
		if code := run(t.Context(), args, nil, &out, &errs); code != tt.exit {
			t.Errorf("%s: exit %d, want %d", tt.name, code, tt.exit)
		}
		for _, say := range tt.say {
			if !strings.Contains(out.String()+errs.String(), say) {
				t.Errorf("%s: nothing about %q in\n%s%s", tt.name, say, out.String(), errs.String())
			}
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a pre-flight made the data folder")
	}
}

// Beside a running trader: the doctor leaves its client id alone, and a
// pre-flight says that the folder is taken. Neither disturbs it.
func TestDoctorBesideATrader(t *testing.T) {
	_, gateway := startGateway(t, "127.0.0.1:0")
	tr := startTrader(t, "--broker", "ibkr", "--gateway", gateway, "--headless", "AAPL")
	awaitsReady(t, tr.addr, 20*time.Second)

	p := start(t, "traderctl", "doctor", "--json", "--gateway", gateway, "--data", tr.data)
	p.ends(t, 0, 30*time.Second)
	var r struct {
		Exit   int
		Checks []struct {
			Name, Verdict string
			Found         []string
			Probe         struct{ Result string }
			Gateways      []struct{ Process string }
		}
	}
	said := p.said.String()
	if err := json.Unmarshal([]byte(said[strings.Index(said, "{"):]), &r); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	seen := map[string]string{}
	for _, c := range r.Checks {
		seen[c.Name] = c.Verdict + " " + c.Probe.Result + " " + strings.Join(c.Found, "\n")
		if c.Name == "gateway_process" && (len(c.Gateways) == 0 || c.Gateways[0].Process != "gatewaysim") {
			t.Errorf("the gateway's process is not seen: %+v", c)
		}
	}
	for name, say := range map[string]string{
		"trader": "ready since", "handshake": "no handshake with the same id, the spare id 9999 is used", "sockets": "gatewaysim: 1 ESTABLISHED",
	} {
		if !strings.Contains(seen[name], say) {
			t.Errorf("%s says nothing about %q: %s", name, say, seen[name])
		}
	}
	if !strings.HasPrefix(seen["handshake"], "ok ready") {
		t.Errorf("handshake: %s", seen["handshake"])
	}

	p = start(t, "start_trader", "--check", "--broker", "ibkr", "--gateway", gateway, "--data", tr.data, "--http", tr.addr, "AAPL")
	p.ends(t, exitUnexpected, 30*time.Second)
	p.says(t, "stop that trader, or choose another folder", "is taken by process", "the spare id 9999 is used")
	if status, now := ready(tr.addr); status != 200 {
		t.Errorf("the trader was disturbed: %d %+v", status, now)
	}
}
