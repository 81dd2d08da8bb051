package ibkr

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func data(id int, symbol string) wire.ContractData {
	return wire.ContractData{ReqID: id, Contract: wire.ContractOf(market.USStock(market.Symbol(symbol))), MinTick: market.MustPrice("0.01").Ptr()}
}

func bars(id int, at string) wire.HistoricalData {
	one := market.MustPrice("1")
	return wire.HistoricalData{ReqID: id, Bars: []wire.Bar{{Date: at, Open: one, High: one, Low: one, Close: one, Trades: 1}}}
}

// A price of NVDA once answered a question for TSLA, through a queue without
// ids. Two symbols' answers that come swapped, late or doubled are never given
// to another question: it fails, or is answered by its own.
func TestAnswersOfTwoSymbolsSwappedLateAndDoubled(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(p *peer, nvda, tsla int)
		ok     bool
		strays uint64
	}{
		"right": {func(p *peer, nvda, tsla int) {
			p.send(data(tsla, "TSLA"), wire.ContractDataEnd{ReqID: tsla}, data(nvda, "NVDA"), wire.ContractDataEnd{ReqID: nvda})
		}, true, 0},
		"swapped": {func(p *peer, nvda, tsla int) {
			p.send(data(tsla, "NVDA"), wire.ContractDataEnd{ReqID: tsla}, data(nvda, "TSLA"), wire.ContractDataEnd{ReqID: nvda})
		}, false, 4}, // both, and their ends
		"doubled": {func(p *peer, nvda, tsla int) {
			for range 2 {
				p.send(data(nvda, "NVDA"), wire.ContractDataEnd{ReqID: nvda}, data(tsla, "TSLA"), wire.ContractDataEnd{ReqID: tsla})
			}
		}, true, 4},
		"of an id that nobody asked under": {func(p *peer, nvda, tsla int) {
			p.send(data(tsla+1, "NVDA"), wire.ContractDataEnd{ReqID: tsla + 1}, bars(5, "1775426280"))
			p.send(data(nvda, "NVDA"), wire.ContractDataEnd{ReqID: nvda}, data(tsla, "TSLA"), wire.ContractDataEnd{ReqID: tsla})
		}, true, 3},
		"of another kind of question": {func(p *peer, nvda, tsla int) {
			p.send(bars(nvda, "1775426280"), wire.AccountSummaryEnd{ReqID: tsla})
		}, false, 0},
		"an option of the symbol": {func(p *peer, nvda, tsla int) {
			for id, symbol := range map[int]string{nvda: "NVDA", tsla: "TSLA"} {
				d := data(id, symbol)
				d.Contract.SecType = "OPT"
				p.send(d)
			}
		}, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(p *peer) {
				ids := map[string]int{}
				for range 2 {
					m := p.next().(wire.ReqContractDetails)
					ids[m.Contract.Symbol] = m.ReqID
				}
				tt.answer(p, ids["NVDA"], ids["TSLA"])
			}, func(t *testing.T, s *Session) {
				var both sync.WaitGroup
				for _, symbol := range []market.Symbol{"NVDA", "TSLA"} {
					both.Go(func() {
						list, err := s.Details(t.Context(), market.USStock(symbol))
						if tt.ok && (err != nil || len(list) != 1 || list[0].Contract.Symbol != symbol) {
							t.Errorf("%s: %+v, %v", symbol, list, err)
						}
						if !tt.ok && (list != nil || !errors.Is(err, broker.ErrRequest)) {
							t.Errorf("%s: %+v, %v, want a failed request", symbol, list, err)
						}
					})
					synctest.Wait()
				}
				both.Wait()
				synctest.Wait()
				if got := s.strays.Load(); got != tt.strays {
					t.Errorf("%d strays, want %d", got, tt.strays)
				}
			})
		})
	}
}

// The answer to a question that was given up comes while the next one, for
// another symbol, waits.
func TestALateAnswerIsNotTheNextSymbols(t *testing.T) {
	live(t, func(p *peer) {
		late := p.next().(wire.ReqContractDetails).ReqID
		next := p.next().(wire.ReqContractDetails).ReqID
		p.send(data(late, "NVDA"), wire.ContractDataEnd{ReqID: late}, data(next, "TSLA"), wire.ContractDataEnd{ReqID: next})
		late = p.next().(wire.ReqHistoricalData).ReqID
		p.next() // it is taken back
		next = p.next().(wire.ReqHistoricalData).ReqID
		p.send(bars(late, "1775426280"), bars(next, "1775426340"))
	}, func(t *testing.T, s *Session) {
		if _, err := s.Details(t.Context(), market.USStock("NVDA")); !errors.Is(err, broker.ErrNoAnswer) {
			t.Error(err)
		}
		if list, err := s.Details(t.Context(), market.USStock("TSLA")); err != nil || len(list) != 1 || list[0].Contract.Symbol != "TSLA" {
			t.Errorf("%+v, %v", list, err)
		}
		ask := func(symbol market.Symbol) ([]market.Bar, error) {
			return s.Bars(t.Context(), broker.BarsQuery{Contract: market.USStock(symbol), Span: time.Hour, Width: time.Minute})
		}
		if _, err := ask("NVDA"); !errors.Is(err, broker.ErrNoAnswer) {
			t.Error(err)
		}
		if list, err := ask("TSLA"); err != nil || len(list) != 1 || list[0].Start.Unix() != 1775426340 {
			t.Errorf("%+v, %v", list, err)
		}
		if got := s.strays.Load(); got != 3 {
			t.Errorf("%d strays, want the late ones", got)
		}
	})
}

