package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// opened returns a gateway whose first instant has happened, and a client.
func opened(t *testing.T, v int, change func(*Config)) (*Server, *peer) {
	t.Helper()
	s := start(t, shortDay(), change)
	p, _ := join(t, s, v, 1)
	if _, err := s.Pacer(1).Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, p
}

// cancelled is how a cancel that was asked for ends.
var cancelled = []string{"orderStatus PendingCancel", "orderStatus Cancelled", "errMsg 202"}

func TestMarketOrder(t *testing.T) {
	for _, v := range versions {
		t.Run(itoa(v), func(t *testing.T) {
			_, p := opened(t, v, nil)
			p.send(marketOrder(1, order.Buy, 100))
			list := p.sync()
			// The live sequence of section 4.6.
			want := []string{
				"openOrder PreSubmitted", "orderStatus PreSubmitted", "execDetails",
				"openOrder Filled", "orderStatus Filled", "commissionReport",
			}
			if diff := cmp.Diff(want, names(list)); diff != "" {
				t.Fatal(diff)
			}
			checkFill(t, list)
			p.send(marketOrder(1, order.Buy, 1))
			if got := p.sync(); len(got) != 1 || got[0].(wire.ErrMsg).Code != venue.CannotModify {
				t.Errorf("an id used twice: %v", names(got))
			}
		})
	}
}

func checkFill(t *testing.T, list []wire.Message) {
	t.Helper()
	for _, m := range list {
		switch m := m.(type) {
		case wire.OpenOrder:
			if m.OrderID != 1 || m.ClientID != 1 || m.OrderRef != "r-1" || m.PermID == 0 || m.Account != "DU7654321" ||
				m.Contract.Symbol != "AAPL" || m.Contract.ConID == 0 || m.Action != "BUY" || m.LmtPrice == nil || m.LmtPrice.Sign() != 0 {
				t.Errorf("openOrder %+v", m)
			}
		case wire.ExecDetails:
			if m.ReqID != -1 || m.Side != "BOT" || m.Price != market.MustPrice("187.26") || m.Shares != market.Shares(100) ||
				m.Time != "20260402 09:30:00 US/Eastern" || m.OrderRef != "r-1" || m.ExecID == "" || *m.CumQty != market.Shares(100) {
				t.Errorf("execDetails %+v", m)
			}
		case wire.CommissionReport:
			if *m.Commission != market.MustMoney("1") || m.Currency != "USD" || m.RealizedPNL != nil {
				t.Errorf("commissionReport %+v", m)
			}
		}
	}
}

