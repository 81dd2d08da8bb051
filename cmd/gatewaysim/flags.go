package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/market"
	"robotrader/broker/sim"
)

// options are the flags.
type options struct {
	gateway   gateway.Config
	market    sim.Market
	symbols   []string
	anySymbol bool
	sessions  string
	start     string
	cash      string
	faults    string
	logLevel  string
	json      bool

	set func(flag string) bool // whether it was given
}

func command(out, errs io.Writer) *cobra.Command {
	o := options{gateway: gateway.DefaultConfig(), market: sim.Market{Seed: 1, Busy: 1}}
	cmd := &cobra.Command{
		Use:   "gatewaysim",
		Short: "a simulated IB Gateway that any TWS API client may connect to",
		Long: `gatewaysim plays an IB Gateway: it speaks the TWS socket protocol, makes or
replays a market, takes orders and keeps the books. Nothing in it is real, and
no order leaves it.

Without --data it plays a synthetic AAPL, and any other symbol that a client
asks for. SIGINT and SIGTERM end it in order.

With --state it goes on where it was: accounts, positions, orders, executions
and order ids outlast a restart, and a kill. At its end it also writes
sim-ledger.json there: cash, positions, executions, commissions.

Exit codes: 0 stopped as asked, 1 unexpected, 2 usage.`,
		Example: `  gatewaysim
  gatewaysim --listen 127.0.0.1:7497 --symbols AAPL,MSFT,SPY --seed 7
  gatewaysim --sessions new_york --start 2026-11-27T09:00:00 --speed 60
  gatewaysim --data AAPL=day.csv --speed 60 --state ./sim
  gatewaysim --server-version 187 --id-order 9-15 --farm-notices between`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.set = cmd.Flags().Changed
			log, err := o.logger(errs)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), &o, out, log)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	o.marketFlags(f)
	o.sessionFlags(f)
	f.StringVar(&o.gateway.StateDir, "state", "", "folder that keeps everything over restarts, made if it is not there (default: nothing is kept)")
	f.StringVar(&o.faults, "faults", "", "fault script: what goes wrong, and when (examples in configs/faults)")
	f.BoolVar(&o.json, "json", false, "print the line that tells the address as JSON")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// marketFlags are about what is played.
func (o *options) marketFlags(f *pflag.FlagSet) {
	g, m := &o.gateway, &o.market
	f.StringVar(&g.Listen, "listen", "127.0.0.1:4002", "host:port to listen on; port 0 takes a free one")
	f.IntVar(&g.ServerVersion, "server-version", g.ServerVersion, "highest server version offered, 176 to 200")
	f.StringArrayVar(&m.Data, "data", nil, "[SYMBOL=]FILE: CSV to replay, repeatable (default: a synthetic market)")
	f.StringSliceVar(&o.symbols, "symbols", []string{string(sim.DefaultSymbol)}, "what the synthetic market plays from the start")
	f.BoolVar(&o.anySymbol, "any-symbol", true, "make up any other ticker symbol when a client asks for it; not beside --data")
	f.Float64Var(&g.Speed, "speed", g.Speed, "market time over wall time, above 0")
	f.Uint64Var(&m.Seed, "seed", m.Seed, "of the synthetic market")
	f.StringVar(&o.start, "start", "", "market time at the start: 2026-11-27T09:00:00 in New York, or with a zone such as -05:00 (default: now)")
	f.StringVar(&o.sessions, "sessions", tape.AlwaysOpen.String(), "when the synthetic market is open: always, or new_york with its holidays and early closes")
	f.IntVar(&m.Busy, "busy", m.Busy, "multiplies the events of the synthetic market, for load tests")
	f.IntVar(&m.HaltEvery, "halt-every", 0, "halt trading on about one day in so many (default: never)")
	f.StringSliceVar(&g.Accounts, "accounts", g.Accounts, "account ids of the login")
	f.StringVar(&o.cash, "cash", g.Cash.String(), "what each account starts with, in US dollars")
	f.BoolVar(&g.PartialFills, "partial-fills", false, "fill no more at once than the market shows")
	f.BoolVar(&g.Fractions, "fractions", false, "let stocks trade in fractions of a share")
}

