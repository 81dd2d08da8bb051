package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// FuzzMessages feeds frames of a client to a ready session: nothing panics,
// and all that the gateway answers is well formed.
func FuzzMessages(f *testing.F) {
	for _, v := range []int{176, 192, 200} {
		for _, m := range []wire.Message{
			marketOrder(1, order.Buy, 5), limitOrder(2, order.Sell, 5, "187.25"),
			wire.CancelOrder{OrderID: 1},
			wire.ReqGlobalCancel{},
			wire.ReqOpenOrders{},
			wire.ReqExecutions{ReqID: 1},
			wire.ReqPositions{},
			wire.ReqMktData{ReqID: 1, Contract: aapl()},
			wire.CancelMktData{ReqID: 1},
			wire.ReqHistoricalData{ReqID: 1, Contract: aapl(), BarSize: "1 min", Duration: "1 D", WhatToShow: "TRADES", FormatDate: 1},
			wire.ReqContractDetails{ReqID: 1, Contract: aapl()},
			wire.ReqHistoricalData{ReqID: 1, Contract: aapl(), BarSize: "1 day", Duration: "3 D", WhatToShow: "SCHEDULE", FormatDate: 1, RegularOnly: true},
			wire.ReqHistoricalData{ReqID: 1, Contract: aapl(), BarSize: "1 hour", Duration: "1 M", WhatToShow: "BID", FormatDate: 2, EndDateTime: "20260401-00:00:00"},
			wire.ReqHistoricalData{ReqID: 1, Contract: aapl(), BarSize: "1 min", Duration: "60 S", WhatToShow: "TRADES", FormatDate: 2, KeepUpToDate: true},
			wire.CancelHistoricalData{ReqID: 1},
			wire.ReqHeadTimestamp{ReqID: 1, Contract: aapl(), WhatToShow: "TRADES", FormatDate: 1},
			wire.ReqHistoricalTicks{ReqID: 1, Contract: aapl(), Start: "20260402 09:00:00", Ticks: 5, WhatToShow: "BID_ASK"},
			wire.ReqTickByTick{ReqID: 1, Contract: aapl(), Kind: "AllLast", Ticks: 3},
			wire.ReqRealTimeBars{ReqID: 1, Contract: aapl(), WhatToShow: "MIDPOINT"},
			wire.ReqMktDepth{ReqID: 1, Contract: aapl(), Rows: 3, Smart: true},
			wire.ReqMktData{ReqID: 2, Contract: aapl(), Generic: "165,221,233,236,293,318,375", Snapshot: false},
			wire.ReqMarketDataType{Kind: 3},
			wire.ReqMarketRule{RuleID: 26},
			wire.ReqMatchingSymbols{ReqID: 1, Pattern: "AA"},
			wire.ReqSmartComponents{ReqID: 1, BBOExchange: "9c0001"},
			wire.ReqSecDefOptParams{ReqID: 1, Underlying: "AAPL", UnderlyingType: "STK"},
			wire.ReqAccountUpdates{Subscribe: true},
			wire.ReqAccountSummary{ReqID: 1, Group: "All", Tags: "$LEDGER"},
			wire.ReqCurrentTime{},
			wire.StartAPI{ClientID: 3},
		} {
			payload, err := m.Append(nil, wire.Version(v))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(v), payload)
		}
	}
	f.Fuzz(func(t *testing.T, version byte, payload []byte) {
		s, err := New(lockStep(), shortDay(), quiet)
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := newConn(s, near)
		c.version = wire.Version(MinVersion + int(version)%(MaxVersion-MinVersion+1))
		if c.tryClaim(1) != nil {
			t.Fatal("the client id is taken")
		}
		s.Inject(quote(0, "187.24", "187.26"))
		for range 2 { // the second finds what the first left
			if err := c.handle(payload, time.Now()); err != nil {
				t.Fatalf("the session ended: %v", err)
			}
		}
		s.Inject(trade(time.Second, "187.25"))
		out, _ := c.queue.take(nil)
		for in := bytes.NewReader(out); ; {
			frame, err := wire.ReadFrame(in, nil)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := wire.DecodeServerStrict(c.version, frame); err != nil {
				t.Fatalf("the gateway wrote %q: %v", frame, err)
			}
		}
	})
}

// BenchmarkTickToOrder measures from a trade's Inject to the arrival of the
// order with which a bare client answers it, over loopback TCP.
func BenchmarkTickToOrder(b *testing.B) {
	arrived := make(chan time.Time, 1)
	cfg := lockStep()
	cfg.OnOrder = func(received time.Time, _ int) { arrived <- received }
	s, err := New(cfg, &script{}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- answerTrades(conn) }()
	for subscribed := false; !subscribed; {
		s.mu.Lock()
		subscribed = s.feed.Subscribers("AAPL") > 0
		s.mu.Unlock()
	}
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		ev := tape.Event{Symbol: "AAPL", Kind: tape.Trade, Price: trade(0, "187.25").Price, Size: trade(0, "1").Size}
		began := time.Now()
		s.Inject(ev)
		took = append(took, (<-arrived).Sub(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
	_ = conn.Close()
	<-done
	if err := s.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// answerTrades is a client that answers each trade tick with a market order.
func answerTrades(conn net.Conn) error {
	hello, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
	if err != nil {
		return err
	}
	start, err := wire.AppendMessage(nil, wire.StartAPI{ClientID: 1}, 200)
	if err != nil {
		return err
	}
	ask, err := wire.AppendMessage(nil, wire.ReqMktData{ReqID: 1, Contract: aapl()}, 200)
	if err != nil {
		return err
	}
	if _, err := conn.Write(slices.Concat(hello, start, ask)); err != nil {
		return err
	}
	if _, err := wire.ReadFrame(conn, nil); err != nil {
		return err
	}
	var frame, out []byte
	for id := int64(1); ; {
		if frame, err = wire.ReadFrame(conn, frame); err != nil {
			return err
		}
		m, err := wire.DecodeServer(200, frame)
		if err != nil {
			return err
		}
		if tick, ok := m.(wire.TickPrice); !ok || tick.Type != wire.TickLast {
			continue
		}
		if out, err = wire.AppendMessage(out[:0], marketOrder(id, order.Buy, 1), 200); err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		id++
	}
}
