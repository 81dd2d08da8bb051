package tape

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

func read(t testing.TB, text string) *CSV {
	t.Helper()
	c, err := Read(strings.NewReader(text), "AAPL-test.csv", "AAPL")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// words writes events in short.
func words(evs []Event) string {
	var b strings.Builder
	side := func(l Level) string {
		if !l.Known {
			return "-"
		}
		return l.Price.String()
	}
	for _, ev := range evs {
		fmt.Fprintf(&b, "%s ", ev.At.Format("15:04:05.000"))
		switch {
		case ev.Kind == Quote:
			fmt.Fprintf(&b, "%s/%s\n", side(ev.Bid), side(ev.Ask))
		case ev.Suspicious:
			fmt.Fprintf(&b, "(%v x %v %s)\n", ev.Price, ev.Size, ev.Exchange)
		default:
			fmt.Fprintf(&b, "%v x %v %s\n", ev.Price, ev.Size, ev.Exchange)
		}
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestExpandBars(t *testing.T) {
	c := read(t, barsHeader+"\n"+
		"2014-06-05T09:30:00-04:00,10.00,10.50,9.50,10.20,1001,10.18,10.24\n"+ // rising: low first
		"2014-06-05T09:31:00-04:00,10.20,10.30,9.90,10.00,3,,\n"+ // falling, fewer shares than trades, no quote
		"2014-06-05T09:33:00-04:00,10,10,10,10,5,10,9.99\r\n"+ // crossed
		"2014-06-05T09:34:00-04:00,10,10.01,10,10.01,0,,10.02\n")
	got := words(take(c, 100))
	want := `13:29:59.000 9.97/10.03
13:30:00.000 9.97/10.03
13:30:00.000 10 x 250
13:30:15.000 9.47/9.53
13:30:15.000 9.5 x 250
13:30:30.000 10.47/10.53
13:30:30.000 10.5 x 250
13:30:59.980 10.17/10.23
13:30:59.980 10.2 x 251
13:30:59.990 10.18/10.24
13:31:00.000 -/-
13:31:00.000 10.2 x 0.1
13:31:15.000 -/-
13:31:15.000 10.3 x 0.1
13:31:30.000 -/-
13:31:30.000 9.9 x 0.1
13:31:59.980 -/-
13:31:59.980 10 x 2.7
13:31:59.990 -/-
13:33:00.000 10/10.01
13:33:00.000 10 x 5
13:33:59.990 10/9.99
13:34:00.000 -/-
13:34:00.000 10 x 0
13:34:59.980 -/-
13:34:59.980 10.01 x 0
13:34:59.990 -/10.02
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExpandTrades(t *testing.T) {
	c := read(t, tradesHeader+"\n"+
		"2013-10-08T09:30:00.25-04:00,182.50,7,P,1\n"+
		"2013-10-08T09:30:00.25-04:00,182.10,300,P,0\n"+
		"2013-10-08T09:30:01-04:00,182.10,100,K,0\n"+
		"2013-10-08T09:30:02-04:00,0.01,100,,0\n"+
		"2013-10-08T09:30:03-04:00,182.10,100,K,1\n")
	want := `13:29:59.250 182.09/182.11
13:30:00.250 (182.5 x 7 P)
13:30:00.250 182.1 x 300 P
13:30:00.250 182.09/182.11
13:30:01.000 182.1 x 100 K
13:30:02.000 0.01 x 100
13:30:02.000 -/0.02
13:30:03.000 (182.1 x 100 K)
`
	if d := cmp.Diff(want, words(take(c, 100))); d != "" {
		t.Error(d)
	}
	bars, err := c.History("AAPL", c.Start().Add(time.Hour), time.Hour, time.Minute, true)
	if err != nil || len(bars) != 1 || bars[0].Volume != market.Shares(607) || bars[0].High != market.MustPrice("182.1") {
		t.Errorf("history %+v, %v", bars, err)
	}
}

func TestExpandDaily(t *testing.T) {
	c := read(t, dailyHeader+"\n2014-06-05,646.20,649.37,642.61,647.35,10849456\n2014-06-06,649.90,651.26,644.47,645.57,12497822\n")
	if got, want := words(take(c, 3)), "13:29:59.000 646.19/646.21\n13:30:00.000 646.19/646.21\n13:30:00.000 646.2 x 2712364\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
	bars, err := c.History("AAPL", c.Start().AddDate(0, 0, 7), 30*24*time.Hour, 24*time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(rebuilt(c), plainNoStart(bars), exact); d != "" {
		t.Error(d)
	}
	if got := c.Describe(); got != "replay AAPL: 2 daily bars of 2014-06-05 to 2014-06-06 from AAPL-test.csv" {
		t.Errorf("describes itself as %q", got)
	}
}

// rebuilt are the bars of the file, without their times.
func rebuilt(c *CSV) (bars []market.Bar) {
	for _, b := range c.bars {
		bars = append(bars, market.Bar{Open: b.open, High: b.high, Low: b.low, Close: b.close, Volume: b.volume})
	}
	return bars
}

func plainNoStart(bars []market.Bar) []market.Bar {
	bars = plain(bars)
	for i := range bars {
		bars[i].Start = time.Time{}
	}
	return bars
}

// checkRebuild makes minute bars of the streamed trades, and compares them
// with the file's bars and with the history.
func checkRebuild(t interface{ Fatal(...any) }, c *CSV) {
	b := newBuilder(c.zone, spanQuery(c.symbol, c.Start().AddDate(1, 0, 0), 2*366*24*time.Hour, time.Minute, false))
	var prev, quote Event
	for ev, ok := c.Next(); ok; ev, ok = c.Next() {
		if ev.At.Before(prev.At) {
			t.Fatal("time goes back at ", ev)
		}
		prev = ev
		if ev.Kind == Trade {
			b.add(ev.At.UnixNano(), ev.Price, ev.Size, ev.Suspicious)
			continue
		}
		quote = ev
	}
	var want []market.Bar
	for _, l := range c.bars {
		want = append(want, market.Bar{Start: l.asTime().UTC(), Open: l.open, High: l.high, Low: l.low, Close: l.close, Volume: l.volume})
	}
	got := b.done()
	if d := cmp.Diff(want, plain(got), exact); d != "" {
		t.Fatal("bars of the trades differ from the file: ", d)
	}
	last := c.bars[len(c.bars)-1]
	if quote.Bid.Price != last.bid || quote.Ask.Price != last.ask {
		t.Fatal("the last quote is not the file's: ", quote)
	}
	told, err := c.History(c.symbol, prev.At.Add(1), 366*24*time.Hour, time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, told, exact); d != "" {
		t.Fatal("history differs from the stream: ", d)
	}
}

func TestBarsRebuildExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Map(rapid.Int64Range(1, 6), func(n int64) market.Price { return market.MustPrice("0.0050").Times(n) })
		volume := rapid.SampledFrom([]string{"0", "0.00000001", "0.5", "1", "2", "3", "4", "5", "7.25", "100", "10849457"})
		text := barsHeader + "\n"
		at := time.Date(2014, 6, 5, 8, 0, 0, 0, time.UTC)
		for range rapid.IntRange(1, 8).Draw(t, "bars") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "gap")) * time.Minute)
			p := rapid.SliceOfN(price, 4, 4).Draw(t, "prices")
			sort.Slice(p, func(i, j int) bool { return p[i].Less(p[j]) })
			open, end := p[1], p[2]
			if rapid.Bool().Draw(t, "falling") {
				open, end = end, open
			}
			quote := rapid.SampledFrom([]string{",", "0.01,0.02", ",0.02", "0.01,", "0.02,0.01", "0.01,0.01"}).Draw(t, "quote")
			text += fmt.Sprintf("%s,%v,%v,%v,%v,%s,%s\n", at.Format(time.RFC3339), open, p[3], p[0], end, volume.Draw(t, "volume"), quote)
		}
		c, err := Read(strings.NewReader(text), "made", "AAPL")
		if err != nil {
			t.Fatal(err)
		}
		checkRebuild(t, c)
	})
}

func TestHistoryInTheMiddle(t *testing.T) {
	c := read(t, barsHeader+"\n"+
		"2014-06-05T09:29:00-04:00,10,10,10,10,5,,\n"+
		"2014-06-05T09:30:00-04:00,10,11,9,10.5,400,,\n"+
		"2014-06-05T09:31:00-04:00,20,20,20,20,7,,\n")
	at := c.Start().Add(time.Second)
	for _, tt := range []struct {
		end     time.Duration
		span    time.Duration
		regular bool
		want    string
	}{
		{0, time.Hour, false, ""}, // before the first event
		{time.Nanosecond, time.Hour, false, "09:29 10 10 10 10 5;"},
		{75*time.Second + 1, time.Hour, false, "09:29 10 10 10 10 5;09:30 10 10 9 9 200;"},
		{time.Hour, 2 * time.Hour, true, "09:30 10 11 9 10.5 400;09:31 20 20 20 20 7;"},
		{150 * time.Second, 100 * time.Second, false, "09:30 10 11 9 10.5 400;09:31 20 20 20 20 7;"},
		{150 * time.Second, 89 * time.Second, false, "09:31 20 20 20 20 7;"}, // a bar begun before is not whole
		{48 * time.Hour, time.Hour, false, ""},
	} {
		bars, err := c.History("AAPL", at.Add(tt.end), tt.span, time.Minute, tt.regular)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, b := range bars {
			got += fmt.Sprintf("%s %v %v %v %v %v;", b.Start.In(c.zone).Format("15:04"), b.Open, b.High, b.Low, b.Close, b.Volume)
		}
		if got != tt.want {
			t.Errorf("%v before %v: got %q, want %q", tt.span, tt.end, got, tt.want)
		}
	}
	// A request that begins inside a bar of the file has its later trades.
	bars, err := c.History("AAPL", at.Add(120*time.Second), 50*time.Second, 15*time.Second, false)
	if err != nil || len(bars) != 3 || bars[0].Close != market.MustPrice("9") {
		t.Errorf("from inside a bar: %+v, %v", bars, err)
	}
	if _, err := c.History("IBM", at, time.Hour, time.Minute, false); !errors.Is(err, ErrNoSymbol) {
		t.Error(err)
	}
	if _, err := c.History("AAPL", at, -1, time.Minute, false); !errors.Is(err, ErrBadSpan) {
		t.Error(err)
	}
}

func TestRefusedFiles(t *testing.T) {
	const bar = "2014-06-05T09:30:00-04:00,10,11,9,10,5,10,11"
	const trade = "2014-06-05T09:30:00-04:00,10,100,P,0"
	in := func(header string, lines ...string) string { return header + "\n" + strings.Join(lines, "\n") }
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "line 1: no line of data"},
		{"header only", barsHeader + "\n", "line 1: no line of data"},
		{"header", "time,open\n1", "line 1: header"},
		{"columns", in(barsHeader, bar+",7"), "line 2: 9 columns"},
		{"fewer columns", in(barsHeader, bar, "2014-06-05T09:31:00-04:00"), "line 3: 1 columns"},
		{"blank line", in(barsHeader, bar, "", bar), "line 3: 1 columns"},
		{"same time", in(barsHeader, bar, bar), `line 3: column time: "2014-06-05T09:30:00-04:00": is not after`},
		{"inside a minute", in(barsHeader, strings.Replace(bar, "30:00", "30:30", 1)), "whole minute"},
		{"time", in(barsHeader, strings.Replace(bar, "T", " ", 1)), "line 2: column time"},
		{"year", in(barsHeader, strings.Replace(bar, "2014", "0014", 1)), "1900 to 2200"},
		{"high below low", in(barsHeader, "2014-06-05T09:30:00-04:00,10,9,11,10,5,,"), "column high"},
		{"low above close", in(barsHeader, "2014-06-05T09:30:00-04:00,10,11,10,9,5,,"), "column low"},
		{"negative", in(barsHeader, strings.Replace(bar, ",9,", ",-9,", 1)), `column low: "-9": want a price above 0`},
		{"zero", in(barsHeader, strings.Replace(bar, ",9,", ",0,", 1)), "want a price above 0"},
		{"NaN", in(barsHeader, strings.Replace(bar, ",9,", ",NaN,", 1)), "plain decimal"},
		{"exponent", in(barsHeader, strings.Replace(bar, ",11,", ",1e1,", 1)), `column high: "1e1"`},
		{"blank", in(barsHeader, strings.Replace(bar, ",9,", ",,", 1)), "column low"},
		{"quoted", in(barsHeader, strings.Replace(bar, ",9,", `,"9",`, 1)), "column low"},
		{"negative volume", in(barsHeader, strings.Replace(bar, ",5,", ",-5,", 1)), "column volume"},
		{"much too dear", in(barsHeader, strings.Replace(bar, ",11,", ",10000000.01,", 1)), "column high"},
		{"too much in a day", in(dailyHeader, "2014-06-05,1,1,1,1,50000000001"), "column volume"},
		{"too much in a day of bars", in(barsHeader, strings.Replace(bar, ",5,", ",40000000000,", 1), strings.Replace(bar, ":30:00-04:00,10,11,9,10,5,", ":31:00-04:00,10,11,9,10,40000000000,", 1)), "line 3: column volume"},
		{"bid", in(barsHeader, strings.Replace(bar, ",5,10", ",5,x", 1)), "column bid"},
		{"ask", in(barsHeader, bar+"e1"), "column ask"},
		{"trade time", in(tradesHeader, trade, strings.Replace(trade, "09:30", "09:29", 1)), "line 3: column time"},
		{"trade price", in(tradesHeader, strings.Replace(trade, ",10,", ",+10,", 1)), "column price"},
		{"trade size", in(tradesHeader, strings.Replace(trade, ",100,", ",0,", 1)), "column size"},
		{"exchange", in(tradesHeader, strings.Replace(trade, ",P,", ",p;,", 1)), "column exchange"},
		{"suspicious", in(tradesHeader, trade[:len(trade)-1]+"yes"), "column suspicious"},
		{"date", in(dailyHeader, "2014-06-31,1,1,1,1,1"), "column date"},
		{"date order", in(dailyHeader, "2014-06-05,1,1,1,1,1", "2014-06-04,1,1,1,1,1"), "line 3: column date"},
		{"long line", in(barsHeader, bar, strings.Repeat("1", 2*maxLine)), "line 3: a line of more than"},
	} {
		c, err := Read(strings.NewReader(tt.text), "AAPL-x.csv", "AAPL")
		if !errors.Is(err, ErrBadFile) || c != nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "AAPL-x.csv") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := Read(strings.NewReader(in(barsHeader, bar)), "x", "aapl"); err == nil {
		t.Error("a bad symbol is taken")
	}
	if c, err := Read(strings.NewReader("\xef\xbb\xbf"+in(barsHeader, bar)), "x", "AAPL"); err != nil || c.lines() != 1 {
		t.Errorf("a byte order mark: %v", err)
	}
}

func TestOpenNamesTheSymbol(t *testing.T) {
	dir := t.TempDir()
	text := []byte(dailyHeader + "\n2014-06-05,1,1,1,1,1\n")
	for name, want := range map[string]market.Symbol{"AAPL-1d.csv": "AAPL", "brk.b-x-y.csv": "BRK.B", "IBM.csv": "IBM", "1d.csv": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path, "")
		if want == "" {
			if err == nil {
				t.Errorf("%s plays %v", name, c.Symbols())
			}
			continue
		}
		if err != nil || c.Symbols()[0] != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := Open(filepath.Join(dir, "1d.csv"), "MSFT"); err != nil || c.Symbols()[0] != "MSFT" {
		t.Errorf("with a symbol: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none-x.csv"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestCSVHours(t *testing.T) {
	var lines []string
	for d := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC); len(lines) < 40; d = d.AddDate(0, 0, 1) {
		if d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			lines = append(lines, d.Format(time.DateOnly)+",1,1,1,1,1")
		}
	}
	c := read(t, dailyHeader+"\n"+strings.Join(lines, "\n"))
	around := time.Date(2026, 3, 11, 14, 0, 0, 0, time.UTC) // a Wednesday, after summer time began
	h, err := c.Hours("AAPL", around)
	if err != nil || len(h.Liquid) != 10 || len(h.Trading) != 10 {
		t.Fatalf("%+v, %v", h, err)
	}
	text := h.Liquid[:2].Format(h.Zone) + " " + h.Trading[1:2].Format(h.Zone)
	if want := "20260310:0930-20260310:1600;20260311:0930-20260311:1600 20260311:0400-20260311:2000"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if open := h.Liquid[1].Open.UTC().Hour(); open != 13 {
		t.Errorf("opens at %d h UTC in summer", open)
	}
	for _, around := range []time.Time{around.AddDate(-1, 0, 0), around.AddDate(1, 0, 0)} {
		if h, err := c.Hours("AAPL", around); err != nil || len(h.Liquid) != 10 {
			t.Errorf("around %v: %v, %v", around, h, err)
		}
	}
	if _, err := c.Hours("IBM", around); !errors.Is(err, ErrNoSymbol) {
		t.Error(err)
	}
}

func TestMerge(t *testing.T) {
	make := func() Source {
		a := read(t, tradesHeader+"\n2014-06-05T09:30:00-04:00,10,100,P,0\n2014-06-05T09:30:02-04:00,11,100,P,0\n")
		b, err := Read(strings.NewReader(tradesHeader+"\n2014-06-05T09:30:00-04:00,20,100,P,0\n2014-06-05T09:30:01-04:00,20,100,P,0\n"), "b", "IBM")
		if err != nil {
			t.Fatal(err)
		}
		m, err := Merge(a, b)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := make()
	want := `13:29:59.000 9.99/10.01
13:29:59.000 19.99/20.01
13:30:00.000 10 x 100 P
13:30:00.000 9.99/10.01
13:30:00.000 20 x 100 P
13:30:00.000 19.99/20.01
13:30:01.000 20 x 100 P
13:30:02.000 11 x 100 P
13:30:02.000 10.99/11.01
`
	if d := cmp.Diff(want, words(take(m, 100))); d != "" {
		t.Error(d)
	}
	if got := fmt.Sprintf("%v %s %d", m.Symbols(), m.Start().Format("15:04:05"), strings.Count(m.Describe(), "replay")); got != "[AAPL IBM] 13:29:59 2" {
		t.Error(got)
	}
	bars, err := m.History("IBM", m.Start().Add(time.Hour), time.Hour, time.Minute, false)
	if err != nil || len(bars) != 1 || bars[0].Open != market.MustPrice("20") {
		t.Errorf("history %v, %v", bars, err)
	}
	if h, err := m.Hours("IBM", m.Start()); err != nil || len(h.Liquid) != 1 {
		t.Errorf("hours %v, %v", h, err)
	}
	_, err1 := m.Hours("X", m.Start())
	_, err2 := m.History("X", m.Start(), time.Hour, time.Hour, false)
	if !errors.Is(err1, ErrNoSymbol) || !errors.Is(err2, ErrNoSymbol) {
		t.Error(err1, err2)
	}
	if _, err := Merge(make(), make()); err == nil {
		t.Error("two sources of one symbol are taken")
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing is taken")
	}
	one := read(t, dailyHeader+"\n2014-06-05,1,1,1,1,1\n")
	if m, err := Merge(one); err != nil || m != Source(one) {
		t.Errorf("one source is wrapped: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(barsHeader + "\n2014-06-05T09:30:00-04:00,10,11,9,10,5,10,11\n")
	f.Add(tradesHeader + "\n2014-06-05T09:30:00.5-04:00,10,100,P,0\n2014-06-05T09:30:00.5-04:00,10,100,P,1")
	f.Add(dailyHeader + "\n2014-06-05,1,2,1,1,50000000000\n2014-06-06,1,1,1,1,0.00000001\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Read(strings.NewReader(text), "fuzz", "AAPL")
		if err != nil {
			if !errors.Is(err, ErrBadFile) {
				t.Fatal(err)
			}
			return
		}
		if c.Describe() == "" {
			t.Fatal("no description")
		}
		last := c.Start()
		for ev, ok := c.Next(); ok; ev, ok = c.Next() {
			if ev.At.Before(last) {
				t.Fatalf("%v before %v", ev.At, last)
			}
			last = ev.At
		}
		if _, err := c.History("AAPL", last.Add(1), 400*24*time.Hour, 24*time.Hour, false); err != nil {
			t.Fatal(err)
		}
	})
}
