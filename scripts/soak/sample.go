package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"robotrader/scripts/rig"
	"robotrader/services/host"
)

// sample is what a trader holds at one instant. Sizes are in bytes.
type sample struct {
	hour float64 // simulated, since the start of the run
	life int     // of the trader, counted from 0
	// calm says that the link has been ready for [calmFor] and that no passing
	// client was there: what such samples hold is the same state.
	calm  bool
	state string // of the link

	anonymous float64 // memory of its own
	resident  float64 // with the pages of its binary
	live      float64 // heap that the newest collection found in use
	// free is what the process has of the machine for its heap and nothing live is
	// in: garbage of the moment, and room that is not given back yet.
	free       float64
	goroutines float64
	files      float64 // descriptors
	losses     float64 // of the link, in this life

	folder     map[string]int64 // size of each entry of the data folder
	frameFiles int
	ours       host.States // sockets of the trader to the gateway's port
	theirs     host.States // sockets at that port
	lag        time.Duration
}

// calmFor is how long the link has to be ready, wall time: what an interruption
// leaves for moments (retries, closing sockets, late answers) is over then.
const (
	calmFor      = 8 * time.Second
	calmForQuick = 1200 * time.Millisecond
)

// held is memory of its own less what is free in its heap: it goes up and down with
// each collection by more than a day's growth, and says nothing.
func (s sample) held() float64 { return s.anonymous - s.free }

// total is the size of the whole data folder.
func (s sample) total() (n int64) {
	for _, size := range s.folder {
		n += size
	}
	return n
}

// look takes a sample but for what only the lane knows. Calm is how long the link
// has to be ready for that.
func look(ctx context.Context, m *host.Machine, t *rig.Trader, gateway string, calm time.Duration) (s sample, err error) {
	err = errors.Join(s.metrics(ctx, t), s.process(t.Cmd.Process.Pid), s.link(ctx, t, calm), s.measure(t.Data), s.sockets(ctx, m, t, gateway))
	return s, err
}

func (s *sample) metrics(ctx context.Context, t *rig.Trader) error {
	text, err := t.Text(ctx, "/metrics")
	if err != nil {
		return err
	}
	in := bufio.NewScanner(strings.NewReader(text))
	var room float64
	for in.Scan() {
		name, value, ok := strings.Cut(in.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue
		}
		switch name {
		case "process_open_fds":
			s.files = n
		case "go_goroutines":
			s.goroutines = n
		case "go_gc_heap_live_bytes":
			s.live = n
		case "go_memstats_heap_sys_bytes":
			room += n
		case "go_memstats_heap_released_bytes":
			room -= n
		case "trader_link_lost_total":
			s.losses = n
		}
	}
	s.free = room - s.live
	if s.goroutines == 0 || s.files == 0 || s.live == 0 || room == 0 {
		return errors.New("the metrics lack goroutines, descriptors or heap")
	}
	return in.Err()
}

func (s *sample) process(pid int) error {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return err
	}
	held, err := proc.NewStatus()
	s.anonymous, s.resident = float64(held.RssAnon), float64(held.VmRSS)
	return err
}

// link reads the state, and whether it stood for long enough.
func (s *sample) link(ctx context.Context, t *rig.Trader, calm time.Duration) error {
	var is struct {
		State string    `json:"state"`
		Since time.Time `json:"since"`
	}
	if err := t.Read(ctx, "/readyz", &is, http.StatusOK, http.StatusServiceUnavailable); err != nil {
		return err
	}
	s.state = is.State
	s.calm = is.State == "ready" && time.Since(is.Since) > calm
	return nil
}

// measure measures the data folder: each entry, with all that is in it.
func (s *sample) measure(data string) error {
	s.folder = map[string]int64{}
	return filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if errors.Is(err, os.ErrNotExist) {
				return nil // a file of the ring that was removed in this moment
			}
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		name, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		name, _, inside := strings.Cut(name, string(filepath.Separator))
		s.folder[name] += info.Size()
		if inside && name == "frames" {
			s.frameFiles++
		}
		return nil
	})
}

// sockets counts those at the gateway's port, and at the other side those of the
// trader and those that belong to no process any more: others of this machine may
// have had a gateway at that port before, and seek it.
func (s *sample) sockets(ctx context.Context, m *host.Machine, t *rig.Trader, gateway string) error {
	all, err := m.Sockets(ctx, gateway)
	if err != nil {
		return fmt.Errorf("sockets: %w", err)
	}
	s.theirs, s.ours = sum(all.Gateway, 0), sum(all.Clients, t.Cmd.Process.Pid)
	return nil
}

// sum adds sockets up, of one process and of none if a pid is given.
func sum(sides []host.Side, pid int) host.States {
	all := host.States{}
	for _, side := range sides {
		if pid != 0 && side.PID != 0 && side.PID != pid {
			continue
		}
		for state, n := range side.States {
			all[state] += n
		}
	}
	return all
}
