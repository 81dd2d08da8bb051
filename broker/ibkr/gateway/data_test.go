package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/feed"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func TestMarketDataStream(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(wire.ReqMktData{ReqID: 11, Contract: aapl()})
	want := []string{
		"tickReqParams", "marketDataType", "tickPrice 1 187.24", "tickPrice 2 187.26",
		"tickString 45", "tickPrice 4 187.25", "tickSize 8 10", "tickPrice 6 187.25", "tickPrice 7 187.25", "tickPrice 14 187.25",
	}
	if diff := cmp.Diff(want, names(p.sync())); diff != "" {
		t.Error(diff)
	}
	pace := s.Pacer(1)
	if _, err := pace.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tickPrice 1 187.25", "tickPrice 2 187.27"}, names(p.sync())); diff != "" {
		t.Error(diff)
	}
	if _, err := pace.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := p.sync()
	if diff := cmp.Diff([]string{"tickString 45", "tickPrice 4 187.3", "tickSize 8 20", "tickPrice 6 187.3"}, names(list)); diff != "" {
		t.Error(diff)
	}
	if got := string(list[0].(wire.TickString).Text); got != itoa(int(opening.Unix())+2) {
		t.Errorf("last timestamp %s", got)
	}
	p.send(wire.CancelMktData{ReqID: 11})
	p.sync()
	s.Inject(trade(3*time.Second, "187.31"))
	if got := p.sync(); len(got) != 0 {
		t.Errorf("after the cancel: %v", names(got))
	}
	p.send(wire.CancelMktData{ReqID: 11})
	if got := p.sync(); len(got) != 1 || got[0].(wire.ErrMsg).Code != venue.NoTicker {
		t.Errorf("a second cancel: %v", names(got))
	}
}

func TestQuoteSides(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	p.sync()
	for _, tt := range []struct {
		ev   tape.Event
		want []string
	}{
		{quote(time.Second, "187.24", "187.3"), []string{"tickPrice 2 187.3"}},
		{quote(time.Second, "187.24", "187.3"), []string{"tickPrice 1 187.24", "tickPrice 2 187.3"}}, // said again
		{quote(time.Second, "", "187.3"), []string{"tickPrice 1 -1"}},
		{quote(time.Second, "187.2", "187.3"), []string{"tickPrice 1 187.2"}},
	} {
		s.Inject(tt.ev)
		if diff := cmp.Diff(tt.want, names(p.sync())); diff != "" {
			t.Error(diff)
		}
	}
	odd := trade(2*time.Second, "150")
	odd.Suspicious = true
	s.Inject(odd)
	if diff := cmp.Diff([]string{"tickSize 8 20"}, names(p.sync())); diff != "" {
		t.Error("a suspicious trade moved more than the volume:", diff)
	}
}

func TestMarketDataErrors(t *testing.T) {
	_, p := opened(t, 200, nil)
	unknown, option, byID := aapl(), aapl(), wire.Contract{ConID: 1}
	unknown.Symbol, option.SecType = "ZZZZ", "OPT"
	p.send(wire.ReqMktData{ReqID: 1, Contract: unknown})
	p.send(wire.ReqMktData{ReqID: 2, Contract: option})
	p.send(wire.ReqMktData{ReqID: 3, Contract: byID})
	p.send(wire.ReqMktData{ReqID: 4, Contract: wire.Contract{Symbol: "no such symbol at all", SecType: "STK"}})
	if diff := cmp.Diff([]string{"errMsg 200", "errMsg 200", "errMsg 200", "errMsg 200"}, names(p.sync())); diff != "" {
		t.Error(diff)
	}
	for id := range feed.DefaultConfig().Lines {
		p.send(wire.ReqMktData{ReqID: id, Contract: aapl()})
	}
	p.sync()
	p.send(wire.ReqMktData{ReqID: 5, Contract: aapl()})
	p.send(wire.ReqMktData{ReqID: 500, Contract: aapl()})
	if diff := cmp.Diff([]string{"errMsg 102", "errMsg 101"}, names(p.sync())); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshot(t *testing.T) {
	_, p := opened(t, 200, nil)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl(), Snapshot: true})
	list := names(p.sync())
	if len(list) < 4 || list[len(list)-1] != "tickSnapshotEnd" {
		t.Errorf("got %v", list)
	}
}

