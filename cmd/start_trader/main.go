// Command start_trader runs trading strategies for symbols through a broker's
// gateway and shows the truth about it on a dashboard.
//
// It promises the flags and exit codes of its help, one trader a data folder,
// and an orderly stop within ten seconds of a signal. It composes the parts and
// knows no business of theirs.
//
// # Design
//
// What must be closed well whatever happens (the folder's lock, the journal,
// the bus) is opened here, before the fx application, and closed after it: an
// fx start that times out runs no OnStop hook. Everything else is composed by
// fx: app.go lists the parts, bind.go the interfaces that join them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	_ "time/tzdata" // exchange times on machines without a zone database

	"go.uber.org/fx"
	_ "golang.org/x/crypto/x509roots/fallback" // public authorities, for a machine or image that has none

	"robotrader/broker"
	"robotrader/configs"
	"robotrader/services/bus/bridge"
	"robotrader/services/stamp"
	"robotrader/services/telemetry"
)

// The exit codes.
const (
	exitStopped    = 0
	exitUnexpected = 1
	exitUsage      = 2
	exitConfig     = 3
	exitRefused    = 4
)

// stopWithin bounds an orderly stop; the parts bound themselves below it.
const stopWithin = 7 * time.Second

func main() {
	// A panic ends by a signal and not with exit 2, which would say that the
	// command line is wrong: a service manager does not start that one again.
	debug.SetTraceback("crash")
	runtime.MemProfileRate = 0 // nobody reads that profile, and it grows for weeks with each new path to an allocation
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stay(ctx, code, os.Args[1:], os.Environ(), os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args, environ []string, out, errs io.Writer) int {
	cfg, err := configs.Load(args, environ)
	out, errs = guarded(cfg, out), guarded(cfg, errs)
	if err == nil {
		err = check(cfg)
	}
	switch {
	case errors.Is(err, configs.ErrHelp):
		fmt.Fprint(out, configs.Usage())
		return exitStopped
	case errors.Is(err, configs.ErrVersion):
		fmt.Fprintln(out, "start_trader", stamp.Read())
		return exitStopped
	case errors.Is(err, configs.ErrUsage):
		fmt.Fprintf(errs, "start_trader: %v\n\n%s", err, configs.Usage())
		return exitUsage
	case err != nil:
		fmt.Fprintf(errs, "start_trader: the configuration has faults:\n%v\n", err)
		return exitConfig
	case cfg.Healthcheck:
		return healthcheck(ctx, cfg, out)
	case cfg.Check:
		return preflight(ctx, cfg, out)
	}
	return trade(ctx, cfg, out, errs)
}

// check finds the faults that only show when parts are asked: the strategy's
// name and parameters, and the contents of the files to replay and of those for
// the bus.
func check(cfg configs.Config) error {
	var faults configs.Faults
	if _, _, err := cfg.Runner.Check(kinds()); err != nil {
		faults = append(faults, err)
	}
	if cfg.Broker.Name == "sim" {
		if _, err := cfg.Sim.Source(time.Now()); err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := places(cfg); err != nil {
		faults = append(faults, err)
	}
	if err := bridge.Check(cfg.Bus, ownNames()); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// trade opens what must be closed well, runs the application until there is a
// reason to stop, and closes everything.
func trade(ctx context.Context, cfg configs.Config, out, errs io.Writer) (code int) {
	began := time.Now()
	log := logger(cfg.Log, errs)
	if os.Getenv("GOMAXPROCS") == "" && cfg.Procs > 0 {
		runtime.GOMAXPROCS(cfg.Procs)
	}
	heap := startCollector()
	defer heap.stop()
	fail := func(err error) int {
		fmt.Fprintf(errs, "start_trader: %v\n", err)
		return exitUnexpected
	}
	res, err := open(cfg, log)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := res.close(); err != nil && code == exitStopped {
			code = fail(err)
		}
	}()

	var ends ends
	app := fx.New(application(cfg, res, log), fx.Populate(&ends), fx.StopTimeout(stopWithin))
	if err := app.Err(); err != nil {
		return fail(err)
	}
	// A signal does not cut the start short, which only schedules: a start that
	// is cancelled goes on behind our back and runs no OnStop hook.
	starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), app.StartTimeout())
	err = app.Start(starting)
	cancel()
	if err == nil {
		greet(out, cfg, ends.Server.Addr())
		err = res.folder.announce(ends.Server.Addr(), cfg.Websocket)
		log.Info("trader_started", "after", time.Since(began))
	}
	if err == nil {
		code, err = ends.wait(ctx, cfg, log)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if stopErr := app.Stop(stopping); stopErr != nil {
		log.Error("stop_not_orderly", "error", stopErr)
		err = errors.Join(err, stopErr)
	}
	if err != nil {
		if unexpected := fail(err); code == exitStopped {
			code = unexpected
		}
	}
	log.Info("trader_stopped", "code", code, "after", time.Since(began))
	return code
}

// wait returns when there is a reason to stop: a signal, the end of run_for, a
// replay that is over, or a refusal before the link was ever ready.
func (e ends) wait(ctx context.Context, cfg configs.Config, log *slog.Logger) (int, error) {
	var over <-chan time.Time
	if cfg.RunFor > 0 {
		t := time.NewTimer(cfg.RunFor)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
		log.Info("stop_asked", "why", "signal")
	case <-over:
		log.Info("stop_asked", "why", "run_for", "after", cfg.RunFor)
	case <-e.replayed(cfg):
		log.Info("stop_asked", "why", "the replay is over")
	case err := <-e.Supervisor.FirstRefusal():
		log.Error("refused_for_good", "error", err)
		var b *broker.Error
		if errors.As(err, &b) && b.Advice != "" {
			return exitRefused, fmt.Errorf("%w\n  advice: %s", err, b.Advice)
		}
		return exitRefused, err
	}
	return exitStopped, nil
}

func logger(cfg configs.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		panic(err) // validated
	}
	return telemetry.NewLogger(w, cfg.Format, level)
}

func greet(out io.Writer, cfg configs.Config, addr string) {
	what := "broker " + cfg.Broker.Name
	if cfg.Broker.Name == "sim" {
		what = "SIMULATED gateway: no real order leaves this machine"
	}
	fmt.Fprintf(out, "start_trader: %v with %s, %s\n", cfg.Runner.Symbols, cfg.Runner.Strategy, what)
	at := "http://" + addr
	if cfg.Websocket.TLSCert != "" {
		at = "https://" + addr
	}
	switch {
	case addr == "":
	case cfg.Websocket.Headless:
		fmt.Fprintf(out, "start_trader: headless; state at %s/api/state, readiness at %s/readyz\n", at, at)
	default:
		fmt.Fprintf(out, "start_trader: dashboard at %s/\n", at)
	}
	if addr != "" && cfg.Websocket.Exposed() {
		fmt.Fprintf(out, "start_trader: others can reach it; it asks for the token in %s\n", filepath.Join(cfg.Data.Dir, "token"))
	}
}

// version names this build in records and messages.
func version() string { return stamp.Read().Short() }
