package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// trial is what one lane has seen, to be judged.
type trial struct {
	lane      string
	quick     bool
	heavy     bool
	restarted bool
	samples   []sample
	missed    int   // looks that failed
	miss      error // the newest of them

	stops, kills int             // of the trader
	readies      []time.Duration // from each start until ready

	orders, executions int
	refused            map[string]int // intents, by the rule
	findings           []broker.Finding
	modes              []broker.ModeRecord
	duplicates         error   // what is twice at the venue, or without a cause
	books              []error // what differs between the trader and the simulator
	early              error   // what was sent while the link was not ready

	left         host.States // sockets at the port when the trader had gone
	passed       int64       // dashboards that came and went
	stalled, cut int64       // that stopped reading, and of them those that were let go
	gaps         int         // numbers that the feed left out
}

// The limits. Memory is what the process takes from the machine, of its own.
// cmd/start_trader takes a floor for its heap at the start, so that what a leak adds
// may be in there for days and not in the slope: what the heap holds is judged by
// itself, by the least of each hour, as a collection in the middle of a burst finds
// more than stays, and in the second half, as lists with a bound (500 orders, the
// executions of a day) fill in the first. A descriptor or goroutine more is one look
// into a moment; the others are documented where the files are made
// (broker/ibkr/recorder, cmd/start_trader, services/diag).
const (
	memoryLimit  = 1e6 // bytes a simulated day, by the slope
	liveLimit    = 1e6 // the same
	filesLimit   = 1
	routineLimit = 2
	framesLimit  = 64 << 20
	framesFiles  = 256
	logsLimit    = 60 << 20
	probesLimit  = 2 << 20
)

// verdict is one line of the judgement.
type verdict struct {
	name, value, limit string
	ok                 bool
}

// judge returns all verdicts.
func (t trial) judge() []verdict {
	list := []verdict{t.tried()}
	add := func(name string, ok bool, limit, format string, args ...any) {
		list = append(list, verdict{name, fmt.Sprintf(format, args...), limit, ok})
	}
	if !t.quick && !t.heavy && !t.restarted {
		warm := after(t.calm(), 1)
		grows, unsure, why := slope(warm, func(s sample) float64 { return s.anonymous })
		add("memory", why == nil && grows < memoryLimit, "+1 MB a day", "%+.2f ± %.2f MB a simulated day over %d looks%s", grows/1e6, unsure/1e6, len(warm), tail(why))
		var half float64
		if len(warm) > 0 {
			half = warm[len(warm)-1].hour / 2
		}
		grows, unsure, why = slope(hourly(after(warm, half), func(s sample) float64 { return s.live }), func(s sample) float64 { return s.live })
		add("live heap", why == nil && grows < liveLimit, "+1 MB a day", "%+.2f ± %.2f MB a simulated day in the second half%s", grows/1e6, unsure/1e6, tail(why))
	}
	list = append(list, t.flat("descriptors", func(s sample) float64 { return s.files }, filesLimit),
		t.flat("goroutines", func(s sample) float64 { return s.goroutines }, routineLimit), t.zombies())
	add("sockets left", len(t.left) == 0, "none", "%v", t.left)
	unexplained := slices.DeleteFunc(slices.Clone(t.findings), func(f broker.Finding) bool { return f.Explained })
	first := ""
	if len(unexplained) > 0 {
		f := unexplained[0]
		first = fmt.Sprintf("; the first: %s %s%s was %s, the broker has %s (%s)", f.Kind, f.Symbol, f.Ref, f.Ours, f.Theirs, f.Evidence)
	}
	add("differences", len(unexplained) == 0, "none unexplained", "%d explained, %d not%s", len(t.findings)-len(unexplained), len(unexplained), first)
	mode := "active all the time"
	bad := slices.IndexFunc(t.modes, func(m broker.ModeRecord) bool { return m.Mode != broker.Active })
	if bad >= 0 {
		mode = fmt.Sprintf("%s: %s", t.modes[bad].Mode, t.modes[bad].Reason)
	}
	add("mode", bad < 0, "active", "%s", mode)
	add("orders", t.duplicates == nil, "none twice", "%d at the venue or on their way%s", t.orders, tail(t.duplicates))
	add("books", errors.Join(t.books...) == nil, "the simulator's", "%d executions%s", t.executions, tail(errors.Join(t.books...)))
	add("ready", t.early == nil, "no order sent before", "%d starts%s", len(t.readies), tail(t.early))
	list = append(list, t.folders())
	add("feed", t.gaps == 0, "no number left out", "%d", t.gaps)
	add("clients that do not read", t.cut == t.stalled, "all let go", "%d of %d", t.cut, t.stalled)
	return list
}

