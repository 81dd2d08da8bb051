package reconcile

import (
	"time"

	"robotrader/broker"
)

// clockSlack is by how much the venue's times of executions, which are whole
// seconds, may be before our market time. Our own choice: twice what the clock rung
// warns of.
const clockSlack = 4 * time.Second

// Happened reports whether all that a later answer for executions has more than an
// earlier one was executed since the look began, by its times: it accounts for why
// positions could not be counted between the two. An execution from before says
// that the earlier answer was not whole.
func (l *Look) Happened(before, after []broker.ExecutionReport) bool {
	if l.Began.IsZero() {
		return false
	}
	known := make(map[string]bool, len(before))
	for _, f := range before {
		known[f.Fill.ExecID] = true
	}
	for _, f := range after {
		if !known[f.Fill.ExecID] && f.Fill.At.Before(l.Began.Add(-clockSlack)) {
			return false
		}
	}
	return true
}
