package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const startLimit = time.Second

// start measures from exec to the first 200 of /readyz, on the simulator.
func start(ctx context.Context, p plan) (section, error) {
	s := section{title: "start"}
	var took sample
	for range p.starts {
		t, err := startTrader(p, "AAPL", "--headless")
		if err != nil {
			return s, err
		}
		d, err := t.awaitReady(ctx)
		if stopErr := t.stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			return s, err
		}
		took = append(took, d)
	}
	s.judge(fmt.Sprintf("exec to ready, median of %d", p.starts), millis(took.median()), "1000 ms", took.median() <= startLimit)
	s.add("least, most", millis(took.at(0))+", "+millis(took.at(1)))
	return s, nil
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}

const memoryLimit = 80 << 20

// memory measures a trader with bus, dashboard and one symbol, while one
// dashboard is connected.
func memory(ctx context.Context, p plan) (s section, err error) {
	s = section{title: "memory"}
	t, err := startTrader(p, "AAPL")
	if err != nil {
		return s, err
	}
	defer func() {
		if stopErr := t.stop(); err == nil {
			err = stopErr
		}
	}()
	if _, err := t.awaitReady(ctx); err != nil {
		return s, err
	}
	heard, err := watch(ctx, t.addr, p.settle)
	if err != nil {
		return s, err
	}
	now, most, err := resident(t.cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	s.judge(fmt.Sprintf("resident after %v", p.settle), mib(now), "80 MB", now <= memoryLimit)
	if most > 0 {
		s.add("most at any time", mib(most))
	}
	s.note("one symbol on the simulator, pages and feed on; the dashboard's client got %d messages", heard)
	return s, nil
}

func mib(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// resident returns a process's memory now and at its most, in bytes; the most
// is 0 where the system does not tell.
func resident(pid int) (now, most uint64, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil { // not Linux
		proc, err := process.NewProcess(int32(pid))
		if err != nil {
			return 0, 0, err
		}
		m, err := proc.MemoryInfo()
		if err != nil {
			return 0, 0, err
		}
		return m.RSS, 0, nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kb, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s of process %d: %w", name, pid, err)
		}
		if name == "VmRSS" {
			now = kb << 10
		} else {
			most = kb << 10
		}
	}
	if now == 0 {
		return 0, 0, fmt.Errorf("no VmRSS in the status of process %d", pid)
	}
	return now, most, lines.Err()
}
