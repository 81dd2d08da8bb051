package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"robotrader/broker"
)

// The bounds of one question: what a link asks every second, and what a person
// asks who waits for the answer.
const (
	within     = time.Second
	longWithin = 4 * time.Second
)

// Machine answers questions about this machine. Make one with New; it is safe
// for concurrent use.
type Machine struct {
	kernel kernel
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	own    func() ([]netip.Addr, error) // the addresses of this machine's interfaces

	mu    sync.Mutex // guards what follows, and holds questions apart: they share a memory
	names map[string]resolved
	known map[uint64]owner // by a socket's inode
	lives map[int]process  // by pid
}

// kernel is what one kind of system tells.
type kernel interface {
	// sockets returns the TCP sockets with one of the ports at either end.
	sockets(ctx context.Context, ports ...uint16) ([]socket, error)
	// owners returns the processes that hold the inodes, as far as they can be
	// seen.
	owners(ctx context.Context, inodes map[uint64]bool) (map[uint64]int, error)
	// identify returns a process's name, and what tells it apart from another
	// one with the same number.
	identify(ctx context.Context, pid int) (process, error)
	// view is the context with which gopsutil reads the same tables.
	view(ctx context.Context) context.Context
}

// socket is one row of the kernel's table.
type socket struct {
	local, remote netip.AddrPort
	state         State
	inode, uid    uint64
	queue         uint64 // of a listener: connections that wait to be accepted
	pid           int    // where the table itself tells it
}

// process is one life of a process number.
type process struct {
	pid     int
	name    string
	mark    uint64 // differs between two processes with the same number
	started time.Time
}

// owner is whose a socket is; process.pid 0 = it cannot be seen.
type owner struct {
	process
	via  string // the forwarder that the process is known to be, though it cannot be seen
	read time.Time
}

type resolved struct {
	addr netip.Addr
	err  error
	read time.Time
}

const (
	nameFor   = time.Minute      // a name's address is asked again after it
	unseenFor = 30 * time.Second // an owner that could not be seen is sought again after it
	maxKnown  = 256              // of each memory; when full it is emptied
)

// New returns this machine.
func New() *Machine { return with(system("")) }

func with(k kernel) *Machine {
	return &Machine{
		kernel: k, lookup: lookup, own: own,
		names: map[string]resolved{}, known: map[uint64]owner{}, lives: map[int]process{},
	}
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func own() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap().WithZone(""))
		}
	}
	return addrs, nil
}

// Listener tells who listens at address, host:port. It never connects to it.
func (m *Machine) Listener(ctx context.Context, address string) broker.Evidence {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.resolve(ctx, address)
	if err != nil {
		return broker.Evidence{Why: err.Error()}
	}
	rows, err := m.kernel.sockets(ctx, at.Port())
	if err != nil {
		return broker.Evidence{Why: err.Error()}
	}
	ear, ok := listening(rows, at)
	if !ok {
		if elsewhere(rows, at) {
			return broker.Evidence{Why: "nobody of this machine listens at " + address + ", and yet connections to it stand: the kernel passes them on, as to a container"}
		}
		return broker.Evidence{Readable: true}
	}
	who, err := m.owner(ctx, ear, at.Port())
	if err != nil { // it may be a forwarder
		return broker.Evidence{Why: err.Error()}
	}
	if via := forwarder(who); via != "" {
		return broker.Evidence{Why: "behind the forwarder " + via}
	}
	e := broker.Evidence{
		Readable: true, Listening: true, Inode: ear.inode, UID: ear.uid, Queue: ear.queue,
		PID: who.pid, Process: who.name, Started: who.started,
	}
	for _, s := range rows {
		if s.state == CloseWait && s.local.Port() == at.Port() && hears(ear.local.Addr(), s.local.Addr()) {
			e.CloseWait++
		}
	}
	return e
}

var errElsewhere = errors.New("the gateway is on another machine")

// resolve returns the address of this machine that is meant, or why there is
// none. A name is resolved as the adapter does: its first IPv4 address, or its
// first.
func (m *Machine) resolve(ctx context.Context, address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %.80q: %w", address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return netip.AddrPort{}, fmt.Errorf("address %.80q: port %.20q is not between 1 and 65535", address, port)
	}
	addr, err := m.addr(ctx, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if !addr.IsLoopback() && !addr.IsUnspecified() {
		mine, err := m.own()
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("the addresses of this machine: %w", err)
		}
		if !slices.Contains(mine, addr) {
			return netip.AddrPort{}, errElsewhere
		}
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

func (m *Machine) addr(ctx context.Context, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone(""), nil
	}
	if r, ok := m.names[host]; ok && time.Since(r.read) < nameFor {
		return r.addr, r.err
	}
	list, err := m.lookup(ctx, host)
	r := resolved{err: err, read: time.Now()}
	switch {
	case err != nil:
		r.err = fmt.Errorf("the host %.80q has no address: %w", host, err)
	case len(list) == 0:
		r.err = fmt.Errorf("the host %.80q has no address", host)
	default:
		i := slices.IndexFunc(list, func(a netip.Addr) bool { return a.Unmap().Is4() })
		r.addr = list[max(i, 0)].Unmap().WithZone("")
	}
	if len(m.names) >= maxKnown {
		clear(m.names)
	}
	m.names[host] = r
	return r.addr, r.err
}

