package tape

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/market/calendar"
)

// WriteBars writes the day of New York that day falls on, 04:00 to 20:00, as
// minute bars of the synthetic market with that seed, in the form that [Read]
// reads. The same arguments write the same bytes.
func WriteBars(w io.Writer, symbol market.Symbol, seed uint64, day time.Time) error {
	cal, err := calendar.New()
	if err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	zone, end := cal.Zone(), cal.Clock(day, calendar.ExtendedClose)
	s, err := NewSynthetic(SyntheticConfig{Symbol: symbol, Seed: seed, Start: cal.Clock(day, calendar.ExtendedOpen)})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w) // keeps the first error for Flush
	fmt.Fprintln(out, barsHeader)
	var bar market.Bar
	var quote Event
	minute := minuteOf(s.Start())
	line := func() {
		if bar.Trades > 0 {
			fmt.Fprintf(out, "%s,%v,%v,%v,%v,%v,%v,%v\n", minuteTime(minute).In(zone).Format(time.RFC3339),
				bar.Open, bar.High, bar.Low, bar.Close, bar.Volume, quote.Bid.Price, quote.Ask.Price)
		}
		bar = market.Bar{}
	}
	for {
		ev, _ := s.Next() // never ends
		if m := minuteOf(ev.At); m != minute {
			line()
			minute = m
		}
		if !ev.At.Before(end) {
			break
		}
		if ev.Kind == Quote {
			quote = ev
		} else {
			bar = bar.Merge(ev.Price, ev.Size)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("tape: write bars: %w", err)
	}
	return nil
}
