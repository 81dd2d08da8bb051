package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The speed is bounded by what the trader's limits allow: a quote may be 5 s of
// market time old, which at 96 are 52 ms of a busy machine's time. The quick run
// needs seconds of wall time, not hours of the market's.
const (
	usualSpeed = 96
	quickHours = 0.75
)

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(errs)
	p := plan{say: func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }}
	flags.StringVar(&p.bin, "bin", "bin/soak", "folder of start_trader, gatewaysim and dip")
	flags.Float64Var(&p.hours, "hours", 24, "simulated hours")
	flags.Float64Var(&p.speed, "speed", usualSpeed, "market time over wall time")
	flags.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "of the market and of what goes wrong; default by the clock")
	flags.StringVar(&p.sessions, "sessions", "always", "when the market is open: always, or new_york")
	strategies := flags.String("load", "usual", "how much the strategies trade: usual, or heavy, with which memory is only told")
	flags.BoolVar(&p.quick, "quick", false, "a run of seconds, judged on what that can show")
	keep := flags.Bool("keep", false, "keep the folder of the run, which a broken one always leaves")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if p.quick {
		p.hours, *strategies = quickHours, "heavy"
	}
	var known bool
	if p.load, known = loads[*strategies]; !known {
		fmt.Fprintf(errs, "soak: --load %.40q is neither usual nor heavy\n", *strategies)
		return 2
	}
	if !(p.hours > 0 && p.hours <= 1000) || !(p.speed > 0 && p.speed <= 1000) || flags.NArg() > 0 {
		fmt.Fprintf(errs, "soak: --hours %v and --speed %v are above 0 and at most 1000, and there are no arguments\n", p.hours, p.speed)
		return 2
	}
	var err error
	if p.folder, err = os.MkdirTemp("", "soak-"); err != nil {
		fmt.Fprintf(errs, "soak: %v\n", err)
		return 1
	}
	if err := soak(ctx, p); err != nil {
		fmt.Fprintf(errs, "soak: %v\nsoak: what it left is in %s\n", err, p.folder)
		return 1
	}
	if *keep {
		p.say("kept: %s", p.folder)
	} else if err := os.RemoveAll(p.folder); err != nil {
		fmt.Fprintf(errs, "soak: %v\n", err)
		return 1
	}
	return 0
}
