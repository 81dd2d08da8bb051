package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stopwatch measures a wait as it would be on a machine that has nothing else
// to do: the time in which somebody waited for a CPU or a disk, or in which the
// host gave our CPU to others, does not count. What users were promised is held
// so on a busy machine as on a quiet one. At least a tenth of the time counts,
// so every wait ends.
type stopwatch struct {
	began  time.Time
	strain time.Duration // of the machine, then
}

func begin() stopwatch { return stopwatch{time.Now(), strain()} }

func (s stopwatch) took() time.Duration {
	wall := time.Since(s.began)
	return max(wall/10, wall-(strain()-s.strain))
}

// over reports whether more than within has passed.
func (s stopwatch) over(within time.Duration) bool {
	return time.Since(s.began) > within && s.took() > within
}

// strain is for how long, since the machine was booted, somebody waited for a
// CPU or a disk, or the host ran others. 0 where the kernel does not tell.
func strain() time.Duration {
	var sum time.Duration
	for _, path := range []string{"/proc/pressure/cpu", "/proc/pressure/io"} {
		b, _ := os.ReadFile(path) // other kernels have none
		sum += waited(string(b))
	}
	b, _ := os.ReadFile("/proc/stat")
	return sum + stolen(string(b))/time.Duration(runtime.NumCPU())
}

// waited reads the "some" line of a pressure file, whose total is microseconds.
func waited(text string) time.Duration {
	some, _, _ := strings.Cut(text, "\n")
	_, total, _ := strings.Cut(some, "total=")
	us, err := strconv.ParseInt(total, 10, 64)
	if err != nil || !strings.HasPrefix(some, "some ") {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// stolen reads the steal of all CPUs together, in hundredths of a second.
func stolen(text string) time.Duration {
	all, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(all)
	const steal = 8 // after "cpu", user, nice, system, idle, iowait, irq and softirq
	if len(f) <= steal || f[0] != "cpu" {
		return 0
	}
	ticks, err := strconv.ParseInt(f[steal], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func TestStrain(t *testing.T) {
	pressure := "some avg10=37.47 avg60=24.29 avg300=59.03 total=20137698\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
	if got := waited(pressure); got != 20137698*time.Microsecond {
		t.Errorf("waited %v", got)
	}
	if got := stolen("cpu  3868595 872347 638610 2870421 7554 0 30345 19911 0 0\ncpu0 1\n"); got != 199110*time.Millisecond {
		t.Errorf("stolen %v", got)
	}
	for _, text := range []string{"", "some", "full total=7", "some total=x", "cpu 1 2", "cpu 1 2 3 4 5 6 7 x"} {
		if w, s := waited(text), stolen(text); w != 0 || s != 0 {
			t.Errorf("%q: waited %v, stolen %v", text, w, s)
		}
	}
	s := stopwatch{time.Now().Add(-time.Minute), strain() - time.Hour} // strained all the time
	if s.over(7*time.Second) || !s.over(5*time.Second) {
		t.Errorf("a minute under strain counts as %v, want 6 s", s.took())
	}
	if s.strain = strain() + time.Hour; !s.over(59 * time.Second) {
		t.Error("a minute without strain is no minute")
	}
}