func tail(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// tried says whether there was anything to judge.
func (t trial) tried() verdict {
	v := verdict{name: "tried", limit: "something"}
	losses := 0.0
	for _, s := range t.samples {
		losses = max(losses, s.losses)
	}
	v.value = fmt.Sprintf("%d looks (%d calm, %d missed), %d orders, %.0f losses of the link in one life, %d stops, %d kills, %d passing dashboards",
		len(t.samples), len(t.calm()), t.missed, t.orders, losses, t.stops, t.kills, t.passed)
	v.ok = t.orders > 0 && t.executions > 0 && t.passed > 0 && t.missed*10 <= len(t.samples) && len(t.calm()) >= 6
	if t.restarted {
		v.ok = v.ok && t.stops > 0 && t.kills > 0
	} else {
		v.ok = v.ok && losses > 0
	}
	if t.miss != nil {
		v.value += tail(t.miss)
	}
	return v
}

// calm returns the samples that show the same state.
func (t trial) calm() []sample {
	return slices.DeleteFunc(slices.Clone(t.samples), func(s sample) bool { return !s.calm })
}

// after leaves out the first simulated hours.
func after(list []sample, hours float64) []sample {
	return slices.DeleteFunc(slices.Clone(list), func(s sample) bool { return s.hour < hours })
}

// hourly keeps of each simulated hour the look with the least of something.
func hourly(list []sample, of func(sample) float64) (kept []sample) {
	for _, s := range list {
		last := len(kept) - 1
		switch {
		case last < 0 || int(kept[last].hour) != int(s.hour):
			kept = append(kept, s)
		case of(s) < of(kept[last]):
			kept[last] = s
		}
	}
	return kept
}

// flat compares the first and the last third of the calm samples, where caches
// are full; or, of a trader that is restarted, the first life that was seen
// calm with the last.
func (t trial) flat(name string, of func(sample) float64, allow float64) verdict {
	list := t.calm()
	if !t.quick && !t.restarted {
		list = after(list, 1)
	}
	v := verdict{name: name, limit: fmt.Sprintf("+%.0f", allow)}
	n := len(list) / 3
	if n == 0 {
		v.value = fmt.Sprintf("only %d calm looks", len(list))
		return v
	}
	first, last := list[:n], list[len(list)-n:]
	if t.restarted {
		first, last = ofLife(list, list[0].life), ofLife(list, list[len(list)-1].life)
	}
	a, b := median(first, of), median(last, of)
	if t.quick { // few looks, in seconds that are full: it comes back to the same
		a, b = least(first, of), least(last, of)
	}
	v.value, v.ok = fmt.Sprintf("%.0f at first, %.0f at last", a, b), b-a <= allow
	return v
}

func ofLife(list []sample, life int) []sample {
	return slices.DeleteFunc(slices.Clone(list), func(s sample) bool { return s.life != life })
}

func least(list []sample, of func(sample) float64) float64 {
	n := of(list[0])
	for _, s := range list[1:] {
		n = min(n, of(s))
	}
	return n
}

func median(list []sample, of func(sample) float64) float64 {
	all := make([]float64, len(list))
	for i, s := range list {
		all[i] = of(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// slope is the least-squares slope a simulated day, with its standard error: how
// far the scatter of the looks alone may have moved it. It fails where it would say
// nothing.
func slope(list []sample, of func(sample) float64) (grows, unsure float64, err error) {
	var n, sx, sy, sxx, sxy, syy float64
	for _, s := range list {
		x, y := s.hour/24, of(s)-of(list[0]) // what all have is left out, so that no digit is lost
		n, sx, sy, sxx, sxy, syy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	d := n*sxx - sx*sx
	if n < 10 || d <= 0 {
		return 0, 0, fmt.Errorf("%.0f looks make no slope", n)
	}
	grows = (n*sxy - sx*sy) / d
	scatter := max(0, n*syy-sy*sy-grows*grows*d) / n // sum of the squares beside the line
	return grows, math.Sqrt(scatter / (n - 2) * n / d), nil
}

// zombies looks for sockets at the gateway's port that should be over: while it is
// calm there is one connection, and besides only what the kernel keeps. One look
// may fall into a moment, two in a row do not.
func (t trial) zombies() verdict {
	v := verdict{name: "zombie sockets", limit: "none", value: "none", ok: true}
	row := 0
	for _, s := range t.samples {
		odd := s.calm && (strange(s.ours) || strange(s.theirs))
		if row++; !odd {
			row = 0
		}
		if row == 2 {
			return verdict{v.name, fmt.Sprintf("in hour %.1f: the trader %v, the gateway %v", s.hour, s.ours, s.theirs), v.limit, false}
		}
	}
	return v
}

func strange(states host.States) bool {
	for state, n := range states {
		if state == host.TimeWait || state == host.Established && n == 1 {
			continue
		}
		if n > 0 {
			return true
		}
	}
	return false // none is the link's business
}

// folders holds the data folder against the documented bounds of what is in it.
func (t trial) folders() verdict {
	v := verdict{name: "data folder", limit: "its documented bounds", ok: true}
	var most sample
	for _, s := range t.samples {
		probes := s.folder["probes.jsonl"] + s.folder["probes.jsonl.1"]
		if s.folder["frames"] > framesLimit || s.frameFiles > framesFiles || s.folder["logs"] > logsLimit || probes > probesLimit {
			v.ok = false
			most = s
			break
		}
		if s.total() >= most.total() {
			most = s
		}
	}
	v.value = fmt.Sprintf("at most %.1f MB: frames %.1f MB in %d files, logs %.2f MB, probes %.2f MB, journal %.1f MB and its log %.1f MB",
		mb(most.total()), mb(most.folder["frames"]), most.frameFiles, mb(most.folder["logs"]), mb(most.folder["probes.jsonl"]+most.folder["probes.jsonl.1"]),
		mb(most.folder["journal.db"]), mb(most.folder["journal.db-wal"]))
	return v
}

func mb(n int64) float64 { return float64(n) / 1e6 }
