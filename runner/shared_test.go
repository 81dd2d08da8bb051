package runner

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/market"
	"robotrader/runner/strategy/smacross"
)

// sharedTape reads a recorded day as a tape: bars give four trades each.
func sharedTape(t *testing.T, name string, s market.Symbol) (tape []instant) {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", name)
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no recorded day: %v", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339, row[0])
		if err != nil {
			t.Fatal(err)
		}
		prices := []string{row[1]}
		if rows[0][1] == "open" {
			prices = []string{row[1], row[2], row[3], row[4]}
		} else if row[4] == "1" { // suspicious
			continue
		}
		for i, p := range prices {
			when := at.UTC().Add(time.Duration(i) * 15 * time.Second)
			if n := len(tape); n > 0 && !when.After(tape[n-1].at) { // one instant holds one price here
				tape[n-1].prices[s] = p
				continue
			}
			tape = append(tape, instant{at: when, prices: map[market.Symbol]string{s: p}})
		}
	}
	t.Logf("%s: %d instants", path, len(tape))
	return tape
}

// Recorded days trade, end flat, and are the same twice.
func TestRecordedDays(t *testing.T) {
	for name, s := range map[string]market.Symbol{"AAPL-1m-20140605.csv": "AAPL", "IBM-trades-20131008.csv": "IBM"} {
		t.Run(name, func(t *testing.T) {
			tape := sharedTape(t, name, s)
			begins := tape[0].at.Truncate(24 * time.Hour).Add(13*time.Hour + 30*time.Minute) // New York in summer
			var before result
			for run := range 2 {
				v, g := newVenue(), newGate()
				v.tape, v.desk.Market = tape, tape[0].at
				v.desk.Details = map[market.Symbol]market.Details{s: {Liquid: market.Hours{{Open: begins, Close: begins.Add(390 * time.Minute)}}}}
				g.open()
				r, out := begin(t, v, g, v, smacross.Kind(), func(c *Config) { c.Symbols = []market.Symbol{s} })
				waitEnded(t, r)
				end(t, r)
				got := outcome(v, out)
				if run == 0 {
					before = got
					t.Logf("%d fills, %d bars, portfolio %s", len(got.Fills), len(got.Bars), got.Portfolio)
				} else if d := cmp.Diff(before, got); d != "" {
					t.Fatal(d)
				}
				if n := len(got.Fills); n < 2 || n%2 != 0 {
					t.Errorf("%d fills: no round trip, or not flat", n)
				}
				if q, known := r.book.Position(s); !known || !q.IsZero() {
					t.Errorf("the day ends with %v", q)
				}
				if len(out.notices) > 0 {
					t.Errorf("notices: %+v", out.notices)
				}
			}
		})
	}
}
