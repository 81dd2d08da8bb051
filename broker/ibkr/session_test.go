package ibkr

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

var exact = cmp.Comparer(func(a, b market.Price) bool { return a == b })

var exactQty = cmp.Comparer(func(a, b market.Qty) bool { return a == b })

func openOrder(id int64, status string) wire.OpenOrder {
	return wire.OpenOrder{
		OrderID: id, ClientID: 7, PermID: 10 * id, Contract: wire.ContractOf(market.USStock("AAPL")),
		Action: "BUY", TotalQuantity: market.Shares(10).Ptr(), OrderType: "MKT", LmtPrice: market.MustPrice("0").Ptr(),
		TIF: "DAY", Account: paper, OrderRef: "ref", Status: status,
	}
}

func execution(reqID int, execID string) wire.ExecDetails {
	return wire.ExecDetails{
		ReqID: reqID, OrderID: 1001, Contract: wire.ContractOf(market.USStock("AAPL")), ExecID: execID,
		Time: "20260413 15:27:04 US/Eastern", Account: paper, Exchange: "NASDAQ", Side: "SLD",
		Shares: market.Shares(10), Price: market.MustPrice("187.25"), PermID: 9, ClientID: 7, OrderRef: "ref",
	}
}

func commission(execID string) wire.CommissionReport {
	m := market.MustMoney("1.0005")
	return wire.CommissionReport{ExecID: execID, Commission: &m, Currency: "USD"}
}

// events fetches until n events came.
func events(t *testing.T, s *Session, n int) (list []broker.Event) {
	t.Helper()
	for len(list) < n {
		b, err := s.Events(t.Context())
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(list), n, err)
		}
		list = append(list, b.Events...)
	}
	return list
}

func price(p string, size int64, kind wire.TickType) wire.TickPrice {
	return wire.TickPrice{ReqID: 1 << 30, Type: kind, Price: market.MustPrice(p), Size: market.Shares(size)}
}

func size(n int64, kind wire.TickType) wire.TickSize {
	return wire.TickSize{ReqID: 1 << 30, Type: kind, Size: market.Shares(n)}
}

func TestTicks(t *testing.T) {
	stamp := time.Unix(1775425766, 0).UTC()
	started := make(chan struct{})
	halted := 1.0
	live(t, func(p *peer) {
		if m, ok := p.next().(wire.ReqMktData); !ok || m.Contract.Symbol != "AAPL" || m.Snapshot {
			p.t.Errorf("subscribed with %#v", m)
		}
		close(started)
		p.send(
			wire.TickReqParams{ReqID: 1 << 30, BBOExchange: "x"},
			price("187.24", 3, wire.TickBid), size(3, wire.TickBidSize), // the echo of a price
			size(5, wire.TickBidSize),
			price("-1", 0, wire.TickAsk), size(9, wire.TickAskSize), // a size of no price
			wire.TickString{ReqID: 1 << 30, Type: wire.TickLastTime, Text: []byte("1775425766")},
			price("187.25", 2, wire.TickLast), size(2, wire.TickLastSize),
			size(4, wire.TickLastSize), // one more trade at that price
			size(1000, wire.TickVolume),
			wire.TickGeneric{ReqID: 1 << 30, Type: wire.TickHalted, Value: &halted},
			price("186", 0, wire.TickClose),
			price("187.20", 1, wire.TickDelayedBid),
			price("1", 1, wire.TickMark),
			wire.TickPrice{ReqID: 77, Type: wire.TickBid, Price: market.MustPrice("1")}, // not ours
		)
	}, func(t *testing.T, s *Session) {
		for range 2 { // twice is once
			if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
				t.Fatal(err)
			}
		}
		<-started
		synctest.Wait()
		b, err := s.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tick := func(kind market.TickKind, p string, n int64, at time.Time) market.Tick {
			return market.Tick{Symbol: "AAPL", Kind: kind, Known: true, Price: market.MustPrice(p), Size: market.Shares(n), At: at}
		}
		want := []market.Tick{
			tick(market.TickBid, "187.24", 3, time.Time{}), // no market time is known yet
			tick(market.TickBid, "187.24", 5, time.Time{}),
			{Symbol: "AAPL", Kind: market.TickAsk},
			tick(market.TickTrade, "187.25", 2, stamp),
			tick(market.TickTrade, "187.25", 4, stamp),
			tick(market.TickVolume, "0", 1000, stamp),
			tick(market.TickHalted, "0", 1, stamp),
			tick(market.TickClose, "186", 0, stamp),
			tick(market.TickBid, "187.2", 1, stamp),
		}
		want[8].Delayed = true
		if diff := cmp.Diff(want, b.Ticks, exact, exactQty); diff != "" {
			t.Error(diff)
		}
		if b.TickFrames != 15 || b.ReportFrames != 0 {
			t.Errorf("%d tick frames and %d report frames, want all 15 of ids 1, 2, 45, 46 and none", b.TickFrames, b.ReportFrames)
		}
	})
}

