package ibkr

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// narrow opens a session that may hold few lines, with a gateway that has fewer.
func narrow(t *testing.T, lines, has int, delayed bool, answer func(p *peer, m wire.ReqMktData, kind wire.MarketDataKind), test func(t *testing.T, s *Session)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := dialled(t, func(p *peer) {
			p.welcome()
			held := map[int]bool{}
			kind := wire.MarketDataLive
			for m := p.next(); m != nil; m = p.next() {
				switch m := m.(type) {
				case wire.ReqMarketDataType:
					kind = m.Kind
				case wire.CancelMktData:
					delete(held, m.ReqID)
				case wire.ReqMktData:
					if len(held) == has {
						p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 101, Text: "Max number of tickers has been reached"})
						continue
					}
					held[m.ReqID] = true
					if answer != nil {
						answer(p, m, kind)
					}
				}
			}
		})
		cfg.Lines, cfg.Delayed = lines, delayed
		opened, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		test(t, opened.(*Session))
		if err := opened.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func TestLines(t *testing.T) {
	narrow(t, 3, 100, true, nil, func(t *testing.T, s *Session) {
		for _, symbol := range []market.Symbol{"A", "B", "C", "C"} {
			if err := s.Subscribe(t.Context(), market.USStock(symbol)); err != nil {
				t.Fatal(err)
			}
		}
		var e *broker.Error
		err := s.Subscribe(t.Context(), market.USStock("D"))
		if !errors.Is(err, broker.ErrRequest) || !errors.As(err, &e) || !strings.Contains(err.Error(), "line 4 of 3") || !strings.Contains(e.Advice, "broker.ibkr.lines") {
			t.Errorf("one too many: %v", err)
		}
		if err := s.Resubscribe(t.Context(), market.USStock("B")); err != nil {
			t.Errorf("renewing takes no line more: %v", err)
		}
		if use := s.lineUse(); use != (broker.Use{Used: 3, Limit: 3}) {
			t.Errorf("%+v", use)
		}
		if err := s.Unsubscribe(t.Context(), "A"); err != nil {
			t.Error(err)
		}
		if err := s.Subscribe(t.Context(), market.USStock("D")); err != nil {
			t.Errorf("a line was freed: %v", err)
		}
	})
}

// The venue's word (101) lowers the limit to what it really is, also when more
// was asked for at once.
func TestTheTrueLimitOfLinesIsLearned(t *testing.T) {
	for name, has := range map[string]int{"some": 4, "none": 0} {
		t.Run(name, func(t *testing.T) {
			narrow(t, 100, has, true, nil, func(t *testing.T, s *Session) {
				for i := range 8 {
					if err := s.Subscribe(t.Context(), market.USStock(market.Symbol(rune('A'+i)))); err != nil && i < has {
						t.Error(err)
					}
				}
				synctest.Wait()
				learned := max(has, 1) // one may always be tried
				if use := s.lineUse(); use != (broker.Use{Used: has, Limit: learned}) {
					t.Errorf("%+v", use)
				}
				told := 0
				for _, e := range events(t, s, 2) {
					if n := e.(broker.Notice); n.Code == 101 && n.Kind == broker.NoticeWarning && strings.Contains(n.Text, "broker.ibkr.lines") {
						told++
					}
				}
				if told == 0 {
					t.Error("nobody is told")
				}
				if err := s.Subscribe(t.Context(), market.USStock("Z")); (err == nil) != (has == 0) {
					t.Errorf("the next one: %v", err)
				}
			})
		})
	}
}

// without answers as a gateway whose login has no live data.
func without(p *peer, m wire.ReqMktData, kind wire.MarketDataKind) {
	if kind == wire.MarketDataLive {
		p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 354, Text: "Requested market data is not subscribed."})
		return
	}
	p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: 10167, Text: "Displaying delayed market data."},
		wire.MarketDataType{ReqID: m.ReqID, Kind: wire.MarketDataDelayed},
		wire.TickPrice{ReqID: m.ReqID, Type: wire.TickDelayedBid, Price: market.MustPrice("1"), Size: market.Shares(1)})
}

