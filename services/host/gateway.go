package host

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	gops "github.com/shirou/gopsutil/v4/process"
)

// Gateway is the process of an IB Gateway or TWS, as far as the kernel shows
// it. What could not be read is nil or empty.
type Gateway struct {
	PID     int    `json:"pid"`
	Process string `json:"process"` // its name, such as "java"
	// Product is "ibgateway" or "tws", "" where nothing tells.
	Product string `json:"product"`
	// Version is such as "10.37" or "10.41.1d", "" where nothing tells; Told is
	// what told it, such as "folder ibgateway/1037".
	Version string `json:"version"`
	Told    string `json:"told"`
	// Listens is true for the process behind the asked address, false for one
	// that only looks like a gateway.
	Listens bool `json:"listens"`

	Started    time.Time `json:"started,omitzero"`
	CPUPercent *float64  `json:"cpu_percent"` // of one processor, over a quarter of a second
	Memory     *uint64   `json:"memory"`      // bytes in RAM
	OpenFiles  *int      `json:"open_files"`
	// IBC is true when IBC runs it, which also owns its restarts. Parent is the
	// process that started it.
	IBC    bool   `json:"ibc"`
	Parent string `json:"parent"`
}

// Uptime returns for how long the process has run, 0 when that is not known.
func (g Gateway) Uptime(now time.Time) time.Duration {
	if g.Started.IsZero() {
		return 0
	}
	return now.Sub(g.Started)
}

const (
	maxGateways = 8
	sampleFor   = 250 * time.Millisecond // of the processor's use
)

// command is how a process was started. It is never shown: command lines can
// hold passwords.
type command struct {
	pid, ppid int
	name      string
	exe, cwd  string // "" when they cannot be seen
	args      []string
}

// Gateways returns the process that listens at address, first, and those that
// look like an IB Gateway or TWS by their command line or folder; at most 8.
// An empty list is no error: on another machine, or as another user, nothing
// can be seen.
func (m *Machine) Gateways(ctx context.Context, address string) ([]Gateway, error) {
	ctx, cancel := context.WithTimeout(ctx, longWithin)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	here := m.behind(ctx, address)
	list, err := m.processes(ctx)
	if err != nil {
		return nil, err
	}
	by := map[int]command{}
	for _, c := range list {
		by[c.pid] = c
	}
	found := []Gateway{}
	for _, c := range list {
		if c.pid != here && (product(c) == "" || !runs(c)) || len(found) == maxGateways && c.pid != here {
			continue
		}
		g := Gateway{PID: c.pid, Process: c.name, Product: product(c), Listens: c.pid == here, Started: m.life(ctx, c.pid).started}
		g.Version, g.Told = version(c)
		parent := by[c.ppid]
		g.Parent = parent.name
		g.IBC = ibc(c) || ibc(parent) || ibc(by[parent.ppid])
		found = append(found, g)
	}
	slices.SortStableFunc(found, func(a, b Gateway) int {
		if a.Listens != b.Listens {
			return map[bool]int{true: -1, false: 1}[a.Listens]
		}
		return cmp.Compare(a.PID, b.PID)
	})
	m.measure(ctx, found)
	return found, nil
}

// behind returns the process that listens at address, 0 when there is none
// here, or it cannot be seen, or only passes on.
func (m *Machine) behind(ctx context.Context, address string) int {
	at, err := m.resolve(ctx, address)
	if err != nil {
		return 0
	}
	rows, err := m.kernel.sockets(ctx, at.Port())
	if err != nil {
		return 0
	}
	ear, ok := listening(rows, at)
	if !ok {
		return 0
	}
	if who, err := m.owner(ctx, ear, at.Port()); err == nil && forwarder(who) == "" {
		return who.pid
	}
	return 0
}

// processes lists every process with what started it.
func (m *Machine) processes(ctx context.Context) ([]command, error) {
	view := m.kernel.view(ctx)
	pids, err := gops.PidsWithContext(view)
	if err != nil {
		return nil, fmt.Errorf("the list of processes: %w", err)
	}
	list := make([]command, 0, len(pids))
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("the list of processes: %w", err)
		}
		g := &gops.Process{Pid: pid}
		c := command{pid: int(pid)}
		if c.name, err = g.NameWithContext(view); err != nil {
			continue // gone
		}
		// What another user does not let us see stays empty.
		c.args, _ = g.CmdlineSliceWithContext(view)
		c.exe, _ = g.ExeWithContext(view)
		c.cwd, _ = g.CwdWithContext(view)
		if ppid, err := g.PpidWithContext(view); err == nil {
			c.ppid = int(ppid)
		}
		list = append(list, c)
	}
	return list, nil
}

