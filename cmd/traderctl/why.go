package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/journal"
)

// withWhy gives the command orders its question about one of them. The journal
// answers it, so that no trader needs to run.
func withWhy(c *cobra.Command) *cobra.Command {
	c.Flags().String("why", "", "intent id or order number: what was asked, which numbers the risk gate saw, what it decided and what came of it; read from the journal in the data folder")
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !c.Flags().Changed("why") {
			return list(c, args)
		}
		return why(c, flagText(c, "why"))
	}
	return c
}

func why(c *cobra.Command, id string) (err error) {
	path := filepath.Join(flagText(c, "data"), "journal.db")
	r, err := journal.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	stories, err := r.Why(c.Context(), id)
	if err != nil {
		return err
	}
	if len(stories) == 0 {
		return fmt.Errorf("no intent id and no order number %.60q is in %s; traderctl orders lists those of a running trader. Of many equal refusals only 20 a minute are stored", id, path)
	}
	if flagOn(c, "json") {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(stories)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
	for i, s := range stories {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printStory(w, s)
	}
	return w.Flush()
}

// printStory writes what is known about one order, in the order of events.
func printStory(w io.Writer, s journal.Story) {
	if len(s.Intents) == 0 {
		fmt.Fprintln(w, "asked\telsewhere: no intent of ours made this order")
	}
	for _, r := range s.Intents {
		printIntent(w, r)
	}
	if n := len(s.States); n > 0 {
		o := s.States[n-1].Order
		fmt.Fprintf(w, "order\t%d of client id %d, permanent id %s: %s\n", o.OrderID, o.ClientID, number(o.PermID), outcome(o))
	}
	for _, c := range s.States {
		fmt.Fprintf(w, "  %s\t%v\t%v filled\t%s\n", moment(c.Wall), c.Order.State, c.Order.Filled, c.Order.Note)
	}
	for _, f := range s.Fills {
		fmt.Fprintf(w, "fill\t%s %s %v %s at %v, commission %s, execution %s\n", moment(f.At), f.Side, f.Qty, f.Symbol, f.Price, known(f.Commission), f.ExecID)
	}
	if len(s.States) == 0 && !slices.ContainsFunc(s.Intents, func(r broker.IntentRecord) bool { return r.Decision.Allowed }) {
		fmt.Fprintln(w, "order\tnone: nothing was sent")
	}
}

func printIntent(w io.Writer, r broker.IntentRecord) {
	in, d := r.Intent, r.Decision
	fmt.Fprintf(w, "asked\t%s: %s\n", in.ID, request(in))
	fmt.Fprintf(w, "  when\t%s, market time %s\n", moment(r.Wall), moment(in.At))
	if in.Strategy != "" || in.Reason != "" {
		fmt.Fprintf(w, "  by\t%s: %s\n", in.Strategy, in.Reason)
	}
	if in.Trace != "" {
		fmt.Fprintf(w, "  trace\t%s, as in the log\n", in.Trace)
	}
	if d.Allowed {
		fmt.Fprintln(w, "allowed\tby every rule")
	} else {
		fmt.Fprintf(w, "refused\tby %s: %s\n", d.Rule, d.Reason)
	}
	saw := d.Saw.Map()
	for _, key := range slices.Sorted(maps.Keys(saw)) {
		if key != "limits" {
			fmt.Fprintf(w, "  %s\t%s\n", key, saw[key])
		}
	}
	for _, limit := range strings.Fields(saw["limits"]) {
		key, value, _ := strings.Cut(limit, "=")
		fmt.Fprintf(w, "  limit %s\t%s\n", key, value)
	}
}

// request says in words what an intent asks for.
func request(in order.Intent) string {
	if in.Action == order.Cancel {
		return "cancel " + in.Target
	}
	s := fmt.Sprintf("%s %v %s %s %s", in.Side, in.Qty, in.Symbol, in.Type, in.TIF)
	if in.Limit != nil {
		s += " limit " + in.Limit.String()
	}
	if in.Stop != nil {
		s += " stop " + in.Stop.String()
	}
	if in.OCA != "" {
		s += " in group " + in.OCA
	}
	if in.Action == order.Modify {
		return "change " + in.Target + " to " + s
	}
	return s
}

func outcome(o order.Order) string {
	s := fmt.Sprintf("%v, %v of %v filled", o.State, o.Filled, o.Qty)
	if o.AvgPrice != nil {
		s += " at " + o.AvgPrice.String() + " on average"
	}
	return s
}

// number is a venue's number, a dash for one that was never told.
func number(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// moment is a time as people read it, a dash for one that is not known.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 MST")
}
