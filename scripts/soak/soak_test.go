package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"robotrader/broker/ibkr/gateway/fault"
)

// build makes the programs as they are shipped.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	c := exec.Command("go", "build", "-trimpath", "-o", bin+string(filepath.Separator), "./cmd/start_trader", "./cmd/gatewaysim", "./scripts/examples/go/dip")
	c.Dir = filepath.Join("..", "..")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// TestQuickSoak runs for half a minute: restarts, kills, flaps and dashboards,
// after which nothing differs, no socket is left, and descriptors and goroutines
// are what they were.
func TestQuickSoak(t *testing.T) {
	p := plan{bin: build(t), folder: t.TempDir(), hours: quickHours, speed: usualSpeed, seed: 41, sessions: "always", quick: true, load: loads["heavy"], say: t.Logf}
	if err := soak(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// TestEveryScriptIsUnderstood: a script that a gateway refuses would end a long
// run at its start.
func TestEveryScriptIsUnderstood(t *testing.T) {
	for _, hours := range []float64{quickHours, 24, 72} {
		for _, restarted := range []bool{false, true} {
			p := plan{hours: hours, speed: usualSpeed, quick: hours == quickHours}
			path := filepath.Join(t.TempDir(), "faults")
			if err := os.WriteFile(path, []byte(p.script(3, restarted)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := fault.Load(path); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWrongUseIsTold(t *testing.T) {
	for _, args := range [][]string{{"--hours", "0"}, {"--speed", "-1"}, {"--hours", "NaN"}, {"AAPL"}, {"--nonsense"}, {"--load", "much"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || !strings.Contains(errs.String(), "soak") {
			t.Errorf("%q ends with code %d and says %q", args, code, errs.String())
		}
	}
}
