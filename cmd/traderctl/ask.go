package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"robotrader/services/diag"
	"robotrader/websocket/feed"
)

// maxState bounds what is read of a trader's answer.
const maxState = 16 << 20

// askWithin bounds a question to a running trader.
const askWithin = 5 * time.Second

// where returns who asks the running trader: at the flag's address, or as it
// wrote into its data folder.
func where(c *cobra.Command, within time.Duration) (diag.Caller, error) {
	if addr := flagText(c, "http"); addr != "" {
		caller, err := diag.CallerAt(addr, within)
		if err != nil {
			return caller, fmt.Errorf("%w: --http: %w", errUsage, err)
		}
		return caller, nil
	}
	dir := flagText(c, "data")
	a, err := diag.Announced(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return diag.Caller{}, fmt.Errorf("no trader runs with the data folder %s: start one, or name its folder with --data, or its address with --http", dir)
	case errors.Is(err, diag.ErrNoHTTP):
		return diag.Caller{}, fmt.Errorf("the trader of %s runs with --http off, so it cannot be asked", dir)
	case err != nil:
		return diag.Caller{}, fmt.Errorf("data folder %s: %w; name the trader's address with --http", dir, err)
	}
	return a.Caller(dir, within), nil
}

// unanswered says that a request had no answer, and for the usual reason in
// words that help.
func unanswered(addr string, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nobody answers at %s: the trader there was killed, or is starting or stopping; if it does not run, start it", addr)
	}
	return fmt.Errorf("no answer from the trader at %s: %w", addr, err)
}

// state asks the running trader for its snapshot, as it came and decoded.
func state(c *cobra.Command) ([]byte, feed.Snapshot, error) {
	var msg struct {
		Data feed.Snapshot `json:"data"`
	}
	caller, err := where(c, askWithin)
	if err != nil {
		return nil, msg.Data, err
	}
	addr := caller.Addr
	ctx, cancel := context.WithTimeout(c.Context(), askWithin)
	defer cancel()
	res, err := caller.Get(ctx, "/api/state")
	if err != nil {
		return nil, msg.Data, unanswered(addr, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxState))
	if err != nil {
		return nil, msg.Data, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, msg.Data, fmt.Errorf("the trader at %s answers %s: %.200s", addr, res.Status, b)
	}
	if err := json.Unmarshal(b, &msg); err != nil {
		return nil, msg.Data, fmt.Errorf("the trader at %s: answer not understood: %w", addr, err)
	}
	return b, msg.Data, nil
}

// asking makes a command that asks the running trader and prints the answer.
func asking(use, short string, pick func(feed.Snapshot) any, table func(io.Writer, feed.Snapshot)) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, snap, err := state(c)
			if err != nil {
				return err
			}
			if flagOn(c, "json") {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(pick(snap))
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			table(w, snap)
			return w.Flush()
		},
	}
	c.Flags().String("http", "", "address of the trader (default: what it wrote into its data folder)")
	return c
}

// known returns a fact, or a dash for one that is not known.
func known[T fmt.Stringer](p *T) string {
	if p == nil {
		return "-"
	}
	return (*p).String()
}

func statusCommand() *cobra.Command {
	pick := func(s feed.Snapshot) any {
		return map[string]any{"link": s.Link, "health": s.Health, "mode": s.Mode, "account": s.Account, "strategies": s.Strategies, "sim": s.Sim, "data": s.Data, "alerts": s.Alerts}
	}
	return asking("status", "Show the connection ladder, mode, account and strategies of a running trader", pick, printStatus)
}

