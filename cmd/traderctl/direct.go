package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"robotrader/broker"
	"robotrader/broker/desk"
	"robotrader/broker/ibkr"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/runner/risk"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/journal"
)

const (
	// directEvery is how often it is looked how far the flatten is.
	directEvery = 100 * time.Millisecond
	// directStop bounds the stop of each part.
	directStop = 4 * time.Second
)

// directFlags are start_trader's that tell where broker and account are.
var directFlags = []struct{ name, usage string }{
	{"config", "the trader's YAML file"},
	{"broker", "the trader's broker: ibkr"},
	{"gateway", "the gateway's host:port"},
	{"client-id", "the trader's API client id: it owns the orders"},
	{"account", "the trader's account"},
}

func addDirect(c *cobra.Command) {
	c.Flags().Bool("direct", false, "without a running trader: close everything from this program, and wait until it is done")
	c.Flags().Duration("within", 2*time.Minute, "how long --direct tries")
	c.Flags().String("spare", "", "with --direct: a folder on another disk, where a copy of the journal goes on when its own disk cannot be written")
	c.Flags().Bool("live", false, "with --direct: permit an account that is not a paper account")
	for _, f := range directFlags {
		c.Flags().String(f.name, "", "with --direct: "+f.usage)
	}
}

// directConfig is the dead trader's configuration: its file and environment,
// and the flags that it was started with.
func directConfig(c *cobra.Command) (configs.Config, error) {
	args := []string{"--data", flagText(c, "data")}
	for _, f := range directFlags {
		if v := flagText(c, f.name); v != "" {
			args = append(args, "--"+f.name, v)
		}
	}
	if flagOn(c, "live") {
		args = append(args, "--live")
	}
	// A trader wants to know what to trade. Here the positions say it.
	cfg, err := configs.Load(append(args, "AAPL"), os.Environ())
	if err != nil {
		return cfg, fmt.Errorf("%w: the configuration has faults: %w", errUsage, err)
	}
	if cfg.Broker.Name != "ibkr" {
		return cfg, fmt.Errorf("%w: broker %s lives and dies with the trader, so there is nothing to close; name the trader's with --broker ibkr or --config", errUsage, cfg.Broker.Name)
	}
	return cfg, nil
}

// alone is a desk with a link and nothing else: no strategy asks it for
// anything.
type alone struct {
	journal string // its file
	desk    *desk.Desk
	link    *supervisor.Supervisor
	stops   []func(context.Context) error // the last first
}

// flattenDirect does what a trader would, in place of a dead one.
func flattenDirect(c *cobra.Command) (err error) {
	cfg, err := directConfig(c)
	if err != nil {
		return err
	}
	within, err := c.Flags().GetDuration("within")
	if err != nil || within <= 0 {
		return fmt.Errorf("%w: --within %v is not above 0", errUsage, within)
	}
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
	spare := flagText(c, "spare")
	a, err := openAlone(c.Context(), cfg, spare, log)
	defer func() { err = errors.Join(err, a.close()) }()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), within)
	defer cancel()
	m, err := a.flatten(ctx, c.ErrOrStderr(), flagText(c, "reason"))
	if flagOn(c, "json") {
		err = errors.Join(err, json.NewEncoder(c.OutOrStdout()).Encode(m))
	} else if err == nil {
		err = printFlat(c.OutOrStdout(), m, cfg.Broker.IBKR.ClientID)
	}
	if spare != "" {
		fmt.Fprintf(c.ErrOrStderr(), "journal %s goes on, and that of the trader knows nothing of this: when its disk works again, traderctl restore %[1]s --data %s\n", a.journal, cfg.Data.Dir)
	}
	if err == nil && len(m.Left) > 0 {
		err = exitCode(exitLeft)
	}
	return err
}

// exitLeft is the exit code of a flatten that closed all that it may, in an
// account that holds something else as well.
const exitLeft = 3

// printFlat writes what a flatten has come to.
func printFlat(w io.Writer, m event.ModeChange, clientID int) error {
	what := "flat: the broker, asked anew, shows no position"
	if len(m.Left) > 0 {
		what = "flat in stocks; " + event.LeftWords(m.Left) + "; close them at the broker\nThe broker, asked anew, shows no position in what is traded here"
	}
	_, err := fmt.Fprintf(w, "%s and no order for stocks of client id %d works\nmode    %s, also for the next start of the trader: traderctl resume ends it\n", what, clientID, m.Mode)
	return err
}

