package sim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

func TestMarketSource(t *testing.T) {
	start := time.Date(2026, 11, 25, 20, 59, 0, 0, time.UTC) // a minute before the close
	t.Run("anywhere in time", func(t *testing.T) {
		src, err := Market{Symbols: []market.Symbol{"AAPL", "MSFT"}, Seed: 3, Start: start, Sessions: tape.NewYork, Busy: 2}.Source()
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Symbols(); len(got) != 2 || !src.Start().Equal(start) {
			t.Errorf("plays %v from %v", got, src.Start())
		}
		for {
			ev, ok := src.Next()
			if !ok || ev.At.After(start.Add(24*time.Hour)) {
				break
			}
			if at := ev.At.Sub(start); at > 4*time.Hour+time.Minute { // Thanksgiving
				t.Fatalf("%v at %v", ev.Kind, ev.At)
			}
		}
	})
	t.Run("on demand", func(t *testing.T) {
		src, err := Market{Seed: 3, Start: start, MaxSymbols: 2}.Source()
		if err != nil {
			t.Fatal(err)
		}
		u, ok := src.(*tape.Universe)
		if !ok || len(u.Symbols()) != 1 || u.Symbols()[0] != DefaultSymbol {
			t.Fatalf("%T plays %v", src, src.Symbols())
		}
		if err := u.Add("SPY", start); err != nil {
			t.Error(err)
		}
		if err := u.Add("IBM", start); !errors.Is(err, tape.ErrFull) {
			t.Errorf("a third: %v", err)
		}
	})
	t.Run("beside files", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "IBM-1d.csv")
		if err := os.WriteFile(path, []byte("date,open,high,low,close,volume\n2026-11-25,1,1,1,1,1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := Market{Data: []string{path}, Symbols: []market.Symbol{"AAPL"}, Start: start, MaxSymbols: 5}.Source()
		if err != nil {
			t.Fatal(err)
		}
		if got := src.Symbols(); len(got) != 1 || got[0] != "IBM" {
			t.Errorf("plays %v: files only, until something is asked for", got)
		}
	})
	t.Run("all faults at once", func(t *testing.T) {
		_, err := Market{Data: []string{"9=", "none-x.csv"}, Start: start}.Source()
		if err == nil || !strings.Contains(err.Error(), "none-x.csv") || !strings.Contains(err.Error(), `"9="`) {
			t.Errorf("got %v", err)
		}
		if _, err := (Market{Symbols: []market.Symbol{"AAPL"}, Start: start, Busy: -1}).Source(); err == nil {
			t.Error("a bad rate is taken")
		}
	})
}
