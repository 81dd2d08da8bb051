package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	installLimit = 2 * time.Minute // from the archive to ready
	alertLimit   = 5 * time.Second // from the cause to the message's arrival
	deployRounds = 3
)

// deploy measures what a person on a server waits for: an installation
// and an alert.
func deploy(ctx context.Context, p plan) (s section, err error) {
	s.title = "deploy"
	took, err := install(ctx, p)
	if err != nil {
		return s, fmt.Errorf("install: %w", err)
	}
	s.judge("unpack, install.sh and start to ready, on the simulator", millis(took), "120000 ms", took <= installLimit)
	var told sample
	for range deployRounds {
		d, err := alerted(ctx, p)
		if err != nil {
			return s, fmt.Errorf("alert: %w", err)
		}
		told = append(told, d)
	}
	s.judge(fmt.Sprintf("halt asked for to alert at the webhook, most of %d", deployRounds), millis(told.at(1)), "5000 ms", told.at(1) <= alertLimit)
	s.note("the installation goes into a folder (install.sh --root) and is started by hand: no systemd is needed or measured")
	s.note("a restart with orders open: go test -run TestUpgradeWithWorkingOrders -v ./cmd/start_trader")
	return s, nil
}

// install unpacks a release's archive, installs it into a folder, and starts
// what was installed with the configuration that was installed.
func install(ctx context.Context, p plan) (time.Duration, error) {
	if p.archive == "" {
		return 0, errors.New("it needs --archive, a release for this machine: ./scripts/bench.sh --only deploy builds one")
	}
	unpacked, root := filepath.Join(p.folder, "unpacked"), filepath.Join(p.folder, "root")
	if err := errors.Join(os.Mkdir(unpacked, 0o700), os.Mkdir(root, 0o700)); err != nil {
		return 0, err
	}
	began := time.Now()
	for _, line := range [][]string{
		{"tar", "xzf", p.archive, "-C", unpacked, "--strip-components=1"},
		{filepath.Join(unpacked, "install.sh"), "--root", root, "--yes"},
	} {
		if out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%q: %w: %s", line, err, out)
		}
	}
	t, err := startIn(filepath.Join(root, "usr/local/bin/start_trader"), filepath.Join(p.folder, "installed"), nil,
		"--config", filepath.Join(root, "etc/robotrader/trader.yaml"))
	if err != nil {
		return 0, err
	}
	_, err = t.awaitReady(ctx)
	took := time.Since(began)
	return took, errors.Join(err, t.stop())
}

// alerted returns how long after a halt was asked for its alert came in.
func alerted(ctx context.Context, p plan) (d time.Duration, err error) {
	came := make(chan time.Time, 16)
	phone := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err == nil && strings.Contains(string(b), "Trading is stopped") {
			select {
			case came <- time.Now():
			default:
			}
		}
	}))
	defer phone.Close()
	data, err := os.MkdirTemp(p.folder, "alert-")
	if err != nil {
		return 0, err
	}
	url := "generic://" + strings.TrimPrefix(phone.URL, "http://") + "/hook?disabletls=yes&template=json"
	t, err := startIn(filepath.Join(p.bin, "start_trader"), data, []string{"TRADER_ALERT__URLS=" + url}, "--headless", string(symbol))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	halt := exec.CommandContext(ctx, filepath.Join(p.bin, "traderctl"), "--data", data, "halt", "--reason", "bench")
	if out, err := halt.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("halt: %w: %s", err, out)
	}
	limit := time.NewTimer(2 * alertLimit)
	defer limit.Stop()
	select {
	case at := <-came:
		return at.Sub(began), nil
	case <-limit.C:
		return 0, fmt.Errorf("no alert within %v of %s", 2*alertLimit, halt)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
