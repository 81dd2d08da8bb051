package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// soak runs both lanes side by side and prints what came of them. The error
// names what was broken.
func soak(ctx context.Context, p plan) error {
	p.say("%.4g simulated hours at speed %.4g: %v of this machine's time; seed %d", p.hours, p.speed, p.wall().Round(time.Second), p.seed)
	lanes := []*lane{
		{plan: p, name: "one life", seed: p.seed},
		{plan: p, name: "many lives", seed: p.seed + 1, restarted: true},
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, l := range lanes {
		l.trial = trial{lane: l.name, quick: p.quick, heavy: p.load == loads["heavy"], restarted: l.restarted, refused: map[string]int{}}
		wg.Go(func() {
			if errs[i] = l.run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	var broken []string
	for i, l := range lanes {
		var b strings.Builder
		l.trial.table(&b, p.hours)
		if errs[i] == nil {
			broken = append(broken, l.trial.verdicts(&b)...)
		}
		p.say("\n== %s\n%s", l.name, strings.TrimRight(b.String(), "\n"))
		if errs[i] != nil && !errors.Is(errs[i], context.Canceled) {
			broken = append(broken, l.name+": "+errs[i].Error())
		}
	}
	switch {
	case len(broken) > 0:
		return fmt.Errorf("BROKEN (seed %d): %s", p.seed, strings.Join(broken, "\n  and "))
	case errors.Join(errs...) != nil:
		return errors.Join(errs...)
	}
	return nil
}

// rows is how many lines the table over time has at most.
const rows = 13

// table prints what was held over time, and the slopes.
func (t trial) table(out io.Writer, hours float64) {
	if len(t.samples) == 0 {
		fmt.Fprintln(out, "no look succeeded")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "hour\tlife\tlink\town MB\tnot free MB\tresident MB\tlive heap MB\tgoroutines\tdescriptors\tfolder MB\tjournal MB\tlag ms\tlosses\tsockets, trader | gateway\t")
	every := max(1, len(t.samples)/rows)
	for i := 0; i < len(t.samples); i += every {
		s := t.samples[i]
		if j := slices.IndexFunc(t.samples[i:min(i+every, len(t.samples))], func(s sample) bool { return s.calm }); j > 0 {
			s = t.samples[i+j]
		}
		lag := time.Duration(0)
		for _, in := range t.samples[i:min(i+every, len(t.samples))] {
			lag = max(lag, in.lag)
		}
		fmt.Fprintf(w, "%.1f\t%d\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.1f\t%.1f\t%d\t%.0f\t%v | %v\t\n", s.hour, s.life, s.state, s.anonymous/1e6, s.held()/1e6, s.resident/1e6,
			s.live/1e6, s.goroutines, s.files, mb(s.total()), mb(s.folder["journal.db"]), lag.Milliseconds(), s.losses, s.ours, s.theirs)
	}
	_ = w.Flush() // into memory
	if !t.restarted && !t.quick {
		t.slopes(out, math.Min(1, hours/4))
		t.slopes(out, hours/2)
	}
}

// slopes prints the growth a simulated day of what can grow, after the first
// hour.
func (t trial) slopes(out io.Writer, from float64) {
	list := after(t.calm(), from)
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "growth a simulated day, least squares over %d calm looks after hour %.2g:", len(list), from)
	for _, f := range []struct {
		name, unit string
		scale      float64
		of         func(sample) float64
	}{
		{"own memory", " MB", 1e6, func(s sample) float64 { return s.anonymous }},
		{"of it not free", " MB", 1e6, sample.held},
		{"resident", " MB", 1e6, func(s sample) float64 { return s.resident }},
		{"live heap", " MB", 1e6, func(s sample) float64 { return s.live }},
		{"goroutines", "", 1, func(s sample) float64 { return s.goroutines }},
		{"descriptors", "", 1, func(s sample) float64 { return s.files }},
		{"data folder", " MB", 1e6, func(s sample) float64 { return float64(s.total()) }},
		{"journal", " MB", 1e6, func(s sample) float64 { return float64(s.folder["journal.db"]) }},
		{"lag", " ms", 1e6, func(s sample) float64 { return float64(s.lag) }},
	} {
		if grows, unsure, err := slope(list, f.of); err == nil {
			fmt.Fprintf(out, " %s %+.2f ± %.2f%s;", f.name, grows/f.scale, unsure/f.scale, f.unit)
		}
	}
	fmt.Fprintln(out)
}

// verdicts prints the judgement and returns what was broken.
func (t trial) verdicts(out io.Writer) (broken []string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range t.judge() {
		word := "held"
		if !v.ok {
			word = "BROKEN"
			broken = append(broken, fmt.Sprintf("%s: %s: %s, want %s", t.lane, v.name, v.value, v.limit))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\twant %s\n", word, v.name, strings.ReplaceAll(v.value, "\n", "; "), v.limit)
	}
	_ = w.Flush() // into memory
	var rules []string
	for rule, n := range t.refused {
		rules = append(rules, fmt.Sprintf("%s %d", rule, n))
	}
	slices.Sort(rules)
	fmt.Fprintf(out, "  refused by the gate: %s\n", strings.Join(rules, ", "))
	if len(t.readies) > 0 {
		fmt.Fprintf(out, "  ready after a start: at most %v of %d\n", slices.Max(t.readies).Round(time.Millisecond), len(t.readies))
	}
	return broken
}
