package host

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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
	rows, err := p.table("net/tcp", ports)
	if err != nil {
		return nil, fmt.Errorf("the kernel's table of TCP sockets: %w", err)
	}
	six, err := p.table("net/tcp6", ports)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return nil, fmt.Errorf("the kernel's table of TCP sockets: %w", err)
	}
	return append(rows, six...), nil
}

// table returns the rows of one table that name a port. procfs has a reader,
// which parses every row: 135,000 allocations with 9,000 sockets, once a second.
func (p proc) table(name string, ports []uint16) ([]socket, error) {
	f, err := os.Open(filepath.Join(p.root, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	marks := make([][]byte, len(ports))
	for i, port := range ports {
		marks[i] = fmt.Appendf(nil, ":%04X ", port)
	}
	rows := []socket{}
	sc := bufio.NewScanner(f)
	if !sc.Scan() || !bytes.Contains(sc.Bytes(), []byte("local_address")) {
		return nil, fmt.Errorf("%s does not begin as it should: %.80q", name, sc.Text())
	}
	for sc.Scan() {
		if !slices.ContainsFunc(marks, func(m []byte) bool { return bytes.Contains(sc.Bytes(), m) }) {
			continue
		}
		s, err := parseRow(sc.Text())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, s)
	}
	return rows, sc.Err()
}

// parseRow reads a row such as
//
//	0: 0100007F:0FA2 00000000:0000 0A 00000000:00000025 00:00000000 00000000 1000 0 501 …
//
// which is local and remote address, state, queues, timers, retransmissions,
// user, timeout and inode: proc(5). Of a listener the second queue is how many
// connections wait to be accepted.
func parseRow(text string) (socket, error) {
	w := strings.Fields(text)
	if len(w) < 10 {
		return socket{}, fmt.Errorf("row %.120q has %d columns, want at least 10", text, len(w))
	}
	var s socket
	var errs [6]error
	s.local, errs[0] = place(w[1])
	s.remote, errs[1] = place(w[2])
	state, err := strconv.ParseUint(w[3], 16, 8)
	errs[2] = err
	if err == nil && state < uint64(len(states)) {
		s.state = states[state]
	}
	_, queue, _ := strings.Cut(w[4], ":")
	s.queue, errs[3] = strconv.ParseUint(queue, 16, 64)
	s.uid, errs[4] = strconv.ParseUint(w[7], 10, 64)
	s.inode, errs[5] = strconv.ParseUint(w[9], 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return socket{}, fmt.Errorf("row %.120q: %w", text, err)
	}
	return s, nil
}

// place reads an address as the kernel writes it: 32-bit words in the machine's
// order of bytes, then the port.
func place(text string) (netip.AddrPort, error) {
	ip, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	raw, err := hex.DecodeString(ip)
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address %.80q is not 8 or 32 hex digits", ip)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, _ := netip.AddrFromSlice(raw) // 4 or 16 bytes
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
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
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		// 1: FLOCK  ADVISORY  WRITE 1234 fd:00:5678 0 EOF
		w := strings.Fields(sc.Text())
		if len(w) < 6 || w[1] != "FLOCK" || w[5] != fmt.Sprintf("%02x:%02x:%d", major, minor, stat.Ino) {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil {
			return pid, nil
		}
	}
	return 0, sc.Err()
}
