package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// section is one table of figures.
type section struct {
	title string
	rows  []row
	notes []string
}

// row is one figure. Without a limit it only informs.
type row struct {
	name, value, limit string
	missed             bool
}

func (s *section) add(name, value string) { s.rows = append(s.rows, row{name: name, value: value}) }

func (s *section) judge(name, value, limit string, ok bool) {
	s.rows = append(s.rows, row{name, value, limit, !ok})
}

func (s *section) note(format string, a ...any) { s.notes = append(s.notes, fmt.Sprintf(format, a...)) }

func (s section) String() string {
	var b strings.Builder
	b.WriteString(s.title + "\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range s.rows {
		verdict := ""
		switch {
		case r.missed:
			verdict = "MISSED"
		case r.limit != "":
			verdict = "PASS"
		}
		limit := r.limit
		if limit != "" {
			limit = "limit " + limit
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", r.name, r.value, limit, verdict)
	}
	_ = w.Flush() // into memory
	for _, n := range s.notes {
		b.WriteString("  " + n + "\n")
	}
	return b.String()
}

// sample is what was measured of one thing.
type sample []time.Duration

// at returns the quantile q, 0 to 1: the nearest rank.
func (s sample) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func (s sample) median() time.Duration {
	if n := len(s); n > 0 && n%2 == 0 {
		sorted := slices.Sorted(slices.Values(s))
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return s.at(0.5)
}

func (s sample) String() string {
	return fmt.Sprintf("p10 %s  median %s  p90 %s  p99 %s", micros(s.at(0.1)), micros(s.median()), micros(s.at(0.9)), micros(s.at(0.99)))
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}
