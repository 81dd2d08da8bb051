package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the desk and the journal hold themselves to.
const (
	reportsLimit = 5000      // reports stored a second, none lost
	reportsCount = "100000x" // more than may wait for the disk, so that the sender is held back
	haltAt40     = 50.0      // ms until the first 40 of 100 cancels are on the wire
	haltAt100    = 3000.0    // and all of them
	haltRounds   = "3x"
	killedLimit  = 3 * time.Second  // from the start after a kill to ready
	killedOrders = 20               // that the killed one had written
	killedWait   = 30 * time.Second // for a killed process to be gone
)

// orders measures what is promised of orders besides their speed: the cancels of
// a halt, the rate of reports, and the way back to ready after a kill.
func orders(ctx context.Context, p plan) (section, error) {
	s := section{title: "orders"}
	halted, err := measured(ctx, "./broker/desk", "BenchmarkHalt", haltRounds, "ms-to-answer", "ms-to-40th-cancel", "ms-to-100th-cancel")
	if err != nil {
		return s, err
	}
	ms := func(f float64) string { return fmt.Sprintf("%.0f ms", f) }
	s.add("halt with 100 working orders: answered after", ms(halted[0]))
	s.judge("its first 40 cancels on the wire", ms(halted[1]), ms(haltAt40), halted[1] <= haltAt40)
	s.judge("all 100, at 45 messages a second", ms(halted[2]), ms(haltAt100), halted[2] <= haltAt100)
	stored, err := measured(ctx, "./services/journal", "BenchmarkReports", reportsCount, "reports/s")
	if err != nil {
		return s, err
	}
	s.judge("reports stored, durable and none lost", fmt.Sprintf("%.0f a second", stored[0]), fmt.Sprintf("%d a second", reportsLimit), stored[0] >= reportsLimit)
	back, err := killed(ctx, p)
	if err != nil {
		return s, err
	}
	s.judge(fmt.Sprintf("start after kill -9 to ready, most of %d", len(back)), millis(back.at(1)), millis(killedLimit), back.at(1) <= killedLimit)
	s.note("The cancels and the reports are Go benchmarks of broker/desk and services/journal: the most of %s, and the rate of %s.",
		strings.Replace(haltRounds, "x", " halts", 1), strings.Replace(reportsCount, "x", " reports", 1))
	return s, nil
}

// measured runs one benchmark and returns the figures that it reports under these
// units.
func measured(ctx context.Context, pkg, name, times string, units ...string) ([]float64, error) {
	out, err := benchmarkOutput(ctx, "^"+name+"$", times, 1, pkg)
	if err != nil {
		return nil, err
	}
	got := make([]float64, len(units))
	words := strings.Fields(out)
	for i, unit := range units {
		found := false
		for j := 1; j < len(words) && !found; j++ {
			if words[j] == unit {
				got[i], err = strconv.ParseFloat(words[j-1], 64)
				found = err == nil
			}
		}
		if !found {
			return nil, fmt.Errorf("%s of %s reports no %s any more:\n%s", name, pkg, unit, out)
		}
	}
	return got, nil
}

// killed kills a trader that trades, and measures from the next one's start to
// its ready, on the same folder and with the same gateway, which stays up.
func killed(ctx context.Context, p plan) (back sample, err error) {
	v, err := newVenue()
	if err != nil {
		return nil, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), laneWait)
		defer cancel()
		err = errors.Join(err, v.Stop(stopping))
	}()
	args := []string{
		"AAPL", "--headless", "--broker", "ibkr", "--gateway", v.Addr().String(),
		"--strategy", "every_tick", "--config", filepath.Join("configs", "latency.yaml"),
	}
	t, err := startTrader(p, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return nil, err
	}
	for range p.starts {
		v.seen.Store(0) // the orders of the life before
		if _, err := v.awaken(ctx); err != nil {
			return nil, errors.Join(err, t.fault("no order for the first ticks"))
		}
		for range killedOrders {
			if _, err := v.trade(ctx); err != nil {
				return nil, err
			}
		}
		if err := t.kill(); err != nil {
			return nil, err
		}
		again, err := startIn(filepath.Join(p.bin, "start_trader"), t.data, nil, args...)
		if err != nil {
			return nil, err
		}
		t = again
		took, err := t.awaitReady(ctx)
		if err != nil {
			return nil, err
		}
		back = append(back, took)
	}
	return back, nil
}
