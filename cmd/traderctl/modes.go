package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"robotrader/services/event"
	"robotrader/websocket/server"
)

const modeExits = `
Exit: 0 the trader has it on its disk, 1 not: no trader runs, or it refused or
did not answer, 2 usage.`

func haltCommand() *cobra.Command {
	c := modeCommand("halt", "Let no entry go out any more, and cancel the working ones", `Let no entry go out any more, and cancel the working ones.

It is answered when the latch is on the trader's disk: a restart keeps it, and
only resume ends it. Orders that can only make a position smaller, such as a
protective stop, stay. The answer lists what has not ended yet; without a link
that is carried out when it is ready.
`+modeExits)
	c.Flags().Bool("reduce-only", false, "let orders pass that make a position smaller, and cancel nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ask := map[string]string{}
		if flagOn(c, "reduce-only") {
			ask["mode"] = "reduce_only"
		}
		return setMode(c, "halt", ask)
	}
	return c
}

func resumeCommand() *cobra.Command {
	c := modeCommand("resume", "Let orders pass again", `Let orders pass again, whoever made the mode stricter.

It is refused while positions are being closed.
`+modeExits)
	c.RunE = func(c *cobra.Command, _ []string) error { return setMode(c, "resume", map[string]string{}) }
	return c
}

func flattenCommand() *cobra.Command {
	c := modeCommand("flatten", "Halt, cancel the working orders and close every position", `Halt, cancel the working orders and close every position.

A protective stop stays until its position is closed, so that none is without one
in between.

It is answered when the latch is on the trader's disk; the closing goes on by
itself, also after a restart: see traderctl status or the page. A position is
closed by a market order in the regular session, and outside by what
desk.flatten_outside says. It is done when the broker, asked anew, shows none;
the mode stays halted. Options, futures and whatever else the trader does not
trade it does not close: the account is called flat in stocks then, and what is
left is named.

With --direct no trader has to run: this program takes the dead one's data
folder and its place at the gateway, does the same, and waits for the end of it.
Give it the flags or the file that the trader was started with. No order goes out
that is not stored before, so where the trader's disk is full or broken --spare
names a folder on another: a copy of the journal goes on there.
`+modeExits+`
With --direct: 0 flat, 1 not known to be flat, 2 usage, 3 flat in stocks, and
other positions are left.`)

	c.Flags().Bool("yes", false, "do not ask whether this is meant")
	addDirect(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !flagOn(c, "yes") {
			if err := confirm(c); err != nil {
				return err
			}
		}
		if flagOn(c, "direct") {
			return flattenDirect(c)
		}
		return setMode(c, "flatten", map[string]string{})
	}
	return c
}

func modeCommand(name, short, long string) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Long: long, Args: cobra.NoArgs}
	c.Flags().String("reason", "", "why, for the record")
	traderFlags(c)
	return c
}

// confirm has a person type the word.
func confirm(c *cobra.Command) error {
	fmt.Fprint(c.ErrOrStderr(), "This cancels the working orders, closes every position in stocks, and then ends their protective stops. Type flatten to go on: ")
	line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("confirmation: %w", err)
	}
	if !strings.EqualFold(strings.TrimSpace(line), "flatten") {
		return fmt.Errorf("%w: not confirmed, so nothing was done; type flatten, or say --yes where nobody can", errUsage)
	}
	return nil
}

func setMode(c *cobra.Command, name string, ask map[string]string) error {
	if reason := flagText(c, "reason"); reason != "" {
		ask["reason"] = reason
	}
	raw, err := postJSON(c, name, ask)
	if err != nil {
		return err
	}
	return printAnswer(c, raw, func(d server.Done) bool { return d.Mode != nil }, printMode)
}

func printMode(w io.Writer, d server.Done) error {
	m := d.Mode
	var b strings.Builder
	fmt.Fprintf(&b, "%s: stored\nmode    %s\nreason  %s\nlink    %s\n", d.Done, m.Mode, m.Reason, d.Link.State)
	for _, p := range m.Pending {
		fmt.Fprintf(&b, "order   %d %s (%s) has not ended; its cancel: %s\n", p.OrderID, p.Ref, p.Symbol, cancelWords[p.Cancel])
	}
	tellClosing(&b, m.Closing)
	if len(m.Left) > 0 {
		fmt.Fprintf(&b, "left    %s; no flatten closes them, as they are not traded here\n", event.LeftWords(m.Left))
	}
	if m.Flatten {
		b.WriteString("flatten is under way; it is done when the broker, asked anew, shows no position in stocks\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var cancelWords = map[string]string{
	event.CancelNext:    "about to be written",
	event.CancelWritten: "written, not answered yet",
	event.CancelWaits:   "waits for a link that is ready",
}
