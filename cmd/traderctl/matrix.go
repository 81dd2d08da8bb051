package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"robotrader/services/diag"
)

func matrixCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "matrix",
		Short: "Show which gateway builds worked here, and mark the one to run",
		Long: `Show which gateway builds worked here, by the records of every handshake in the
data folder (probes.jsonl): those of probe and doctor, and of the trader itself
the first for a gateway and every change. The newest two megabytes are kept.

The protocol does not tell a gateway's build: it is read from the gateway's
process where this machine shows it, or told with --gateway-build.

Exit: 0, also with warnings; 1 no data folder or not readable; 2 usage.`,
		Example: `  traderctl matrix --gateway-build 10.37.1
  traderctl matrix --mark 10.37.1 --note "stable since May"
  traderctl matrix --releases`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flagOn(c, "releases") {
				return printAs(c, diag.Releases(), printReleases)
			}
			folder := flagText(c, "data")
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				return noFolder(folder)
			}
			if err := mark(c); err != nil {
				return err
			}
			running, err := runningBuild(c)
			if err != nil {
				return err
			}
			m, err := diag.MatrixOf(folder, running)
			if err != nil {
				return err
			}
			return printAs(c, m, printMatrix)
		},
	}
	c.Flags().String("mark", "", "mark this build as the one to run")
	c.Flags().String("note", "", "why, with --mark")
	c.Flags().Bool("unmark", false, "take the mark back")
	c.Flags().Bool("releases", false, "show the API releases that are known, and what they mean for this trader")
	buildFlags(c)
	return c
}

// mark writes or takes back the mark, when that is asked for.
func mark(c *cobra.Command) error {
	build, note := flagText(c, "mark"), flagText(c, "note")
	switch {
	case flagOn(c, "unmark") && c.Flags().Changed("mark"):
		return fmt.Errorf("%w: --mark and --unmark say the opposite: choose one", errUsage)
	case flagOn(c, "unmark"):
		return diag.WriteMark(flagText(c, "data"), nil)
	case c.Flags().Changed("mark"):
		if err := diag.CheckBuild(build); err != nil {
			return fmt.Errorf("%w: --mark: %w", errUsage, err)
		}
		if err := diag.CheckNote(note); err != nil {
			return fmt.Errorf("%w: --note: %w", errUsage, err)
		}
		return diag.WriteMark(flagText(c, "data"), &diag.Mark{Build: build, Note: note, At: time.Now().UTC()})
	case note != "":
		return fmt.Errorf("%w: --note says something about a build: name it with --mark", errUsage)
	}
	return nil
}

// printAs prints a fact as JSON or as text.
func printAs[T any](c *cobra.Command, fact T, text func(io.Writer, T)) error {
	if flagOn(c, "json") {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(fact)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
	text(w, fact)
	return w.Flush()
}

func printMatrix(w io.Writer, m diag.Matrix) {
	if len(m.Cells) == 0 {
		fmt.Fprintln(w, "no handshake is recorded here yet: run traderctl probe, or start the trader")
	} else {
		fmt.Fprintln(w, "BUILD\tSERVER\tREADY\tFAILED\tAT RUNG\tMEDIAN\tLAST SEEN\tLAST")
	}
	for _, c := range m.Cells {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", buildName(c.Build, m), versionName(c.ServerVersion),
			c.Ready, c.Failed, atRungs(c.FailedAt), milliseconds(c.MedianMS), c.LastSeen.Local().Format(time.DateTime), c.LastResult)
	}
	if m.Marked != nil {
		fmt.Fprintf(w, "marked to run: %s, since %s %s\n", m.Marked.Build, m.Marked.At.Local().Format(time.DateOnly), m.Marked.Note)
	}
	for _, warning := range m.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
}

// buildName names a build, with * when it is the one to run, and > when it
// runs.
func buildName(build string, m diag.Matrix) string {
	name := build
	if build == "" {
		return "not told"
	}
	if m.Marked != nil && m.Marked.Build == build {
		name += " *"
	}
	if m.Running == build {
		name += " >"
	}
	return name
}

func versionName(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprint(v)
}

func milliseconds(ms *float64) string {
	if ms == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f ms", *ms)
}

func atRungs(at map[string]int) string {
	var list []string
	for _, rung := range slices.Sorted(maps.Keys(at)) {
		list = append(list, fmt.Sprintf("%s %d", rung, at[rung]))
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

func printReleases(w io.Writer, list []diag.Release) {
	fmt.Fprintln(w, "API RELEASE\tHIGHEST\tWE SPEAK\tMEANS")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", r.API, r.Highest, versionName(r.Spoken), r.Means)
	}
	fmt.Fprintln(w, "A gateway of the same number speaks at least that. Between two of them, the older one counts.")
}
