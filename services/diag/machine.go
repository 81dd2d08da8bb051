package diag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"robotrader/services/host"
)

func checkConfig(c *Check, q Question) {
	if q.Config == nil {
		c.skip("none was named")
		return
	}
	found, err := q.Config()
	c.Found = append(c.Found, found...)
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		c.found("%s", strings.TrimSpace(line))
	}
	c.judge(VerdictFailed, "mend these: the trader ends with code 3 before it starts")
}

// Free space below which a person is warned, and below which nothing works for
// long: the journal of a busy day is some 100 MB.
const (
	lowSpace  = 1 << 30
	fullSpace = 100 << 20
)

func checkFolder(ctx context.Context, c *Check, dir string, starts bool) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.found("%s does not exist yet: the trader's first start makes it", dir)
		checkSpace(ctx, c, existing(dir))
		return
	case err != nil:
		c.found("%v", err)
		c.judge(VerdictFailed, "choose another folder with --data")
		return
	case !info.IsDir():
		c.found("%s is not a folder", dir)
		c.judge(VerdictFailed, "choose another folder with --data")
		return
	}
	c.found("%s, mode %04o", dir, info.Mode().Perm())
	if info.Mode().Perm()&0o077 != 0 {
		c.judge(VerdictWarning, fmt.Sprintf("others can look into it: chmod 700 %s", dir))
	}
	if uid, ok := ownerOf(info); ok && uid != os.Getuid() {
		c.found("it belongs to user %d, this program runs as user %d", uid, os.Getuid())
		if os.Getuid() != 0 || starts { // root may look into a service's folder, but not run its trader
			c.judge(VerdictFailed, "run the trader and this program as the user whom it belongs to")
		}
	}
	if err := writable(dir); err != nil && c.Verdict != VerdictFailed {
		judgeUnwritable(c, err)
	}
	token, err := os.Stat(filepath.Join(dir, "token"))
	if err == nil && token.Mode().Perm()&0o077 != 0 {
		c.found("token has mode %04o", token.Mode().Perm())
		c.judge(VerdictWarning, "others can read the token, which stops and starts trading: chmod 600 "+filepath.Join(dir, "token"))
	}
	checkSpace(ctx, c, dir)
}

// existing returns the nearest folder above a path that exists.
func existing(path string) string {
	for {
		parent := filepath.Dir(path)
		if _, err := os.Stat(parent); err == nil || parent == path {
			return parent
		}
		path = parent
	}
}

func checkSpace(ctx context.Context, c *Check, dir string) {
	use, err := disk.UsageWithContext(ctx, dir)
	if err != nil {
		c.found("free space: %v", err)
		c.judge(VerdictWarning)
		return
	}
	c.found("%s free", size(use.Free))
	judgeSpace(c, use.Free)
}

// judgeUnwritable says why nothing can be written into the data folder.
func judgeUnwritable(c *Check, err error) {
	c.found("nothing can be written into it: %v", err)
	c.judge(VerdictFailed, "mount its disk for writing and make room on it, or choose another folder with --data")
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) {
		c.recognise(EntryDisk, "the disk of the data folder takes nothing")
	}
}

// judgeSpace says what the free bytes of the data folder's disk mean.
func judgeSpace(c *Check, free uint64) {
	switch {
	case free < fullSpace:
		c.judge(VerdictFailed, "make room: the journal cannot be written for long, and without it there is no trading")
		c.recognise(EntryDisk, "the disk of the data folder is full, or will be in an hour")
	case free < lowSpace:
		c.judge(VerdictWarning, "make room soon")
		c.recognise(EntryDisk, "the disk of the data folder is nearly full")
	}
}

// size writes bytes for people.
func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

// checkHTTP tells whether the address of dashboard and API is free.
func (d Doctor) checkHTTP(ctx context.Context, c *Check, addr string) {
	if addr == "" {
		c.skip("switched off")
		return
	}
	e := d.Host.Listener(ctx, addr)
	switch {
	case !e.Readable:
		c.skip("%s: %s", addr, e.Why)
	case e.Listening:
		c.found("%s is taken by %s", addr, processText(e.PID, e.Process))
		c.judge(VerdictFailed, "end that program, or choose another address with --http")
	default:
		c.found("%s is free", addr)
	}
}

func processText(pid int, name string) string {
	if pid == 0 {
		return "a process that cannot be seen"
	}
	return fmt.Sprintf("process %d %s", pid, name)
}

// maxClockError is how wrong the clock may be by the kernel's own word.
const maxClockError = time.Second

