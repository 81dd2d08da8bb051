package acceptance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// atOnce is how many scenarios run at once: they wait far more than they work.
const atOnce = "8"

// released names binaries that are built already, to judge a release as it is.
var released = flag.String("programs", "", "folder with start_trader and traderctl; empty: they are built")

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run()) // which has workers of its own
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if err := os.RemoveAll(workDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// workDir holds the binaries while the tests run; TestMain removes it.
var workDir = filepath.Join(os.TempDir(), fmt.Sprintf("acceptance-test-%d", os.Getpid()))

// binaries builds the programs once, without the race detector: what is judged
// is what is released.
var binaries = sync.OnceValues(func() (string, error) {
	if *released != "" {
		return *released, nil
	}
	if err := os.MkdirAll(workDir, 0o700); err != nil {
		return "", err
	}
	return workDir, Build(filepath.Join("..", ".."), workDir)
})

// scripts reads all scenarios.
func scripts(t *testing.T) []*Script {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.tws"))
	if err != nil {
		t.Fatal(err)
	}
	var list []*Script
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(path, text)
		if err != nil {
			t.Error(err)
			continue
		}
		list = append(list, s)
	}
	return list
}

// TestScenarios plays every script of testdata.
func TestScenarios(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an orderly stop is asked for by a signal, which Windows has not")
	}
	programs, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if s.Pending != "" {
				t.Skipf("%s: pending: %s", s.Title, s.Pending)
			}
			if err := Run(s, programs, t.TempDir()); err != nil {
				t.Errorf("%s (%s)\n%v", s.Title, strings.Join(s.Answers, ", "), err)
			}
		})
	}
}
