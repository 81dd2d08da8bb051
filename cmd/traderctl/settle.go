package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"robotrader/services/event"
	"robotrader/websocket/server"
)

// settleWithin is longer than the trader's own limit, so that its answer is seen
// rather than our impatience.
const settleWithin = 25 * time.Second

func settleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "settle REF",
		Short: "Say how an order ended whose outcome stays unknown",
		Long: `Say how an order ended whose outcome stays unknown, so that entries in its symbol
can go on. REF is the order's reference, or its permanent id.

The broker is asked first, and its word counts before yours: when it lists the
order, tells its end, or shows anything that contradicts you, nothing is changed.
Look the order up in the broker's own window before. What it filled is never
taken from here: only the executions and the broker's position tell that.

  absent     the broker never had it; asking again takes a new id
  filled     it is full, and the executions did not come
  cancelled  it ended, with what its executions or the position show

Who said it and why is stored, and traderctl orders --why REF shows it.

Exit: 0 it is on the trader's disk, or was settled so before, 1 not: no trader
runs, or it refused or did not answer, 2 usage.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return settle(c, args[0]) },
	}
	c.Args = usageArgs(c.Args)
	c.Flags().String("as", "", "absent, filled or cancelled")
	c.Flags().String("reason", "", "where you saw it, for the record")
	traderFlags(c)
	return c
}

func settle(c *cobra.Command, ref string) error {
	as, reason := flagText(c, "as"), flagText(c, "reason")
	switch {
	case as != event.SettleAbsent && as != event.SettleFilled && as != event.SettleCancelled:
		return fmt.Errorf("%w: --as %.20q is none of absent, filled, cancelled", errUsage, as)
	case reason == "":
		return fmt.Errorf("%w: --reason is empty: say where you saw it, for the record", errUsage)
	}
	raw, err := postWithin(c, "orders/settle", map[string]string{"ref": ref, "as": as, "reason": reason}, settleWithin)
	if err != nil {
		return err
	}
	return printAnswer(c, raw, func(d server.Done) bool { return d.Order != nil }, printSettled)
}

func printSettled(w io.Writer, d server.Done) error {
	o := d.Order
	_, err := fmt.Fprintf(w, "settled: stored\norder   %d %s (%s): %s\nnote    %s\n", o.OrderID, o.Ref, o.Symbol, outcome(*o), o.Note)
	return err
}