func TestReportsReachEventsInOrder(t *testing.T) {
	live(t, func(p *peer) {
		p.send(openOrder(1001, "PreSubmitted"), wire.OrderStatus{OrderID: 1001, Status: "Odd", ClientID: 7},
			execution(-1, "e.1"), commission("e.1"), wire.OrderBound{PermID: 1})
		p.raw(wire.AppendFrame(nil, []byte("5\x00not an order\x00")))
		p.raw(wire.AppendFrame(nil, []byte("999\x00unknown\x00")))
		p.send(wire.OrderStatus{OrderID: 1001, Status: "Filled", ClientID: 7, Filled: market.Shares(10).Ptr()})
	}, func(t *testing.T, s *Session) {
		synctest.Wait()
		b, err := s.Events(t.Context())
		if err != nil || len(b.Events) != 6 {
			t.Fatalf("events %+v, %v", b.Events, err)
		}
		o := b.Events[0].(broker.OrderReport)
		if !o.Known || o.Signal != order.Acked || o.Order.Ref != "ref" || o.Order.Limit != nil || o.Order.Qty != market.Shares(10) {
			t.Errorf("open order %+v", o)
		}
		if st := b.Events[1].(broker.StatusReport); st.Known {
			t.Errorf("an odd status is known: %+v", st)
		}
		f := b.Events[2].(broker.ExecutionReport).Fill
		if f.Side != order.Sell || f.Price != market.MustPrice("187.25") || !f.At.Equal(time.Date(2026, 4, 13, 19, 27, 4, 0, time.UTC)) {
			t.Errorf("fill %+v", f)
		}
		if c := b.Events[3].(broker.CommissionReport); c.Commission != market.MustMoney("1.0005") || c.RealizedPNL != nil {
			t.Errorf("commission %+v", c)
		}
		if n := b.Events[4].(broker.Notice); n.Kind != broker.NoticeWarning || !strings.Contains(n.Text, "skipped") {
			t.Errorf("an open order that does not decode is told as %+v", n)
		}
		if st := b.Events[5].(broker.StatusReport); st.Signal != order.FilledUp || st.Filled != market.Shares(10) {
			t.Errorf("status %+v", st)
		}
		if b.ReportFrames != 6 || b.TickFrames != 0 {
			t.Errorf("%d report frames, want all 6 of ids 3, 5, 11, 59", b.ReportFrames)
		}
	})
}

