package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"robotrader/broker/ibkr"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/services/diag"
	"robotrader/services/host"
	"robotrader/services/journal"
)

func doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything between a trader and its gateway, and say what to do and what not",
		Long: `Look at everything between a trader and its gateway, step by step: configuration,
data folder and its disk, running trader, journal, service of systemd, clock,
calendar, gateway process, sockets by state and ports (read from the kernel,
never dialled), then one handshake, closed well. A situation that the runbook in
README.md has is told with the name of its entry.

The handshake uses the trader's client id, or a spare one when a running trader
holds that or the gateway says that it is in use. While a running trader has
stopped asking a gateway that hangs, none is made without --force. The options
--try-… permit more handshakes, one at a time, when the first one failed.

Configuration is what start_trader would read: --config FILE and TRADER_* of the
environment. --gateway, --client-id, --data and --timeout override it.

Exit: 0 all well, or with warnings; the code of the handshake that failed, as
probe has it (10 tcp, 11 version, 13 start_api, 14 managed_accounts, 15
next_valid_id); 1 when another check failed; 2 usage.
Handshakes are kept in probes.jsonl in the data folder, where that exists.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return examine(c) },
	}
	f := c.Flags()
	f.String("gateway", "", "host:port, or gateway-paper, gateway-live, tws-paper, tws-live (default: the configuration's)")
	f.Int("client-id", 0, "the trader's API client id (default: the configuration's)")
	f.Int("spare-id", 9999, "client id for the handshake when the trader's is taken")
	f.Duration("timeout", 0, "for a handshake (default: the configuration's)")
	f.String("gateway-build", "", "the gateway's build, such as 10.37.1 (default: what its process tells)")
	f.String("config", "", "the trader's YAML file")
	f.Bool("force", false, "make a handshake though the running trader has stopped asking a gateway that hangs")
	f.Bool("try-ids", false, "after a failure: try other client ids")
	f.Bool("try-timeouts", false, "after a failure: try with 10 s, 30 s and 60 s")
	f.Bool("try-tws", false, "after a failure: try the other usual ports that are listened on")
	return c
}

// examine runs the doctor and says what it found.
func examine(c *cobra.Command) error {
	q, err := doctorQuestion(c)
	if err != nil {
		return err
	}
	doctor := diag.Doctor{Prober: ibkr.Prober{}, Host: host.New()}
	asJSON, out := flagOn(c, "json"), c.OutOrStdout()
	if !asJSON {
		fmt.Fprintf(out, "doctor: gateway %s, client id %d, data folder %s\n\n", orNone(q.Gateway), q.ClientID, q.Folder)
		doctor.Progress = func(check diag.Check) {
			if textErr := check.Text(out); err == nil {
				err = textErr
			}
		}
	}
	r := doctor.Examine(c.Context(), q)
	if asJSON {
		err = json.NewEncoder(out).Encode(r)
	} else if err == nil {
		err = r.Conclusion(out)
	}
	if err != nil {
		return err
	}
	if r.Exit != 0 {
		return exitCode(r.Exit)
	}
	return nil
}

func orNone(gateway string) string {
	if gateway == "" {
		return "none"
	}
	return gateway
}

// doctorQuestion joins the flags and the configuration that a trader would
// read.
func doctorQuestion(c *cobra.Command) (diag.Question, error) {
	file := flagText(c, "config")
	build, err := toldBuild(c)
	if err != nil {
		return diag.Question{}, err
	}
	var args []string
	if file != "" {
		args = []string{"--config", file}
	}
	cfg, loadErr := configs.Load(args, os.Environ())
	if errors.Is(loadErr, configs.ErrUsage) {
		loadErr = nil // no symbol: the command line of a trader names it
	}
	usual := ibkr.DefaultConfig() // for what the configuration has wrong, which is told
	q := diag.Question{
		ClientID: usual.ClientID, Timeout: usual.HandshakeTimeout, Folder: cfg.Data.Dir,
		Force: flagOn(c, "force"), TryIDs: flagOn(c, "try-ids"), TryTimeouts: flagOn(c, "try-timeouts"), TryTWS: flagOn(c, "try-tws"),
		Build: build, Version: revision(),
		Config: func() ([]string, error) { return configFound(file, cfg), loadErr },
		Books:  journal.Look,
	}
	if cfg.Broker.IBKR.Validate() == nil {
		q.ClientID, q.Timeout = cfg.Broker.IBKR.ClientID, cfg.Broker.IBKR.HandshakeTimeout
		usual = cfg.Broker.IBKR
	}
	if calendar, err := supervisor.NewCalendar(usual.RestartAt, usual.RestartLasts, usual.LoginAt, usual.LoginWithin); err == nil { // validated
		q.Calendar = calendar.Expected
	}
	f := c.Flags()
	var errs error
	given := func(name string, read func() error) {
		if f.Changed(name) {
			errs = errors.Join(errs, read())
		}
	}
	given("client-id", func() (err error) { q.ClientID, err = f.GetInt("client-id"); return err })
	given("timeout", func() (err error) { q.Timeout, err = f.GetDuration("timeout"); return err })
	given("data", func() (err error) { q.Folder, err = f.GetString("data"); return err })
	q.SpareID, err = f.GetInt("spare-id")
	if err := errors.Join(errs, err); err != nil {
		return q, err
	}
	if q.SpareID == q.ClientID && !f.Changed("spare-id") {
		q.SpareID--
	}
	switch {
	case q.Timeout < 100*time.Millisecond || q.Timeout > 10*time.Minute:
		return q, fmt.Errorf("%w: --timeout %v is not between 100ms and 10m", errUsage, q.Timeout)
	case q.ClientID < 0 || q.ClientID > ibkr.MaxClientID:
		return q, fmt.Errorf("%w: --client-id %d is not between 0 and %d", errUsage, q.ClientID, ibkr.MaxClientID)
	case q.SpareID < 0 || q.SpareID >= ibkr.MaxClientID || q.SpareID == q.ClientID:
		return q, fmt.Errorf("%w: --spare-id %d is not between 0 and %d, or is the trader's own", errUsage, q.SpareID, ibkr.MaxClientID-1)
	}
	q.Gateway, err = ibkr.Address(cfg.Broker.IBKR.Gateway)
	switch {
	case f.Changed("gateway"):
		if q.Gateway, err = ibkr.Address(flagText(c, "gateway")); err != nil {
			return q, fmt.Errorf("%w: --gateway: %w", errUsage, err)
		}
	case file != "" && cfg.Broker.Name == "sim":
		q.Gateway, q.Instead = "", "the configuration names the built-in simulated gateway, which the trader starts itself"
	case err != nil:
		q.Gateway, q.Instead = "", "the configuration names no gateway that could be looked at"
	}
	return q, nil
}

// configFound says what the configuration sets.
func configFound(file string, cfg configs.Config) []string {
	found := []string{"environment only; name the trader's file with --config"}
	if file != "" {
		found[0] = "file " + file + " and the environment"
	}
	for _, s := range cfg.Settings() {
		if !s.Default {
			found = append(found, fmt.Sprintf("%s: %s", s.Key, s.Value))
		}
	}
	return found
}
