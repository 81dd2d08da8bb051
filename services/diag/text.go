package diag

import (
	"fmt"
	"io"
	"strings"
)

// Text writes the check for people.
func (c Check) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %-18s %10.1f ms\n", c.Verdict, strings.ReplaceAll(c.Name, "_", " "), c.TookMS)
	for _, line := range c.Found {
		fmt.Fprintf(&b, "           %s\n", strings.TrimRight(line, " "))
	}
	for _, line := range c.Advice {
		fmt.Fprintf(&b, "         → %s\n", line)
	}
	for _, f := range c.Findings {
		fmt.Fprintf(&b, "         ! %s: see the runbook, %s\n", f.Cause, f.Link)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Conclusion writes what stands after the last check: what not to do, and the
// outcome.
func (r Report) Conclusion(w io.Writer) error {
	count := map[Verdict]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
	}
	var b strings.Builder
	if len(r.DoNot) > 0 {
		b.WriteString("\nWhat not to do:\n")
	}
	for _, line := range r.DoNot {
		fmt.Fprintf(&b, "  - %s\n", line)
	}
	fmt.Fprintf(&b, "\n%d ok, %d warnings, %d failed, %d skipped: exit %d\n",
		count[VerdictOK], count[VerdictWarning], count[VerdictFailed], count[VerdictSkipped], r.Exit)
	_, err := io.WriteString(w, b.String())
	return err
}