// What venues spell differently is still the same stock.
func TestFits(t *testing.T) {
	for _, tt := range []struct {
		asked, got market.Contract
		want       bool
	}{
		{market.USStock("AAPL"), market.USStock("AAPL"), true},
		{market.USStock("BRK.B"), market.Contract{Symbol: "BRK B", SecType: "STK"}, true},
		{market.USStock("AAPL"), market.USStock("AAP"), false},
		{market.USStock("AAPL"), market.Contract{Symbol: "AAPL", SecType: "OPT"}, false},
		{market.Contract{Symbol: "META", SecType: "STK", ConID: 107113386}, market.Contract{Symbol: "FB", SecType: "STK", ConID: 107113386}, true},
		{market.Contract{Symbol: "AAPL", SecType: "STK", ConID: 1}, market.Contract{Symbol: "AAPL", SecType: "STK", ConID: 2}, false},
		{market.Contract{Symbol: "AAPL"}, market.Contract{Symbol: "AAPL", SecType: "STK"}, true},
	} {
		if got := fits(wire.ContractOf(tt.got), tt.asked); got != tt.want {
			t.Errorf("asked for %+v, got %+v: fits %v", tt.asked, tt.got, got)
		}
	}
}

// Snapshots that begin and never end, and lists of another account: a part
// never reads as the whole, and silence has an end with the name of the
// question. Sheet, section 10.6.
func TestAnswersWithoutAnEnd(t *testing.T) {
	held := func(account string) wire.Position {
		return wire.Position{Account: account, Contract: wire.ContractOf(market.USStock("AAPL")), Position: market.Shares(5)}
	}
	positions := func(ctx context.Context, s *Session) (any, int, error) {
		list, err := s.Positions(ctx)
		return list == nil, len(list), err
	}
	for name, tt := range map[string]struct {
		answer func(id int) []wire.Message
		ask    func(ctx context.Context, s *Session) (none any, n int, err error)
		op     string // of the error; "" = an empty list is the answer
	}{
		"executions": {func(id int) []wire.Message { return []wire.Message{execution(id, "a"), commission("a")} }, func(ctx context.Context, s *Session) (any, int, error) {
			list, costs, err := s.Executions(ctx)
			return list == nil && costs == nil, len(list), err
		}, "reqExecutions"},
		"positions":                            {func(int) []wire.Message { return []wire.Message{held(paper)} }, positions, "reqPositions"},
		"positions of another account, no end": {func(int) []wire.Message { return []wire.Message{held("DU2")} }, positions, "reqPositions"},
		"positions of another account":         {func(int) []wire.Message { return []wire.Message{held("DU2"), wire.PositionEnd{}} }, positions, ""},
		"open orders": {func(int) []wire.Message { return []wire.Message{openOrder(1, "Submitted")} }, func(ctx context.Context, s *Session) (any, int, error) {
			list, err := s.OpenOrders(ctx)
			return list == nil, len(list), err
		}, "reqOpenOrders"},
		"account": {func(id int) []wire.Message {
			return []wire.Message{wire.AccountSummary{ReqID: id, Account: paper, Tag: "NetLiquidation", Value: "1"}}
		}, func(ctx context.Context, s *Session) (any, int, error) {
			list, err := s.Account(ctx)
			return list == nil, len(list), err
		}, "reqAccountSummary"},
		"contract": {func(id int) []wire.Message { return []wire.Message{data(id, "AAPL")} }, func(ctx context.Context, s *Session) (any, int, error) {
			list, err := s.Details(ctx, market.USStock("AAPL"))
			return list == nil, len(list), err
		}, "reqContractDetails"},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(p *peer) {
				id := 0
				switch m := p.next().(type) {
				case wire.ReqExecutions:
					id = m.ReqID
				case wire.ReqAccountSummary:
					id = m.ReqID
				case wire.ReqContractDetails:
					id = m.ReqID
				}
				p.send(tt.answer(id)...)
			}, func(t *testing.T, s *Session) {
				began := time.Now()
				none, n, err := tt.ask(t.Context(), s)
				if tt.op == "" {
					if err != nil || none != false || n != 0 {
						t.Errorf("nothing %v, %d, %v; want an empty list", none, n, err)
					}
					return
				}
				if !strings.Contains(err.Error(), "the answer stopped behind message 1 within 10s") {
					t.Errorf("the stage is not named: %v", err)
				}
				if none != true || !errors.Is(err, broker.ErrNoAnswer) || !strings.HasPrefix(err.Error(), tt.op) || time.Since(began) != s.cfg.RequestTimeout {
					t.Errorf("after %v: nothing %v, %v", time.Since(began), none, err)
				}
			})
		})
	}
}