func TestRequests(t *testing.T) {
	aapl := wire.ContractOf(market.USStock("AAPL"))
	pos := func(account string, n int64) wire.Position {
		return wire.Position{Account: account, Contract: aapl, Position: market.Shares(n)}
	}
	live(t, func(p *peer) {
		for m := p.next(); m != nil; m = p.next() {
			switch m := m.(type) {
			case wire.ReqTimeInMillis:
				p.send(wire.TimeInMillis{Epoch: 1775425766350})
			case wire.ReqPositions:
				p.send(pos(paper, 5), pos("DU2", 99), pos(paper, 6), wire.PositionEnd{}, pos(paper, 7))
			case wire.ReqOpenOrders:
				p.send(openOrder(1, "Submitted"), openOrder(1, "PreSubmitted"), openOrder(2, "Submitted"), wire.OpenOrderEnd{})
			case wire.ReqExecutions:
				if m.ClientID != 7 || m.Account != paper {
					p.t.Errorf("filter %+v", m)
				}
				p.send(execution(m.ReqID, "a"), commission("a"), execution(-1, "b"), commission("b"), execution(m.ReqID, "a"),
					wire.ExecDetailsEnd{ReqID: m.ReqID})
			case wire.ReqAccountSummary:
				p.send(wire.AccountSummary{ReqID: m.ReqID, Account: paper, Tag: "NetLiquidation", Value: "1000.50", Currency: "USD"},
					wire.AccountSummary{ReqID: m.ReqID, Account: "DU2", Tag: "NetLiquidation", Value: "1", Currency: "USD"},
					wire.AccountSummaryEnd{ReqID: m.ReqID})
			case wire.ReqContractDetails:
				if m.Contract.Symbol == "NONE" {
					p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 200, Text: "No security definition"})
					continue
				}
				p.send(wire.ContractData{
					ReqID: m.ReqID, Contract: aapl, LongName: "APPLE INC", MinTick: market.MustPrice("0.01").Ptr(), TimeZoneID: "US/Eastern",
					LiquidHours: "20260402:0930-20260402:1600;20260403:CLOSED", TradingHours: "nonsense",
				}, wire.ContractDataEnd{ReqID: m.ReqID})
			case wire.ReqHistoricalData:
				if m.Contract.Symbol == "NONE" {
					p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 162, Text: "HMDS query returned no data: NONE@SMART Trades"})
					continue
				}
				if m.BarSize != "1 min" || m.Duration != "600 S" || m.FormatDate != 2 || m.EndDateTime != "20260405-22:00:00" {
					p.t.Errorf("asked for bars with %+v", m)
				}
				bar := func(date string) wire.Bar {
					one := market.MustPrice("1")
					return wire.Bar{Date: date, Open: one, High: one, Low: one, Close: one, Volume: market.Shares(3).Ptr(), Trades: -1}
				}
				p.send(wire.HistoricalData{ReqID: m.ReqID, Bars: []wire.Bar{bar("1775426280"), bar("1775426340"), bar("1775426399")}})
			}
		}
	}, func(t *testing.T, s *Session) {
		ctx := t.Context()
		at, err := s.Time(ctx)
		if err != nil || !at.Equal(time.UnixMilli(1775425766350)) {
			t.Errorf("time %v, %v", at, err)
		}
		time.Sleep(500 * time.Millisecond)
		if at2, err := s.Time(ctx); err != nil || at2.Sub(at) != 500*time.Millisecond {
			t.Errorf("half a second later %v, %v: want the answer moved on", at2, err)
		}

		if ps, err := s.Positions(ctx); err != nil || len(ps) != 1 || ps[0].Qty != market.Shares(6) {
			t.Errorf("positions %+v, %v", ps, err)
		}
		if os, err := s.OpenOrders(ctx); err != nil || len(os) != 2 || os[0].Status != "PreSubmitted" {
			t.Errorf("open orders %+v, %v", os, err)
		}
		fills, costs, err := s.Executions(ctx)
		if err != nil || len(fills) != 1 || len(costs) != 1 || costs[0].ExecID != "a" {
			t.Errorf("executions %+v, %+v, %v", fills, costs, err)
		}
		// The position behind the end, three open orders, the execution that
		// nobody asked for, and both commissions.
		if got := events(t, s, 7); len(got) != 7 {
			t.Errorf("%d events: %+v", len(got), got)
		}
		vs, err := s.Account(ctx)
		if err != nil || len(vs) != 1 || vs[0].Value != "1000.50" {
			t.Errorf("account %+v, %v", vs, err)
		}
		ds, err := s.Details(ctx, market.USStock("AAPL"))
		if err != nil || len(ds) != 1 || ds[0].MinTick != market.MustPrice("0.01") || len(ds[0].Liquid) != 1 || ds[0].Trading != nil {
			t.Errorf("details %+v, %v", ds, err)
		}
		var e *broker.Error
		if ds, err = s.Details(ctx, market.USStock("NONE")); ds != nil || !errors.As(err, &e) || e.Code != 200 || !errors.Is(err, broker.ErrRequest) {
			t.Errorf("details of nothing: %+v, %v", ds, err)
		}
		q := broker.BarsQuery{Contract: market.USStock("AAPL"), End: time.Unix(1775426400, 0), Span: 10 * time.Minute, Width: time.Minute}
		bars, err := s.Bars(ctx, q)
		if err != nil || len(bars) != 2 || bars[1].Start.Unix() != 1775426340 || bars[0].Trades != 0 || bars[0].Volume != market.Shares(3) {
			t.Errorf("bars %+v, %v", bars, err)
		}
		q.Contract = market.USStock("NONE")
		if bars, err = s.Bars(ctx, q); err != nil || bars == nil || len(bars) != 0 {
			t.Errorf("bars of nothing: %+v, %v", bars, err)
		}
		q.Width = 7 * time.Minute
		if _, err = s.Bars(ctx, q); !errors.Is(err, broker.ErrRequest) {
			t.Errorf("bars of 7 minutes: %v", err)
		}
	})
}

