package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// one is what the port looks like when all is well: one connection, and one that
// the kernel keeps for a minute.
func one() host.States { return host.States{host.Established: 1, host.TimeWait: 1} }

// day is a trial of a day in which nothing grows: memory goes up and down by what
// collections leave, and passing clients and interruptions come and go.
func day(restarted bool) trial {
	t := trial{lane: "test", restarted: restarted, orders: 9, executions: 9, passed: 9, refused: map[string]int{}, stops: 1, kills: 1}
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 450 {
		s := sample{
			hour: 24 * float64(i) / 450, calm: i%3 > 0, state: "ready", losses: 1, free: 3e6 * dice.Float64(),
			live: 6e6, goroutines: 164 + float64(i%2), files: 24, ours: one(), theirs: one(),
			folder: map[string]int64{"frames": framesLimit, "logs": 1e6}, frameFiles: 9,
		}
		s.anonymous = 20e6 + s.free + 1e6*dice.Float64()
		if !s.calm { // with clients that pass
			s.goroutines, s.files, s.ours = 180, 30, host.States{host.CloseWait: 1, host.Established: 1}
		}
		if restarted {
			s.life = i / 90
		}
		t.samples = append(t.samples, s)
	}
	return t
}

func each(t *trial, change func(hour float64, s *sample)) {
	for i := range t.samples {
		change(t.samples[i].hour, &t.samples[i])
	}
}