func TestHistory(t *testing.T) {
	for _, v := range versions {
		t.Run(itoa(v), func(t *testing.T) {
			_, p := opened(t, v, nil)
			ask := wire.ReqHistoricalData{
				ReqID: 8, Contract: aapl(), BarSize: "1 min", Duration: "1800 S", WhatToShow: "TRADES", FormatDate: 1,
			}
			p.send(ask)
			list := p.sync()
			h := list[0].(wire.HistoricalData)
			if len(h.Bars) != 30 || h.Bars[0].Date != "20260402 09:00:00 US/Eastern" || h.Bars[29].Close != market.MustPrice("187.25") {
				t.Errorf("%d bars: %+v", len(h.Bars), h.Bars)
			}
			if v >= 196 {
				if end := list[1].(wire.HistoricalDataEnd); end.Start != "20260402 09:00:00 US/Eastern" || end.End != "20260402 09:30:00 US/Eastern" {
					t.Errorf("end %+v", end)
				}
			} else if len(list) != 1 || h.Start == "" || h.End == "" {
				t.Errorf("got %v, start %q, end %q", names(list), h.Start, h.End)
			}
			ask.FormatDate, ask.EndDateTime = 2, "20260402 09:10:00 US/Eastern"
			p.send(ask)
			h = p.sync()[0].(wire.HistoricalData)
			if want := opening.Add(-50 * time.Minute).Unix(); h.Bars[0].Date != itoa(int(want)) || len(h.Bars) != 30 {
				t.Errorf("epoch: first bar %+v, want %d", h.Bars[0], want)
			}
			ask.BarSize, ask.Duration, ask.EndDateTime = "1 day", "2 D", "20301231-00:00:00" // the future is cut
			p.send(ask)
			if h = p.sync()[0].(wire.HistoricalData); len(h.Bars) != 2 || h.Bars[0].Date != "20260331" {
				t.Errorf("days: %+v", h.Bars)
			}
		})
	}
}

func TestHistoryErrors(t *testing.T) {
	good := wire.ReqHistoricalData{ReqID: 8, Contract: aapl(), BarSize: "1 min", Duration: "1 D", WhatToShow: "TRADES", FormatDate: 1}
	for name, tt := range map[string]struct {
		change func(*wire.ReqHistoricalData)
		code   int
	}{
		"symbol":       {func(m *wire.ReqHistoricalData) { m.Contract.Symbol = "ZZZZ" }, venue.NoContract},
		"width":        {func(m *wire.ReqHistoricalData) { m.BarSize = "7 mins" }, venue.Validation},
		"duration":     {func(m *wire.ReqHistoricalData) { m.Duration = "1 fortnight" }, venue.Validation},
		"no unit":      {func(m *wire.ReqHistoricalData) { m.Duration = "5" }, venue.Validation},
		"too long":     {func(m *wire.ReqHistoricalData) { m.Duration = "999999 Y" }, venue.Validation},
		"too many":     {func(m *wire.ReqHistoricalData) { m.Duration = "1 Y" }, venue.NoHistory},
		"what":         {func(m *wire.ReqHistoricalData) { m.WhatToShow = "YIELD_BID" }, venue.Validation},
		"keepUpToDate": {func(m *wire.ReqHistoricalData) { m.KeepUpToDate, m.EndDateTime = true, "20260401-00:00:00" }, venue.Validation},
		"end":          {func(m *wire.ReqHistoricalData) { m.EndDateTime = "tomorrow" }, venue.Validation},
		"format":       {func(m *wire.ReqHistoricalData) { m.FormatDate = 3 }, venue.Validation},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := opened(t, 200, nil)
			m := good
			tt.change(&m)
			p.send(m)
			list := p.sync()
			if len(list) != 1 {
				t.Fatalf("got %v", names(list))
			}
			if e := list[0].(wire.ErrMsg); e.Code != tt.code || e.RequestID != 8 {
				t.Errorf("got %+v, want code %d", e, tt.code)
			}
		})
	}
}

// barren is a script that knows no history.
type barren struct{ *script }

func (barren) History(market.Symbol, time.Time, time.Duration, time.Duration, bool) ([]market.Bar, error) {
	return nil, nil
}

func TestNoHistoryIsAnError162(t *testing.T) {
	s := start(t, barren{shortDay()}, nil)
	p, _ := join(t, s, 200, 1)
	p.send(wire.ReqHistoricalData{ReqID: 8, Contract: aapl(), BarSize: "1 min", Duration: "1 D", WhatToShow: "TRADES", FormatDate: 1})
	if got := p.sync(); len(got) != 1 || got[0].(wire.ErrMsg).Code != venue.NoHistory {
		t.Errorf("got %v", names(got))
	}
}

func TestContractDetails(t *testing.T) {
	for _, v := range versions {
		t.Run(itoa(v), func(t *testing.T) {
			_, p := opened(t, v, nil)
			p.send(wire.ReqContractDetails{ReqID: 4, Contract: aapl()})
			list := p.sync()
			d := list[0].(wire.ContractData)
			if d.Contract.ConID == 0 || *d.MinTick != market.MustPrice("0.01") || d.TimeZoneID != "US/Eastern" || d.LongName == "" ||
				d.LiquidHours != "20260402:0930-20260402:1600" || d.TradingHours != "20260402:0400-20260402:2000" {
				t.Errorf("details %+v", d)
			}
			if len(list) != 2 || list[1] != wire.Message(wire.ContractDataEnd{ReqID: 4}) {
				t.Errorf("got %v", names(list))
			}
			p.send(wire.ReqContractDetails{ReqID: 5, Contract: wire.Contract{ConID: d.Contract.ConID}})
			if got := p.sync(); len(got) != 2 {
				t.Errorf("by contract id: %v", names(got))
			}
		})
	}
}
