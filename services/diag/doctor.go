package diag

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// Host is what the doctor asks of this machine; *[host.Machine] is one. None of
// it connects to anything.
type Host interface {
	Listener(ctx context.Context, address string) broker.Evidence
	Sockets(ctx context.Context, address string) (host.Sockets, error)
	Listening(ctx context.Context, ports ...int) ([]host.Port, error)
	Gateways(ctx context.Context, address string) ([]host.Gateway, error)
	LockHolder(ctx context.Context, path string) (pid int, err error)
	Clock() (host.Clock, error)
	Unit(ctx context.Context, name string) (host.Unit, error)
}

// Doctor looks at everything between a trader and its gateway, step by step.
type Doctor struct {
	Prober Prober
	Host   Host
	// Progress is told each check when it is done. Nil tells nobody.
	Progress func(Check)

	rest time.Duration // between two handshakes; 0 = restBetween. Tests shorten it.
}

// Question is what a doctor is asked.
type Question struct {
	Gateway  string // host:port; "" = there is none to look at, and Instead says why
	Instead  string
	ClientID int           // the trader's
	SpareID  int           // for a handshake when that one is taken
	Timeout  time.Duration // of a handshake
	Folder   string        // data folder
	// Build is the gateway's build as a person tells it, "" = look at its
	// process; Version is the program's own. Both are for the records.
	Build, Version string
	// Config tells what the configuration is, or all that is wrong with it. Nil
	// skips the check.
	Config func() (found []string, err error)

	// Books looks at the journal of the data folder, and Calendar says what the
	// gateway goes through by its calendar at a wall time, and until when. Nil
	// skips either check.
	Books    Bookkeeper
	Calendar func(now time.Time) (broker.Phase, time.Time)

	// Starts is true before the start of a trader: then another one that runs
	// with the folder is a fault, and so is somebody who listens at HTTP.
	Starts bool
	HTTP   string // host:port of dashboard and API, "" for none

	// Force permits a handshake though a running trader has stopped asking the
	// gateway because it hangs.
	Force bool
	// TryIDs, TryTimeouts and TryTWS permit further handshakes when the first
	// one failed.
	TryIDs, TryTimeouts, TryTWS bool
}

// Verdict is the outcome of one check.
type Verdict string

// The verdicts.
const (
	VerdictOK      Verdict = "ok"
	VerdictWarning Verdict = "warning" // it works, and a person should know
	VerdictFailed  Verdict = "failed"
	VerdictSkipped Verdict = "skipped" // Found says why
)

// Check is one step of the doctor.
type Check struct {
	Name    string    `json:"name"`
	Started time.Time `json:"started"` // wall time
	TookMS  float64   `json:"took_ms"`
	Verdict Verdict   `json:"verdict"`
	Found   []string  `json:"found"`
	Advice  []string  `json:"advice"`
	// Findings are the situations of the runbook that it shows.
	Findings []Finding `json:"findings,omitempty"`

	Probe    *Probe         `json:"probe,omitempty"`    // of a handshake
	Sockets  *host.Sockets  `json:"sockets,omitempty"`  // of the gateway's port
	Gateways []host.Gateway `json:"gateways,omitempty"` // processes
	Ports    []host.Port    `json:"ports,omitempty"`
}

func (c *Check) found(format string, a ...any) { c.Found = append(c.Found, fmt.Sprintf(format, a...)) }

// judge makes the verdict at least as bad as v, and keeps the advice.
func (c *Check) judge(v Verdict, advice ...string) {
	rank := []Verdict{VerdictSkipped, VerdictOK, VerdictWarning, VerdictFailed}
	if slices.Index(rank, v) > slices.Index(rank, c.Verdict) {
		c.Verdict = v
	}
	c.Advice = append(c.Advice, advice...)
}

func (c *Check) skip(format string, a ...any) {
	c.Verdict = VerdictSkipped
	c.found(format, a...)
}

// Report is all that a doctor found.
type Report struct {
	At       time.Time `json:"at"` // wall time
	Gateway  string    `json:"gateway"`
	ClientID int       `json:"client_id"`
	Folder   string    `json:"folder"`
	Checks   []Check   `json:"checks"`
	DoNot    []string  `json:"do_not"`
	Exit     int       `json:"exit"`
}