// TestTheJudgeNotices: each fault that a soak is there for breaks its own line
// and no other, and nothing is broken where there is none.
func TestTheJudgeNotices(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*trial)
		want   string // the line that is broken; "" = none
	}{
		{"all well", func(*trial) {}, ""},
		{"memory leaks", func(d *trial) { each(d, func(h float64, s *sample) { s.anonymous += 2e6 * h / 24 }) }, "memory"},
		{"the heap leaks below its floor", func(d *trial) { each(d, func(h float64, s *sample) { s.live += 5e6 * h / 24 }) }, "live heap"},
		{"it leaks a little below its floor", func(d *trial) { each(d, func(h float64, s *sample) { s.live += 1.2e6 * h / 24 }) }, "live heap"},
		{"lists fill", func(d *trial) { each(d, func(h float64, s *sample) { s.live += 1.5e6 * min(h, 11) / 11 }) }, ""},
		{"it leaks from noon on", func(d *trial) { each(d, func(h float64, s *sample) { s.live += 1.2e6 * max(0, h-12) / 12 }) }, "live heap"},
		{"what is free in the heap grows", func(d *trial) {
			each(d, func(h float64, s *sample) { s.anonymous, s.free = s.anonymous+4e6*h/24, s.free+4e6*h/24 })
		}, "memory"},
		{"collections fall into bursts more and more often", func(d *trial) {
			n := 0
			each(d, func(h float64, s *sample) {
				if n++; n%4 > 0 {
					s.live += 3e6 * h / 24
				}
			})
		}, ""},
		{"memory grows within the limit", func(d *trial) { each(d, func(h float64, s *sample) { s.anonymous += 0.3e6 * h / 24 }) }, ""},
		{"memory grows in the first hour", func(d *trial) { each(d, func(h float64, s *sample) { s.anonymous += 9e6 * min(h, 1) }) }, ""},
		{"a descriptor leaks every three hours", func(d *trial) { each(d, func(h float64, s *sample) { s.files += float64(int(h / 3)) }) }, "descriptors"},
		{"a goroutine leaks every hour", func(d *trial) { each(d, func(h float64, s *sample) { s.goroutines += float64(int(h)) }) }, "goroutines"},
		{"an old socket stays with us", func(d *trial) {
			each(d, func(h float64, s *sample) {
				if h > 12 {
					s.ours = host.States{host.Established: 1, host.CloseWait: 1}
				}
			})
		}, "zombie sockets"},
		{"two connections", func(d *trial) {
			each(d, func(_ float64, s *sample) { s.theirs = host.States{host.Established: 2} })
		}, "zombie sockets"},
		{"a socket in a moment", func(d *trial) { d.samples[100].ours = host.States{host.Established: 1, host.LastAck: 1} }, ""},
		{"a socket after the end", func(d *trial) { d.left = host.States{host.CloseWait: 1} }, "sockets left"},
		{"a difference", func(d *trial) { d.findings = []broker.Finding{{Kind: "cash"}} }, "differences"},
		{"an explained one", func(d *trial) { d.findings = []broker.Finding{{Kind: "order", Explained: true}} }, ""},
		{"reduce only", func(d *trial) {
			d.modes = []broker.ModeRecord{{Mode: broker.ReduceOnly}, {Mode: broker.Active}}
		}, "mode"},
		{"an order twice", func(d *trial) { d.duplicates = errors.New("twice") }, "orders"},
		{"another position", func(d *trial) { d.books = []error{nil, errors.New("7, not 8")} }, "books"},
		{"sent too early", func(d *trial) { d.early = errors.New("early") }, "ready"},
		{"frames outgrow their bound", func(d *trial) { d.samples[7].folder = map[string]int64{"frames": framesLimit + 1} }, "data folder"},
		{"too many files of frames", func(d *trial) { d.samples[7].frameFiles = framesFiles + 1 }, "data folder"},
		{"logs outgrow theirs", func(d *trial) { d.samples[7].folder = map[string]int64{"logs": logsLimit + 1} }, "data folder"},
		{"the feed leaves out a number", func(d *trial) { d.gaps = 1 }, "feed"},
		{"a client that does not read is kept", func(d *trial) { d.stalled, d.cut = 3, 2 }, "clients that do not read"},
		{"nothing was tried", func(d *trial) { d.orders = 0 }, "tried"},
		{"it could not be looked at", func(d *trial) { d.missed, d.miss = len(d.samples), errors.New("503") }, "tried"},
	} {
		d := day(false)
		tt.change(&d)
		var broken []string
		for _, v := range d.judge() {
			if !v.ok {
				broken = append(broken, v.name)
			}
		}
		if got := strings.Join(broken, ", "); got != tt.want {
			t.Errorf("%s: broken %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestALifeIsComparedWithTheFirst: a trader that is restarted starts anew, so
// what is compared is its last life with its first.
func TestALifeIsComparedWithTheFirst(t *testing.T) {
	d := day(true)
	if i := slices.IndexFunc(d.judge(), func(v verdict) bool { return !v.ok }); i >= 0 {
		t.Errorf("all well: %+v", d.judge()[i])
	}
	each(&d, func(_ float64, s *sample) { s.goroutines += float64(s.life) })
	got := d.judge()
	if i := slices.IndexFunc(got, func(v verdict) bool { return v.name == "goroutines" }); i < 0 || got[i].ok {
		t.Errorf("a goroutine more in each life was not noticed: %+v", got)
	}
	d.kills = 0
	if d.tried().ok {
		t.Error("a run without a kill counts as tried")
	}
}

// TestAQuickRunComesBackToTheSame: in it, most looks fall into moments, and what
// never comes back is noticed all the same.
func TestAQuickRunComesBackToTheSame(t *testing.T) {
	judged := func(d trial) (list []string) {
		d.quick = true
		for _, v := range d.judge() {
			if !v.ok {
				list = append(list, v.name)
			}
		}
		return list
	}
	d := day(false)
	for i := range d.samples {
		if i > 300 && i%10 > 0 {
			d.samples[i].goroutines += 7
		}
	}
	if got := judged(d); len(got) > 0 {
		t.Errorf("moments: %q", got)
	}
	each(&d, func(h float64, s *sample) { s.goroutines += 3 * h / 12; s.files += h / 6 })
	if got := judged(d); !slices.Equal(got, []string{"descriptors", "goroutines"}) {
		t.Errorf("a leak: %q", got)
	}
}

// TestTooFewLooksJudgeNothing: what cannot be judged is not well.
func TestTooFewLooksJudgeNothing(t *testing.T) {
	d := day(false)
	each(&d, func(_ float64, s *sample) { s.calm = false })
	for _, v := range d.judge() {
		if slices.Contains([]string{"tried", "memory", "descriptors", "goroutines"}, v.name) && v.ok {
			t.Errorf("without a calm look, %s is held: %s", v.name, v.value)
		}
	}
}

// TestTheReportNamesWhatIsBroken: on paper, and in the error.
func TestTheReportNamesWhatIsBroken(t *testing.T) {
	d := day(false)
	d.left = host.States{host.CloseWait: 2}
	var b strings.Builder
	d.table(&b, 24)
	broken := d.verdicts(&b)
	if len(broken) != 1 || !strings.Contains(broken[0], "sockets left: 2 CLOSE_WAIT") {
		t.Errorf("broken: %q", broken)
	}
	for _, want := range []string{"BROKEN  sockets left", "own memory", "held    memory"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

// TestTheScheduleFits: whatever the length, the script has no more rules than a
// script may have, and the last interruption leaves time to recover.
func TestTheScheduleFits(t *testing.T) {
	for _, hours := range []float64{quickHours, 1, 24, 72, 720} {
		for _, restarted := range []bool{false, true} {
			p := plan{hours: hours, speed: usualSpeed, quick: hours == quickHours}
			script := p.script(7, restarted)
			if n := strings.Count(script, "\n"); n > 200 {
				t.Errorf("%v hours make a script of %d lines", hours, n)
			}
			if script != p.script(7, restarted) || script == p.script(8, restarted) && hours > 1 {
				t.Errorf("%v hours: the script is not the seed's", hours)
			}
			var last time.Duration
			for line := range strings.Lines(script) {
				var at string
				if _, err := fmt.Sscanf(line, "after %s", &at); err != nil {
					continue
				}
				d, err := time.ParseDuration(strings.TrimSuffix(at, ":"))
				if err != nil {
					t.Fatal(err)
				}
				last = max(last, d)
			}
			if last == 0 || last > p.wall()-p.gap()/4 {
				t.Errorf("%v hours: the last interruption is after %v of %v", hours, last, p.wall())
			}
		}
	}
}
