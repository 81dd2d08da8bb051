package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// follows follows one order by its trace through the log of a run, from the
// message of ticks to its commission and the stop that its execution led to, and
// in the journal.
func follows(t *testing.T, tr trader) {
	t.Helper()
	ended := regexp.MustCompile(`msg=order_trace stage=commission trace=(\S+) ref=(\S+)`)
	var trace, ref string
	awaits(t, "an order that was traced to its commission", 20*time.Second, func() (string, bool) {
		if m := ended.FindStringSubmatch(tr.said.String()); m != nil {
			trace, ref = m[1], m[2]
		}
		return "", trace != ""
	})
	if !regexp.MustCompile(`^[a-z0-9]+\.AAPL\.[0-9]+$`).MatchString(trace) {
		t.Errorf("trace %q is not run.SYMBOL.number", trace)
	}
	var lines []string
	for line := range strings.Lines(tr.said.String()) {
		if strings.Contains(line, "trace="+trace+" ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for _, want := range []string{ // how far, and what it must tell
		`msg=order_trace stage=asked .* strategy=every_tick .* tick_published=\S+ strategy_took=\S+ answer_took=\S+`,
		`msg=order_trace stage=written .* order_id=[0-9]+ result=written gate_took=\S+ journal_took=\S+ wire_took=\S+`,
		`msg=order .*state=sent`, `msg=order .*state=filled`,
		`msg=order_trace stage=asked .* ref=guard\S* .* strategy=desk `,
		`msg=order_trace stage=executed .* exec_id=\S+`, `msg=order_trace stage=commission .* exec_id=\S+`,
	} {
		if !slices.ContainsFunc(lines, regexp.MustCompile(want).MatchString) {
			t.Errorf("no line of trace %s tells %s:\n%s", trace, want, strings.Join(lines, "\n"))
		}
	}
	for _, line := range lines {
		if !strings.Contains(line, "ref="+ref+" ") && !strings.Contains(line, "ref=guard") {
			t.Errorf("trace %s is of another order than %s and its stop, too: %s", trace, ref, line)
		}
	}
	stored := regexp.MustCompile(`(?ms)^asked +` + regexp.QuoteMeta(ref) + `:.*^  trace +` + regexp.QuoteMeta(trace) + `,`)
	awaits(t, "the journal's word", 10*time.Second, func() (string, bool) {
		c := start(t, "traderctl", "orders", "--why", ref, "--data", tr.data)
		c.wait(t, 30*time.Second)
		said := c.said.String()
		return said, stored.MatchString(said)
	})
}
