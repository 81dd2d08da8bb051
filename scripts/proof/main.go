package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	p := plan{say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	flag.StringVar(&p.bin, "bin", "bin", "folder of start_trader, gatewaysim and "+crashing)
	flag.IntVar(&p.kills, "kills", 50, "kills at random instants")
	flag.IntVar(&p.each, "each", 4, "kills at each boundary")
	flag.IntVar(&p.lanes, "lanes", 1, "rounds at a time: most of a life is waiting")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "of the instants; default by the clock")
	flag.BoolVar(&p.naked, "naked", false, "the trader makes no protective stops; more orders in the same time")
	flag.DurationVar(&p.judge, "judge", 0, "what the 99th percentile of the starts may take until ready; 0 only tells it")
	flag.Parse()
	if err := prove(p); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// prove runs the plan in a folder of its own and prints what came of it. The
// folder stays when something failed.
func prove(p plan) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if p.folder, err = os.MkdirTemp("", "proof-"); err != nil {
		return err
	}
	p.say("seed %d", p.seed)
	r, err := run(ctx, p)
	p.say("%d kills (%d at random instants) in %d rounds, %d at a time, %v", r.kills, r.kills-sum(r.boundary), r.rounds, p.lanes, r.took.Round(time.Second))
	for _, name := range boundaries {
		p.say("  at %-20s %d", name, r.boundary[name])
	}
	p.say("%d orders and %d executions compared with the gateway's books", r.intents, r.execs)
	p.say("ready after a kill: p50 %v, p99 %v, max %v over %d starts; want 3s at most", percentile(r.readies, 50).Round(time.Millisecond),
		percentile(r.readies, 99).Round(time.Millisecond), percentile(r.readies, 100).Round(time.Millisecond), len(r.readies))
	if err != nil {
		return fmt.Errorf("%w\nwhat it left is in %s", err, p.folder)
	}
	return os.RemoveAll(p.folder)
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
