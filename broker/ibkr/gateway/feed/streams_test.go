package feed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func containsText(s, part string) bool { return strings.Contains(s, part) }

func quoteAt(at time.Time, bid, ask string) tape.Event {
	side := func(s string) tape.Level {
		if s == "" {
			return tape.Level{}
		}
		return tape.Level{Price: market.MustPrice(s), Size: market.Shares(300), Known: true}
	}
	return tape.Event{At: at, Symbol: "AAPL", Kind: tape.Quote, Bid: side(bid), Ask: side(ask)}
}

func tradeAt(at time.Time, price string, shares int64) tape.Event {
	return tape.Event{At: at, Symbol: "AAPL", Kind: tape.Trade, Price: market.MustPrice(price), Size: market.Shares(shares), Exchange: "Q"}
}

// quietRig is a rig whose market a test makes up whole.
func quietRig(t testing.TB, change func(*Config)) *rig {
	r := newRig(t, universe(t, nil), change)
	r.apply(quoteAt(thursday, "187.24", "187.26"))
	return r
}

func TestGenericTicks(t *testing.T) {
	r := quietRig(t, nil)
	p := r.join()
	got := names(r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl(), Generic: "mdoff,165,221,233,236,293,294,295,318"}))
	want := []string{
		"tickReqParams", "marketDataType 1", "tickGeneric 46 3", "tickSize 89",
		"tickPrice 15", "tickPrice 16", "tickPrice 17", "tickPrice 18", "tickPrice 19", "tickPrice 20", "tickSize 21",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	r.apply(tradeAt(thursday.Add(time.Second), "187.26", 100))
	r.apply(tradeAt(thursday.Add(2*time.Second), "187.20", 300))
	list := p.take()
	if diff := cmp.Diff([]string{
		"tickString 48", "tickPrice 57", "tickGeneric 54 1", "tickPrice 37",
		"tickString 48", "tickPrice 57", "tickGeneric 54 2", "tickPrice 37",
	}, names(list)); diff != "" {
		t.Error(diff)
	}
	volumes := of[wire.TickString](list)
	at := thursday.Add(2 * time.Second).UnixMilli()
	if want := fmt.Sprintf("187.2;300;%d;400;187.215;true", at); string(volumes[1].Text) != want {
		t.Errorf("rtVolume %s, want %s", volumes[1].Text, want)
	}
	marks := of[wire.TickPrice](list)
	if last := marks[len(marks)-1].Price.String(); last != "187.24" { // the trade was below the bid
		t.Errorf("mark %s", last)
	}
	r.apply(tradeAt(thursday.Add(61*time.Second), "187.25", 5))
	if diff := cmp.Diff([]string{"tickString 48", "tickPrice 57", "tickGeneric 54 3", "tickGeneric 55 2", "tickGeneric 56 400", "tickPrice 37"}, names(p.take())); diff != "" {
		t.Error("the next minute:", diff)
	}
}

func TestStreamTellsExchangesOutsideLockStep(t *testing.T) {
	r := quietRig(t, func(c *Config) { c.LockStep = false })
	p := r.join()
	got := names(r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl()}))
	if diff := cmp.Diff([]string{"tickReqParams", "marketDataType 1", "tickPrice 1", "tickPrice 2", "tickString 32", "tickString 33"}, got); diff != "" {
		t.Error(diff)
	}
	r.apply(tradeAt(thursday.Add(time.Second), "187.25", 100))
	r.apply(tradeAt(thursday.Add(2*time.Second), "187.25", 100))
	want := []string{
		"tickString 45", "tickPrice 4", "tickSize 8", "tickPrice 6", "tickPrice 7", "tickString 84",
		"tickString 45", "tickPrice 4", "tickSize 8",
	}
	if diff := cmp.Diff(want, names(p.take())); diff != "" {
		t.Error(diff)
	}
}