// measure fills in what the processes use.
func (m *Machine) measure(ctx context.Context, list []Gateway) {
	view := m.kernel.view(ctx)
	used := func(pid int) (float64, bool) {
		t, err := (&gops.Process{Pid: int32(pid)}).TimesWithContext(view)
		if err != nil {
			return 0, false
		}
		return t.User + t.System, true
	}
	before := map[int]float64{}
	began := time.Now()
	for i := range list {
		g := &gops.Process{Pid: int32(list[i].PID)}
		if info, err := g.MemoryInfoWithContext(view); err == nil {
			list[i].Memory = &info.RSS
		}
		if n, err := g.NumFDsWithContext(view); err == nil {
			files := int(n)
			list[i].OpenFiles = &files
		}
		if t, ok := used(list[i].PID); ok {
			before[list[i].PID] = t
		}
	}
	if len(before) == 0 {
		return
	}
	wait := time.NewTimer(sampleFor)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return
	case <-wait.C:
	}
	for i := range list {
		first, ok := before[list[i].PID]
		if !ok {
			continue
		}
		if t, ok := used(list[i].PID); ok {
			percent := 100 * max(t-first, 0) / time.Since(began).Seconds()
			list[i].CPUPercent = &percent
		}
	}
}

var (
	// gatewayMark and twsMark are in the folders, archives and main classes of
	// the two products, from general knowledge of their installers and of IBC.
	gatewayMark = regexp.MustCompile(`(?i)ibgateway|ib gateway|IbcGateway`)
	twsMark     = regexp.MustCompile(`(?i)trader workstation|jts4launch|twslaunch|ibcalpha\.ibc|jclient\.LoginFrame|(?:^|[/\\ =:])jts[/\\]|[/\\]tws[/\\]`)
	ibcMark     = regexp.MustCompile(`(?i)ibcalpha|ibcstart|gatewaystart|twsstart|[/\\]ibc[/\\]|IBC\.jar`)

	// folderVersion is a folder such as ibgateway/1037, "IB Gateway 10.37" or
	// ibgateway/10.41.1d; archiveVersion a file such as jts4launch-1037.jar.
	folderVersion  = regexp.MustCompile(`(?i)(ibgateway|ib gateway|trader workstation|jts|tws)[/\\ ]+(\d{1,2}\.\d{2}(?:\.\d{1,3}[a-z]?)?|\d{3,4})(?:[/\\ "':;.]|$)`)
	archiveVersion = regexp.MustCompile(`(?i)(jts4launch|twslaunch)-(\d{3,4})\.jar`)
)

// texts are where a process shows what it is.
func (c command) texts() []string { return append([]string{c.exe, c.cwd}, c.args...) }

// product returns which product a process looks like.
func product(c command) string {
	name := ""
	for _, t := range c.texts() {
		switch {
		case gatewayMark.MatchString(t):
			return "ibgateway"
		case twsMark.MatchString(t):
			name = "tws"
		}
	}
	return name
}

// runs reports whether a process can be the product itself: it is Java, or its
// program lies in the product's folder. An editor that has jts.ini open is
// neither.
func runs(c command) bool {
	program := c.exe
	if program == "" && len(c.args) > 0 {
		program = c.args[0]
	}
	if strings.HasPrefix(strings.ToLower(c.name), "java") || strings.HasPrefix(strings.ToLower(path.Base(program)), "java") {
		return true
	}
	return gatewayMark.MatchString(program) || twsMark.MatchString(program)
}

func ibc(c command) bool { return slices.ContainsFunc(c.texts(), ibcMark.MatchString) }

// version returns the version that folder or command line tells, the most
// exact one, and what told it.
func version(c command) (v, told string) {
	for _, t := range c.texts() {
		for _, how := range []struct {
			re   *regexp.Regexp
			what string
		}{{folderVersion, "folder %s/%s"}, {archiveVersion, "archive %s-%s.jar"}} {
			for _, hit := range how.re.FindAllStringSubmatch(t, 4) {
				if got := dotted(hit[2]); len(got) > len(v) {
					v, told = got, fmt.Sprintf(how.what, hit[1], hit[2])
				}
			}
		}
	}
	return v, told
}

// dotted writes 1037 as 10.37, as people do.
func dotted(v string) string {
	if strings.Contains(v, ".") {
		return v
	}
	return v[:len(v)-2] + "." + v[len(v)-2:]
}
