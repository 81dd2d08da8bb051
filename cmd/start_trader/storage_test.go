package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"robotrader/broker"
)

// awaitsStopped waits until everything that is to tell of a failing journal
// does: readiness, the state, a metric and the log.
func awaitsStopped(t *testing.T, tr trader, kind string) {
	t.Helper()
	awaits(t, "a readiness that names the journal", 20*time.Second, func() (string, bool) {
		status, body := get(tr.addr, "/readyz") // its status is the link's, which is ready
		return fmt.Sprint(status, " ", body), status == http.StatusOK && strings.Contains(body, `"ready":false`) &&
			strings.Contains(body, `"name":"journal"`) && strings.Contains(body, "entries stop: the journal takes nothing since")
	})
	awaits(t, "the state's health", 5*time.Second, func() (string, bool) {
		f, text := journalOf(tr)
		if f == nil {
			return text, false
		}
		return fmt.Sprintf("%+v", f), f.Kind == kind && !f.Since.IsZero() && f.Cause != "" && f.Advice != "" && f.Mends
	})
	awaits(t, "the metric", 5*time.Second, func() (string, bool) {
		_, text := get(tr.addr, "/metrics")
		return "", strings.Contains(text, `trader_journal_failed{kind="`+kind+`"} 1`) && strings.Contains(text, "trader_journal_failed_since_timestamp_seconds")
	})
	if got := tr.said.String(); !strings.Contains(got, "journal_stopped") {
		t.Errorf("the log says nothing:\n%s", tail(got, 2000))
	}
}

// journalOf is the journal's failure as the state tells it, and the health
// around it, "" when there is none.
func journalOf(tr trader) (*broker.JournalFailure, string) {
	_, body := get(tr.addr, "/api/state")
	var s struct {
		Data struct{ Health json.RawMessage }
	}
	var health struct{ Journal *broker.JournalFailure }
	if json.Unmarshal([]byte(body), &s) != nil || json.Unmarshal(s.Data.Health, &health) != nil {
		return nil, ""
	}
	return health.Journal, string(s.Data.Health)
}

func awaitsWorking(t *testing.T, tr trader) {
	t.Helper()
	awaits(t, "a readiness without trouble", 20*time.Second, func() (string, bool) {
		_, body := get(tr.addr, "/readyz")
		return body, strings.Contains(body, `"ready":true`)
	})
	awaits(t, "a state without the failure", 5*time.Second, func() (string, bool) {
		f, text := journalOf(tr)
		return text, f == nil && text != ""
	})
	awaits(t, "an event of the end", 5*time.Second, func() (string, bool) {
		_, text := stateOf(tr.addr)
		return "", strings.Contains(text, "journal_works")
	})
}

// A journal that another program holds: the trader says so everywhere, on the
// page with since and advice, and goes on when it is free.
func TestLockedJournalIsToldEverywhere(t *testing.T) {
	browser(t)
	t.Parallel()
	tr := startTrader(t, "--strategy", "every_tick", "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	p.awaits(t, "Ready", 15*time.Second, func(s shown) bool { return s.State == "ready" })
	told := func(q string) string {
		return asks(t, p, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, q)))
	}
	if text := told("#journal-failure"); text != "" {
		t.Errorf("a journal that works is told as %q", text)
	}
	free := hold(t, filepath.Join(tr.data, "journal.db"))
	awaitsStopped(t, tr, "locked")
	awaits(t, "the page's line", 5*time.Second, func() (string, bool) {
		text := told("#journal-failure")
		return text, strings.HasPrefix(text, "Entries stop: the journal takes nothing since ") &&
			strings.Contains(text, "another program holds it") && strings.Contains(text, "Do this: close the program")
	})
	if text := told("#health"); !strings.Contains(text, "takes nothing for") {
		t.Errorf("the health part says %q", text)
	}
	p.pictures(t, "journal-locked")
	free()
	awaitsWorking(t, tr)
	awaits(t, "the page's line is gone", 5*time.Second, func() (string, bool) {
		text := told("#journal-failure")
		return text, text == ""
	})
	p.clean(t)
}

// hold takes the write lock of a journal, as another program would, until free
// is called.
func hold(t *testing.T, path string) (free func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(t.Context())
	if err == nil {
		_, err = c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	free = func() {
		_, err := c.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK")
		if err = errors.Join(err, c.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
	return free
}

// A data folder on a disk that is really full, until it has room again.
func TestFullDiskIsToldAndMends(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "mode=700,size=16m"); err != nil {
		t.Skipf("this machine does not let root mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	tr := startTraderOn(t, filepath.Join(disk, "data"), "--strategy", "every_tick", "AAPL")
	awaitsReady(t, tr.addr, 15*time.Second)
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if closing := f.Close(); closing != nil || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v, %v", err, closing)
	}
	awaitsStopped(t, tr, "full")
	if status, body := get(tr.addr, "/healthz"); status != http.StatusOK || !json.Valid([]byte(body)) {
		t.Errorf("the rest does not go on: %d %s", status, body)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	awaitsWorking(t, tr)
	tr.signal(t, os.Interrupt)
	tr.ends(t, 0, 12*time.Second)
}
