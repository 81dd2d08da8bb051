package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"robotrader/services/journal"
)

// exportPortfolio is worked out here; everything else that can be exported is
// the journal's.
const exportPortfolio = "portfolio"

// exportWithin bounds the reading of the journal.
const exportWithin = 5 * time.Minute

func exportCommand() *cobra.Command {
	all := append(journal.Exports(), exportPortfolio)
	c := &cobra.Command{
		Use:   "export [" + strings.Join(all, "|") + "]",
		Short: "Write a part of the journal as CSV or Parquet, whether or not a trader runs (default executions)",
		Long:  exportHelp(all),
		Example: `  traderctl export executions --out executions.csv
  traderctl export executions --format parquet > executions.parquet
  traderctl export portfolio --data ./data`,
		Args: cobra.MatchAll(cobra.MaximumNArgs(1), func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && !slices.Contains(all, args[0]) {
				return fmt.Errorf("%.40q cannot be exported; there is %s", args[0], strings.Join(all, ", "))
			}
			return nil
		}),
		RunE: func(c *cobra.Command, args []string) error {
			what := journal.ExportExecutions
			if len(args) > 0 {
				what = args[0]
			}
			ctx, cancel := context.WithTimeout(c.Context(), exportWithin)
			defer cancel()
			form, err := exportForm(c)
			if err != nil {
				return err
			}
			table, err := export(ctx, flagText(c, "data"), what)
			if err == nil {
				table, err = form(what, table)
			}
			if err != nil {
				return err
			}
			if path := flagText(c, "out"); path != "" {
				_, err := writeFile("out", path, func(w io.Writer) error {
					_, err := w.Write(table)
					return err
				})
				return err
			}
			_, err = c.OutOrStdout().Write(table)
			return err
		},
	}
	c.Flags().String("out", "", "file to write, replaced as a whole (default: standard output)")
	c.Flags().String("format", "csv", "csv or parquet; --json is a list of objects")
	return c
}

// exportForm is what the flags make of a table.
func exportForm(c *cobra.Command) (func(what string, table []byte) ([]byte, error), error) {
	format, asked := flagText(c, "format"), c.Flags().Changed("format")
	switch {
	case format != "csv" && format != "parquet":
		return nil, fmt.Errorf("%w: --format %.20q: it is csv or parquet", errUsage, format)
	case flagOn(c, "json") && asked:
		return nil, fmt.Errorf("%w: --json and --format exclude each other", errUsage)
	case flagOn(c, "json"):
		return func(_ string, table []byte) ([]byte, error) { return asJSON(table) }, nil
	case format == "parquet":
		return asParquet, nil
	}
	return func(_ string, table []byte) ([]byte, error) { return table, nil }, nil
}

func exportHelp(all []string) string {
	var b strings.Builder
	b.WriteString(`Write a part of the journal as CSV with a header line, whether or not a trader
runs; with --json as a list of objects. Columns keep their name and meaning; new
ones come at the end. Times are RFC 3339 in UTC: "at", "created" and "updated"
are market time, "wall" is this machine's. An empty field is unknown.

With --format parquet the columns are the same and typed: times are timestamps
in UTC to the nanosecond, prices and quantities DECIMAL(38,8), commissions and
gains DECIMAL(38,16), numbers of orders INT64, "allowed" BOOLEAN, all else text;
what is unknown is null.

`)
	for _, what := range all {
		columns := journal.Columns(what)
		if what == exportPortfolio {
			columns = portfolioColumns
		}
		fmt.Fprintf(&b, "%-11s %s\n", what, strings.Join(columns, ","))
	}
	b.WriteString(`
The items of portfolio, a line each, are what the executions make of the first
account values that were recorded:
  starting_cash, cash, commission, commissions_not_told (a count),
  realized_pnl_before_commission, realized_pnl_after_commission,
  and for each symbol position and average_cost.
Over several runs on the simulated gateway, which forgets at its end, they are
the sum of the runs.`)
	return b.String()
}

// export returns a part of the journal of a data folder as CSV.
func export(ctx context.Context, dir, what string) (table []byte, err error) {
	r, err := journal.OpenReadOnly(filepath.Join(dir, "journal.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var out bytes.Buffer
	if what == exportPortfolio {
		err = writePortfolio(ctx, &out, r)
	} else {
		err = r.ExportCSV(ctx, &out, what)
	}
	return out.Bytes(), err
}

// asJSON turns a table with a header into a list of objects. All values are
// texts; null is unknown.
func asJSON(table []byte) ([]byte, error) {
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("our own table is not CSV: %w", err)
	}
	list := make([]map[string]*string, 0, len(rows)-1)
	for _, row := range rows[1:] {
		object := map[string]*string{}
		for i, name := range rows[0] {
			object[name] = nil
			if row[i] != "" {
				object[name] = &row[i]
			}
		}
		list = append(list, object)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}