func TestLimitOrderRestsIsFoundAndCancelled(t *testing.T) {
	for _, v := range versions {
		t.Run(itoa(v), func(t *testing.T) {
			_, p := opened(t, v, nil)
			p.send(limitOrder(3, order.Buy, 5, "180.5"))
			last := names(p.sync())
			if len(last) == 0 || last[len(last)-1] != "orderStatus Submitted" {
				t.Fatalf("a resting order: %v", last)
			}
			p.send(wire.ReqOpenOrders{})
			if diff := cmp.Diff([]string{"openOrder Submitted", "orderStatus Submitted", "openOrderEnd"}, names(p.sync())); diff != "" {
				t.Error(diff)
			}
			if v >= 192 { // a live gateway drops it in silence
				p.send(wire.CancelOrder{OrderID: 3, Incomplete: true})
				if got := p.sync(); len(got) != 0 {
					t.Errorf("an incomplete cancel: %v", names(got))
				}
			}
			p.send(wire.CancelOrder{OrderID: 3})
			if diff := cmp.Diff(cancelled, names(p.sync())); diff != "" {
				t.Error(diff)
			}
			p.send(wire.CancelOrder{OrderID: 3})
			p.send(wire.CancelOrder{OrderID: 99})
			if diff := cmp.Diff([]string{"errMsg 10148", "errMsg 10147"}, names(p.sync())); diff != "" {
				t.Error(diff)
			}
			p.send(wire.ReqAllOpenOrders{})
			if diff := cmp.Diff([]string{"openOrderEnd"}, names(p.sync())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGlobalCancelEndsEveryClientsOrders(t *testing.T) {
	s, p := opened(t, 200, nil)
	other, _ := join(t, s, 200, 2)
	p.send(limitOrder(1, order.Buy, 1, "180"))
	other.send(limitOrder(1, order.Sell, 1, "200")) // the same number, another client's order
	p.sync()
	other.sync()
	p.send(wire.ReqOpenOrders{})
	if got := p.sync(); len(got) != 3 || got[0].(wire.OpenOrder).Action != "BUY" {
		t.Errorf("own open orders: %v", names(got))
	}
	p.send(wire.ReqAllOpenOrders{})
	if got := p.sync(); len(got) != 5 {
		t.Errorf("all open orders: %v", names(got))
	}
	p.send(wire.ReqGlobalCancel{})
	for _, c := range []*peer{p, other} {
		if diff := cmp.Diff(cancelled, names(c.sync())); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRefusedOrders(t *testing.T) {
	change := func(f func(*wire.PlaceOrder)) wire.PlaceOrder {
		m := limitOrder(1, order.Buy, 5, "187.25")
		f(&m)
		return m
	}
	for name, tt := range map[string]struct {
		m    wire.PlaceOrder
		want []string
	}{
		"off the grid":    {limitOrder(1, order.Buy, 5, "187.255"), []string{"errMsg 110", "orderStatus Inactive"}},
		"unknown symbol":  {change(func(m *wire.PlaceOrder) { m.Contract.Symbol = "ZZZZ" }), []string{"errMsg 200"}},
		"a future":        {change(func(m *wire.PlaceOrder) { m.Contract.SecType = "FUT" }), []string{"errMsg 200"}},
		"unknown account": {change(func(m *wire.PlaceOrder) { m.Account = "DU1" }), []string{"errMsg 435", "orderStatus Inactive"}},
		"no quantity":     {change(func(m *wire.PlaceOrder) { m.TotalQuantity = market.Shares(0).Ptr() }), []string{"errMsg 201", "orderStatus Inactive"}},
		"unset quantity":  {change(func(m *wire.PlaceOrder) { m.TotalQuantity = nil }), []string{"errMsg 321"}},
		"peg order":       {change(func(m *wire.PlaceOrder) { m.OrderType = "REL" }), []string{"errMsg 201", "orderStatus Inactive"}},
		"no limit":        {change(func(m *wire.PlaceOrder) { m.LmtPrice = nil }), []string{"errMsg 201", "orderStatus Inactive"}},
		"no such parent":  {change(func(m *wire.PlaceOrder) { m.ParentID = 7 }), []string{"errMsg 10006"}},
		"hedge":           {change(func(m *wire.PlaceOrder) { m.HedgeType = "D" }), []string{"errMsg 321"}},
		"model":           {change(func(m *wire.PlaceOrder) { m.ModelCode = "m" }), []string{"errMsg 321"}},
		"by amount":       {change(func(m *wire.PlaceOrder) { m.CashQty = market.MustMoney("100").Ptr() }), []string{"errMsg 10244"}},
		"fraction":        {change(func(m *wire.PlaceOrder) { m.TotalQuantity = market.MustQty("0.5").Ptr() }), []string{"errMsg 10243"}},
		"bad time":        {change(func(m *wire.PlaceOrder) { m.GoodAfterTime = "soon" }), []string{"errMsg 321"}},
		"order id 0":      {change(func(m *wire.PlaceOrder) { m.OrderID = 0 }), []string{"errMsg 103"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := opened(t, 200, nil)
			p.send(tt.m)
			list := p.sync()
			if diff := cmp.Diff(tt.want, names(list)); diff != "" {
				t.Error(diff)
			}
			if m := list[0].(wire.ErrMsg); m.RequestID != tt.m.OrderID || m.Text == "" {
				t.Errorf("the error is %+v", m)
			}
			if l := s.Ledger(); len(l.Accounts[0].Executions) != 0 {
				t.Error("something was executed")
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	_, p := opened(t, 200, func(c *Config) { c.ReadOnly = true })
	p.send(marketOrder(1, order.Buy, 1))
	p.send(wire.CancelOrder{OrderID: 1})
	p.send(wire.ReqGlobalCancel{})
	if diff := cmp.Diff([]string{"errMsg 321", "errMsg 321", "errMsg 321"}, names(p.sync())); diff != "" {
		t.Error(diff)
	}
}

func TestOrderIDsOutliveTheSession(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(marketOrder(41, order.Buy, 1))
	p.send(limitOrder(50, order.Buy, 1, "180"))
	p.sync()
	p.leave()
	p, next := join(t, s, 200, 1)
	if next != 51 {
		t.Errorf("next order id %d, want 51", next)
	}
	p.send(wire.ReqOpenOrders{})
	if got := p.sync(); len(got) != 3 || got[0].(wire.OpenOrder).OrderID != 50 {
		t.Errorf("the order of the last session: %v", names(got))
	}
	p.send(wire.CancelOrder{OrderID: 50})
	if diff := cmp.Diff(cancelled, names(p.sync())); diff != "" {
		t.Error(diff)
	}
}

func TestExecutionsWithFilters(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(marketOrder(1, order.Buy, 100))
	p.send(marketOrder(2, order.Sell, 40))
	other, _ := join(t, s, 200, 2)
	other.send(marketOrder(1, order.Buy, 7))
	other.sync()
	p.sync()
	days := 30
	for name, tt := range map[string]struct {
		ask  wire.ReqExecutions
		want int
	}{
		"thirty days":   {wire.ReqExecutions{LastNDays: &days}, 3},
		"no days":       {wire.ReqExecutions{}, 3},
		"client":        {wire.ReqExecutions{ClientID: 1}, 2},
		"side":          {wire.ReqExecutions{Side: "SELL"}, 1},
		"side in fills": {wire.ReqExecutions{Side: "BOT"}, 2},
		"symbol":        {wire.ReqExecutions{Symbol: "IBM"}, 0},
		"account":       {wire.ReqExecutions{Account: "DU7654321"}, 3},
		"later":         {wire.ReqExecutions{Time: "20260402-13:30:01"}, 0},
		"earlier":       {wire.ReqExecutions{Time: "20260402 09:30:00 US/Eastern"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			tt.ask.ReqID = 9
			p.send(tt.ask)
			list := p.sync()
			var fills, costs int
			for _, m := range list {
				switch m := m.(type) {
				case wire.ExecDetails:
					fills++
					if m.ReqID != 9 {
						t.Errorf("request id %d", m.ReqID)
					}
				case wire.CommissionReport:
					costs++
				}
			}
			if fills != tt.want || costs != tt.want {
				t.Errorf("%d executions and %d commissions, want %d", fills, costs, tt.want)
			}
			if len(list) == 0 || list[len(list)-1] != wire.Message(wire.ExecDetailsEnd{ReqID: 9}) {
				t.Errorf("does not end with execDetailsEnd: %v", names(list))
			}
		})
	}
}

func TestAccount(t *testing.T) {
	s, p := opened(t, 200, nil)
	p.send(wire.ReqAccountUpdates{Subscribe: true})
	p.send(wire.ReqPositions{})
	before := accountOf(p.sync())
	if before["NetLiquidation"] != "1000000.00" || before["BuyingPower"] != "2000000.00" || before["end"] != "1" || before["position"] != "" {
		t.Errorf("before: %v", before)
	}
	p.send(marketOrder(1, order.Buy, 100)) // 18,726 + 1
	list := p.sync()
	after := accountOf(list)
	if after["TotalCashValue"] != "981273.00" || after["position"] != "100" || after["portfolio"] != "100" {
		t.Errorf("after: %v", after)
	}
	if got := names(list); got[len(got)-1] != "commissionReport" {
		t.Errorf("the account came after the last report: %v", got)
	}
	p.send(marketOrder(2, order.Sell, 100))
	if flat := accountOf(p.sync()); flat["position"] != "0" || flat["portfolio"] != "0" || flat["TotalCashValue"] == "" {
		t.Errorf("flat: %v", flat)
	}
	books := s.Ledger().Accounts[0]
	if got := books.Cash.Add(books.Commissions).Sub(books.StartingCash); got != books.RealizedPNLBeforeCommission {
		t.Errorf("the books do not agree: %+v", books)
	}
}

// accountOf folds what is told about an account.
func accountOf(list []wire.Message) map[string]string {
	m := map[string]string{}
	for _, msg := range list {
		switch msg := msg.(type) {
		case wire.AccountValue:
			m[msg.Key] = msg.Value
		case wire.PortfolioValue:
			m["portfolio"] = msg.Position.String()
		case wire.Position:
			m["position"] = msg.Position.String()
		case wire.AcctDownloadEnd, wire.PositionEnd:
			m["end"] = "1"
		}
	}
	return m
}

func TestAccountSummaryHasALimitOfTwo(t *testing.T) {
	_, p := opened(t, 200, nil)
	p.send(wire.ReqAccountSummary{ReqID: 1, Group: "All", Tags: "NetLiquidation,BuyingPower"})
	p.send(wire.ReqAccountSummary{ReqID: 2, Group: "All", Tags: "$LEDGER"})
	list := p.sync()
	if len(list) < 5 || list[0].(wire.AccountSummary).Tag != "NetLiquidation" || list[2] != wire.Message(wire.AccountSummaryEnd{ReqID: 1}) {
		t.Errorf("got %v", names(list))
	}
	p.send(wire.ReqAccountSummary{ReqID: 3, Group: "All", Tags: "NetLiquidation"})
	if got := p.sync(); len(got) != 1 || got[0].(wire.ErrMsg).Code != venue.Processing {
		t.Errorf("a third: %v", names(got))
	}
	p.send(wire.CancelAccountSummary{ReqID: 1})
	p.send(wire.ReqAccountSummary{ReqID: 3, Group: "All", Tags: "NetLiquidation"})
	if got := p.sync(); len(got) != 2 {
		t.Errorf("after a cancel: %v", names(got))
	}
}

func TestSeveralAccountsMustBeNamed(t *testing.T) {
	_, p := opened(t, 200, func(c *Config) { c.Accounts = []string{"DU1111111", "DU2222222"} })
	p.send(wire.ReqAccountUpdates{Subscribe: true})
	if got := p.sync(); len(got) != 1 || got[0].(wire.ErrMsg).Code != venue.Validation {
		t.Errorf("account updates: %v", names(got))
	}
	m := marketOrder(1, order.Buy, 1)
	p.send(m)
	if got := p.sync(); got[0].(wire.ErrMsg).Code != venue.NoAccount {
		t.Errorf("an order without an account: %v", names(got))
	}
	m.OrderID, m.Account = 2, "DU2222222"
	p.send(m)
	for _, msg := range p.sync() {
		if e, ok := msg.(wire.ExecDetails); ok && e.Account != "DU2222222" {
			t.Errorf("filled in %s", e.Account)
		}
	}
}