// doNot is what people do in this situation and what makes it worse.
var doNot = []string{
	"do not kill sockets in CLOSE_WAIT, nor the process that they belong to: that is the gateway, and it needs a person, often with a second factor, to log in again",
	"do not restart gateway or trader in a loop: each failed handshake may leave one more dead socket in a gateway that hangs",
	"do not look with nc, telnet or a script whether the port is open: a connection that does not speak stays in the gateway",
	"do not change the trader's client id: it owns the orders",
}

// The bounds of a step.
const (
	localWithin = 5 * time.Second // for what is asked of this machine
	closeWithin = 3 * time.Second // beyond a handshake's own timeout
	restBetween = time.Second     // a gateway frees a client id late
)

// Examine makes all checks, one after the other. It never fails: the report
// tells what did.
func (d Doctor) Examine(ctx context.Context, q Question) Report {
	r := Report{At: time.Now(), Gateway: q.Gateway, ClientID: q.ClientID, Folder: q.Folder, DoNot: doNot}
	add := func(c Check) {
		r.Checks = append(r.Checks, c)
		if d.Progress != nil {
			d.Progress(c)
		}
	}
	step := func(name string, f func(ctx context.Context, c *Check)) { add(run(ctx, name, localWithin, f)) }

	step("configuration", func(_ context.Context, c *Check) { checkConfig(c, q) })
	step("data_folder", func(ctx context.Context, c *Check) { checkFolder(ctx, c, q.Folder, q.Starts) })
	c, t := d.trader(ctx, q)
	add(c)
	step("journal", func(ctx context.Context, c *Check) { checkJournal(ctx, c, q) })
	step("service", func(ctx context.Context, c *Check) { d.checkUnit(ctx, c) })
	if q.Starts {
		step("http", func(ctx context.Context, c *Check) { d.checkHTTP(ctx, c, q.HTTP) })
	}
	step("clock", func(_ context.Context, c *Check) { d.checkClock(c) })
	if q.Gateway == "" {
		step("gateway", func(_ context.Context, c *Check) { c.skip("%s", q.Instead) })
		r.DoNot, r.Exit = []string{}, exit(r.Checks, nil)
		return r
	}
	step("calendar", func(_ context.Context, c *Check) { checkCalendar(c, q, time.Now()) })
	step("gateway_process", func(ctx context.Context, c *Check) { d.checkProcess(ctx, c, q.Gateway) })
	step("sockets", func(ctx context.Context, c *Check) { d.checkSockets(ctx, c, q.Gateway, t) })
	t.seen = connected(r.Checks[len(r.Checks)-1].Sockets)
	step("ports", func(ctx context.Context, c *Check) { d.checkPorts(ctx, c, q.Gateway) })
	ports := r.Checks[len(r.Checks)-1].Ports
	last := d.handshakes(ctx, q, t, ports, add)
	r.Exit = exit(r.Checks, last)
	return r
}

// run makes one check within its limit. A check that does not end in time, as
// on a file system that hangs, is left to itself; its result goes nowhere.
func run(ctx context.Context, name string, within time.Duration, f func(ctx context.Context, c *Check)) Check {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := time.Now()
	blank := Check{Name: name, Started: began, Verdict: VerdictOK, Found: []string{}, Advice: []string{}}
	done := make(chan Check, 1)
	go func() { // ends with f, which keeps to ctx but for a system call that hangs
		c := blank
		f(ctx, &c)
		done <- c
	}()
	grace := time.NewTimer(within + time.Second)
	defer grace.Stop()
	c := blank
	select {
	case c = <-done:
	case <-grace.C:
		c.judge(VerdictFailed, "look at the disk and at the load of this machine")
		c.found("it did not end within %v", within+time.Second)
	}
	c.settle()
	c.TookMS = float64(time.Since(began).Microseconds()) / 1000
	return c
}

// exit returns what the program ends with: the code of the handshake that
// failed, 1 when another check did, 0 otherwise.
func exit(checks []Check, first *Probe) int {
	if first != nil && first.Result != Ready {
		return first.ExitCode()
	}
	if slices.ContainsFunc(checks, func(c Check) bool { return c.Verdict == VerdictFailed }) {
		return 1
	}
	return 0
}

func (d Doctor) pause(ctx context.Context) bool {
	t := time.NewTimer(cmp.Or(d.rest, restBetween))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
