package gateway

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// tradeVersions are those at which orders are tested over the whole server.
var tradeVersions = []int{176, 178, 187, 190, 192, 195, 196, 200}

// A bracket over the socket: silent until it is transmitted, then the parent
// works, fills, and one child's fill ends the other.
func TestBracketOverTheWire(t *testing.T) {
	for _, v := range tradeVersions {
		t.Run(itoa(v), func(t *testing.T) {
			s, p := opened(t, v, nil)
			parent := limitOrder(1, order.Buy, 10, "187.20")
			parent.Transmit = false
			take := limitOrder(2, order.Sell, 10, "187.40")
			take.Transmit, take.ParentID = false, 1
			stop := marketOrder(3, order.Sell, 10)
			stop.OrderType, stop.AuxPrice, stop.ParentID = "STP", market.MustPrice("187.00").Ptr(), 1
			p.send(parent)
			p.send(take)
			if got := p.sync(); len(got) != 0 {
				t.Fatalf("not transmitted, and told %v", names(got))
			}
			p.send(stop)
			p.sync()
			s.Inject(quote(0, "187.18", "187.20"))
			s.Inject(quote(0, "187.40", "187.42"))
			last := map[int64]string{}
			for _, m := range p.sync() {
				if st, ok := m.(wire.OrderStatus); ok {
					last[st.OrderID] = st.Status
				}
			}
			if diff := cmp.Diff(map[int64]string{1: "Filled", 2: "Filled", 3: "Cancelled"}, last); diff != "" {
				t.Error(diff)
			}
			p.send(wire.ReqCompletedOrders{APIOnly: true})
			if got := p.sync(); len(got) != 4 {
				t.Errorf("completed: %v", names(got))
			}
		})
	}
}

// The master client hears of its open orders before its next order id, and of
// the orders of others.
func TestMasterClientOverTheWire(t *testing.T) {
	s, p := opened(t, 200, func(c *Config) { c.MasterClientID = 7 })
	p.send(limitOrder(1, order.Buy, 10, "180"))
	p.sync()
	m := dial(t, s)
	m.hello(200)
	m.send(wire.StartAPI{ClientID: 7})
	var before []string
	for {
		msg := m.next()
		if _, ok := msg.(wire.NextValidID); ok {
			break
		}
		before = append(before, names([]wire.Message{msg})...)
	}
	if diff := cmp.Diff([]string{"managedAccts", "openOrder Submitted", "orderStatus Submitted", "openOrderEnd"}, before); diff != "" {
		t.Error(diff)
	}
	m.sync()
	p.send(marketOrder(2, order.Buy, 1))
	p.sync()
	want := []string{"openOrder PreSubmitted", "orderStatus PreSubmitted", "execDetails", "openOrder Filled", "orderStatus Filled", "commissionReport"}
	if diff := cmp.Diff(want, names(m.sync())); diff != "" {
		t.Error(diff)
	}
}

// book is what a client adds up from what it is told about an account.
type book struct {
	values    map[string]market.Money // in US dollars
	positions map[string]wire.PortfolioValue
	profit    wire.PnL
}

func (b *book) take(list []wire.Message) {
	for _, m := range list {
		switch m := m.(type) {
		case wire.AccountValue:
			if v, err := market.ParseMoney(m.Value); err == nil && m.Currency == "USD" {
				b.values[m.Key] = v
			}
		case wire.PortfolioValue:
			b.positions[m.Contract.Symbol] = m
		case wire.PnL:
			b.profit = m
		}
	}
}

// sum adds up the portfolio.
func (b *book) sum(of func(wire.PortfolioValue) *market.Money) (total market.Money) {
	for _, p := range b.positions {
		total = total.Add(*of(p))
	}
	return total
}

// near compares amounts that are told in cents.
func near(a, b market.Money) bool { return !market.MustMoney("0.03").Less(a.Sub(b).Abs()) }

// Whatever is traded, what the client is told adds up after every fill: cash
// and positions to the net liquidation value, profits to what it gained, and
// the commission reports' profits to the account's.
func TestAccountAddsUpOverTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, p := opened(t, rapid.SampledFrom(tradeVersions).Draw(rt, "version"), nil)
		p.send(wire.ReqAccountUpdates{Subscribe: true})
		p.send(wire.ReqPnL{ReqID: 900, Account: s.cfg.Accounts[0]})
		b := book{values: map[string]market.Money{}, positions: map[string]wire.PortfolioValue{}}
		b.take(p.sync())
		start, realized := b.values["NetLiquidation"], market.Money{}
		for i := range rapid.IntRange(1, 8).Draw(rt, "orders") {
			cents := rapid.IntRange(18600, 18900).Draw(rt, "price")
			bid, ask := fmt.Sprintf("%d.%02d", cents/100, cents%100), fmt.Sprintf("%d.%02d", (cents+2)/100, (cents+2)%100)
			s.Inject(quote(0, bid, ask))
			s.Inject(trade(0, bid))
			side := rapid.SampledFrom([]order.Side{order.Buy, order.Sell}).Draw(rt, "side")
			p.send(marketOrder(int64(i+1), side, rapid.Int64Range(1, 700).Draw(rt, "shares")))
			list := p.sync()
			b.take(list)
			for _, m := range list {
				if c, ok := m.(wire.CommissionReport); ok && c.RealizedPNL != nil {
					realized = realized.Add(*c.RealizedPNL)
				}
			}
			worth := b.sum(func(p wire.PortfolioValue) *market.Money { return p.MarketValue })
			gain := b.sum(func(p wire.PortfolioValue) *market.Money { return p.UnrealizedPNL })
			net := b.values["NetLiquidation"]
			for what, pair := range map[string][2]market.Money{
				"cash and portfolio":           {b.values["TotalCashValue"].Add(worth), net},
				"the ledger and the account":   {b.values["NetLiquidationByCurrency"], net},
				"profits and what was gained":  {b.values["RealizedPnL"].Add(b.values["UnrealizedPnL"]), net.Sub(start)},
				"portfolio and account profit": {gain, b.values["UnrealizedPnL"]},
				"commission reports":           {realized, b.values["RealizedPnL"]},
				"funds and margin":             {b.values["AvailableFunds"].Add(b.values["InitMarginReq"]), b.values["EquityWithLoanValue"]},
			} {
				if !near(pair[0], pair[1]) {
					rt.Errorf("after order %d: %s: %v and %v", i+1, what, pair[0], pair[1])
				}
			}
		}
		p.send(wire.CancelPnL{ReqID: 900})
		p.send(wire.ReqPnL{ReqID: 901, Account: s.cfg.Accounts[0]})
		b.take(p.sync())
		if !near(*b.profit.Realized, b.values["RealizedPnL"]) || !near(*b.profit.Daily, b.values["NetLiquidation"].Sub(start)) {
			rt.Errorf("profit and loss %v, %v beside %v", b.profit.Daily, b.profit.Realized, b.values["NetLiquidation"].Sub(start))
		}
		p.leave()
	})
}