func TestSilenceIsNoAnswerAndNeverEmpty(t *testing.T) {
	liveWith(t, patient, nil, func(t *testing.T, s *Session) {
		ctx := t.Context()
		for name, ask := range map[string]func() (any, error){
			"reqPositions":       func() (any, error) { l, err := s.Positions(ctx); return l == nil, err },
			"reqOpenOrders":      func() (any, error) { l, err := s.OpenOrders(ctx); return l == nil, err },
			"reqAllOpenOrders":   func() (any, error) { l, err := s.AllOpenOrders(ctx); return l == nil, err },
			"reqExecutions":      func() (any, error) { l, _, err := s.Executions(ctx); return l == nil, err },
			"reqAccountSummary":  func() (any, error) { l, err := s.Account(ctx); return l == nil, err },
			"reqContractDetails": func() (any, error) { l, err := s.Details(ctx, market.USStock("A")); return l == nil, err },
			"reqCurrentTime":     func() (any, error) { at, err := s.Time(ctx); return at.IsZero(), err },
			"reqHistoricalData": func() (any, error) {
				l, err := s.Bars(ctx, broker.BarsQuery{Contract: market.USStock("A"), Span: 1, Width: time.Minute})
				return l == nil, err
			},
		} {
			began := time.Now()
			none, err := ask()
			if !errors.Is(err, broker.ErrNoAnswer) || none != true || !strings.HasPrefix(err.Error(), name) || name != "reqCurrentTime" && !strings.Contains(err.Error(), "nothing came within 10s") {
				t.Errorf("%s: nothing %v, error %v", name, none, err)
			}
			if d := time.Since(began); d != 10*time.Second {
				t.Errorf("%s: gave up after %v", name, d)
			}
		}
	})
}

func TestEndOfSessionFailsAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) { p.welcome(); p.next(); p.send(execution(-1, "last")) })
		opened, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(*Session)
		began := time.Now()
		if _, err := s.Positions(t.Context()); !errors.Is(err, broker.ErrNoAnswer) || !errors.Is(err, broker.ErrGatewayDown) || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if b, err := s.Events(t.Context()); err != nil || len(b.Events) != 1 {
			t.Errorf("the last report is lost: %+v, %v", b, err)
		}
		for range 2 {
			if _, err := s.Events(t.Context()); !errors.Is(err, broker.ErrGatewayDown) {
				t.Errorf("events of a lost session: %v", err)
			}
		}
		if err := s.Place(t.Context(), ticket(1001)); !errors.Is(err, broker.ErrNotWritten) || errors.Is(err, broker.ErrOutcomeUnknown) {
			t.Errorf("an order into a lost session: %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseTwice(t *testing.T) {
	live(t, nil, func(t *testing.T, s *Session) {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.Events(t.Context()); !errors.Is(err, broker.ErrClosed) {
			t.Errorf("events after close: %v", err)
		}
	})
}

func TestNotices(t *testing.T) {
	msg := func(id int64, code int) wire.ErrMsg {
		return wire.ErrMsg{RequestID: id, Code: code, Text: "x", Time: 1775425766350}
	}
	sub := int64(1 << 30)
	for name, tt := range map[string]struct {
		in   wire.ErrMsg
		want broker.Notice
	}{
		"farm up":                {msg(-1, 2104), broker.Notice{Kind: broker.NoticeDataUp}},
		"no request by 2^31-1":   {msg(2147483647, 1100), broker.Notice{Kind: broker.NoticeLinkDown}},
		"reject":                 {msg(1001, 201), broker.Notice{Kind: broker.NoticeReject, OrderID: 1001}},
		"cancelled":              {msg(1001, 202), broker.Notice{Kind: broker.NoticeCancelled, OrderID: 1001}},
		"unknown code":           {msg(1001, 33333), broker.Notice{Kind: broker.NoticeWarning, OrderID: 1001}},
		"order message":          {msg(1001, 399), broker.Notice{Kind: broker.NoticeWarning, OrderID: 1001}},
		"read-only place":        {msg(1001, 321), broker.Notice{Kind: broker.NoticeReject, OrderID: 1001}},
		"read-only cancel":       {msg(55, 321), broker.Notice{Kind: broker.NoticeNoCancel, OrderID: 55}},
		"read-only, no id":       {msg(-1, 321), broker.Notice{Kind: broker.NoticeWarning}},
		"delayed follows":        {msg(sub, 10167), broker.Notice{Kind: broker.NoticeWarning, Symbol: "AAPL"}},
		"the stream ended":       {msg(sub, 10182), broker.Notice{Kind: broker.NoticeRequest, Symbol: "AAPL"}},
		"no such contract":       {msg(sub, 200), broker.Notice{Kind: broker.NoticeRequest, Symbol: "AAPL"}},
		"a request that is gone": {msg(sub+1, 162), broker.Notice{Kind: broker.NoticeInfo}},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(p *peer) {
				p.next() // the subscription
				p.next() // the cancel
				p.send(tt.in)
			}, func(t *testing.T, s *Session) {
				if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
					t.Fatal(err)
				}
				s.ids.Next()
				if err := s.Cancel(t.Context(), 55); err != nil {
					t.Fatal(err)
				}
				tt.want.Code, tt.want.Text, tt.want.At = tt.in.Code, "x", time.UnixMilli(1775425766350).UTC()
				got := events(t, s, 1)
				if diff := cmp.Diff([]broker.Event{tt.want}, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// After 1101, and after a refusal, the venue has no subscription any more:
// subscribing again must make one.
func TestSubscribingAgainAfterALoss(t *testing.T) {
	for name, loss := range map[string]wire.ErrMsg{
		"1101":    {RequestID: -1, Code: 1101, Text: "data lost"},
		"refused": {RequestID: 1 << 30, Code: 101, Text: "no lines"},
	} {
		t.Run(name, func(t *testing.T) {
			again := false
			live(t, func(p *peer) {
				p.next()
				p.send(loss)
				m, ok := p.next().(wire.ReqMktData)
				again = ok && m.ReqID != 1<<30
			}, func(t *testing.T, s *Session) {
				for range 2 {
					if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if !again {
					t.Error("no new subscription")
				}
			})
		})
	}
}

func TestReadOnlyModeFailsTheQuestionForOrders(t *testing.T) {
	live(t, func(p *peer) {
		p.next()
		p.send(wire.ErrMsg{RequestID: 2147483647, Code: 321, Text: "API interface is currently in Read-Only mode."})
	}, func(t *testing.T, s *Session) {
		_, err := s.OpenOrders(t.Context())
		var e *broker.Error
		if !errors.As(err, &e) || e.Code != 321 || !errors.Is(err, broker.ErrRequest) {
			t.Errorf("open orders: %v", err)
		}
		if s.Health().ReadOnlyAPI == nil {
			t.Error("the health does not tell")
		}
	})
}