// sessionFlags are about how clients are treated.
func (o *options) sessionFlags(f *pflag.FlagSet) {
	g := &o.gateway
	f.StringVar(&g.Feed.Data, "market-data", g.Feed.Data, "what the login may see: live, delayed or none")
	f.BoolVar(&g.ReadOnly, "read-only", false, "refuse orders with code 321, as with the Read-Only API box")
	f.IntVar(&g.MasterClientID, "master-client-id", g.MasterClientID, "client id that hears of all clients' orders; -1 = none")
	f.BoolVar(&g.DownloadOpenOrders, "download-open-orders", false, "tell a client its open orders before its next order id")
	f.StringVar(&g.IDOrder, "id-order", g.IDOrder, "of managedAccts and nextValidId: 15-9 or 9-15")
	f.StringVar(&g.FarmNotices, "farm-notices", g.FarmNotices, "where 2104, 2106 and 2158 come: after both ids, before, between, none")
	f.BoolVar(&g.AccountsComma, "accounts-comma", false, "end the list of accounts with a comma")
	f.DurationVar(&g.ReadyDelay, "ready-delay", 0, "wall time between START_API and both ids")
	f.StringVar(&g.EarlyRequests, "early-requests", g.EarlyRequests, "what comes before both ids: wait, or close the session")
	f.StringVar(&g.IDInUse, "id-in-use", g.IDInUse, "refuse a client id in use with 326, or with a plain close")
	f.IntVar(&g.NoRequestID, "no-request-id", g.NoRequestID, "id of errors about no request: -1 or 2147483647")
	f.IntVar(&g.MaxRate, "max-rate", g.MaxRate, "messages a second of one client, more are refused with code 100; 0 = no bound")
	f.StringVar(&g.ZoneText, "zone-text", "", "time zone in the connection time (default: the market's, such as EST)")
}

// logger writes to errs what the level lets through.
func (o *options) logger(errs io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, usage("--log-level %.20q: name debug, info, warn or error", o.logLevel)
	}
	return slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level})), nil
}

// check reads what the flags mean, and refuses what cannot work before anything
// is started. All that is wrong is told at once.
func (o *options) check() error {
	var bad []error
	add := func(err error) {
		if err != nil {
			bad = append(bad, err)
		}
	}
	if o.gateway.Speed == 0 {
		add(errors.New("--speed 0 is lock-step, and nobody paces this program: give a speed above 0"))
	}
	if dir := o.gateway.StateDir; dir != "" {
		add(stateFolder(dir))
	}
	add(o.readMarket())
	cash, err := market.ParseMoney(o.cash)
	if err != nil {
		add(fmt.Errorf("--cash: %w", err))
	}
	o.gateway.Cash = cash
	if o.faults != "" {
		script, err := fault.Load(o.faults)
		add(err)
		o.gateway.Faults = script
	}
	add(o.gateway.Validate())
	if len(bad) > 0 {
		return &failure{exitUsage, errors.Join(bad...)}
	}
	return nil
}

// readMarket reads what the flags say about the market.
func (o *options) readMarket() error {
	m := &o.market
	var bad []error
	if len(m.Data) > 0 {
		for _, flag := range []string{"symbols", "start", "sessions", "busy", "halt-every"} {
			if o.set(flag) {
				bad = append(bad, fmt.Errorf("--%s is of the synthetic market, and --data replays files: give one of both", flag))
			}
		}
		if o.set("any-symbol") && o.anySymbol {
			bad = append(bad, errors.New("--any-symbol makes up markets, and nothing is made up beside the files of --data: give one of both"))
		}
	} else if o.anySymbol {
		m.MaxSymbols = tape.DefaultMaxSymbols
	}
	for _, text := range o.symbols {
		symbol, err := market.ParseSymbol(strings.TrimSpace(text))
		if err != nil {
			bad = append(bad, fmt.Errorf("--symbols: %w", err))
		}
		m.Symbols = append(m.Symbols, symbol)
	}
	sessions, err := tape.ParseSessions(o.sessions)
	if err != nil {
		bad = append(bad, fmt.Errorf("--sessions: %w", err))
	}
	m.Sessions = sessions
	if o.start != "" {
		if m.Start, err = sim.ParseStart(o.start); err != nil {
			bad = append(bad, fmt.Errorf("--start: %w", err))
		}
	}
	return errors.Join(bad...)
}

// stateFolder makes the folder where only its last part is missing: a longer
// path that is not there is more likely a mistake.
func stateFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return nil
	}
	if st, serr := os.Stat(dir); serr == nil && st.IsDir() {
		return nil
	}
	return fmt.Errorf("--state %s is no folder and cannot be made one: %w: make it first", dir, err)
}

// begin decides at which market time to begin: what was kept, if that is later
// than the clock.
func (o *options) begin(kept time.Time, wall time.Time) error {
	switch start := &o.market.Start; {
	case start.IsZero():
		*start = wall.Truncate(time.Millisecond)
		if kept.After(*start) {
			*start = kept
		}
	case start.Before(kept):
		return usage("--start %s is before the market time in --state %s, which is %s, and market time never goes back: leave it out, or name another folder",
			o.start, o.gateway.StateDir, kept.Format(time.RFC3339))
	}
	return nil
}
