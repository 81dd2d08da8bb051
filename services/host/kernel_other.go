//go:build !linux

package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	gonet "github.com/shirou/gopsutil/v4/net"
	gops "github.com/shirou/gopsutil/v4/process"
)

// tools asks the system through gopsutil, which on macOS runs lsof.
type tools struct{}

func system(string) kernel { return tools{} }

func (tools) view(ctx context.Context) context.Context { return ctx }

// aliases are names of states that differ from ours.
var aliases = map[string]State{
	"LISTENING": Listen, "FIN_WAIT1": FinWait1, "FIN_WAIT2": FinWait2, "SYN_RCVD": SynRecv, "CLOSE": Closed,
}

func (tools) sockets(ctx context.Context, ports ...uint16) ([]socket, error) {
	list, err := gonet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		// An error that reads as "nobody listens" once started a gateway 472
		// times a day.
		return nil, fmt.Errorf("the system's list of TCP sockets: %w (is lsof in the PATH?)", err)
	}
	rows := []socket{}
	for _, c := range list {
		local, remote := uint16(c.Laddr.Port), uint16(c.Raddr.Port)
		if !slices.Contains(ports, local) && !slices.Contains(ports, remote) {
			continue
		}
		s := socket{local: place(c.Laddr.IP, local), remote: place(c.Raddr.IP, remote), state: State(c.Status), pid: int(c.Pid)}
		if a, ok := aliases[c.Status]; ok {
			s.state = a
		}
		if len(c.Uids) > 0 {
			s.uid = uint64(c.Uids[0])
		}
		rows = append(rows, s)
	}
	return rows, nil
}

// place reads an address in the words of lsof, where * is every one.
func place(ip string, port uint16) netip.AddrPort {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		a = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(a.Unmap(), port)
}

func (tools) owners(context.Context, map[uint64]bool) (map[uint64]int, error) { return nil, nil }

func (tools) identify(ctx context.Context, pid int) (process, error) {
	g, err := gops.NewProcessWithContext(ctx, int32(pid))
	if err != nil {
		return process{}, err
	}
	name, err := g.NameWithContext(ctx)
	if err != nil {
		return process{}, err
	}
	ms, err := g.CreateTimeWithContext(ctx)
	if err != nil {
		return process{}, err
	}
	return process{pid: pid, name: name, mark: uint64(ms), started: time.UnixMilli(ms).UTC()}, nil
}

// LockHolder is not told by this system.
func (m *Machine) LockHolder(context.Context, string) (pid int, err error) {
	return 0, errors.ErrUnsupported
}
