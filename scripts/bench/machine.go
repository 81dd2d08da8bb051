package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// machine tells where and when the figures were taken. What cannot be learned
// is told as unknown.
func machine(folder string) string {
	const unknown = "unknown"
	model, system, files, memory, busy := unknown, unknown, unknown, unknown, unknown
	if list, err := cpu.Info(); err == nil && len(list) > 0 {
		model = list[0].ModelName
		if list[0].Mhz > 0 {
			model = fmt.Sprintf("%s, %.0f MHz", model, list[0].Mhz)
		}
	}
	if h, err := host.Info(); err == nil {
		system = strings.TrimSpace(fmt.Sprintf("%s %s, kernel %s", h.Platform, h.PlatformVersion, h.KernelVersion))
	}
	if list, err := disk.Partitions(true); err == nil {
		files = fileSystem(folder, list)
	}
	if m, err := mem.VirtualMemory(); err == nil {
		memory = fmt.Sprintf("%.1f GiB", float64(m.Total)/(1<<30))
	}
	if l, err := load.Avg(); err == nil {
		busy = fmt.Sprintf("%.2f in the last minute", l.Load1)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range [][2]string{
		{"date", time.Now().UTC().Format(time.RFC3339)},
		{"cpu", fmt.Sprintf("%d cores, %s", runtime.NumCPU(), model)},
		{"memory", memory},
		{"system", runtime.GOOS + "/" + runtime.GOARCH + ", " + system},
		{"go", runtime.Version()},
		{"data folder", "file system " + files},
		{"load", busy},
	} {
		fmt.Fprintf(w, "%s\t%s\n", f[0], f[1])
	}
	_ = w.Flush() // into memory
	return b.String()
}

// fileSystem returns the type of the file system that a folder is on: that of
// the longest mount point above it, the last one of several.
func fileSystem(folder string, mounts []disk.PartitionStat) string {
	found, longest := "unknown", -1
	for _, m := range mounts {
		rest, ok := strings.CutPrefix(folder, strings.TrimSuffix(m.Mountpoint, "/"))
		if ok && (rest == "" || rest[0] == '/') && len(m.Mountpoint) >= longest {
			found, longest = m.Fstype, len(m.Mountpoint)
		}
	}
	return found
}
