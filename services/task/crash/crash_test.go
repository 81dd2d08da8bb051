package crash

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestMain is the victim, too: a program that comes to one place three times.
func TestMain(m *testing.M) {
	if os.Getenv("CRASH_AT") != "" {
		for range 3 {
			At("here")
			_, _ = os.Stdout.WriteString("passed\n")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Only a program that is built for it can crash, and only where it is told to.
func TestCrashes(t *testing.T) {
	for _, tt := range []struct {
		tags, at string
		passed   int
		killed   bool
	}{
		{"crashpoints", "here:2", 1, true},
		{"crashpoints", "elsewhere:1", 3, false},
		{"crashpoints", "here:x", 3, false},
		{"", "here:2", 3, false},
	} {
		c := exec.Command("go", "test", "-c", "-tags", tt.tags, "-o", t.TempDir()+"/victim", ".")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		victim := exec.Command(c.Args[len(c.Args)-2])
		victim.Env = append(os.Environ(), "CRASH_AT="+tt.at)
		out, _ := victim.Output() // its state says it
		status, ok := victim.ProcessState.Sys().(syscall.WaitStatus)
		killed := ok && status.Signaled() && status.Signal() == syscall.SIGKILL
		if passed := strings.Count(string(out), "passed"); passed != tt.passed || killed != tt.killed {
			t.Errorf("%q at %s: passed %d times, killed %v; want %d, %v", tt.tags, tt.at, passed, killed, tt.passed, tt.killed)
		}
	}
}
