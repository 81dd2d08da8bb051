package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"robotrader/broker/ibkr/recorder"
	"robotrader/broker/ibkr/wire"
)

// recorded makes a data folder with a small session, and returns the recorder,
// which still runs.
func recorded(t *testing.T) (dir string, rec *recorder.Recorder) {
	t.Helper()
	dir = t.TempDir()
	rec = recorder.Start(dir, recorder.DefaultConfig(), nil)
	t.Cleanup(func() {
		if err := rec.Close(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	at := time.Date(2026, 4, 2, 14, 30, 0, 123456789, time.UTC)
	id := rec.Begin("127.0.0.1:4002", 1, at)
	say := func(out bool, payload string) {
		at = at.Add(time.Millisecond)
		rec.Frame(id, out, 200, at, []byte(payload))
	}
	hello, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	rec.Frame(id, true, 0, at, hello)
	rec.Frame(id, false, 0, at, []byte("200\x0020260402 09:30:00 EST\x00"))
	say(true, "71\x002\x001\x00\x00")
	say(false, "15\x001\x00DU1234567,DU7654321\x00")
	say(false, "9\x001\x0042\x00")
	say(false, "4\x00-1\x00321\x00Account DU7654321|is read-only\x1b[31m\x00\x000\x00")
	say(false, "49\x001\x001775140200\x00")
	if err := rec.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir, rec
}

// Frames are shown beside a recorder that runs, masked unless it is asked for.
func TestFrames(t *testing.T) {
	dir, rec := recorded(t)
	for _, tt := range []struct {
		args  string
		lines int
		say   []string
	}{
		{"", 8, []string{
			"2026-04-02T14:30:00.123456789Z  s1    begun", "hello                 Min=100 Max=200", "serverHello           Version=200",
			"startApi              ClientID=1", "nextValidId           OrderID=42", "DU*****67", "DU*****21", `Code=321`, `Epoch=1775140200`,
		}},
		{"--last 1", 1, []string{"currentTime"}},
		{"--out", 2, []string{"hello", "startApi"}},
		{"--in --last 0", 5, []string{"managedAccts"}},
		{"--message 9", 1, []string{"OrderID=42"}},
		{"--message NEXTVALIDID", 1, []string{"OrderID=42"}},
		{"--message begun", 1, []string{"127.0.0.1:4002|1"}},
		{"--session 7", 0, nil},
		{"--since 1m", 0, nil},
		{"--since 2026-04-02T14:30:00.126Z", 3, []string{"nextValidId"}},
		{"--raw --message errMsg", 1, []string{`4|-1|321|Account DU*****21\x7cis read-only\x1b[31m||0`}},
		{"--hex --message nextValidId", 1, []string{"39003100343200"}},
		{"--unmasked --message managedAccts", 1, []string{"DU1234567,DU7654321"}},
	} {
		out, errs, code := told(t, append([]string{"frames", "--data", dir}, strings.Fields(tt.args)...)...)
		if code != 0 || errs != "" || strings.Count(out, "\n") != tt.lines {
			t.Errorf("frames %s: exit %d, %d lines, want %d: %s%s", tt.args, code, strings.Count(out, "\n"), tt.lines, out, errs)
		}
		for _, say := range tt.say {
			if !strings.Contains(out, say) {
				t.Errorf("frames %s: nothing about %q in\n%s", tt.args, say, out)
			}
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("frames %s: a terminal would take a part of this for a command: %q", tt.args, out)
		}
		if shows := strings.Contains(out, "DU1234567"); shows != strings.Contains(tt.args, "unmasked") {
			t.Errorf("frames %s: an account is shown: %v", tt.args, shows)
		}
	}
	for args, code := range map[string]int{
		"--in --out": 2, "--raw --hex": 2, "--raw --json": 2, "--since yesterday": 2, "--since -5m": 2, "--last -1": 2, "--last x": 2, "--export f --check": 2, "AAPL": 2,
		"--from /nowhere": 1, "--export /nowhere/f": 1,
	} {
		if out, errs, got := told(t, append([]string{"frames", "--data", dir}, strings.Fields(args)...)...); got != code {
			t.Errorf("frames %s: exit %d, want %d: %s%s", args, got, code, out, errs)
		}
	}
	if _, errs, code := told(t, "frames", "--data", t.TempDir()); code != 1 || !strings.Contains(errs, "nothing is recorded in the data folder") {
		t.Errorf("a folder without a recording: exit %d, %s", code, errs)
	}
	if !rec.Stats().Recording {
		t.Error("looking stopped the recorder")
	}
}

func TestFramesAsJSON(t *testing.T) {
	dir, _ := recorded(t)
	out, _, code := told(t, "frames", "--json", "--data", dir)
	var names []string
	for line := range strings.Lines(out) {
		var f frameJSON
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Session != 1 {
			t.Fatalf("%s: %v", line, err)
		}
		names = append(names, f.Message)
		if f.Message == "nextValidId" && (f.Fields["OrderID"] != "42" || *f.ID != 9 || f.Version != 200 || f.Kind != "in") {
			t.Errorf("%s", line)
		}
	}
	if got := strings.Join(names, " "); code != 0 || got != "begun hello serverHello startApi managedAccts nextValidId errMsg currentTime" {
		t.Errorf("exit %d, messages %s", code, got)
	}
	if strings.Contains(out, "DU1234567") || strings.Contains(out, "DU7654321") {
		t.Errorf("an account in %s", out)
	}
}

// A check counts by message and fails with the first frame that does not
// decode; an export reads back as what it was made of, but for the accounts.
func TestFramesCheckAndExport(t *testing.T) {
	dir, rec := recorded(t)
	out, errs, code := told(t, "frames", "--check", "--data", dir)
	for _, row := range []string{`in +currentTime +1 +0 +1 +0 +0 +0 +0`, `out +hello +1 +0 +1 `, `in +managedAccts +1 +0 +1 `} {
		if !regexp.MustCompile(row).MatchString(out) {
			t.Errorf("no row like %q in\n%s", row, out)
		}
	}
	if code != 0 || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	rec.Frame(1, false, 200, time.Now(), []byte("9\x001\x00DU1234567\x00"))
	rec.Frame(1, false, 200, time.Now(), []byte("123\x00news\x00"))
	if err := rec.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, errs, code = told(t, "frames", "--check", "--data", dir)
	if code != 1 || !strings.Contains(errs, "1 frames do not decode") || !strings.Contains(out, "DU*****67") || strings.Contains(out+errs, "DU1234567") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if !regexp.MustCompile(`message 123 \(not known\) +1 +0 `).MatchString(out) {
		t.Errorf("an unknown message is no failure, and told: %s", out)
	}
	if out, _, code = told(t, "frames", "--check", "--json", "--data", dir, "--last", "1"); code != 0 || !strings.Contains(out, `"failures":[]`) || !strings.Contains(out, `"unknown":true`) {
		t.Errorf("exit %d: %s", code, out)
	}
	out, _, _ = told(t, "frames", "--last", "2", "--data", dir)
	if !strings.Contains(out, "DOES NOT DECODE") || !strings.Contains(out, "9|1|DU*****67") {
		t.Errorf("a frame that does not decode is shown as %s", out)
	}

	file := filepath.Join(t.TempDir(), "frames.txt")
	if out, errs, code = told(t, "frames", "--export", file, "--data", dir); code != 0 || !strings.Contains(out, "10 records written") || !strings.Contains(out, "masked") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "DU1234567") {
		t.Errorf("an account, or %v, in %s", err, text)
	}
	was, _, _ := told(t, "frames", "--last", "0", "--data", dir)
	is, errs, code := told(t, "frames", "--last", "0", "--from", file)
	if code != 0 || is != was {
		t.Errorf("exit %d %s: the export reads back as\n%swant\n%s", code, errs, is, was)
	}
}

// What is damaged is told on standard error, and what is whole is shown.
func TestFramesOfADamagedFile(t *testing.T) {
	dir, _ := recorded(t)
	segment := filepath.Join(dir, recorder.Folder, "00000001.rec")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.rec")
	if err := os.WriteFile(cut, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := told(t, "frames", "--from", cut)
	if code != 0 || strings.Count(out, "\n") != 7 || !strings.Contains(errs, "cut.rec at ") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}
