package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/services/diag"
)

func TestDoctorUsage(t *testing.T) {
	for args, say := range map[string]string{
		"--gateway nowhere":                  "nowhere",
		"--timeout 1ms":                      "--timeout",
		"--client-id -1":                     "--client-id",
		"--spare-id 1":                       "--spare-id",
		"--spare-id 2147483647":              "--spare-id",
		"--client-id x":                      "x",
		"AAPL":                               "AAPL",
		"--client-id 5 --spare-id 5":         "--spare-id 5",
		"--try-everything":                   "try-everything",
		"--gateway 127.0.0.1:0 --try-ids":    "127.0.0.1:0",
		"--gateway 127.0.0.1:4002 --spare-i": "spare-i",
	} {
		if out, errs, code := told(t, append([]string{"doctor"}, strings.Fields(args)...)...); code != 2 || !strings.Contains(errs, say) {
			t.Errorf("%s: exit %d, %s%s", args, code, out, errs)
		}
	}
}

// examinedBy runs the doctor and returns its report.
func examinedBy(t *testing.T, args ...string) (diag.Report, int) {
	t.Helper()
	out, errs, code := told(t, append([]string{"doctor", "--json"}, args...)...)
	var r diag.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Exit != code {
		t.Fatalf("exit %d: %v in %s%s", code, err, out, errs)
	}
	return r, code
}

func checkOf(t *testing.T, r diag.Report, name string) diag.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %s in %+v", name, r)
	return diag.Check{}
}

// The doctor looks at what the trader's own configuration names; flags win.
func TestDoctorReadsTheConfiguration(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	nobody := ln.Addr().String()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none := filepath.Join(dir, "none")

	good := write("good.yaml", "broker: {name: ibkr, ibkr: {gateway: \""+nobody+"\", client_id: 7, handshake_timeout: 300ms}}\ndata: {dir: "+none+"}\n")
	r, code := examinedBy(t, "--config", good)
	if code != 10 || r.Gateway != nobody || r.ClientID != 7 || r.Folder != none {
		t.Errorf("exit %d, %+v", code, r)
	}
	c := checkOf(t, r, "configuration")
	if c.Verdict != diag.VerdictOK || !strings.Contains(strings.Join(c.Found, "\n"), "broker.ibkr.client_id: 7") {
		t.Errorf("%+v", c)
	}
	if r, _ := examinedBy(t, "--config", good, "--client-id", "8", "--data", dir); r.ClientID != 8 || r.Folder != dir {
		t.Errorf("flags do not win: %+v", r)
	}

	simulated := write("sim.yaml", "symbols: [AAPL]\n")
	r, code = examinedBy(t, "--config", simulated, "--data", none)
	if code != 0 || checkOf(t, r, "gateway").Verdict != diag.VerdictSkipped {
		t.Errorf("exit %d, %+v", code, r)
	}

	bad := write("bad.yaml", "broker: {name: sim, nmae: x}\nrun_for: soon\n")
	r, code = examinedBy(t, "--config", bad, "--data", none)
	c = checkOf(t, r, "configuration")
	if found := strings.Join(c.Found, "\n"); code != 1 || c.Verdict != diag.VerdictFailed || !strings.Contains(found, "nmae") || !strings.Contains(found, "soon") {
		t.Errorf("exit %d, %+v", code, c)
	}
	worse := write("worse.yaml", "broker: {name: ibkr, ibkr: {gateway: \""+nobody+"\", client_id: -1, handshake_timeout: 0s}}\n")
	if r, code = examinedBy(t, "--config", worse, "--data", none); code != 10 || r.ClientID != 1 || checkOf(t, r, "configuration").Verdict != diag.VerdictFailed {
		t.Errorf("exit %d, %+v", code, r)
	}
	if out, _, code := told(t, "doctor", "--config", good); code != 10 || !strings.Contains(out, "What not to do") || !strings.Contains(out, "failed   handshake") {
		t.Errorf("in words: exit %d, %s", code, out)
	}
}
