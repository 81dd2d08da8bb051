package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser finds chromium and the built dashboard, or skips the test with the
// reason. With REQUIRE_BROWSER=1 it fails instead, so that a machine that is
// to run these tests cannot pass without them.
func browser(t *testing.T) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("REQUIRE_BROWSER") == "1" {
		missing = t.Fatalf
	}
	if _, err := os.Stat(filepath.Join("..", "..", "websocket", "web", "dist", "index.html")); err != nil {
		missing("the dashboard is not built (mend: ./scripts/web.sh): %v", err)
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing("no chromium on this machine (Debian: apt-get install chromium)")
	return ""
}

// tab is one page in a browser of its own.
type tab struct {
	ctx    context.Context //nolint:containedctx // chromedp's handle of the page
	mu     sync.Mutex      // guards faults
	faults []string        // warnings and errors on the console, exceptions
}

// openPage opens a page in a wide window.
func openPage(t *testing.T, url string) *tab {
	t.Helper()
	profile, err := os.MkdirTemp("", "start_trader-browser-")
	if err != nil {
		t.Fatal(err)
	}
	alloc, closeAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(browser(t)), chromedp.UserDataDir(profile),
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("blink-settings", "preferredColorScheme=0"), // dark
	)
	ctx, closeTab := chromedp.NewContext(alloc)
	heard := make(chan struct{})
	close(heard)
	t.Cleanup(func() {
		ended, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := chromedp.Cancel(ended); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the browser's end: %v", err)
		}
		cancel()
		closeTab()
		closeAlloc()
		<-heard
		remove(t, profile)
	})
	p := &tab{ctx: ctx}
	messages := chromedp.Console(ctx)
	heard = make(chan struct{})
	go func() { // ends with ctx
		defer close(heard)
		for m, err := range messages {
			if err != nil {
				return
			}
			p.hear(m)
		}
	}()
	p.does(t, chromedp.EmulateViewport(wideX, wideY), chromedp.Navigate(url))
	return p
}

// remove removes the browser's profile, into which its last children may
// still write for a moment.
func remove(t *testing.T, dir string) {
	t.Helper()
	awaits(t, "the browser's profile is removed", 10*time.Second, func() (string, bool) {
		err := os.RemoveAll(dir)
		return fmt.Sprint(err), err == nil
	})
}

func (p *tab) hear(m chromedp.ConsoleMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.Type {
	case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
		p.faults = append(p.faults, m.String()+" "+m.URL)
	}
}

// clean fails the test when the page complained so far.
func (p *tab) clean(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		t.Error("the page complains:", fault)
	}
}

// pageWithin bounds each thing that is done with a page.
const pageWithin = time.Minute

func (p *tab) does(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageWithin)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// asks runs what has an answer.
func asks[T any](t *testing.T, p *tab, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageWithin)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// shown is what a person would see, as far as the tests look.
type shown struct {
	State, StateText string // of the link
	Last             string // the price
	Simulated        bool
	Account          string // PAPER or LIVE and its id, when not simulated
	Rungs, Timings   int    // that are climbed; of these with a time
	Failed           string
	Bars, Marks      int // of the chart
	Fills, Orders    int // lines
	Positions        int // lines
	Cause, Advice    string
	Contact          string
	Overflow         int // pixels beyond the window's width
}

const look = `(() => {
	const text = (q) => document.querySelector(q)?.innerText ?? "";
	const rungs = [...document.querySelectorAll("[data-rung]")];
	const chart = document.querySelector("[data-bars]");
	return {
		State: document.querySelector("#link-state")?.dataset.state ?? "", StateText: text("#link-state"),
		Last: text("#last"), Simulated: document.querySelector("header")?.innerText.includes("SIMULATED") ?? false,
		Account: text("#account-kind"),
		Rungs: rungs.filter((r) => r.dataset.state === "ok").length,
		Timings: rungs.filter((r) => r.dataset.state === "ok" && / (ms|s)\b/.test(r.innerText)).length,
		Failed: rungs.filter((r) => r.dataset.state === "failed").map((r) => r.dataset.rung).join(" "),
		Bars: Number(chart?.dataset.bars ?? 0), Marks: Number(chart?.dataset.marks ?? 0),
		Fills: document.querySelectorAll("#fills tbody tr[data-exec]").length,
		Orders: document.querySelectorAll("#orders tbody tr[data-ref]").length,
		Positions: document.querySelectorAll("#positions tbody tr").length,
		Cause: text("#link-cause b"), Advice: text("#link-cause .advice"), Contact: text("#contact"),
		Overflow: document.documentElement.scrollWidth - innerWidth,
	};
})()`

