package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// recognised lists the runbook's entries that a report names.
func recognised(r Report) (list []Entry) {
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if !slices.Contains(list, f.Runbook) {
				list = append(list, f.Runbook)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Every situation is recognised by what a real gateway, folder or trader shows,
// and a trader that is well shows none.
func TestSituationsAreRecognised(t *testing.T) {
	at := func(l broker.Link) *broker.Link {
		l.Since, l.Facts = time.Now(), broker.Facts{ClientID: 1}
		return &l
	}
	asked := func(l *broker.Link) func(t *testing.T) Question {
		return func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1"), Folder: folder(t)}
			running(t, q.Folder, l)
			return q
		}
	}
	for _, tt := range []struct {
		name  string
		given func(t *testing.T) Question
		want  []Entry
	}{
		{"well", func(t *testing.T) Question { return Question{Gateway: play(t, "seed 1")} }, nil},
		{"a trader that is well", asked(at(broker.Link{State: broker.Ready})), nil},
		{"down", func(t *testing.T) Question { return Question{Gateway: freeAddress(t)} }, []Entry{EntryRestart}},
		{"wedged", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on connection 1: wedge"), Timeout: 300 * time.Millisecond}
		}, []Entry{EntryHangs}},
		{"client id in use", func(t *testing.T) Question {
			q := Question{Gateway: play(t, "seed 1")}
			hold(t, q.Gateway, 1)
			return q
		}, []Entry{EntryClientID}},
		{"not logged in", func(t *testing.T) Question {
			return Question{Gateway: play(t, "on every connection: account list missing"), Timeout: enough}
		}, []Entry{EntryLogin}},
		{"the trader found it hanging", asked(at(broker.Link{State: broker.NeedsRestart})), []Entry{EntryHangs}},
		{"the trader waits for a second factor", asked(at(broker.Link{State: broker.Waiting, Phase: broker.FactorPhase})), []Entry{EntryLogin}},
		{"the trader waits for the restart", asked(at(broker.Link{State: broker.Waiting, Phase: broker.RestartPhase})), []Entry{EntryRestart}},
		{"the trader's client id is in use", asked(at(broker.Link{State: broker.Waiting, Failure: broker.ClientIDInUse})), []Entry{EntryClientID}},
		{"a damaged journal", func(t *testing.T) Question {
			return Question{Gateway: play(t, "seed 1"), Books: func(context.Context, string) (broker.LedgerLook, error) {
				return broker.LedgerLook{}, fmt.Errorf("%w: row 7", broker.ErrUntrusted)
			}}
		}, []Entry{EntryRestore}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := examine(t, tt.given(t))
			if got := recognised(e.Report); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q:\n%s", got, tt.want, e.text)
			}
			b, err := json.Marshal(e.Report)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range tt.want {
				if !strings.Contains(e.text, "see the runbook, "+entry.Link()) || !strings.Contains(string(b), `"link":"`+entry.Link()+`"`) {
					t.Errorf("no %s in\n%s", entry.Link(), e.text)
				}
			}
			for _, c := range e.Checks {
				for _, f := range c.Findings {
					if f.Cause == "" || len(f.Evidence) == 0 || len(f.Advice) == 0 {
						t.Errorf("%s: a finding without cause, evidence or advice: %+v", c.Name, f)
					}
				}
			}
		})
	}
}

func checked(f func(c *Check)) Check {
	c := Check{Verdict: VerdictOK}
	f(&c)
	c.settle()
	return c
}

// shows fails the test unless the check has this verdict, and one finding of the
// entry, or none for "".
func shows(t *testing.T, name string, c Check, v Verdict, e Entry) {
	t.Helper()
	if got := recognised(Report{Checks: []Check{c}}); c.Verdict != v || e == "" && got != nil || e != "" && !slices.Equal(got, []Entry{e}) {
		t.Errorf("%s: %s with %q, want %s with %q: %+v", name, c.Verdict, got, v, e, c)
	}
}

func TestCompetingSession(t *testing.T) {
	now := time.Now()
	tr := trader{runs: true, link: &broker.Link{State: broker.Ready, Since: now}, health: &broker.Health{}}
	shows(t, "alone", checked(func(c *Check) { judgeTrader(c, tr) }), VerdictOK, "")
	tr.health.Competing = &now
	shows(t, "10197", checked(func(c *Check) { judgeTrader(c, tr) }), VerdictWarning, EntryCompeting)
}

