// Command bench measures the built binaries and prints the figures beside the
// limits that the project has set itself. scripts/bench.sh builds and runs it.
//
// It promises figures of the program as users run it: bin/start_trader, as a
// process of its own, on a disk and over TCP. It promises that each figure is
// taken beside what it is judged by, in the same run. It does not judge with
// its exit code: a limit that is missed is printed as MISSED for people, and
// only a measurement that could not be made makes it fail. Figures of a busy
// machine are figures of that machine.
//
// # Design
//
// Tick-to-order is measured in cycles of 30 ms with three lanes 10 ms apart, so
// that all share the noise of the machine:
//
//	+0 ms   echo: a process that does nothing but read the tick's bytes from a
//	        loopback socket and write bytes of an order's size back
//	+10 ms  commit: one order's intent through services/journal, durable
//	+20 ms  ours: the same tick written by the simulated gateway, until it has
//	        read the order that the trader answers with
//
// The gateway runs in this process and the trader in its own. Its clock stops
// when the order is read, so what it then does with the order is not measured,
// and neither is what it does before the tick's bytes go to the socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// plan says how much is measured.
type plan struct {
	bin     string // folder of the built binaries
	folder  string // below which data folders are made
	starts  int
	settle  time.Duration // before memory is read
	ticks   int
	beside  int           // cycles of the figures that only inform
	push    time.Duration // of each rate of throughput
	opens   int           // handshakes
	flaps   int           // times that the gateway goes away and comes back
	archive string        // of a release, for section deploy
	gotime  string
	gocount int
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "echo" {
		os.Exit(echo(os.Args[2]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	quick := flags.Bool("quick", false, "fewer rounds: figures for a first look")
	only := flags.String("only", "", "one of start, memory, latency, orders, throughput, handshake, recovery, listening, days, fanout, code, deploy (default: all but the last)")
	archive := flags.String("archive", "", "a release's archive for this machine, for section deploy")
	bin := flags.String("bin", "bin", "folder of the built binaries")
	dir := flags.String("dir", "", "folder for the data folders of the runs: its disk is measured (default: the binaries')")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	p := plan{bin: *bin, folder: *dir, starts: 10, settle: 10 * time.Second, ticks: 1000, beside: 200, push: 5 * time.Second, opens: 500, flaps: 100, archive: *archive, gotime: "1s", gocount: 3}
	if *quick {
		p.starts, p.settle, p.ticks, p.beside, p.push, p.gotime, p.gocount = 3, 3*time.Second, 200, 50, time.Second, "200ms", 1
		p.opens, p.flaps = 100, 10
	}
	if p.folder == "" {
		p.folder = p.bin
	}
	if err := measure(ctx, p, *only, out); err != nil {
		fmt.Fprintf(errs, "bench: %v\n", err)
		return 1
	}
	return 0
}

// measure runs the sections and prints each when it is done. A section that
// fails does not keep the others from running.
func measure(ctx context.Context, p plan, only string, out io.Writer) error {
	folder, err := os.MkdirTemp(p.folder, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if p.folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	fmt.Fprint(out, machine(p.folder))
	sections := []struct {
		name string
		run  func(context.Context, plan) (section, error)
	}{
		{"start", start},
		{"memory", memory},
		{"latency", latency},
		{"orders", orders},
		{"throughput", throughput},
		{"handshake", handshakes},
		{"recovery", recovery},
		{"listening", listening},
		{"days", days},
		{"fanout", fanout},
		{"code", code},
		{"deploy", deploy},
	}
	var faults []error
	ran := false
	for _, s := range sections {
		if only != s.name && (only != "" || s.name == "deploy") {
			continue
		}
		ran = true
		got, err := s.run(ctx, p)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", s.name, err))
			fmt.Fprintf(out, "\n%s: NOT MEASURED: %v\n", s.name, err)
			continue
		}
		fmt.Fprintf(out, "\n%s", got)
		if ctx.Err() != nil {
			break
		}
	}
	if !ran {
		return fmt.Errorf("--only %q is none of start, memory, latency, orders, throughput, handshake, recovery, listening, days, fanout, code, deploy", only)
	}
	return errors.Join(append(faults, ctx.Err())...)
}
