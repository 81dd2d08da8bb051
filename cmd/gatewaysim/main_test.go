package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		say  string
	}{
		{"--help", exitOK, "--server-version"},
		{"--speed 0", exitUsage, "lock-step"},
		{"--speed -1", exitUsage, "speed -1"},
		{"--nonsense", exitUsage, "nonsense"},
		{"AAPL", exitUsage, "AAPL"},
		{"--server-version 201", exitUsage, "201"},
		{"--accounts du1", exitUsage, "du1"},
		{"--faults nowhere.faults", exitUsage, "nowhere.faults"},
		{"--data nowhere.csv", exitUsage, "nowhere.csv"},
		{"--state /nowhere/at/all", exitUsage, "/nowhere/at/all"},
		{"--listen 256.0.0.1:0", exitUsage, "256.0.0.1"},
		{"--listen 4002", exitUsage, "host:port"},
		{"--listen 127.0.0.1:70000", exitUsage, "65535"},
		{"--listen 192.0.2.1:0", exitUnexpected, "192.0.2.1"}, // nobody's address
		{"--symbols AAPL,aapl!", exitUsage, "aapl!"},
		{"--sessions sometimes", exitUsage, "sometimes"},
		{"--start yesterday", exitUsage, "2026-11-27T09:00:00"},
		{"--start 1492-10-12T00:00:00", exitUsage, "1492"},
		{"--busy 100000", exitUsage, "busy"},
		{"--cash much", exitUsage, "much"},
		{"--cash -1", exitUsage, "-1"},
		{"--master-client-id -7", exitUsage, "-7"},
		{"--id-order 9", exitUsage, "15-9"},
		{"--farm-notices never", exitUsage, "between"},
		{"--id-in-use maybe", exitUsage, "326"},
		{"--market-data late", exitUsage, "delayed"},
		{"--log-level loud", exitUsage, "loud"},
		{"--data nowhere.csv --symbols MSFT", exitUsage, "--symbols"},
		{"--data nowhere.csv --any-symbol", exitUsage, "--any-symbol"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(t.Context(), strings.Fields(tt.args), &out, &errs); code != tt.code {
				t.Errorf("exit %d, want %d: %s", code, tt.code, &errs)
			}
			if text := out.String() + errs.String(); !strings.Contains(text, tt.say) {
				t.Errorf("says %q, nothing about %q", text, tt.say)
			}
		})
	}
}

func TestListensTellsAndWritesItsBooks(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		done <- run(ctx, []string{"--listen", "127.0.0.1:0", "--state", dir, "--json"}, in, &errs)
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Listen, Source string }
	if err := json.Unmarshal(line, &told); err != nil || strings.HasSuffix(told.Listen, ":0") || told.Source == "" {
		t.Errorf("told %s: %v", line, err)
	}
	stop()
	if code := <-done; code != exitOK {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, gateway.LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	var books exchange.Ledger
	if err := json.Unmarshal(text, &books); err != nil || len(books.Accounts) != 1 {
		t.Errorf("ledger %s: %v", text, err)
	}
}

func TestStateFolderIsMade(t *testing.T) {
	parent := t.TempDir()
	for range 2 { // the second time it is there
		if err := stateFolder(filepath.Join(parent, "sim")); err != nil {
			t.Error(err)
		}
	}
	if err := stateFolder(filepath.Join(parent, "no", "sim")); err == nil {
		t.Error("a folder below one that is not there was made")
	}
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := stateFolder(file); err == nil {
		t.Error("a file was taken for a folder")
	}
}
