package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// fullDisk mounts a small disk, and returns its folder and what fills it up.
func fullDisk(t *testing.T) (folder string, fill func()) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("none", folder, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no disk of its own can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", folder, err)
		}
	})
	return folder, func() {
		t.Helper()
		f, err := os.Create(filepath.Join(folder, "filler"))
		for block := make([]byte, 1<<20); err == nil && len(block) > 0; {
			if _, err = f.Write(block); errors.Is(err, syscall.ENOSPC) { // to the last byte
				block, err = block[:len(block)/2], nil
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A trader whose disk is full cannot flatten, and says what can: traderctl closes
// the position in its place, on another disk, and the next start is halted.
func TestFlattenWithAFullDisk(t *testing.T) {
	t.Parallel()
	disk, fill := fullDisk(t)
	state := filepath.Join(t.TempDir(), "sim")
	gateway, addr := startGateway(t, "127.0.0.1:0", "--state", state)
	seeds(t, addr)
	data := filepath.Join(disk, "data")
	tr := startTraderOn(t, data, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsReady(t, tr.addr, 15*time.Second)
	fill()
	p := start(t, "traderctl", "flatten", "--yes", "--data", data)
	p.ends(t, 1, 20*time.Second)
	p.says(t, "traderctl flatten --direct --spare FOLDER")
	awaitsMode(t, tr, "halted all the same", func(m event.ModeChange) bool { return m.Mode == broker.Halted && !m.Flatten && len(m.Pending) == 0 })
	tr.killed(t)

	direct := []string{"flatten", "--direct", "--yes", "--broker", "ibkr", "--gateway", addr, "--data", data, "--within", "30s"}
	p = start(t, "traderctl", direct...)
	p.ends(t, 1, 40*time.Second)
	spare := filepath.Join(t.TempDir(), "spare")
	p = start(t, "traderctl", append(direct, "--spare", spare)...)
	p.ends(t, 0, 40*time.Second)
	p.says(t, "flat: the broker, asked anew, shows no position")
	p.says(t, "traderctl restore "+filepath.Join(spare, "journal.db"))

	for _, name := range []string{filepath.Join(disk, "filler"), filepath.Join(data, "trader.json")} { // and the dead one's address
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	p = start(t, "traderctl", "restore", filepath.Join(spare, "journal.db"), "--data", data)
	p.ends(t, 0, 20*time.Second)
	again := startTraderOn(t, data, "--broker", "ibkr", "--gateway", addr, "AAPL")
	awaitsMode(t, again, "halted after it", func(m event.ModeChange) bool { return m.Mode == broker.Halted })
	again.signal(t, syscall.SIGTERM)
	again.ends(t, exitStopped, 15*time.Second)
	gateway.signal(t, syscall.SIGTERM)
	gateway.ends(t, 0, 15*time.Second)
	wantFlat(t, state)
}
