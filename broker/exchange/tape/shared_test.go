package tape

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shared opens a file of real prices that lies beside the repository, or skips.
func shared(t testing.TB, name string) *CSV {
	t.Helper()
	path := filepath.Join("..", "..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no real prices beside the repository: %v", err)
	}
	c, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRealMinuteBars(t *testing.T) {
	for _, name := range []string{"AAPL-1m-20140605.csv", "AAPL-1m-20140606.csv"} {
		t.Run(name, func(t *testing.T) {
			c := shared(t, name)
			t.Log(c.Describe())
			checkRebuild(t, c)
		})
	}
}

func TestRealTrades(t *testing.T) {
	began := time.Now()
	c := shared(t, "IBM-trades-20131008.csv")
	trades, events := 0, 0
	for ev, ok := c.Next(); ok; ev, ok = c.Next() {
		events++
		if ev.Kind == Trade {
			trades++
		}
	}
	t.Logf("%s: %d events in %v", c.Describe(), events, time.Since(began))
	text, err := os.ReadFile(c.name)
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Count(text, []byte("\n")) - 1; trades != want || want < 33_000 || c.Symbols()[0] != "IBM" {
		t.Errorf("%d trades of %v, the file has %d", trades, c.Symbols(), want)
	}
}

func TestRealDailyBars(t *testing.T) {
	c := shared(t, "AAPL-1d.csv")
	t.Log(c.Describe())
	span := 30 * 366 * 24 * time.Hour
	bars, err := c.History("AAPL", c.Start().Add(span/2), span, 24*time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(rebuilt(c), plainNoStart(bars), exact); d != "" {
		t.Error(d)
	}
}

func BenchmarkReadRealTrades(b *testing.B) {
	shared(b, "IBM-trades-20131008.csv")
	b.ReportAllocs()
	for range b.N {
		c := shared(b, "IBM-trades-20131008.csv")
		for _, ok := c.Next(); ok; _, ok = c.Next() {
		}
	}
}
