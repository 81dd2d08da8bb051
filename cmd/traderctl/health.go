package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

// printWarnings tells what lasts: the gateway's phase, a breaker that is open,
// and warnings.
func printWarnings(w io.Writer, l *broker.Link) {
	if l.Phase != broker.NoPhase {
		until := ""
		if l.Until != nil {
			until = ", until " + l.Until.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "phase\t%s%s\n", strings.ReplaceAll(string(l.Phase), "_", " "), until)
	}
	if l.Breaker.State == broker.BreakerOpen {
		fmt.Fprintf(w, "breaker\topen: %d of %d tries used\n", l.Breaker.Tries, l.Breaker.MaxTries)
	}
	for _, text := range l.Warnings {
		fmt.Fprintf(w, "warning\t%s\n", text)
	}
}

// printHealth tells each thing by itself, in a line.
func printHealth(w io.Writer, h *event.HealthState, now time.Time) {
	if h == nil {
		return
	}
	if f := h.Journal; f != nil {
		fmt.Fprintf(w, "journal\tENTRIES STOP since %s: %s; %s\n", f.Since.Local().Format(time.DateTime), f.Cause, f.Advice)
	}
	if b := h.Books; b != nil {
		fmt.Fprintf(w, "books\tNOT COMPARED with the broker since %s, entries wait: %s\n", b.Since.Local().Format(time.DateTime), b.Text)
	}
	if s := h.Session; s != nil {
		fmt.Fprintf(w, "orders\tnewest frame %s", age(s.LastFrame, now))
		if s.RoundTripMS != nil {
			fmt.Fprintf(w, ", round trip %.2f ms", *s.RoundTripMS)
		}
		if s.Missed > 0 {
			fmt.Fprintf(w, ", %d time requests UNANSWERED", s.Missed)
		}
		fmt.Fprintf(w, ", %d of %d messages a second", s.Pacing.Sent, s.Pacing.Limit)
		if s.Pacing.Waiting > 0 {
			fmt.Fprintf(w, ", %d wait", s.Pacing.Waiting)
		}
		fmt.Fprintln(w)
		parts := make([]string, 0, len(s.Farms)+1)
		for _, p := range append([]broker.Part{s.Venue}, s.Farms...) {
			if p.Name != "" && p.State != "" {
				parts = append(parts, p.Name+" "+p.State)
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, "servers\t%s\n", strings.Join(parts, ", "))
		}
		if s.ReadOnlyAPI != nil {
			fmt.Fprintln(w, "warning\tthe gateway's API is read-only: untick it in its API settings")
		}
		if s.Competing != nil {
			fmt.Fprintln(w, "warning\tanother session of this user takes the market data: end it, or use a second user name")
		}
	}
	for _, d := range h.Data {
		fmt.Fprintf(w, "data\t%s %s, newest tick %s", d.Symbol, d.State, age(d.Last, now))
		if d.Cause != "" {
			fmt.Fprintf(w, " (%s)", d.Cause)
		}
		fmt.Fprintln(w)
	}
}

// age is how long ago something was; unknown is not 0.
func age(at *time.Time, now time.Time) string {
	if at == nil {
		return "not yet"
	}
	return max(0, now.Sub(*at)).Round(100*time.Millisecond).String() + " ago"
}
