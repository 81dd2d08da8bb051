// Command gatewaysim is the simulated IB Gateway as a program: any client of
// the TWS API may connect to it. It plays a seeded synthetic market, or files.
//
// It promises the exit codes 0 stopped as asked, 1 unexpected, 2 usage; one
// line on standard output when it listens; and with a state folder that a
// restart, after a kill too, knows all that clients were told, and that its
// books are in sim-ledger.json there when it has ended in order.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the market's zone, on machines without a zone database
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

// usage is a failure that better flags mend.
func usage(format string, a ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, a...)}
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