func TestHalt(t *testing.T) {
	r := quietRig(t, nil)
	p := r.join()
	r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl()})
	r.ask(p, wire.ReqMktDepth{ReqID: 2, Contract: aapl(), Rows: 2})
	halt := tape.Event{At: thursday.Add(time.Second), Symbol: "AAPL", Kind: tape.Halt}
	r.apply(halt)
	r.apply(halt) // says nothing new
	if diff := cmp.Diff([]string{"tickGeneric 49 1"}, names(p.take())); diff != "" {
		t.Error(diff)
	}
	late := r.join()
	got := names(r.ask(late, wire.ReqMktData{ReqID: 1, Contract: aapl()}))
	if got[len(got)-1] != "tickGeneric 49 1" {
		t.Errorf("who comes in a halt hears %v", got)
	}
	halt.Kind, halt.At = tape.Resume, thursday.Add(2*time.Second)
	r.apply(halt)
	want := []string{"tickGeneric 49 0", "errMsg 317", "marketDepth", "marketDepth", "marketDepth", "marketDepth"}
	if diff := cmp.Diff(want, names(p.take())); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotWaitsForWhatIsMissing(t *testing.T) {
	r := quietRig(t, func(c *Config) { c.LockStep = false })
	p := r.join()
	began := time.Now()
	r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl(), Snapshot: true}) // there was no trade yet
	r.f.Beat(began.Add(10 * time.Second))
	if got := p.take(); len(got) != 0 {
		t.Fatalf("it ended early: %v", names(got))
	}
	r.f.Beat(time.Now().Add(11 * time.Second))
	if diff := cmp.Diff([]string{"tickSnapshotEnd"}, names(p.take())); diff != "" {
		t.Error(diff)
	}
	r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl(), Snapshot: true}) // the id is free again
	r.apply(tradeAt(thursday.Add(time.Second), "187.25", 100))
	p.take()
	r.f.Beat(time.Now())
	if diff := cmp.Diff([]string{"tickSnapshotEnd"}, names(p.take())); diff != "" {
		t.Error("with all told:", diff)
	}
	got := names(r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl(), Snapshot: true}))
	if got[len(got)-1] != "tickSnapshotEnd" || r.f.Subscribers("AAPL") != 0 {
		t.Errorf("all is known: %v", got)
	}
}

func TestEntitlement(t *testing.T) {
	ask := wire.ReqMktData{ReqID: 1, Contract: aapl()}
	for _, tt := range []struct {
		data string
		kind wire.MarketDataKind
		want []string // the first messages
	}{
		{Live, 1, []string{"tickReqParams", "marketDataType 1"}},
		{Live, 2, []string{"tickReqParams", "marketDataType 1"}}, // it is open
		{Live, 3, []string{"tickReqParams", "marketDataType 1"}},
		{Delayed, 1, []string{"errMsg 354"}},
		{Delayed, 2, []string{"errMsg 354"}},
		{Delayed, 3, []string{"tickReqParams", "errMsg 10167", "marketDataType 3"}},
		{Delayed, 4, []string{"tickReqParams", "errMsg 10167", "marketDataType 3"}},
		{None, 1, []string{"errMsg 354"}},
		{None, 3, []string{"errMsg 10186"}},
	} {
		t.Run(fmt.Sprint(tt.data, tt.kind), func(t *testing.T) {
			r := newRig(t, universe(t, nil), func(c *Config) { c.Data = tt.data })
			p := r.join()
			r.ask(p, wire.ReqMarketDataType{Kind: tt.kind})
			got := names(r.ask(p, ask))
			if diff := cmp.Diff(tt.want, got[:min(len(got), len(tt.want))]); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, tt := range map[string]struct {
		ask  wire.Message
		code int
	}{
		"bars":    {wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), WhatToShow: "TRADES"}, 420},
		"ticks":   {wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "Last"}, 10189},
		"past":    {wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Start: "20260409-13:00:00", Ticks: 1, WhatToShow: "TRADES"}, 10187},
		"depth":   {wire.ReqMktDepth{ReqID: 1, Contract: aapl(), Rows: 3}, 354},
		"history": {askBars(), 162},
	} {
		r := newRig(t, universe(t, nil), func(c *Config) { c.Data = None })
		if got := r.ask(r.join(), tt.ask); code(got) != tt.code {
			t.Errorf("%s without permission: %v, want %d", name, got, tt.code)
		}
	}
	kept := askBars()
	kept.KeepUpToDate = true
	r := newRig(t, universe(t, nil), func(c *Config) { c.Data = Delayed })
	if got := r.ask(r.join(), kept); code(got) != 420 {
		t.Errorf("bars kept up to date, of delayed data: %v, want 420", names(got))
	}
}

