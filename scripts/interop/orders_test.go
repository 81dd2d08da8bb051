package interop

import (
	"fmt"
	"testing"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// versions are those at which an order's layout changes, up to the client's
// highest.
var versions = []int{176, 178, 187, 190, 192, highest}

func atVersions(t *testing.T, test func(t *testing.T, c *client)) {
	for _, v := range versions {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			s := start(t, func(c *gateway.Config) { c.ServerVersion = v })
			test(t, connect(t, s, 1))
		})
	}
}

// placed is an order in the client's words; change overrides.
func placed(action, kind string, qty int, change map[string]any) map[string]any {
	o := map[string]any{
		"action": action, "orderType": kind, "totalQuantity": qty, "tif": "DAY", "transmit": true, "account": account,
	}
	for k, v := range change {
		o[k] = v
	}
	return o
}

// withCommission is what a position that was only opened cost, as the venue
// tells it: its commissions count.
func withCommission(b exchange.AccountLedger, p exchange.LedgerPosition) market.Money {
	cost := p.Cost
	for _, f := range b.Executions {
		if f.Symbol == p.Symbol && f.Commission != nil {
			cost = cost.Add(*f.Commission)
		}
	}
	return cost
}

func money(t *testing.T, s string) market.Money {
	t.Helper()
	m, err := market.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// books are the exchange's own of the only account.
func books(t *testing.T, c *client) exchange.AccountLedger {
	t.Helper()
	led := c.s.Ledger()
	if len(led.Accounts) != 1 {
		t.Fatalf("%d accounts", len(led.Accounts))
	}
	return led.Accounts[0]
}

func status(id int64, word string) func(event) bool {
	return func(e event) bool { return e.int(0) == int(id) && e.text(1) == word }
}

// same compares a decoded execution with the exchange's.
func same(t *testing.T, e event, f order.Fill) {
	t.Helper()
	side := map[order.Side]string{order.Buy: "BOT", order.Sell: "SLD"}[f.Side]
	for name, want := range map[string]string{
		"execId": f.ExecID, "orderId": fmt.Sprint(f.OrderID), "permId": fmt.Sprint(f.PermID), "clientId": fmt.Sprint(f.ClientID),
		"acctNumber": f.Account, "side": side, "shares": f.Qty.String(), "price": f.Price.String(), "orderRef": f.Ref,
	} {
		if got := e.field(2, name); got != want {
			t.Errorf("execution's %s is %q, want %q", name, got, want)
		}
	}
	if got := e.field(1, "symbol"); got != string(f.Symbol) {
		t.Errorf("executed in %q, want %q", got, f.Symbol)
	}
}

func TestMarketOrderFills(t *testing.T) {
	atVersions(t, func(t *testing.T, c *client) {
		c.pace(5)
		c.do("placeOrder", 1, stock("AAPL"), placed("BUY", "MKT", 100, map[string]any{"orderRef": "ref-1"}))
		c.wait("orderStatus", status(1, "Filled"))
		e := c.wait("execDetails", nil)
		commission := c.wait("commissionReport", nil)

		b := books(t, c)
		if len(b.Executions) != 1 {
			t.Fatalf("the exchange holds %d executions", len(b.Executions))
		}
		f := b.Executions[0]
		same(t, e, f)
		if f.Ref != "ref-1" || f.Qty != market.Shares(100) {
			t.Errorf("the exchange holds %+v", f)
		}
		if got := commission.field(0, "execId"); got != f.ExecID {
			t.Errorf("commission of %q, want %q", got, f.ExecID)
		}
		if got := commission.field(0, "commission"); f.Commission == nil || got != f.Commission.String() {
			t.Errorf("commission %s, want %v", got, f.Commission)
		}
	})
}

func TestLimitOrderIsCancelled(t *testing.T) {
	atVersions(t, func(t *testing.T, c *client) {
		c.pace(5)
		c.do("placeOrder", 1, stock("AAPL"), placed("BUY", "LMT", 10, map[string]any{"lmtPrice": 50.25, "tif": "GTC"}))
		c.wait("orderStatus", status(1, "Submitted"))
		open := c.wait("openOrder", about(1))
		for name, want := range map[string]string{
			"action": "BUY", "orderType": "LMT", "totalQuantity": "10", "lmtPrice": "50.25", "tif": "GTC", "account": account,
		} {
			if got := open.field(2, name); got != want {
				t.Errorf("open order's %s is %q, want %q", name, got, want)
			}
		}
		c.take("openOrder")
		c.do("reqAllOpenOrders")
		c.wait("openOrder", about(1))
		c.wait("openOrderEnd", nil)
		c.do("cancelOrder", 1)
		c.wait("orderStatus", status(1, "Cancelled"))
		if e := c.wait("error", func(e event) bool { return e.int(2) == 1 }); e.int(1) != 202 {
			t.Errorf("%s, want code 202", e)
		}
		if n := len(books(t, c).Executions); n != 0 {
			t.Errorf("the exchange holds %d executions", n)
		}
	})
}

func TestPositionsAndAccountSummary(t *testing.T) {
	atVersions(t, func(t *testing.T, c *client) {
		c.pace(5)
		c.do("placeOrder", 1, stock("AAPL"), placed("BUY", "MKT", 30, nil))
		c.do("placeOrder", 2, stock("MSFT"), placed("SELL", "MKT", 7, nil))
		c.wait("orderStatus", status(1, "Filled"))
		c.wait("orderStatus", status(2, "Filled"))
		c.do("reqPositions")
		c.wait("positionEnd", nil)
		b := books(t, c)
		got := map[string]string{}
		for _, e := range c.take("position") {
			got[e.field(1, "symbol")] = fmt.Sprintln(e.text(0), e.text(2), e.text(3))
		}
		if len(b.Positions) != 2 || len(got) != 2 {
			t.Fatalf("%d positions decoded, %d held", len(got), len(b.Positions))
		}
		for _, p := range b.Positions {
			avg, _ := withCommission(b, p).DivQty(p.Qty)
			if want := fmt.Sprintln(account, p.Qty, avg); got[string(p.Symbol)] != want {
				t.Errorf("%s: decoded %s want %s", p.Symbol, got[string(p.Symbol)], want)
			}
		}

		c.do("reqAccountSummary", 40, "All", "NetLiquidation,TotalCashValue,GrossPositionValue")
		c.wait("accountSummaryEnd", about(40))
		values := map[string]string{}
		for _, e := range c.take("accountSummary") {
			values[e.text(2)] = e.text(3)
		}
		if cash := money(t, values["TotalCashValue"]); cash != b.Cash.Round(2) {
			t.Errorf("cash %v, want %v", cash, b.Cash)
		}
		if len(values) != 3 || values["NetLiquidation"] == "" {
			t.Errorf("values %v", values)
		}
	})
}