// TestJournalOfARunningTrader: what the trader says of its journal counts, also
// where the folder has room and its file looks well.
func TestJournalOfARunningTrader(t *testing.T) {
	for _, kind := range append(broker.JournalFailureKinds(), "") {
		state := map[string]any{"link": linkAt(broker.Ready, "127.0.0.1:4002"), "health": map[string]any{}}
		want, entry, says := VerdictFailed, EntryDisk, "entries stop: its journal takes nothing since"
		switch kind {
		case "":
			want, entry, says = VerdictOK, "", "ready since"
		case "damaged", "lost", "tampered":
			entry = EntryRestore
		}
		if kind != "" {
			state["health"] = map[string]any{"journal": broker.JournalFailure{Kind: kind, Since: time.Now(), Cause: "sync: input/output error", Advice: "look at the disk"}}
		}
		dir := folder(t)
		tells(t, dir, state)
		c, _ := Doctor{Host: machine{host.New()}}.trader(t.Context(), Question{Folder: dir})
		shows(t, kind, c, want, entry)
		if text := strings.Join(c.Found, "\n"); !strings.Contains(text, says) || kind != "" && !slices.Contains(c.Advice, "look at the disk") {
			t.Errorf("%q: %s; %q", kind, text, c.Advice)
		}
	}
}

func TestDiskIsRecognised(t *testing.T) {
	for free, want := range map[uint64]Verdict{0: VerdictFailed, 99 << 20: VerdictFailed, 500 << 20: VerdictWarning, 2 << 30: VerdictOK} {
		e := EntryDisk
		if want == VerdictOK {
			e = ""
		}
		shows(t, fmt.Sprint(free), checked(func(c *Check) { judgeSpace(c, free) }), want, e)
	}
	for err, e := range map[error]Entry{
		&fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}:   EntryDisk,
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}: EntryDisk,
		&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}:  "",
	} {
		shows(t, err.Error(), checked(func(c *Check) { judgeUnwritable(c, err) }), VerdictFailed, e)
	}
}

func TestJournalIsJudged(t *testing.T) {
	active, halted := &broker.ModeRecord{Mode: broker.Active}, &broker.ModeRecord{Mode: broker.Halted, Reason: "earnings", Since: time.Now()}
	for _, tt := range []struct {
		name string
		look broker.LedgerLook
		err  error
		v    Verdict
		e    Entry
	}{
		{"good", broker.LedgerLook{Rows: 3, Witness: true, Mode: active}, nil, VerdictOK, ""},
		{"no mode yet", broker.LedgerLook{Witness: true}, nil, VerdictOK, ""},
		{"halted by a person", broker.LedgerLook{Witness: true, Mode: halted}, nil, VerdictWarning, ""},
		{"restored, still halted", broker.LedgerLook{Witness: true, Mode: halted, Restored: "b.db"}, nil, VerdictWarning, EntryRestore},
		{"no witness", broker.LedgerLook{Mode: active}, nil, VerdictWarning, ""},
		{"damaged", broker.LedgerLook{}, broker.ErrUntrusted, VerdictFailed, EntryRestore},
		{"not to be read", broker.LedgerLook{}, fs.ErrPermission, VerdictWarning, ""},
		{"none yet", broker.LedgerLook{}, fs.ErrNotExist, VerdictSkipped, ""},
	} {
		q := Question{Books: func(context.Context, string) (broker.LedgerLook, error) { return tt.look, tt.err }}
		c := checked(func(c *Check) { checkJournal(t.Context(), c, q) })
		shows(t, tt.name, c, tt.v, tt.e)
		if c.Verdict == VerdictWarning && len(c.Advice) == 0 {
			t.Errorf("%s: no advice", tt.name)
		}
	}
}

// service is a machine whose systemd says this.
type service struct {
	told
	unit host.Unit
	err  error
}

func (s service) Unit(context.Context, string) (host.Unit, error) { return s.unit, s.err }