// TestFrozen tells the last quote of a closed market to who asks for it.
func TestFrozen(t *testing.T) {
	evening := time.Date(2026, 4, 9, 23, 59, 0, 0, time.UTC) // a minute before 20:00
	r := newRig(t, universe(t, func(c *tape.SyntheticConfig) { c.Sessions, c.Start = tape.NewYork, evening }), nil)
	r.play(5 * time.Minute)
	p := r.join()
	live := r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl()})
	if prices := of[wire.TickPrice](live); len(prices) < 2 || !prices[0].NoQuote() || !prices[1].NoQuote() {
		t.Errorf("live: %v", live)
	}
	r.ask(p, wire.ReqMarketDataType{Kind: 2})
	frozen := r.ask(p, wire.ReqMktData{ReqID: 2, Contract: aapl()})
	if kind := of[wire.MarketDataType](frozen); kind[0].Kind != 2 {
		t.Errorf("told as %v", kind)
	}
	if prices := of[wire.TickPrice](frozen); prices[0].NoQuote() || prices[1].NoQuote() {
		t.Errorf("frozen: %v", frozen)
	}
	r.apply(quoteAt(r.v.At.Add(10*time.Hour), "187.24", "187.26"))
	if got := names(p.take()); len(got) != 5 || got[2] != "marketDataType 1" {
		t.Errorf("the next morning: %v", got)
	}
}

func TestCompetingSession(t *testing.T) {
	r := quietRig(t, nil)
	p := r.join()
	r.ask(p, wire.ReqMktData{ReqID: 1, Contract: aapl()})
	r.f.Compete(true)
	r.f.Compete(true)
	r.apply(quoteAt(thursday.Add(time.Second), "187.25", "187.27"))
	if diff := cmp.Diff([]string{"errMsg 10197"}, names(p.take())); diff != "" {
		t.Error(diff)
	}
	r.f.Compete(false)
	list := p.take()
	if diff := cmp.Diff([]string{"tickPrice 1", "tickPrice 2"}, names(list)); diff != "" {
		t.Error(diff)
	}
	if bid := list[0].(wire.TickPrice).Price.String(); bid != "187.25" {
		t.Errorf("bid %s", bid)
	}
}

// tickLine is a tick without the id of its request, so that two streams can be
// compared.
func tickLine(m wire.Message) (string, bool) {
	back := map[wire.TickType]wire.TickType{}
	for live, late := range delayedTypes {
		back[late] = live
	}
	plain := func(t wire.TickType) wire.TickType {
		if live, ok := back[t]; ok {
			return live
		}
		return t
	}
	switch m := m.(type) {
	case wire.TickPrice:
		return fmt.Sprint(plain(m.Type), " ", m.Price, " ", m.Size), true
	case wire.TickSize:
		if plain(m.Type) == wire.TickVolume {
			return "", false // the exchange counts from its start, the past from midnight
		}
		return fmt.Sprint(plain(m.Type), " ", m.Size), true
	case wire.TickString:
		return fmt.Sprint(plain(m.Type), " ", string(m.Text)), true
	}
	return "", false
}