func (p *tab) sees(t *testing.T) shown {
	t.Helper()
	return asks(t, p, chromedp.Evaluate[shown](look))
}

// awaits polls what is shown.
func (p *tab) awaits(t *testing.T, name string, within time.Duration, ok func(shown) bool) (s shown) {
	t.Helper()
	awaits(t, name, within, func() (string, bool) {
		s = p.sees(t)
		return fmt.Sprintf("%+v", s), ok(s)
	})
	return s
}

const (
	wideX, wideY   = 1440, 1000
	phoneX, phoneY = 390, 844
)

// pictures takes the page wide and as a phone has it, and holds the phone's
// page against its width. Files are written where SCREENSHOTS says.
func (p *tab) pictures(t *testing.T, name string) {
	t.Helper()
	for _, size := range []struct {
		what string
		x, y int64
		opts []chromedp.EmulateViewportOption
	}{
		{"wide", wideX, wideY, nil},
		{"phone", phoneX, phoneY, []chromedp.EmulateViewportOption{chromedp.EmulateScale(2), chromedp.EmulateMobile}},
	} {
		p.does(t, chromedp.EmulateViewport(size.x, size.y, size.opts...))
		p.awaits(t, "no horizontal overflow "+size.what, 2*time.Second, func(s shown) bool { return s.Overflow <= 0 })
		dir := os.Getenv("SCREENSHOTS")
		if dir == "" {
			continue
		}
		for part, shot := range map[string]chromedp.Action[[]byte]{"": chromedp.CaptureScreenshot(), "-whole": chromedp.FullScreenshot(100)} {
			path := filepath.Join(dir, name+"-"+size.what+part+".png")
			if err := os.WriteFile(path, asks(t, p, shot), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A newcomer's first minute: the page says Ready and SIMULATED, the ladder has
// its timings, the chart its bars, and the price moves.
func TestPageShowsTheMarket(t *testing.T) {
	browser(t)
	t.Parallel()
	tr := startTrader(t, "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	first := p.awaits(t, "Ready with a price", 10*time.Second, func(s shown) bool {
		return s.State == "ready" && s.StateText == "Ready" && s.Simulated && s.Rungs == 9 && s.Timings == 9 &&
			s.Bars > 0 && strings.Contains(s.Last, ".")
	})
	p.awaits(t, "the price moves", 10*time.Second, func(s shown) bool { return s.Last != first.Last })
	if s := p.sees(t); s.Contact != "" || s.Failed != "" {
		t.Errorf("a page in good order complains: %+v", s)
	}
	p.pictures(t, "market")
	p.clean(t)
}

// The page marks what was traded.
func TestPageShowsFills(t *testing.T) {
	browser(t)
	t.Parallel()
	tr := startTrader(t, "--sim-speed", "60", "--set", "fast=2", "--set", "slow=5", "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	fills, within := 1, 30*time.Second
	if os.Getenv("SCREENSHOTS") != "" {
		fills, within = 7, time.Minute // there is more to see
	}
	p.awaits(t, "fills, on the chart too, and a position", within, func(s shown) bool {
		return s.Fills >= fills && s.Orders >= fills && s.Marks > 0 && s.Positions == 1
	})
	p.pictures(t, "fills")
	p.clean(t)
}

// The truth about a gateway that dies, and about a trader that does.
func TestPageTellsOfLosses(t *testing.T) {
	browser(t)
	t.Parallel()
	const paper = "PAPER DU7654321"
	gateway, addr := startGateway(t, "127.0.0.1:0")
	tr := startTrader(t, "--broker", "ibkr", "--gateway", addr, "AAPL")
	p := openPage(t, "http://"+tr.addr+"/")
	p.awaits(t, "Ready", 10*time.Second, func(s shown) bool { return s.State == "ready" && s.Bars > 0 && s.Account == paper })
	p.clean(t)
	gateway.killed(t)
	lost := p.awaits(t, "the truth about the gateway", 3*time.Second, func(s shown) bool {
		return s.State != "ready" && s.StateText != "Ready" && s.Cause != "" && s.Advice != ""
	})
	t.Logf("the page says %s: %s → %s", lost.StateText, lost.Cause, lost.Advice)
	p.awaits(t, "the failed rung", 5*time.Second, func(s shown) bool { return s.Failed == "tcp" && strings.Contains(s.Cause, addr) && s.Account == paper })
	p.pictures(t, "gateway-lost")
	p.clean(t)
	tr.killed(t)
	p.awaits(t, "the banner about the trader", 4*time.Second, func(s shown) bool { return s.Contact != "" })
	p.pictures(t, "trader-lost")
}