// Where the login has no live data, a person sees delayed prices: they are
// asked for once in a session, and every symbol gets them.
func TestDelayedDataWhereThereAreNoLiveOnes(t *testing.T) {
	symbols := []market.Symbol{"AAPL", "MSFT", "IBM"}
	var mu sync.Mutex
	refused := map[market.Symbol]bool{} // some are asked for when the delayed kind is known
	asked := 0
	narrow(t, 100, 100, true, func(p *peer, m wire.ReqMktData, kind wire.MarketDataKind) {
		mu.Lock()
		asked++
		if kind == wire.MarketDataLive {
			refused[market.Symbol(m.Contract.Symbol)] = true
		}
		mu.Unlock()
		without(p, m, kind)
	}, func(t *testing.T, s *Session) {
		for _, symbol := range symbols {
			if err := s.Subscribe(t.Context(), market.USStock(symbol)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := s.Subscribe(t.Context(), market.USStock("GE")); err != nil { // delayed from the start
			t.Fatal(err)
		}
		synctest.Wait()
		got := map[market.Symbol]bool{}
		told := map[market.Symbol]bool{}
		b, err := s.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, tick := range b.Ticks {
			got[tick.Symbol] = tick.Delayed && tick.Known
		}
		for _, e := range b.Events {
			if n := e.(broker.Notice); n.Code == 354 {
				told[n.Symbol] = n.Kind == broker.NoticeWarning && strings.Contains(n.Text, "delayed data are asked for")
			}
		}
		for _, symbol := range append(symbols, "GE") {
			if !got[symbol] || told[symbol] != refused[symbol] {
				t.Errorf("%s: delayed ticks %v, refused %v, told %v", symbol, got[symbol], refused[symbol], told[symbol])
			}
		}
		if !refused["AAPL"] || refused["GE"] || asked != len(symbols)+1+len(refused) {
			t.Errorf("asked %d times, %v were refused", asked, refused)
		}
		if use := s.lineUse(); use.Used != 4 || len(*s.subs.Load()) != 4 {
			t.Errorf("%+v, %d subscriptions", use, len(*s.subs.Load()))
		}
	})
}

// A login that has no delayed data either, and a configuration that wants
// none: the symbol is refused, and asked for no more than twice.
func TestNoDelayedData(t *testing.T) {
	for name, tt := range map[string]struct {
		delayed bool
		asked   int
	}{"none at the venue": {true, 2}, "none wanted": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked := 0
			narrow(t, 100, 100, tt.delayed, func(p *peer, m wire.ReqMktData, kind wire.MarketDataKind) {
				mu.Lock()
				asked++
				mu.Unlock()
				code := 354
				if kind != wire.MarketDataLive {
					code = 10186
				}
				p.send(wire.ErrMsg{RequestID: int64(m.ReqID), Code: code, Text: "Requested market data is not subscribed."})
			}, func(t *testing.T, s *Session) {
				if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				list := events(t, s, tt.asked)
				if n := list[len(list)-1].(broker.Notice); n.Kind != broker.NoticeRequest || n.Symbol != "AAPL" {
					t.Errorf("at last: %+v", n)
				}
				if asked != tt.asked || s.lineUse().Used != 0 {
					t.Errorf("asked %d times, %+v", asked, s.lineUse())
				}
			})
		})
	}
}

// A symbol that is given up while its delayed data are about to be asked for
// stays given up, and the session's end ends the asking.
func TestUnsubscribeWhileDelayedDataAreAsked(t *testing.T) {
	narrow(t, 100, 100, true, without, func(t *testing.T, s *Session) {
		for range s.cfg.SendsPerSecond { // the line is busy: the asking waits
			s.budget.Sends.Stamp()
		}
		s.budget.Sends.Halve()
		aapl, msft := market.USStock("AAPL"), market.USStock("MSFT")
		for i, c := range []market.Contract{aapl, msft} {
			s.mu.Lock()
			s.bySymbol[c.Symbol] = 100 + i
			s.editSubs(func(m map[int]*subscription) { m[100+i] = &subscription{symbol: c.Symbol, contract: c} })
			s.mu.Unlock()
			s.delay(354, s.sub(100+i))
		}
		synctest.Wait()
		s.drop(101, "MSFT")
		if err := s.Unsubscribe(t.Context(), "MSFT"); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		left := slices.Clone(s.wanting)
		s.mu.Unlock()
		if len(left) != 0 {
			t.Errorf("still wanted: %+v", left)
		}
	})
}
