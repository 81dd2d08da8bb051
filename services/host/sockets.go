package host

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// State is the state of a TCP socket, by its usual name.
type State string

// The states.
const (
	Established State = "ESTABLISHED"
	SynSent     State = "SYN_SENT"
	SynRecv     State = "SYN_RECV"
	FinWait1    State = "FIN_WAIT_1"
	FinWait2    State = "FIN_WAIT_2"
	TimeWait    State = "TIME_WAIT"
	Closed      State = "CLOSED"
	CloseWait   State = "CLOSE_WAIT"
	LastAck     State = "LAST_ACK"
	Listen      State = "LISTEN"
	Closing     State = "CLOSING"
)

// States counts sockets by state.
type States map[State]int

// String lists the counts, the greatest first.
func (s States) String() string {
	if len(s) == 0 {
		return "none"
	}
	names := make([]State, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b State) int {
		return cmp.Or(cmp.Compare(s[b], s[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d %s", s[name], name)
	}
	return strings.Join(parts, ", ")
}

// Side is one process's sockets of a connection's one end. A socket that is
// over (TIME_WAIT) or not accepted yet belongs to no process: PID 0.
type Side struct {
	PID     int    `json:"pid"` // 0 = none, or one that cannot be seen
	Process string `json:"process"`
	States  States `json:"states"`
}

// Sockets is what the kernel holds of one port.
type Sockets struct {
	// Queue is how many connections wait for the listener to accept them.
	Queue uint64 `json:"queue"`
	// Gateway are the sockets at the port, Clients those at the other ends that
	// are on this machine; most sockets first.
	Gateway []Side `json:"gateway"`
	Clients []Side `json:"clients"`
}

// Count returns how many sockets of the port's own side are in a state.
func (s Sockets) Count(state State) int {
	n := 0
	for _, side := range s.Gateway {
		n += side.States[state]
	}
	return n
}

// Sockets tells the connections of the port at address, host:port, which must
// be one of this machine. The error says why nothing can be told.
func (m *Machine) Sockets(ctx context.Context, address string) (Sockets, error) {
	ctx, cancel := context.WithTimeout(ctx, longWithin)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.resolve(ctx, address)
	if err != nil {
		return Sockets{}, err
	}
	rows, err := m.kernel.sockets(ctx, at.Port())
	if err != nil {
		return Sockets{}, err
	}
	ours := slices.DeleteFunc(slices.Clone(rows), func(s socket) bool {
		return s.state == Listen || !s.joins(at)
	})
	pids, err := m.pids(ctx, ours)
	if err != nil {
		return Sockets{}, err
	}
	var out Sockets
	if ear, ok := listening(rows, at); ok {
		out.Queue = ear.queue
	}
	out.Gateway = m.sides(ctx, ours, pids, func(s socket) bool { return s.local.Port() == at.Port() })
	out.Clients = m.sides(ctx, ours, pids, func(s socket) bool { return s.local.Port() != at.Port() })
	return out, nil
}

// joins reports whether the socket is an end of a connection to at. Those to
// any loopback address count for another one: names differ, the gateway is the
// same.
func (s socket) joins(at netip.AddrPort) bool {
	end := s.local
	if end.Port() != at.Port() {
		end = s.remote
	}
	return at.Addr().IsUnspecified() || end.Addr() == at.Addr() || end.Addr().IsLoopback() && at.Addr().IsLoopback()
}

// pids returns the processes of the sockets' inodes.
func (m *Machine) pids(ctx context.Context, rows []socket) (map[uint64]int, error) {
	want := map[uint64]bool{}
	for _, s := range rows {
		if s.inode != 0 {
			want[s.inode] = true
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	return m.kernel.owners(ctx, want)
}

func (m *Machine) sides(ctx context.Context, rows []socket, pids map[uint64]int, mine func(socket) bool) []Side {
	by := map[int]States{}
	for _, s := range rows {
		if !mine(s) {
			continue
		}
		pid := cmp.Or(s.pid, pids[s.inode])
		if by[pid] == nil {
			by[pid] = States{}
		}
		by[pid][s.state]++
	}
	list := []Side{}
	for pid, states := range by {
		side := Side{PID: pid, States: states}
		if pid != 0 {
			side.Process = m.life(ctx, pid).name
		}
		list = append(list, side)
	}
	total := func(s Side) (n int) {
		for _, c := range s.States {
			n += c
		}
		return n
	}
	slices.SortFunc(list, func(a, b Side) int { return cmp.Or(cmp.Compare(total(b), total(a)), cmp.Compare(a.PID, b.PID)) })
	return list
}

// Port is a port on which somebody of this machine listens.
type Port struct {
	Port    int    `json:"port"`
	Address string `json:"address"` // what it is bound to, such as "127.0.0.1" or "::"
	PID     int    `json:"pid"`     // 0 = cannot be seen
	Process string `json:"process"`
	// Forwarder is true for a program that only passes connections on.
	Forwarder bool   `json:"forwarder"`
	Queue     uint64 `json:"queue"`
}

// Listening tells which of the ports are listened on, in the order of ports.
// It connects to none.
func (m *Machine) Listening(ctx context.Context, ports ...int) ([]Port, error) {
	ctx, cancel := context.WithTimeout(ctx, longWithin)
	defer cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	want := make([]uint16, 0, len(ports))
	for _, p := range ports {
		if p < 1 || p > 65535 {
			return nil, fmt.Errorf("port %d is not between 1 and 65535", p)
		}
		want = append(want, uint16(p))
	}
	rows, err := m.kernel.sockets(ctx, want...)
	if err != nil {
		return nil, err
	}
	list := []Port{}
	for _, p := range want {
		for _, s := range rows {
			if s.state != Listen || s.local.Port() != p {
				continue
			}
			who, err := m.owner(ctx, s, p)
			if err != nil {
				return nil, err
			}
			list = append(list, Port{
				Port: int(p), Address: s.local.Addr().String(), PID: who.pid,
				Process: cmp.Or(who.name, who.via), Forwarder: forwarder(who) != "", Queue: s.queue,
			})
		}
	}
	return list, nil
}