func (d Doctor) checkClock(c *Check) {
	clock, err := d.Host.Clock()
	switch {
	case err != nil:
		c.found("%v", err)
		c.judge(VerdictWarning)
	case clock.Synchronized == nil:
		c.found("this system does not tell whether something keeps the clock right")
	case !*clock.Synchronized:
		c.found("the kernel does not know of anything that keeps the clock right")
		c.judge(VerdictWarning, "run an NTP service, such as chrony or systemd-timesyncd; bars and session times depend on the clock")
		c.recognise(EntryClock, "nothing keeps this machine's clock right")
	case clock.Error > maxClockError:
		c.found("the kernel says that it may be wrong by %v", clock.Error.Round(time.Millisecond))
		c.judge(VerdictWarning, "look at the NTP service")
		c.recognise(EntryClock, "this machine's clock may be wrong by more than a second")
	default:
		c.found("kept right (NTP)")
	}
}

func (d Doctor) checkProcess(ctx context.Context, c *Check, gateway string) {
	e := d.Host.Listener(ctx, gateway)
	list, err := d.Host.Gateways(ctx, gateway)
	if err != nil {
		c.found("%v", err)
		c.judge(VerdictWarning)
		return
	}
	c.Gateways = list
	for _, g := range list {
		c.found("%s", describe(g, time.Now()))
		if g.CPUPercent != nil && *g.CPUPercent > 90 {
			c.judge(VerdictWarning, fmt.Sprintf("process %d takes a whole processor: a gateway does so at its start and when it hangs", g.PID))
		}
	}
	here := len(list) > 0 && list[0].Listens
	switch {
	case !e.Readable && len(list) == 0:
		c.skip("%s", e.Why)
	case !e.Readable: // such as in a container of this machine
		c.found("whether one of them is behind %s cannot be read: %s", gateway, e.Why)
	case e.Listening && !here:
		c.found("the process that listens at %s cannot be seen; the socket belongs to user %d", gateway, e.UID)
		c.judge(VerdictWarning, "run this as that user to see more")
	case !e.Listening && len(list) > 0:
		c.found("none of them listens at %s", gateway)
		c.judge(VerdictWarning, "log in in its window, tick 'Enable ActiveX and Socket Clients' in its API settings, and check the port there")
	case !e.Listening:
		c.found("no IB Gateway or TWS is seen, and nobody listens at %s", gateway)
		c.judge(VerdictWarning, "start IB Gateway or TWS and log in")
	}
}

// describe says what is known of a gateway's process.
func describe(g host.Gateway, now time.Time) string {
	what := cmp.Or(map[string]string{"ibgateway": "IB Gateway", "tws": "TWS"}[g.Product], "not known as IB Gateway or TWS")
	parts := []string{fmt.Sprintf("process %d %s: %s", g.PID, g.Process, what)}
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	if g.Version != "" {
		add("version %s (by its %s)", g.Version, g.Told)
	}
	if up := g.Uptime(now); up > 0 {
		add("up %v", up.Round(time.Second))
	}
	if g.CPUPercent != nil {
		add("CPU %.0f %%", *g.CPUPercent)
	}
	if g.Memory != nil {
		add("memory %s", size(*g.Memory))
	}
	if g.OpenFiles != nil {
		add("%d open files", *g.OpenFiles)
	}
	if g.IBC {
		add("run by IBC")
	}
	return strings.Join(parts, ", ")
}

const restartByHand = "restart the gateway by hand and log in again (with IBC: by IBC's own restart, once)"

func (d Doctor) checkSockets(ctx context.Context, c *Check, gateway string, t trader) {
	e := d.Host.Listener(ctx, gateway)
	if !e.Readable {
		c.skip("%s", e.Why)
		return
	}
	s, err := d.Host.Sockets(ctx, gateway)
	if err != nil {
		c.found("%v", err)
		c.judge(VerdictWarning)
		return
	}
	c.Sockets = &s
	for _, part := range []struct {
		what string
		list []host.Side
	}{{"at the gateway's port", s.Gateway}, {"of its clients on this machine", s.Clients}} {
		if len(part.list) == 0 {
			c.found("%s: none", part.what)
		}
		for _, side := range part.list {
			who := "no process (over, or not accepted yet), or one that cannot be seen"
			if side.PID != 0 {
				who = fmt.Sprintf("process %d %s", side.PID, side.Process)
			}
			c.found("%s, %s: %s", part.what, who, side.States)
		}
	}
	judgeOthers(c, s, t)
	if n := s.Count(host.CloseWait); n > 0 {
		c.recognise(EntryHangs, "the gateway holds dead connections")
		c.found("%d of the gateway's connections are in CLOSE_WAIT: the other side has closed them and the gateway has not", n)
		c.judge(VerdictWarning, "if they stay, the gateway hangs: "+restartByHand+"; never kill these sockets or their process from here")
	}
	if s.Queue > 0 {
		c.recognise(EntryHangs, "the gateway does not take up connections")
		c.found("%d connections wait for the gateway to accept them", s.Queue)
		c.judge(VerdictWarning, "if they stay, the gateway hangs: "+restartByHand)
	}
}

