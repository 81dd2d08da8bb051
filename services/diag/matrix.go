package diag

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Records reads the probe records of a data folder, oldest first. Broken counts
// the lines that are none: a program that was killed, or a full disk, leaves
// half a line. A folder without records is no error.
func Records(folder string) (list []Probe, broken int, err error) {
	for _, name := range []string{logName + ".1", logName} {
		f, _, err := openRegular(filepath.Join(folder, name), os.Stat)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("diag: probe records: %w", err)
		}
		more, bad, err := readRecords(io.LimitReader(f, 2*logLimit))
		f.Close()
		if err != nil {
			return nil, 0, fmt.Errorf("diag: probe records: %s: %w", name, err)
		}
		list, broken = append(list, more...), broken+bad
	}
	return list, broken, nil
}

func readRecords(r io.Reader) (list []Probe, broken int, err error) {
	in := bufio.NewReaderSize(r, maxRecord)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			broken++
			err = skipLine(in)
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			if p, ok := parseRecord(line); ok {
				list = append(list, p)
			} else {
				broken++
			}
		}
		if errors.Is(err, io.EOF) {
			return list, broken, nil
		}
		if err != nil {
			return list, broken, err
		}
	}
}

// maxRecord bounds a line of the records: one with some thousand accounts.
const maxRecord = 64 << 10

func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// parseRecord reads one line. What it shows is printed on terminals, so nothing
// is taken that none of our programs writes.
func parseRecord(line []byte) (p Probe, ok bool) {
	if err := json.Unmarshal(line, &p); err != nil {
		return Probe{}, false
	}
	if p.GatewayBuild != "" && CheckBuild(p.GatewayBuild) != nil {
		return Probe{}, false
	}
	switch p.Result {
	case Ready, Usage:
		return p, true
	case Failed:
		return p, slices.Contains(handshake(), p.FailedAt)
	}
	return Probe{}, false
}

// Cell is what is known of one gateway build with one server version.
type Cell struct {
	Build         string `json:"gateway_build"`  // "" = not told
	ServerVersion int    `json:"server_version"` // 0 = no handshake came that far
	Ready         int    `json:"ready"`
	Failed        int    `json:"failed"`
	// FailedAt counts the failures by rung.
	FailedAt map[string]int `json:"failed_at"`
	// MedianMS is that of the handshakes that became ready, nil without one.
	MedianMS *float64 `json:"median_ms"`

	LastResult string    `json:"last_result"`
	LastFailed string    `json:"last_failed"` // the rung of the newest failure, "" without one
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`

	took []float64
}

// Matrix is which gateway builds worked here. It is made of the records that
// the data folder still holds, so its counts begin with the oldest of these.
type Matrix struct {
	Cells   []Cell `json:"cells"`
	Marked  *Mark  `json:"marked"`  // nil = none
	Running string `json:"running"` // the build that runs now, "" = not told
	// Untold counts the records without a build, and Broken the lines that are
	// no records.
	Untold   int      `json:"untold"`
	Broken   int      `json:"broken"`
	Warnings []string `json:"warnings"`
}

// MatrixOf makes the matrix of a data folder. Running is the build that runs now,
// "" when nobody tells.
func MatrixOf(folder, running string) (Matrix, error) {
	records, broken, err := Records(folder)
	if err != nil {
		return Matrix{}, err
	}
	m := Matrix{Cells: cells(records), Running: running, Broken: broken, Warnings: []string{}}
	for _, p := range records {
		if p.GatewayBuild == "" && p.Result != Usage {
			m.Untold++
		}
	}
	if m.Marked, err = ReadMark(folder); err != nil {
		return Matrix{}, err
	}
	m.warn()
	return m, nil
}

func cells(records []Probe) []Cell {
	type key struct {
		build   string
		version int
	}
	at := map[key]int{}
	list := []Cell{}
	for _, p := range records {
		if p.Result == Usage {
			continue // nothing was tried
		}
		k := key{p.GatewayBuild, p.ServerVersion}
		i, known := at[k]
		if !known {
			i = len(list)
			at[k] = i
			list = append(list, Cell{Build: k.build, ServerVersion: k.version, FirstSeen: p.At, FailedAt: map[string]int{}})
		}
		list[i].add(p)
	}
	for i := range list {
		list[i].MedianMS = median(list[i].took)
	}
	slices.SortFunc(list, func(a, b Cell) int {
		return cmp.Or(compareBuilds(a.Build, b.Build), cmp.Compare(a.ServerVersion, b.ServerVersion))
	})
	return list
}

func (c *Cell) add(p Probe) {
	if p.Result == Ready {
		c.Ready++
		c.took = append(c.took, p.ElapsedMS)
	} else {
		c.Failed++
		c.FailedAt[p.FailedAt]++
	}
	if p.At.Before(c.FirstSeen) {
		c.FirstSeen = p.At
	}
	if p.At.Before(c.LastSeen) {
		return // the clock was set back between two records
	}
	c.LastSeen, c.LastResult = p.At, p.Result
	if p.Result != Ready {
		c.LastFailed = p.FailedAt
	}
}

func median(list []float64) *float64 {
	if len(list) == 0 {
		return nil
	}
	list = slices.Sorted(slices.Values(list))
	m := list[len(list)/2]
	if len(list)%2 == 0 {
		m = (m + list[len(list)/2-1]) / 2
	}
	return &m
}

// compareBuilds orders 10.9 before 10.30, and what says no number first.
func compareBuilds(a, b string) int {
	major, minor, told := number(a)
	major2, minor2, told2 := number(b)
	if !told || !told2 {
		return cmp.Or(cmp.Compare(order(told), order(told2)), strings.Compare(a, b))
	}
	return cmp.Or(cmp.Compare(major, major2), cmp.Compare(minor, minor2), strings.Compare(a, b))
}

func order(told bool) int {
	if told {
		return 1
	}
	return 0
}

func (m *Matrix) warn() {
	if w := m.history(); w != "" {
		m.Warnings = append(m.Warnings, w)
	}
	if w := differs(m.Marked, m.Running); w != "" {
		m.Warnings = append(m.Warnings, w)
	}
	if r, ok := ReleaseOf(m.Running); m.Running != "" && !ok {
		if _, _, told := number(m.Running); told {
			m.Warnings = append(m.Warnings, fmt.Sprintf("gateway %s is older than API release %s, the oldest that we speak", m.Running, releases[0].api))
		}
	} else if ok && r.Spoken == 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("gateway %s: %s", m.Running, r.Means))
	}
	if m.Untold > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%d records do not tell the gateway's build: name it with --gateway-build", m.Untold))
	}
	if m.Broken > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%d lines of %s are not understood and were left out", m.Broken, logName))
	}
}

// history says whether the build that runs failed here before.
func (m *Matrix) history() string {
	if m.Running == "" {
		return ""
	}
	ready, failed := 0, 0
	var last Cell
	for _, c := range m.Cells {
		if c.Build != m.Running {
			continue
		}
		ready, failed = ready+c.Ready, failed+c.Failed
		if !c.LastSeen.Before(last.LastSeen) {
			last = c
		}
	}
	switch {
	case failed == 0:
		return ""
	case last.LastResult == Failed:
		return fmt.Sprintf("gateway %s failed here %d of %d times, the last time too: at rung %s, %s", m.Running, failed, failed+ready, last.LastFailed, last.LastSeen.Format(time.RFC3339))
	}
	return fmt.Sprintf("gateway %s failed here before, %d of %d times; the last time it worked, %s", m.Running, failed, failed+ready, last.LastSeen.Format(time.RFC3339))
}