// openAlone takes the data folder's lock and starts desk and link, on the dead
// trader's journal or, with a spare folder, on a copy of it there. What it returns
// is to be closed also after an error.
func openAlone(ctx context.Context, cfg configs.Config, spare string, log *slog.Logger) (a *alone, err error) {
	a = &alone{}
	if _, err := os.Stat(cfg.Data.Dir); err != nil {
		return a, fmt.Errorf("data folder: %w; name the dead trader's with --data: its journal knows its orders", err)
	}
	lock := flock.New(filepath.Join(cfg.Data.Dir, "lock"), flock.SetPermissions(0o600))
	switch got, err := lock.TryLock(); {
	case err != nil:
		return a, fmt.Errorf("data folder: lock: %w", err)
	case !got:
		return a, fmt.Errorf("data folder: %s is in use: its trader lives; ask it with traderctl flatten, or stop it first", cfg.Data.Dir)
	}
	a.stops = append(a.stops, func(context.Context) error { return lock.Unlock() })
	a.journal = filepath.Join(cfg.Data.Dir, "journal.db")
	if spare != "" {
		if a.journal, err = journal.Spare(a.journal, spare); err != nil {
			return a, err
		}
	}
	store, err := journal.Open(a.journal)
	if err != nil {
		return a, fmt.Errorf("%w; no order goes out that is not stored before: name a folder on a disk that works with --spare, or close the positions at the broker", err)
	}
	a.stops = append(a.stops, store.Close)
	b := cfg.Bus
	b.Log = log
	server, err := bus.Start(b)
	if err != nil {
		return a, fmt.Errorf("bus: %w", err)
	}
	a.stops = append(a.stops, server.Stop)
	conn, err := server.Connect("desk")
	if err != nil {
		return a, fmt.Errorf("bus: %w", err)
	}
	gate, err := risk.New(cfg.Risk)
	if err != nil {
		return a, err
	}
	a.desk = desk.New(cfg.Desk, gate, store, conn, log)
	link := cfg.Broker.IBKR
	link.Log = log
	a.link = supervisor.New(cfg.Supervisor, supervisor.Parts{
		Adapter: ibkr.New(link),
		Open:    broker.OpenConfig{Account: cfg.Broker.Account, Allowed: cfg.Broker.Accounts, Live: cfg.Broker.Live},
		Steps:   a.desk.Steps(nil), Serve: a.desk.Serve, Publish: a.desk.LinkChanged, Log: log,
	})
	a.desk.SetLink(a.link)
	if err := a.desk.Start(ctx); err != nil {
		return a, err
	}
	a.stops = append(a.stops, a.desk.Stop)
	a.link.Start()
	a.stops = append(a.stops, a.link.Stop)
	return a, nil
}

func (a *alone) close() error {
	var errs []error
	for i := len(a.stops) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), directStop)
		errs = append(errs, a.stops[i](ctx))
		cancel()
	}
	return errors.Join(errs...)
}

// flatten latches and follows a flatten until it is done. Latched is before
// connected: whatever happens here, the trader's next start goes on with it.
func (a *alone) flatten(ctx context.Context, tell io.Writer, reason string) (m event.ModeChange, err error) {
	if m, err = a.desk.Flatten(ctx, "traderctl flatten --direct", reason); err != nil {
		return m, err
	}
	look := time.NewTicker(directEvery)
	defer look.Stop()
	var told []event.Closing
	state := broker.LinkState(0)
	for m.Flat == nil {
		select {
		case <-look.C:
		case err := <-a.link.FirstRefusal():
			return m, fmt.Errorf("the gateway refuses: %w", err)
		case <-ctx.Done():
			return m, fmt.Errorf("NOT known to be flat: %w; the link is %v (%s); the next start of the trader goes on with it, or close the rest at the broker",
				context.Cause(ctx), a.link.Link().State, a.link.Link().Cause)
		}
		if l := a.link.Link(); l.State != state {
			state = l.State
			fmt.Fprintf(tell, "link    %v %s\n", l.State, l.Cause)
		}
		// A state that did not come in time has no mode, and is no news.
		if now := a.desk.State(ctx).Mode; now.Mode != "" {
			m = now
		}
		if !reflect.DeepEqual(m.Closing, told) {
			told = m.Closing
			tellClosing(tell, told)
		}
	}
	return m, nil
}

func tellClosing(w io.Writer, list []event.Closing) {
	for _, p := range list {
		held := "unknown"
		if p.Position != nil {
			held = p.Position.String()
		}
		fmt.Fprintf(w, "close   %s: %s, position %s %s\n", p.Symbol, p.State, held, p.Detail)
	}
}
