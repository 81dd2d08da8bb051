package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A person halts, resumes and flattens on the page: what stops asks twice, what
// closes wants the word, and the page shows the mode that the desk tells.
func TestPageHaltsAndResumes(t *testing.T) {
	browser(t)
	t.Parallel()
	tr := startTrader(t, "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	p.awaits(t, "Ready", 15*time.Second, func(s shown) bool { return s.State == "ready" && s.Bars > 0 })
	told := func(q string) string {
		return asks(t, p, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, q)))
	}
	mode := func(want string, says ...string) {
		t.Helper()
		awaits(t, "the mode "+want, 10*time.Second, func() (string, bool) {
			text := told("#controls")
			ok := told("#mode") == want
			for _, s := range says {
				ok = ok && strings.Contains(text, s)
			}
			return text, ok
		})
	}
	mode("Active")
	token, err := os.ReadFile(filepath.Join(tr.data, "token"))
	if err != nil {
		t.Fatal(err)
	}

	p.does(t, chromedp.Click("#control-halt"))
	if text := told("#control-halt"); text != "Press again to halt" || told("#mode") != "Active" {
		t.Errorf("after one press: %q, mode %s", text, told("#mode"))
	}
	p.does(t, chromedp.Click("#control-halt"), chromedp.WaitVisible("#control-token"))
	p.pictures(t, "halt-sign-in")
	p.does(t, chromedp.EmulateViewport(wideX, wideY),
		chromedp.SendKeys("#control-token", strings.TrimSpace(string(token))), chromedp.Click("#control-token-send"))
	mode("Halted", "halted by the dashboard at 127.0.0.1")
	if pill := told("header"); !strings.Contains(pill, "halted by the dashboard") {
		t.Errorf("the head of the page says %q", pill)
	}
	p.pictures(t, "halted")

	p.does(t, chromedp.EmulateViewport(wideX, wideY), chromedp.Click("#control-resume"), chromedp.Click("#control-resume"))
	mode("Active", "resumed by the dashboard")

	p.does(t, chromedp.Click("#control-flatten"), chromedp.WaitVisible("#control-typed"), chromedp.SendKeys("#control-typed", "FLAT"))
	if off := asks(t, p, chromedp.Evaluate[bool](`document.querySelector("#control-flatten-sure").disabled`)); !off {
		t.Error("half the word is enough to flatten")
	}
	p.pictures(t, "flatten-sure")
	p.does(t, chromedp.EmulateViewport(wideX, wideY), chromedp.SendKeys("#control-typed", "TEN"), chromedp.Click("#control-flatten-sure"))
	mode("Halted, flat", "flat since")
	p.clean(t)
}
