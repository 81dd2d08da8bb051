// Command gatewaysim is the simulated IB Gateway as a program: any client of
// the TWS API may connect to it. It plays a seeded synthetic market, or files.
//
// It promises the exit codes 0 stopped as asked, 1 unexpected, 2 usage, one
// line on standard output when it listens, and its books in
// sim-ledger.json when it ends and has a state folder. It does not keep its
// state for the next start.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the market's zone, on machines without a zone database

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/sim"
)

// The exit codes.
const (
	exitOK         = 0
	exitUnexpected = 1
	exitUsage      = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// options are the flags.
type options struct {
	gateway gateway.Config
	data    []string
	seed    uint64
	faults  string
	json    bool
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	cmd := command(out, errs)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(errs, "gatewaysim:", err)
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return exitUsage // what is left comes from cobra's reading of the flags
}

func command(out, errs io.Writer) *cobra.Command {
	o := options{gateway: gateway.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "gatewaysim",
		Short: "a simulated IB Gateway that any TWS API client may connect to",
		Long: `gatewaysim plays an IB Gateway: it speaks the TWS socket protocol, makes or
replays a market, takes orders and keeps the books. Nothing in it is real, and
no order leaves it.

Without --data it plays a synthetic AAPL that is always in session. SIGINT and
SIGTERM end it in order; with --state it then writes sim-ledger.json there:
cash, positions, executions, commissions.

Exit codes: 0 stopped as asked, 1 unexpected, 2 usage.`,
		Example: `  gatewaysim
  gatewaysim --listen 127.0.0.1:7497 --seed 7
  gatewaysim --data AAPL=day.csv --speed 60 --state ./sim`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, out, slog.New(slog.NewTextHandler(errs, nil)))
		},
	}
	f, g := cmd.Flags(), &o.gateway
	f.SortFlags = false
	f.StringVar(&g.Listen, "listen", "127.0.0.1:4002", "host:port to listen on; port 0 takes a free one")
	f.IntVar(&g.ServerVersion, "server-version", g.ServerVersion, "highest server version offered, 176 to 200")
	f.StringArrayVar(&o.data, "data", nil, "[SYMBOL=]FILE: CSV to replay, repeatable (default: synthetic AAPL)")
	f.Float64Var(&g.Speed, "speed", g.Speed, "market time over wall time, above 0")
	f.Uint64Var(&o.seed, "seed", 1, "of the synthetic market")
	f.StringSliceVar(&g.Accounts, "accounts", g.Accounts, "account ids of the login")
	f.BoolVar(&g.ReadOnly, "read-only", false, "refuse orders with code 321, as with the Read-Only API box")
	f.StringVar(&g.StateDir, "state", "", "existing folder for sim-ledger.json (default: none is written)")
	f.StringVar(&o.faults, "faults", "", "fault script: what goes wrong, and when (examples in configs/faults)")
	f.BoolVar(&o.json, "json", false, "print the line that tells the address as JSON")
	return cmd
}

// check refuses what cannot work before anything is started.
func (o options) check() error {
	if o.gateway.Speed == 0 {
		return &failure{exitUsage, errors.New("--speed 0 is lock-step, and nobody paces this program: give a speed above 0")}
	}
	if dir := o.gateway.StateDir; dir != "" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return &failure{exitUsage, fmt.Errorf("--state %s is no folder: make it first", dir)}
		}
	}
	if err := o.gateway.Validate(); err != nil {
		return &failure{exitUsage, err}
	}
	return nil
}

// stopWithin bounds the orderly stop.
const stopWithin = 5 * time.Second

// serve plays the gateway until ctx ends.
func serve(ctx context.Context, o options, out io.Writer, log *slog.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.faults != "" {
		script, err := fault.Load(o.faults)
		if err != nil {
			return &failure{exitUsage, err}
		}
		o.gateway.Faults = script
	}
	src, err := sim.Source(o.data, nil, o.seed, time.Now().Truncate(time.Millisecond))
	if err != nil {
		return &failure{exitUsage, err}
	}
	s, err := gateway.New(o.gateway, src, log)
	if err != nil {
		return &failure{exitUnexpected, err}
	}
	if err := s.Start(); err != nil {
		return &failure{exitUnexpected, err}
	}
	tell(out, o, s)
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := s.Stop(stopping); err != nil {
		return &failure{exitUnexpected, err}
	}
	return nil
}

// tell prints where the gateway listens, on one line.
func tell(out io.Writer, o options, s *gateway.Server) {
	if !o.json {
		fmt.Fprintf(out, "gatewaysim listens on %s: %s, speed %v, server version %d, simulated\n",
			s.Addr(), s.Describe(), o.gateway.Speed, o.gateway.ServerVersion)
		return
	}
	_ = json.NewEncoder(out).Encode(map[string]any{ // a closed pipe is no reason to end
		"listen": s.Addr().String(), "source": s.Describe(), "speed": o.gateway.Speed,
		"server_version": o.gateway.ServerVersion, "accounts": o.gateway.Accounts, "simulated": true,
	})
}
