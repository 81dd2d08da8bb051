package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr"
	"robotrader/services/diag"
)

func probeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "probe",
		Short: "Make one handshake with a gateway, close it well, and say which rung was reached",
		Long: `Make one handshake with a gateway, close it well, and say which rung was reached.

Exit: 0 ready (with a warning when slower than 1 s), 10 tcp, 11 version,
13 start_api, 14 managed_accounts, 15 next_valid_id, 2 usage, 1 interrupted.
The record goes to probes.jsonl in the data folder, where that exists.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			id, err := c.Flags().GetInt("client-id")
			if err != nil {
				return err
			}
			timeout, err := c.Flags().GetDuration("timeout")
			if err != nil {
				return err
			}
			if timeout <= 0 || timeout > 10*time.Minute {
				return fmt.Errorf("%w: --timeout %v is not above 0 and at most 10m", errUsage, timeout)
			}
			build, err := runningBuild(c)
			if err != nil {
				return err
			}
			p := diag.Run(c.Context(), ibkr.Prober{}, flagText(c, "gateway"), id, timeout)
			p.GatewayBuild, p.TraderVersion = build, revision()
			if err := p.Append(flagText(c, "data")); err != nil {
				fmt.Fprintf(c.ErrOrStderr(), "traderctl: %v\n", err)
			}
			if flagOn(c, "json") {
				err = json.NewEncoder(c.OutOrStdout()).Encode(p)
			} else {
				err = printProbe(c.OutOrStdout(), p)
			}
			for _, w := range []string{p.Warning(), diag.MarkWarning(flagText(c, "data"), build)} {
				if w != "" {
					fmt.Fprintf(c.ErrOrStderr(), "traderctl: warning: %s\n", w)
				}
			}
			if err != nil {
				return err
			}
			if code := p.ExitCode(); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	c.Flags().String("gateway", "127.0.0.1:4002", "host:port, or gateway-paper, gateway-live, tws-paper, tws-live")
	buildFlags(c)
	c.Flags().Int("client-id", 9999, "API client id to use; not the trader's")
	c.Flags().Duration("timeout", 10*time.Second, "for the whole handshake")
	return c
}

func printProbe(w io.Writer, p diag.Probe) error {
	fmt.Fprintf(w, "%s: %s\n", p.Gateway, p.Result)
	for _, r := range p.Rungs {
		mark := "ok"
		if !r.OK {
			mark = "FAILED"
		}
		fmt.Fprintf(w, "  %-18s %-7s %9.3f ms  %s\n", r.Name, mark, r.AtMS, r.Note)
	}
	if p.ServerVersion != 0 {
		fmt.Fprintf(w, "  server version %d, connection time %q, accounts %v, next order id %d\n", p.ServerVersion, p.ConnectionTime, p.Accounts, p.NextValidID)
	}
	var err error
	if p.Error != "" {
		_, err = fmt.Fprintf(w, "  error:  %s\n", p.Error)
	}
	if p.Advice != "" {
		_, err = fmt.Fprintf(w, "  advice: %s\n", p.Advice)
	}
	return err
}