// TestDelayedIsTheStreamOfBefore compares what a delayed line hears with what a
// live one heard a quarter of an hour earlier.
func TestDelayedIsTheStreamOfBefore(t *testing.T) {
	r := newRig(t, universe(t, nil), func(c *Config) { c.Data = Delayed })
	live := r.join()
	r.f.cfg.Data = Live // the same market, and another login
	r.play(time.Minute)
	r.ask(live, wire.ReqMktData{ReqID: 1, Contract: aapl()})
	r.play(5 * time.Minute)
	before := live.take()
	r.ask(live, wire.CancelMktData{ReqID: 1})
	r.play(10 * time.Minute) // a quarter of an hour after the live one subscribed
	r.f.cfg.Data = Delayed
	late := r.join()
	r.ask(late, wire.ReqMarketDataType{Kind: 3})
	first := r.ask(late, wire.ReqMktData{ReqID: 7, Contract: aapl()})
	if len(first) < 10 {
		t.Errorf("the delayed line began with %v", names(first))
	}
	for _, m := range of[wire.TickPrice](first) {
		if m.Type < wire.TickDelayedBid || m.Type > wire.TickDelayedOpen {
			t.Errorf("tick type %d is not a delayed one", m.Type)
		}
	}
	r.play(5 * time.Minute)
	lines := func(list []wire.Message) (out []string) {
		for _, m := range list {
			if s, ok := tickLine(m); ok {
				out = append(out, s)
			}
		}
		return out
	}
	// Highs and lows differ by what the exchange saw before it began.
	dropDay := func(list []string) (out []string) {
		for _, s := range list {
			if !strings.HasPrefix(s, "6 ") && !strings.HasPrefix(s, "7 ") {
				out = append(out, s)
			}
		}
		return out
	}
	want, got := dropDay(lines(before)), dropDay(lines(late.take()))
	if len(want) < 500 {
		t.Fatalf("only %d ticks", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTickByTickIsTheTape(t *testing.T) {
	r := newRig(t, universe(t, nil), nil)
	p := r.join()
	r.play(2 * time.Minute)
	past := of[wire.HistoricalTicksLast](r.ask(p, wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "Last", Ticks: 20}))
	r.ask(p, wire.ReqTickByTick{ReqID: 2, Contract: aapl(), Kind: "BidAsk"})
	r.ask(p, wire.ReqTickByTick{ReqID: 3, Contract: aapl(), Kind: "MidPoint"})
	asked := r.v.At
	r.play(3 * time.Minute)
	var trades, quotes, mids []string
	for _, m := range past[0].Ticks {
		trades = append(trades, fmt.Sprint(m.Time, m.Price, m.Size, m.Exchange))
	}
	for _, m := range of[wire.TickByTick](p.take()) {
		switch m.ReqID {
		case 1:
			trades = append(trades, fmt.Sprint(m.Time, m.Price, m.Size, m.Exchange))
		case 2:
			quotes = append(quotes, fmt.Sprint(m.Time, m.Bid, m.Ask, m.BidSize, m.AskSize))
		case 3:
			mids = append(mids, fmt.Sprint(m.Time, m.Price))
		}
	}
	var wantTrades, wantQuotes, wantMids []string
	last := market.Price{}
	for _, ev := range r.market {
		at := ev.At.Unix()
		if ev.Kind == tape.Trade {
			wantTrades = append(wantTrades, fmt.Sprint(at, ev.Price, ev.Size, exchangeName(ev.Exchange)))
			continue
		}
		mid, _ := midpoint(ev.Bid, ev.Ask)
		if ev.At.After(asked) {
			wantQuotes = append(wantQuotes, fmt.Sprint(at, ev.Bid.Price, ev.Ask.Price, ev.Bid.Size, ev.Ask.Size))
			if mid != last {
				wantMids = append(wantMids, fmt.Sprint(at, mid))
			}
		}
		last = mid
	}
	// The past begins with the whole second of its oldest tick.
	wantTrades = wantTrades[len(wantTrades)-len(trades):]
	for name, diff := range map[string]string{
		"trades": cmp.Diff(wantTrades, trades), "quotes": cmp.Diff(wantQuotes, quotes), "mids": cmp.Diff(wantMids, mids),
	} {
		if diff != "" {
			t.Error(name, diff)
		}
	}
	if n := len(past[0].Ticks); n < 20 || n > 40 {
		t.Errorf("%d ticks of the past", n)
	}
}

func TestTickByTickLeavesOut(t *testing.T) {
	r := quietRig(t, nil)
	p := r.join()
	r.ask(p, wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "Last"})
	r.ask(p, wire.ReqTickByTick{ReqID: 2, Contract: aapl(), Kind: "AllLast"})
	r.ask(p, wire.ReqTickByTick{ReqID: 3, Contract: aapl(), Kind: "BidAsk", IgnoreSize: true})
	odd := tradeAt(thursday.Add(time.Second), "150", 7)
	odd.Suspicious = true
	r.apply(odd)
	got := of[wire.TickByTick](p.take())
	if len(got) != 1 || got[0].ReqID != 2 || !got[0].Unreported {
		t.Errorf("a suspicious trade: %+v", got)
	}
	bigger := quoteAt(thursday.Add(2*time.Second), "187.24", "187.26")
	bigger.Bid.Size = market.Shares(900)
	r.apply(bigger)
	if got := p.take(); len(got) != 0 {
		t.Errorf("a size alone: %v", got)
	}
}

// TestDepthIsRebuilt follows a market that jumps about and applies what is told
// as clients do.
func TestDepthIsRebuilt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := quietRig(t, nil)
		p := r.join()
		rows := rapid.IntRange(1, 8).Draw(rt, "rows")
		smart := rapid.Bool().Draw(rt, "smart")
		var sides [2][]row
		build := func(list []wire.Message) {
			for _, m := range list {
				d, ok := m.(wire.MarketDepth)
				if l2, two := m.(wire.MarketDepthL2); two {
					d, ok = wire.MarketDepth{Row: l2.Row, Operation: l2.Operation, Bid: l2.Bid, Price: l2.Price, Size: l2.Size}, true
				}
				if !ok {
					rt.Fatalf("got %v", m)
				}
				side := &sides[asks]
				if d.Bid {
					side = &sides[bids]
				}
				at := row{d.Price, d.Size}
				switch {
				case d.Operation == wire.DepthInsert && d.Row <= len(*side) && len(*side) < rows:
					*side = append((*side)[:d.Row:d.Row], append([]row{at}, (*side)[d.Row:]...)...)
				case d.Operation == wire.DepthUpdate && d.Row < len(*side):
					(*side)[d.Row] = at
				case d.Operation == wire.DepthDelete && d.Row < len(*side):
					*side = append((*side)[:d.Row:d.Row], (*side)[d.Row+1:]...)
				default:
					rt.Fatalf("%+v cannot be applied to %d rows", d, len(*side))
				}
			}
		}
		build(r.ask(p, wire.ReqMktDepth{ReqID: 1, Contract: aapl(), Rows: rows, Smart: smart}))
		mid, at := int64(18725), thursday
		for range rapid.IntRange(1, 40).Draw(rt, "quotes") {
			mid += rapid.Int64Range(-4, 4).Draw(rt, "move")
			at = at.Add(time.Second)
			ev := tape.Event{At: at, Symbol: "AAPL", Kind: tape.Quote}
			spread := rapid.Int64Range(1, 3).Draw(rt, "spread")
			size := market.Shares(100 * rapid.Int64Range(1, 4).Draw(rt, "size"))
			if rapid.IntRange(0, 9).Draw(rt, "bid") > 0 {
				ev.Bid = tape.Level{Price: penny.Times(mid), Size: size, Known: true}
			}
			if rapid.IntRange(0, 9).Draw(rt, "ask") > 0 {
				ev.Ask = tape.Level{Price: penny.Times(mid + spread), Size: size, Known: true}
			}
			r.apply(ev)
			build(p.take())
			b := r.f.books["AAPL"]
			for side := range sides {
				want := b.side(nil, side, rows)
				if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(sides[side])); diff != "" {
					rt.Fatalf("side %d: %s", side, diff)
				}
			}
		}
	})
}