// listening returns the socket that the kernel would give a connection to at:
// the one bound to the address itself before one that takes every address.
func listening(rows []socket, at netip.AddrPort) (ear socket, ok bool) {
	best := 0
	for _, s := range rows {
		if s.state != Listen || s.local.Port() != at.Port() || !hears(s.local.Addr(), at.Addr()) {
			continue
		}
		score := 1
		switch {
		case s.local.Addr() == at.Addr():
			score = 3
		case s.local.Addr().Is4() == at.Addr().Is4():
			score = 2
		}
		if score > best {
			best, ear, ok = score, s, true
		}
	}
	return ear, ok
}

// hears reports whether a listener bound to bound takes a connection to addr.
// One bound to :: takes IPv4 too, as Java's do.
func hears(bound, addr netip.Addr) bool {
	switch {
	case addr.IsUnspecified(): // a connection to it goes to loopback
		return bound.IsUnspecified() || bound.IsLoopback()
	case bound.IsUnspecified():
		return bound.Is6() || addr.Is4()
	}
	return bound == addr
}

// elsewhere reports whether connections to at stand whose other end is not in
// this machine's table.
func elsewhere(rows []socket, at netip.AddrPort) bool {
	here := map[netip.AddrPort]bool{}
	for _, s := range rows {
		if s.local.Port() == at.Port() {
			here[s.remote] = true
		}
	}
	return slices.ContainsFunc(rows, func(s socket) bool {
		return s.state == Established && s.remote == at && !here[s.local]
	})
}

// owner returns whose the listening socket is. The error says that the time
// was over before that was known.
func (m *Machine) owner(ctx context.Context, ear socket, port uint16) (owner, error) {
	if ear.pid != 0 {
		return owner{process: m.life(ctx, ear.pid)}, nil
	}
	if o, ok := m.known[ear.inode]; ok {
		if o.pid != 0 && m.life(ctx, o.pid).mark == o.mark || o.pid == 0 && time.Since(o.read) < unseenFor {
			return o, nil
		}
	}
	o := owner{read: time.Now()}
	found, err := m.kernel.owners(ctx, map[uint64]bool{ear.inode: true})
	if err != nil {
		return o, err
	}
	if pid := found[ear.inode]; pid != 0 {
		o.process = m.life(ctx, pid)
	} else if o.via, err = m.unseenForwarder(ctx, port); err != nil {
		return o, err
	}
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	m.known[ear.inode] = o
	return o, nil
}

// life returns what is known of a process; the start of one life is told once
// and kept. A process that has gone has pid 0.
func (m *Machine) life(ctx context.Context, pid int) process {
	p, err := m.kernel.identify(ctx, pid)
	if err != nil {
		delete(m.lives, pid)
		return process{}
	}
	if before, ok := m.lives[pid]; ok && before.mark == p.mark {
		p.started = before.started
		return p
	}
	if len(m.lives) >= maxKnown {
		clear(m.lives)
	}
	m.lives[pid] = p
	return p
}

// forwarders are programs that pass connections on, by the beginning of their
// name; the kernel keeps 15 letters of it.
var forwarders = []string{
	"socat", "docker-proxy", "rootlesskit", "rootlessport", "slirp4netns", "pasta", "passt", "gvproxy", "vpnkit",
	"com.docker", "lima", "kubectl", "ssh", "haproxy", "nginx", "envoy", "traefik", "caddy", "stunnel",
	"systemd-socket-", "rinetd", "redir", "xinetd", "ncat", "wslrelay", "wslhost",
}

// forwarder returns the name of the forwarder that an owner is, "" when it is
// none that we know.
func forwarder(o owner) string {
	if o.via != "" {
		return o.via
	}
	if o.pid != 0 && slices.ContainsFunc(forwarders, func(f string) bool { return strings.HasPrefix(o.name, f) }) {
		return o.name
	}
	return ""
}

// unseenForwarder looks for a forwarder that names the port on its command
// line: another user's sockets do not tell their process, its command line is
// mostly to be read.
func (m *Machine) unseenForwarder(ctx context.Context, port uint16) (string, error) {
	list, err := m.processes(ctx)
	if err != nil {
		return "", err
	}
	number := strconv.Itoa(int(port))
	for _, c := range list {
		if forwarder(owner{process: process{pid: c.pid, name: c.name}}) == "" {
			continue
		}
		if slices.ContainsFunc(c.args, func(a string) bool { return namesPort(a, number) }) {
			return c.name, nil
		}
	}
	return "", nil
}

// namesPort reports whether an argument holds the number as a whole.
func namesPort(arg, number string) bool {
	for i := strings.Index(arg, number); i >= 0; {
		end := i + len(number)
		digit := func(at int) bool { return at >= 0 && at < len(arg) && arg[at] >= '0' && arg[at] <= '9' }
		if !digit(i-1) && !digit(end) {
			return true
		}
		next := strings.Index(arg[end:], number)
		if next < 0 {
			return false
		}
		i = end + next
	}
	return false
}