func TestUnitIsJudged(t *testing.T) {
	well := host.Unit{Load: "loaded", Active: "active", Sub: "running", File: "enabled", Result: "success"}
	but := func(f func(u *host.Unit)) host.Unit {
		u := well
		f(&u)
		return u
	}
	failed := func(result string, status int) host.Unit {
		return but(func(u *host.Unit) { u.Active, u.Sub, u.Result, u.Status = "failed", "failed", result, status })
	}
	for _, tt := range []struct {
		name string
		unit host.Unit
		err  error
		v    Verdict
		e    Entry
		says string
	}{
		{"well", well, nil, VerdictOK, "", ""},
		{"no systemd", host.Unit{}, errors.ErrUnsupported, VerdictSkipped, "", ""},
		{"none", host.Unit{Load: "not-found"}, nil, VerdictSkipped, "", ""},
		{"hangs", host.Unit{}, context.DeadlineExceeded, VerdictWarning, "", ""},
		{"bad", but(func(u *host.Unit) { u.Load = "bad-setting" }), nil, VerdictFailed, EntryService, "systemd-analyze verify"},
		{"changed", but(func(u *host.Unit) { u.Reload = true }), nil, VerdictWarning, EntryService, "daemon-reload"},
		{"not enabled", but(func(u *host.Unit) { u.File = "disabled" }), nil, VerdictWarning, EntryService, "systemctl enable"},
		{"configuration", failed("exit-code", 3), nil, VerdictFailed, EntryService, "its configuration has faults"},
		{"account", failed("exit-code", 4), nil, VerdictFailed, EntryService, "the account is refused"},
		{"storm", failed("start-limit-hit", 1), nil, VerdictFailed, EntryService, "six times in half an hour"},
		{"watchdog", failed("watchdog", 6), nil, VerdictFailed, EntryService, "traderctl bundle"},
		{"again", but(func(u *host.Unit) { u.Active, u.Sub = "activating", "auto-restart" }), nil, VerdictWarning, EntryService, "journalctl"},
	} {
		c := checked(func(c *Check) { Doctor{Host: service{unit: tt.unit, err: tt.err}}.checkUnit(t.Context(), c) })
		shows(t, tt.name, c, tt.v, tt.e)
		if !strings.Contains(strings.Join(c.Advice, "\n"), tt.says) {
			t.Errorf("%s: %q does not say %q", tt.name, c.Advice, tt.says)
		}
	}
}

func TestCalendarIsJudged(t *testing.T) {
	now := time.Now()
	for phase, e := range map[broker.Phase]Entry{broker.NoPhase: "", broker.RestartPhase: EntryRestart, broker.LoginPhase: EntryLogin} {
		v := VerdictWarning
		if e == "" {
			v = VerdictOK
		}
		q := Question{Calendar: func(time.Time) (broker.Phase, time.Time) { return phase, now.Add(time.Minute) }}
		shows(t, string(phase), checked(func(c *Check) { checkCalendar(c, q, now) }), v, e)
	}
}

// A second trader of the same gateway is told by the kernel's word; the one of
// this folder, its own connections and other programs are not.
func TestAnotherTraderIsTold(t *testing.T) {
	side := func(pid int, name string, state host.State) host.Side {
		return host.Side{PID: pid, Process: name, States: host.States{state: 1}}
	}
	for _, tt := range []struct {
		name  string
		sides []host.Side
		v     Verdict
		e     Entry
	}{
		{"its own", []host.Side{side(7, traderName, host.Established)}, VerdictOK, ""},
		{"another program", []host.Side{side(8, "tws", host.Established)}, VerdictOK, ""},
		{"one that has gone", []host.Side{side(8, traderName, host.TimeWait)}, VerdictOK, ""},
		{"another", []host.Side{side(7, traderName, host.Established), side(8, traderName, host.Established)}, VerdictWarning, EntryMoving},
	} {
		c := checked(func(c *Check) { judgeOthers(c, host.Sockets{Clients: tt.sides}, trader{runs: true, pid: 7}) })
		shows(t, tt.name, c, tt.v, tt.e)
	}
}

// Each entry stands in the README under its own name, with how it is seen, what
// to do, what not, and when it is done.
func TestRunbookHasEveryEntry(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## Runbook\n")
	if !ok {
		t.Fatal("no runbook in README.md")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for _, e := range Entries() {
		_, chapter, ok := strings.Cut(text, "\n### "+string(e)+"\n")
		if !ok {
			t.Errorf("no entry %q", e)
			continue
		}
		chapter, _, _ = strings.Cut(chapter, "\n### ")
		for _, part := range []string{"**Seen**", "**Do**", "**Never**", "**Done**"} {
			if !strings.Contains(chapter, part) {
				t.Errorf("%s has no %s", e, part)
			}
		}
	}
	if !strings.Contains(text, "\n### What never to do\n") {
		t.Error("what never to do is missing")
	}
}
