package host

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"github.com/shirou/gopsutil/v4/common"
)

// proc reads the tables of Linux below a folder, which is /proc but in tests.
type proc struct{ root string }

func system(root string) kernel { return proc{cmp.Or(root, procfs.DefaultMountPoint)} }

// view makes gopsutil read the same tables.
func (p proc) view(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{common.HostProcEnvKey: p.root})
}

// states are the kernel's numbers, include/net/tcp_states.h.
var states = [...]State{
	1: Established, 2: SynSent, 3: SynRecv, 4: FinWait1, 5: FinWait2, 6: TimeWait, 7: Closed,
	8: CloseWait, 9: LastAck, 10: Listen, 11: Closing, 12: SynRecv,
}

func (p proc) sockets(ctx context.Context, ports ...uint16) ([]socket, error) {
	if err := ctx.Err(); err != nil { // once begun it is read to its end: half a table is none
		return nil, fmt.Errorf("the kernel's table of TCP sockets: %w", err)
	}
	dir, err := procfs.NewFS(p.root)
	if err != nil {
		return nil, fmt.Errorf("the kernel's tables: %w", err)
	}
	var rows []socket
	for _, read := range []func() (procfs.NetTCP, error){
		// The netlink library that is advised instead is one more dependency,
		// for tables that are as good here and can be played in a test.
		dir.NetTCP,  //lint:ignore SA1019 see above
		dir.NetTCP6, //lint:ignore SA1019 see above
	} {
		table, err := read()
		if errors.Is(err, fs.ErrNotExist) && rows != nil {
			break // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("the kernel's table of TCP sockets: %w", err)
		}
		rows = append(make([]socket, 0, 16), rows...)
		for _, l := range table {
			local, remote := uint16(l.LocalPort), uint16(l.RemPort)
			if !slices.Contains(ports, local) && !slices.Contains(ports, remote) || l.St >= uint64(len(states)) {
				continue
			}
			rows = append(rows, socket{
				local: place(l.LocalAddr, local), remote: place(l.RemAddr, remote), state: states[l.St],
				inode: l.Inode, uid: l.UID, queue: l.RxQueue,
			})
		}
	}
	return rows, nil
}

func place(ip net.IP, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip) // 4 or 16 bytes: the parser saw to it
	return netip.AddrPortFrom(a.Unmap(), port)
}

func (p proc) owners(ctx context.Context, inodes map[uint64]bool) (map[uint64]int, error) {
	dir, err := procfs.NewFS(p.root)
	if err != nil {
		return nil, err
	}
	all, err := dir.AllProcs()
	if err != nil {
		return nil, err
	}
	found := map[uint64]int{}
	for _, one := range all {
		if len(found) == len(inodes) {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("the owners of sockets: %w", err)
		}
		targets, err := one.FileDescriptorTargets()
		if err != nil {
			continue // another user's, or gone
		}
		for _, t := range targets {
			text, ok := strings.CutPrefix(t, "socket:[")
			if !ok {
				continue
			}
			inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
			if err == nil && inodes[inode] && found[inode] == 0 {
				found[inode] = one.PID
			}
		}
	}
	return found, nil
}

func (p proc) identify(_ context.Context, pid int) (process, error) {
	dir, err := procfs.NewFS(p.root)
	if err != nil {
		return process{}, err
	}
	one, err := dir.Proc(pid)
	if err != nil {
		return process{}, err
	}
	stat, err := one.Stat()
	if err != nil {
		return process{}, err
	}
	out := process{pid: pid, name: stat.Comm, mark: stat.Starttime}
	if seconds, err := stat.StartTime(); err == nil {
		out.started = time.UnixMilli(int64(seconds * 1000)).UTC()
	}
	return out, nil
}

// LockHolder tells which process holds the flock of a file, 0 for none. It
// takes no lock, not even for an instant.
func (m *Machine) LockHolder(_ context.Context, path string) (pid int, err error) {
	p, ok := m.kernel.(proc)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	f, err := os.Open(filepath.Join(p.root, "locks"))
	if err != nil {
		return 0, fmt.Errorf("the kernel's table of locks: %w", err)
	}
	defer f.Close()
	dev := uint64(stat.Dev)
	major, minor := dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&^0xff
	for sc := bufio.NewScanner(f); sc.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF
		w := strings.Fields(sc.Text())
		if len(w) < 6 || w[1] != "FLOCK" || w[5] != fmt.Sprintf("%02x:%02x:%d", major, minor, stat.Ino) {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil {
			return pid, nil
		}
	}
	return 0, nil
}
