package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A trader that others can reach shows its page after the token alone; a browser
// whose sign-in has ended, as with the trader's restart, is asked again.
func TestPageAsksForTheTokenBeforeItTellsAnything(t *testing.T) {
	browser(t)
	t.Parallel()
	args := []string{"--http", freeAddr(t), "--behind-proxy", "192.0.2.9/32", "AAPL"}
	tr := startTrader(t, args...)
	token, err := os.ReadFile(filepath.Join(tr.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	p := openPage(t, "http://"+tr.addr+"/")
	told := func(q string) string {
		return asks(t, p, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, q)))
	}
	p.does(t, chromedp.WaitVisible("#token"))
	if text := told("body"); strings.Contains(text, "AAPL") || strings.Contains(text, "DU7654321") {
		t.Errorf("before the token the page says %q", text)
	}
	p.does(t, chromedp.SendKeys("#token", "a wrong one"), chromedp.Click("#send"))
	awaits(t, "a wrong token is told", 5*time.Second, func() (string, bool) {
		text := told("#said")
		return text, strings.Contains(text, "not the trader's token")
	})
	p.does(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("#token").value = ""`),
		chromedp.SendKeys("#token", strings.TrimSpace(string(token))), chromedp.Click("#send"))
	p.does(t, chromedp.WaitVisible("#control-halt"))
	p.awaits(t, "the dashboard", 15*time.Second, func(s shown) bool { return s.State == "ready" })

	tr.signal(t, syscall.SIGTERM)
	tr.ends(t, exitStopped, stopsWithin)
	startTraderOn(t, tr.data, args...)
	awaits(t, "the sign-in again", 30*time.Second, func() (string, bool) {
		text := told("label")
		return text, strings.Contains(text, "The trader's token")
	})
}
