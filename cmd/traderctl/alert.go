package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"robotrader/configs"
	"robotrader/services/alert"
	letters "robotrader/services/alert/post"
	"robotrader/services/event"
	"robotrader/services/secret"
)

// exitFaults is start_trader's code for a configuration with faults.
const exitFaults = 3

func alertCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "alert", Short: "Try the places that the trader tells of troubles", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	test := &cobra.Command{
		Use:   "test",
		Short: "Send a test message to each place that alerts go to, and say what happened",
		Long: `Send a test message to each place that alerts go to, and say what happened. It
needs no running trader: it reads the same configuration, so give it the same
file and environment. Under systemd, run it as the service does:

  systemd-run --pipe -p LoadCredential=alert_urls:FILE traderctl alert test

The heartbeat is not asked: a beat from here would say that the trader is well.

Exit: 0 every place took it, 1 one did not, or there is none, 2 usage,
3 the configuration has faults.`,
		Args: cobra.NoArgs,
		RunE: testAlerts,
	}
	test.Flags().String("config", "", "the trader's YAML file")
	test.Flags().Duration("timeout", 0, "how long each place may take (default: alert.timeout)")
	test.Args = usageArgs(test.Args)
	c.AddCommand(test)
	return c
}

// printAlerts writes which places are told of troubles, and which troubles are
// on; nothing where nobody is told.
func printAlerts(w io.Writer, a *event.AlertState) {
	if a == nil {
		return
	}
	for _, t := range a.Targets {
		fmt.Fprintf(w, "alerts\t%s at %s: %s, %d delivered, %d lost %s\n", t.Name, t.Where, t.State, t.Delivered, t.Lost, t.Cause)
	}
	for _, x := range a.On {
		held := ""
		if x.Untold {
			held = " (held back)"
		}
		fmt.Fprintf(w, "trouble\t%s for %s%s: %s\n", x.Title, time.Since(x.Since).Round(time.Second), held, x.Cause)
	}
}

// tried is what one place said.
type tried struct {
	Target  string  `json:"target"`
	Where   string  `json:"where"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

func testAlerts(c *cobra.Command, _ []string) error {
	cfg, places, err := alertPlaces(flagText(c, "config"))
	if err != nil {
		fmt.Fprintf(c.ErrOrStderr(), "traderctl: the configuration has faults:\n%v\n", err)
		return exitCode(exitFaults)
	}
	for _, w := range places.Warnings {
		fmt.Fprintf(c.ErrOrStderr(), "traderctl: warning: %s\n", w)
	}
	if len(places.Targets) == 0 {
		return errors.New("nobody is told of troubles: set alert.urls_file, or TRADER_ALERT__URLS, to service URLs such as ntfy://ntfy.sh/TOPIC")
	}
	within, err := c.Flags().GetDuration("timeout")
	if err != nil || within < 0 {
		return fmt.Errorf("%w: --timeout %v is negative", errUsage, within)
	}
	if within == 0 {
		within = cfg.Alert.Timeout
	}
	list := try(c.Context(), places, within)
	failed := false
	for _, x := range list {
		failed = failed || !x.OK
	}
	if flagOn(c, "json") {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(list)
	} else {
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, x := range list {
			said := "took it"
			if !x.OK {
				said = "FAILED: " + x.Error
			}
			fmt.Fprintf(w, "%s\t%s\t%.1f s\t%s\n", x.Target, x.Where, x.Seconds, said)
		}
		err = w.Flush()
	}
	if err == nil && failed {
		return exitCode(1)
	}
	return err
}

// alertPlaces reads the trader's configuration. Its faults show no secret.
func alertPlaces(file string) (configs.Config, alert.Places, error) {
	var args []string
	if file != "" {
		args = []string{"--config", file}
	}
	cfg, err := configs.Load(args, os.Environ())
	if errors.Is(err, configs.ErrUsage) {
		err = nil // no symbol: the command line of a trader names it
	}
	places, faults := cfg.Alert.Read(os.Getenv("CREDENTIALS_DIRECTORY"))
	if err = errors.Join(err, faults); err != nil {
		var r secret.Redactor
		r.Add(places.Secrets...)
		return cfg, places, errors.New(r.Text(err.Error()))
	}
	return cfg, places, nil
}

// try sends the message to all places at once.
func try(ctx context.Context, places alert.Places, within time.Duration) []tried {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var words secret.Redactor
	words.Add(places.Secrets...)
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	m := letters.Message{
		Title: "[" + host + "] Test", Kind: string(alert.Test), At: time.Now(),
		Text: "A test by traderctl alert test: this place hears of the trader's troubles.",
	}
	list := make([]tried, len(places.Targets))
	for i, x := range alert.Try(ctx, places.Targets, letters.NewClient(), m) {
		t := places.Targets[i]
		list[i] = tried{Target: t.Name, Where: t.Where, OK: x.Err == nil, Seconds: x.Took.Seconds()}
		if x.Err != nil {
			list[i].Error = words.Text(x.Err.Error())
		}
	}
	return list
}
