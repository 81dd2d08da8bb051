package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"robotrader/broker/ibkr"
	"robotrader/broker/supervisor"
	"robotrader/configs"
	"robotrader/services/diag"
	"robotrader/services/host"
	"robotrader/services/journal"
)

// spareID is the client id of a pre-flight handshake whose own id is taken.
const spareID = 9999

// preflight shows the configuration that a start would have and looks at the
// machine and the gateway, without starting anything. The result is the exit
// code.
func preflight(ctx context.Context, cfg configs.Config, out io.Writer) int {
	fmt.Fprintln(out, "start_trader --check: this would be started (* is set, the rest are defaults)")
	for _, s := range cfg.Settings() {
		mark := "*"
		if s.Default {
			mark = " "
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %s %-34s %s", mark, s.Key, s.Value), " "))
	}
	fmt.Fprintln(out)
	var broken error
	d := diag.Doctor{Prober: ibkr.Prober{}, Host: host.New(), Progress: func(c diag.Check) {
		if err := c.Text(out); err != nil && broken == nil {
			broken = err
		}
	}}
	r := d.Examine(ctx, question(cfg))
	if err := r.Conclusion(out); err != nil || broken != nil {
		return exitUnexpected
	}
	return r.Exit
}

// question is what the doctor is asked before a start.
func question(cfg configs.Config) diag.Question {
	q := diag.Question{
		ClientID: cfg.Broker.IBKR.ClientID, SpareID: spareID, Timeout: cfg.Broker.IBKR.HandshakeTimeout,
		Folder: cfg.Data.Dir, Version: version(), Starts: true, HTTP: cfg.Websocket.Listen,
		Config: func() ([]string, error) { return []string{"no fault: it is shown above"}, nil },
		Books:  journal.Look,
	}
	if q.SpareID == q.ClientID {
		q.SpareID--
	}
	if q.HTTP == "off" {
		q.HTTP = ""
	}
	if cfg.Broker.Name != "ibkr" {
		q.Instead = "the built-in simulated gateway, which the trader starts itself"
		return q
	}
	gateway, err := ibkr.Address(cfg.Broker.IBKR.Gateway)
	if err != nil {
		q.Instead = err.Error() // validated: cannot be
	}
	q.Gateway = gateway
	g := cfg.Broker.IBKR
	if calendar, err := supervisor.NewCalendar(g.RestartAt, g.RestartLasts, g.LoginAt, g.LoginWithin); err == nil { // validated
		q.Calendar = calendar.Expected
	}
	return q
}