// usual are the ports of the gateway's own settings, section 1 of the contract.
var usual = []struct {
	port int
	name string
}{{4001, "gateway-live"}, {4002, "gateway-paper"}, {7496, "tws-live"}, {7497, "tws-paper"}}

func (d Doctor) checkPorts(ctx context.Context, c *Check, gateway string) {
	_, text, _ := net.SplitHostPort(gateway)
	asked, _ := strconv.Atoi(text) // 0 is none: the handshake tells
	want := []int{}
	for _, u := range usual {
		want = append(want, u.port)
	}
	if asked != 0 && !slices.Contains(want, asked) {
		want = append(want, asked)
	}
	list, err := d.Host.Listening(ctx, want...)
	if err != nil {
		c.found("%v", err)
		c.judge(VerdictWarning)
		return
	}
	c.Ports = list
	for _, p := range want {
		c.found("%s", portText(p, list))
	}
	e := d.Host.Listener(ctx, gateway)
	if !e.Readable {
		c.found("these are this machine's; of %s nothing can be read: %s", gateway, e.Why)
		return
	}
	if e.Listening {
		return
	}
	c.judge(VerdictFailed, fmt.Sprintf("nobody listens at %s: start IB Gateway or TWS and log in, or check the port in its API settings", gateway))
	for _, u := range usual {
		if u.port != asked && slices.ContainsFunc(list, func(p host.Port) bool { return p.Port == u.port }) {
			c.judge(VerdictFailed, fmt.Sprintf("something listens on port %d: is --gateway %s meant?", u.port, u.name))
		}
	}
}

func portText(port int, list []host.Port) string {
	name := ""
	for _, u := range usual {
		if u.port == port {
			name = " (" + u.name + ")"
		}
	}
	var by []string
	for _, p := range list {
		if p.Port != port {
			continue
		}
		who := cmp.Or(p.Process, "a process that cannot be seen")
		if p.PID != 0 {
			who = fmt.Sprintf("process %d %s", p.PID, who)
		}
		if p.Forwarder {
			who += ", which only passes on"
		}
		by = append(by, fmt.Sprintf("%s at %s", who, p.Address))
	}
	if len(by) == 0 {
		return fmt.Sprintf("%d%s: nobody listens", port, name)
	}
	return fmt.Sprintf("%d%s: %s", port, name, strings.Join(by, "; "))
}

// maxOffset is how far this machine's clock may be from the gateway's; the
// gateway tells whole seconds.
const maxOffset = 2500 * time.Millisecond

// checkOffset compares this machine's clock with the gateway's connection time.
// Its zone can be any word in any language (protocol sheet, section 1.3), so it
// is left out: every zone is a multiple of 15 minutes.
func checkOffset(c *Check, p *Probe) {
	if p == nil || p.ConnectionTime == "" {
		c.skip("no gateway told its time")
		return
	}
	offset, ok := offsetOf(*p)
	if !ok {
		c.skip("the gateway's time %q is not understood", p.ConnectionTime)
		return
	}
	c.found("this machine's clock is %+.1f s from the gateway's, to the second, and but for whole quarters of an hour", offset.Seconds())
	if offset.Abs() > maxOffset {
		c.judge(VerdictWarning, "set the clocks of both machines by NTP")
		c.recognise(EntryClock, "the clocks of this machine and the gateway differ")
	}
}

func offsetOf(p Probe) (time.Duration, bool) {
	const layout = "20060102 15:04:05"
	if len(p.ConnectionTime) < len(layout) {
		return 0, false
	}
	told, err := time.Parse(layout, p.ConnectionTime[:len(layout)])
	if err != nil {
		return 0, false
	}
	at := p.At
	for _, r := range p.Rungs {
		if r.Name == "version" && r.OK {
			at = at.Add(time.Duration(r.AtMS * float64(time.Millisecond)))
		}
	}
	const quarter = 15 * time.Minute
	d := at.Sub(told.Add(time.Second/2)) % quarter
	switch {
	case d > quarter/2:
		d -= quarter
	case d < -quarter/2:
		d += quarter
	}
	return d, true
}
