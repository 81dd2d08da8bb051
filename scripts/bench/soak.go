package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"robotrader/scripts/rig"
)

const (
	soakSpeed = 60               // market time over wall time
	soakGrain = 5 * time.Second  // between two looks at the trader
	soakEvery = 2 * time.Minute  // a restart and a farm flap: 2 simulated hours
	soakDown  = 30 * time.Second // the longest that an interruption may last
)

// soakFaults restarts the gateway at the end of every two simulated hours, and
// breaks its data farm in the middle, once with dead streams.
const soakFaults = `seed 11
after 59s of every connection: farm usfarm down for 1s
after 79s of every connection: farm usfarm down then farm usfarm up without streams
after 119s of every connection: restart down 1s
`

// soak runs a trader on an accelerated market whose gateway restarts and whose
// farm flaps, and looks at what it holds: descriptors, goroutines and memory
// must not grow, and it must be ready again after each interruption without a
// hand.
func soak(ctx context.Context, p plan) (s section, err error) {
	s.title = fmt.Sprintf("soak, %v at %d times the market's speed", p.soak, soakSpeed)
	faults := filepath.Join(p.folder, "soak.faults")
	if err := os.WriteFile(faults, []byte(soakFaults), 0o600); err != nil {
		return s, err
	}
	t, err := startTrader(p, "AAPL", "--sim-speed", strconv.Itoa(soakSpeed), "--faults", faults)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return s, err
	}
	watched, cancel := context.WithCancel(ctx)
	page := make(chan error, 1)
	go func() { page <- rig.Follow(watched, t.addr, func([]byte) {}) }()
	defer func() {
		cancel()
		if pageErr := <-page; err == nil && !errors.Is(pageErr, context.Canceled) {
			err = pageErr
		}
	}()
	o, err := observe(ctx, t, p.soak)
	if err != nil {
		return s, err
	}
	o.report(&s, p.soak)
	return s, nil
}

// look is what the trader holds at one instant.
type look struct {
	at                time.Time
	anonymous         float64 // bytes of memory of its own
	resident          float64 // with the pages of its binary
	files, goroutines float64
	losses, readies   float64
}

// observation is all looks, and how long the interruptions were.
type observation struct {
	looks []look
	downs sample
}

// observe looks every soakGrain, and at readiness ten times as often.
func observe(ctx context.Context, t *trader, d time.Duration) (o observation, err error) {
	end := time.Now().Add(d)
	tick := time.NewTicker(soakGrain / 10)
	defer tick.Stop()
	var down time.Time
	for i := 0; time.Now().Before(end); i++ {
		select {
		case <-tick.C:
		case <-t.ended:
			return o, t.fault("it ended by itself: %v", t.err)
		case <-ctx.Done():
			return o, ctx.Err()
		}
		ready, err := t.ready(ctx)
		if err != nil {
			return o, t.fault("/readyz: %v", err)
		}
		switch {
		case !ready && down.IsZero():
			down = time.Now()
		case ready && !down.IsZero():
			o.downs = append(o.downs, time.Since(down))
			down = time.Time{}
		}
		if i%10 != 0 {
			continue
		}
		l, err := t.look(ctx)
		if err != nil {
			return o, t.fault("/metrics: %v", err)
		}
		o.looks = append(o.looks, l)
	}
	if !down.IsZero() {
		o.downs = append(o.downs, time.Since(down))
	}
	return o, nil
}

func (t *trader) ready(ctx context.Context) (bool, error) {
	status, _, err := t.get(ctx, "/readyz")
	return status == http.StatusOK, err
}

func (t *trader) look(ctx context.Context) (l look, err error) {
	_, text, err := t.get(ctx, "/metrics")
	if err != nil {
		return l, err
	}
	l.at = time.Now()
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		name, value, ok := strings.Cut(in.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue
		}
		switch name {
		case "process_open_fds":
			l.files = n
		case "go_goroutines":
			l.goroutines = n
		case "trader_link_lost_total":
			l.losses = n
		case "trader_link_ready_total":
			l.readies = n
		}
	}
	if l.goroutines == 0 {
		return l, errors.New("the metrics tell no goroutines")
	}
	if err := in.Err(); err != nil {
		return l, err
	}
	proc, err := procfs.NewProc(t.cmd.Process.Pid)
	if err != nil {
		return l, err
	}
	held, err := proc.NewStatus()
	l.anonymous, l.resident = float64(held.RssAnon), float64(held.VmRSS)
	return l, err
}

func (t *trader) get(ctx context.Context, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return resp.StatusCode, string(b), err
}

// report judges. The first sixth is warming up: caches and lists fill to their
// bounds.
func (o observation) report(s *section, d time.Duration) {
	warm := o.looks[len(o.looks)/6:]
	last := warm[len(warm)-1]
	simulated := d * soakSpeed
	due := int(d/soakEvery) - 1
	s.judge("restarts of the gateway", fmt.Sprintf("%.0f lost, %.0f times ready", last.losses, last.readies),
		fmt.Sprintf("at least %d", due), int(last.losses) >= due && last.readies >= last.losses)
	s.judge("longest time not ready", millis(o.downs.at(1)), millis(soakDown), o.downs.at(1) <= soakDown)
	s.add("interruptions, median", fmt.Sprintf("%d, %s", len(o.downs), millis(o.downs.median())))
	flat := func(name string, of func(look) float64, allow float64) {
		first, second := split(warm, of)
		s.judge(name, fmt.Sprintf("median %.0f in the first half, %.0f in the second", first, second),
			fmt.Sprintf("+%.0f", allow), second-first <= allow)
	}
	flat("descriptors", func(l look) float64 { return l.files }, 1)
	flat("goroutines", func(l look) float64 { return l.goroutines }, 2)
	grows := slope(warm, func(l look) float64 { return l.anonymous }) * d.Seconds()
	s.judge("its own memory, by the slope", fmt.Sprintf("%.1f MB now, %+.2f MB over the run", last.anonymous/1e6, grows/1e6), "+2 MB", grows <= 2e6)
	s.add("resident with the binary's pages", fmt.Sprintf("%.1f MB", last.resident/1e6))
	s.note("%.0f simulated hours; the first sixth of the run is left out of the slopes.", simulated.Hours())
}

// split returns the medians of the two halves.
func split(list []look, of func(look) float64) (first, second float64) {
	mid := func(part []look) float64 {
		var m sample
		for _, l := range part {
			m = append(m, time.Duration(of(l)))
		}
		return float64(m.at(0.5))
	}
	return mid(list[:len(list)/2]), mid(list[len(list)/2:])
}

// slope is the least-squares slope a second.
func slope(list []look, of func(look) float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, l := range list {
		x, y := l.at.Sub(list[0].at).Seconds(), of(l)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d > 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}