func printStatus(w io.Writer, s feed.Snapshot) {
	if s.Link == nil {
		fmt.Fprintln(w, "link\tunknown: the trader has just started")
		return
	}
	l := s.Link
	fmt.Fprintf(w, "state\t%s for %s\n", l.State, time.Since(l.Since).Round(time.Second))
	if l.DownSince != nil {
		fmt.Fprintf(w, "down\tfor %s, since %s\n", time.Since(*l.DownSince).Round(time.Second), l.DownSince.Local().Format(time.DateTime))
	}
	if l.Cause != "" {
		fmt.Fprintf(w, "cause\t%s\nadvice\t%s\n", l.Cause, l.Advice)
	}
	if l.NextRetry != nil {
		fmt.Fprintf(w, "next attempt\tin %s\n", time.Until(*l.NextRetry).Round(time.Second))
	}
	simulated := ""
	if l.Facts.Simulated {
		simulated = " (SIMULATED)"
	}
	fmt.Fprintf(w, "gateway\t%s%s, client id %d", l.Facts.Gateway, simulated, l.Facts.ClientID)
	if l.Facts.ServerVersion != 0 { // what did not come is left out: 0 would be a lie
		fmt.Fprintf(w, ", server version %d", l.Facts.ServerVersion)
	}
	if l.Facts.Account != "" {
		fmt.Fprintf(w, ", account %s", l.Facts.Account)
	}
	fmt.Fprintln(w)
	for _, r := range l.Rungs {
		mark := "ok"
		if !r.OK {
			mark = "FAILED"
		}
		fmt.Fprintf(w, "  %s\t%s\t%.3f ms\t%s\n", r.Name, mark, r.AtMS, r.Note)
	}
	printWarnings(w, l)
	printHealth(w, s.Health, time.Now())
	if s.Mode != nil {
		fmt.Fprintf(w, "mode\t%s (%s)\n", s.Mode.Mode, s.Mode.Reason)
	}
	printDifference(w, s.Events)
	printAlerts(w, s.Alerts)
	for _, st := range s.Strategies {
		fmt.Fprintf(w, "strategy\t%s %s: %s %s\n", st.Name, st.Symbol, st.State, st.Detail)
	}
	if p := s.Account.Portfolio; p != nil {
		fmt.Fprintf(w, "equity\t%s\tcash %s, realised %s, unrealised %s, commission %s\n", known(p.Equity), known(p.Cash), p.Realized, known(p.Unrealized), p.Commission)
	}
}

// printDifference writes the newest difference between the books and the broker
// that nothing explains.
func printDifference(w io.Writer, events []feed.Event) {
	for _, e := range slices.Backward(events) {
		if e.Name == "reconciliation_difference" {
			fmt.Fprintf(w, "difference\t%s %s: %s\n", e.At.Local().Format(time.DateTime), e.Symbol, e.Text)
			return
		}
	}
}

func ordersCommand() *cobra.Command {
	c := withWhy(asking("orders", "List the orders of a running trader, or tell why one was made or refused", func(s feed.Snapshot) any { return s.Orders }, func(w io.Writer, s feed.Snapshot) {
		fmt.Fprintln(w, "CREATED\tREF\tSYMBOL\tSIDE\tQTY\tTYPE\tLIMIT\tSTATE\tFILLED\tAVG")
		for _, o := range s.Orders {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Created.Format(time.RFC3339), o.Ref, o.Symbol, o.Side, o.Qty, o.Type, known(o.Limit), o.State, o.Filled, known(o.AvgPrice))
		}
	}))
	c.AddCommand(settleCommand())
	return c
}

func positionsCommand() *cobra.Command {
	return asking("positions", "List the positions of a running trader", func(s feed.Snapshot) any { return s.Positions }, func(w io.Writer, s feed.Snapshot) {
		if s.Positions == nil {
			fmt.Fprintln(w, "unknown: the broker has not answered yet")
			return
		}
		fmt.Fprintln(w, "ACCOUNT\tSYMBOL\tQTY\tAVG COST\tKIND\tMANAGED")
		for _, p := range s.Positions {
			managed := "yes"
			if p.Unmanaged {
				managed = "no: held, and not traded here"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Account, p.Symbol, p.Qty, known(p.AvgCost), cmp.Or(p.SecType, "STK"), managed)
		}
	})
}
