package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const header = "seq,exec_id,account,symbol,side,qty,price,commission,currency\n"

// lines makes a file of "BUY 100 10.5 1" in AAPL, or "IBM BUY 100 10.5 1".
func lines(list ...string) string {
	var b strings.Builder
	b.WriteString(header)
	for i, l := range list {
		f := strings.Fields(l)
		if len(f) == 4 {
			f = append([]string{"AAPL"}, f...)
		}
		fmt.Fprintf(&b, "%d,e%d,DU1,%s,%s,%s,%s,%s,USD\n", i+1, i+1, f[0], f[1], f[2], f[3], f[4])
	}
	return b.String()
}

func compute(t *testing.T, file string, args ...string) report {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, strings.NewReader(file), &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFigures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  report
	}{
		{"nothing", nil, report{Cash: "1000", Commission: "0", RealizedPNL: "0", Symbols: []symbol{}}},
		{
			"a round trip with a part closed first",
			[]string{"BUY 10 20.10 1", "SELL 4 21.00 0.5", "SELL 6 19.99 0.35"},
			report{
				// 1000 - 201 - 1 + 84 - 0.5 + 119.94 - 0.35; realised 4×0.90 - 6×0.11
				Executions: 3, Cash: "1001.09", Commission: "1.85", RealizedPNL: "2.94", RoundTrips: 1,
				Symbols: []symbol{{"AAPL", 3, "0", "0", "2.94", "1.85", 1}},
			},
		},
		{
			"two lots have one average",
			[]string{"BUY 1 10 0", "BUY 3 12 0", "SELL 2 13 0"},
			report{ // average 11.50
				Executions: 3, Cash: "980", Commission: "0", RealizedPNL: "3",
				Symbols: []symbol{{"AAPL", 3, "2", "23", "3", "0", 0}},
			},
		},
		{
			"through zero and back: two flips, the last lot stays",
			[]string{"BUY 5 10 1", "SELL 8 11 1", "BUY 4 9 1"},
			report{ // +5×1, short 3 at 11, bought back at 9: +3×2, long 1 at 9
				Executions: 3, Cash: "999", Commission: "3", RealizedPNL: "11", RoundTrips: 2,
				Symbols: []symbol{{"AAPL", 3, "1", "9", "11", "3", 2}},
			},
		},
		{
			"a short position costs less than nothing",
			[]string{"SELL 2 50.005 0.01"},
			report{
				Executions: 1, Cash: "1100.00", Commission: "0.01", RealizedPNL: "0",
				Symbols: []symbol{{"AAPL", 1, "-2", "-100.01", "0", "0.01", 0}},
			},
		},
		{
			"symbols do not mix",
			[]string{"IBM BUY 1 100 1", "AAPL BUY 1 10 1", "IBM SELL 1 90 1"},
			report{
				Executions: 3, Cash: "977", Commission: "3", RealizedPNL: "-10", RoundTrips: 1,
				Symbols: []symbol{{"AAPL", 1, "1", "10", "0", "1", 0}, {"IBM", 2, "0", "0", "-10", "2", 1}},
			},
		},
		{
			"a third of a cost has no end",
			[]string{"BUY 3 10 0", "BUY 4 11 0", "SELL 1 11 0"},
			report{ // 74/7
				Executions: 3, Cash: "937", Commission: "0", RealizedPNL: "0.4285714285714286", Rounded: true,
				Symbols: []symbol{{"AAPL", 3, "6", "63.4285714285714286", "0.4285714285714286", "0", 0}},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.StartingCash = "1000"
			got := compute(t, lines(tt.lines...), "--cash", "1000")
			normal := func(r report) report { // 999.00 and 999 are one number
				r.Cash, r.Commission, r.RealizedPNL = plain(t, r.Cash), plain(t, r.Commission), plain(t, r.RealizedPNL)
				return r
			}
			if d := cmp.Diff(normal(tt.want), normal(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func plain(t *testing.T, s string) string {
	t.Helper()
	n, err := parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n.RatString()
}

func TestFaults(t *testing.T) {
	row := func(s string) string { return header + "1,e1,DU1,AAPL,BUY,1,10,1,USD\n" + s + "\n" }
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"empty", "", []string{"line 1"}},
		{"a column is missing", "exec_id,account,symbol,side,qty,price,currency\n", []string{"line 1", `"commission"`}},
		{"a commission is missing", row("2,e2,DU1,AAPL,SELL,1,10,,USD"), []string{"line 3", "column commission", `""`, "not told yet"}},
		{"an exponent", row("2,e2,DU1,AAPL,SELL,1e2,10,1,USD"), []string{"line 3", "column qty", `"1e2"`}},
		{"a fraction", row("2,e2,DU1,AAPL,SELL,1,10/3,1,USD"), []string{"line 3", "column price", `"10/3"`}},
		{"nothing traded", row("2,e2,DU1,AAPL,SELL,0,10,1,USD"), []string{"line 3", "column qty", `"0"`, "above 0"}},
		{"a signed quantity", row("2,e2,DU1,AAPL,SELL,-1,10,1,USD"), []string{"line 3", "column qty", `"-1"`}},
		{"a venue's word", row("2,e2,DU1,AAPL,SLD,1,10,1,USD"), []string{"line 3", "column side", `"SLD"`}},
		{"told twice", row("2,e1,DU1,AAPL,SELL,1,10,1,USD"), []string{"line 3", "column exec_id", `"e1"`, "line 2"}},
		{"two accounts", row("2,e2,DU2,AAPL,SELL,1,10,1,USD"), []string{"line 3", "column account", `"DU2"`, "--account"}},
		{"two currencies", row("2,e2,DU1,AAPL,SELL,1,10,1,EUR"), []string{"line 3", "column currency", `"EUR"`}},
		{"no symbol", row("2,e2,DU1,,SELL,1,10,1,USD"), []string{"line 3", "column symbol"}},
		{"a short line", row("2,e2,DU1"), []string{"line 3"}},
		{"all at once", row("2,e2,DU1,AAPL,SLD,1,x,,USD"), []string{"column side", "column price", "column commission"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(nil, strings.NewReader(tt.file), &out, &errs); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			if out.Len() != 0 {
				t.Errorf("figures in spite of faults: %s", out.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("no %q in %q", want, errs.String())
				}
			}
		})
	}
}

func TestCall(t *testing.T) {
	for _, args := range [][]string{{"--cash", "1e6"}, {"--cash", ""}, {"--nonsense"}, {"a", "b"}} {
		var out, errs bytes.Buffer
		if code := run(args, strings.NewReader(header), &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: exit %d, want 2, and words: %q", args, code, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"/does/not/exist"}, nil, &out, &errs); code != 1 {
		t.Errorf("exit %d for a missing file, want 1", code)
	}
}

func TestAccount(t *testing.T) {
	file := header + "1,e1,DU1,AAPL,BUY,1,10,1,USD\n2,e2,DU2,AAPL,BUY,5,10,1,USD\n"
	r := compute(t, file, "--cash", "100", "--account", "DU2")
	if r.Executions != 1 || r.Cash != "49" {
		t.Errorf("got %d executions and cash %s, want 1 and 49", r.Executions, r.Cash)
	}
}

// TestBooksBalance holds for any executions: what was spent is in the cost of
// what is held, in the result or in the commission.
func TestBooksBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(big.NewRat(1_000_000, 1))
		trips := 0
		net := map[string]int64{}
		for i := range rapid.IntRange(0, 60).Draw(t, "n") {
			x := execution{
				id: fmt.Sprint(i), symbol: rapid.SampledFrom([]string{"AAPL", "IBM"}).Draw(t, "symbol"),
				price: big.NewRat(rapid.Int64Range(-1000, 100_000).Draw(t, "cents"), 100), commission: big.NewRat(rapid.Int64Range(-10, 500).Draw(t, "commission"), 100),
			}
			change := rapid.Int64Range(-9, 9).Filter(func(n int64) bool { return n != 0 }).Draw(t, "change")
			x.change = big.NewRat(change, 1)
			before, after := net[x.symbol], net[x.symbol]+change
			if before != 0 && (after == 0 || (before > 0) != (after > 0)) {
				trips++
			}
			net[x.symbol] = after
			b.add(x)
		}
		left := new(big.Rat).Set(b.cash)
		right := new(big.Rat).Sub(b.starting, b.commission)
		for s, h := range b.holdings {
			left.Add(left, h.cost)
			right.Add(right, h.realised)
			if h.qty.Cmp(big.NewRat(net[s], 1)) != 0 {
				t.Fatalf("%s: %s held, want %d", s, h.qty.RatString(), net[s])
			}
			if h.qty.Sign() == 0 && h.cost.Sign() != 0 {
				t.Fatalf("%s: flat, but costs %s", s, h.cost.RatString())
			}
		}
		if left.Cmp(right) != 0 {
			t.Fatalf("cash + cost = %s, starting cash + realised - commission = %s", left.RatString(), right.RatString())
		}
		if got := b.report().RoundTrips; got != trips {
			t.Fatalf("%d round trips, want %d", got, trips)
		}
	})
}
