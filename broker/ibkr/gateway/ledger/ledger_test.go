package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/gateway/venue/venuetest"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// versions are the ends of what is played, and some between them: the layouts
// of accounts do not change.
var versions = []wire.Version{176, 178, 187, 190, 192, 195, 196, 200}

var (
	newYork = mustZone(tape.ZoneName)
	opening = time.Date(2026, 4, 2, 9, 30, 0, 0, newYork)
)

func mustZone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

// rig is a ledger before an exchange of its own that trades AAPL and MSFT.
type rig struct {
	t *testing.T
	v *venue.Venue
	l *Ledger
}

func newRig(t *testing.T, accounts ...string) *rig {
	t.Helper()
	xc := exchange.DefaultConfig()
	if len(accounts) > 0 {
		xc.Accounts = accounts
	}
	x, err := exchange.New(xc)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []market.Symbol{"AAPL", "MSFT"} {
		if err := x.List(exchange.StockDetails(s, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	v := &venue.Venue{X: x, Zone: newYork, Accounts: xc.Accounts, MasterClientID: -1, At: opening, Clock: market.NewClock(opening, time.Now(), 0)}
	return &rig{t: t, v: v, l: New(v)}
}

// ear is a client's session in its rig.
type ear struct {
	*venuetest.Peer
	r *rig
}

func (r *rig) join(id int, v wire.Version) *ear {
	e := &ear{venuetest.NewPeer(r.t, id, v), r}
	r.l.Join(e)
	return e
}

// send hands a request in.
func (e *ear) send(m wire.Message) {
	e.r.t.Helper()
	if !e.r.l.Handle(e, e.Asked(m)) {
		e.r.t.Fatalf("%s is not handled", wire.ClientName(m.ID()))
	}
}

// heard returns what came since it was asked last.
func (e *ear) heard() []wire.Message { return e.Heard() }

// names returns what came in short form.
func (e *ear) names() []string {
	out := []string{}
	for _, m := range e.heard() {
		switch m := m.(type) {
		case wire.ErrMsg:
			out = append(out, fmt.Sprintf("error %d %d", m.RequestID, m.Code))
		case wire.Position:
			out = append(out, fmt.Sprintf("position %s %v", m.Contract.Symbol, m.Position))
		case wire.PositionMulti:
			out = append(out, fmt.Sprintf("positionMulti %s %s %v", m.Account, m.Contract.Symbol, m.Position))
		case wire.PortfolioValue:
			out = append(out, fmt.Sprintf("portfolio %s %v", m.Contract.Symbol, m.Position))
		case wire.AccountSummary:
			out = append(out, fmt.Sprintf("%s %s %s %s", m.Account, m.Tag, m.Value, m.Currency))
		case wire.PnL:
			out = append(out, fmt.Sprintf("pnl %v %v %v", tell(m.Daily), tell(m.Unrealized), tell(m.Realized)))
		case wire.PnLSingle:
			out = append(out, fmt.Sprintf("single %v: %v %v %v %v", m.Position, tell(m.Daily), tell(m.Unrealized), tell(m.Realized), tell(m.Value)))
		default:
			out = append(out, wire.Name(m.ID()))
		}
	}
	return out
}

func tell(m *market.Money) string {
	if m == nil {
		return "?"
	}
	return m.String()
}

// quote tells a quote of a symbol.
func (r *rig) quote(s market.Symbol, bid, ask string) {
	level := func(p string) tape.Level {
		return tape.Level{Price: market.MustPrice(p), Size: market.Shares(300), Known: true}
	}
	r.v.X.Apply(r.v.At, tape.Event{At: r.v.At, Symbol: s, Kind: tape.Quote, Bid: level(bid), Ask: level(ask)})
}

// print tells a trade of a symbol.
func (r *rig) print(s market.Symbol, p string) {
	r.v.X.Apply(r.v.At, tape.Event{At: r.v.At, Symbol: s, Kind: tape.Trade, Price: market.MustPrice(p), Size: market.Shares(10)})
}

// pass lets market time pass, as the server does.
func (r *rig) pass(d time.Duration) {
	r.v.At = r.v.At.Add(d)
	r.v.X.Advance(r.v.At)
	r.l.Tick(r.v.At)
}

// trade fills a market order and tells the ledger, as the blotter does.
func (r *rig) trade(account string, s market.Symbol, side order.Side, qty int64) {
	r.t.Helper()
	filled := false
	for _, rep := range slices.Clone(r.v.X.Place(r.v.At, exchange.Request{
		Account: account, Symbol: s, Side: side, Type: order.Market, TIF: order.Day, Qty: market.Shares(qty),
	})) {
		if _, ok := rep.(exchange.Commission); ok {
			filled = true
			r.l.Changed(account, s)
		}
	}
	if !filled {
		r.t.Fatal("nothing was filled")
	}
}

const login = "DU7654321"

func TestAccountUpdates(t *testing.T) {
	for _, v := range versions {
		r := newRig(t)
		r.quote("AAPL", "187.24", "187.26")
		e := r.join(1, v)
		e.send(wire.ReqAccountUpdates{Subscribe: true})
		first := e.heard()
		if _, ok := first[len(first)-1].(wire.AcctDownloadEnd); !ok {
			t.Fatalf("version %d: ends with %T", v, first[len(first)-1])
		}
		rows := map[[2]string]string{}
		for _, m := range first {
			if a, ok := m.(wire.AccountValue); ok {
				if _, twice := rows[[2]string{a.Key, a.Currency}]; twice {
					t.Errorf("%s %s is told twice", a.Key, a.Currency)
				}
				rows[[2]string{a.Key, a.Currency}] = a.Value
			}
		}
		for key, want := range map[[2]string]string{
			{"AccountCode", ""}: login, {"AccountReady", ""}: "true", {"NetLiquidation", "USD"}: "1000000.00",
			{"CashBalance", "USD"}: "1000000.00", {"CashBalance", "BASE"}: "1000000.00", {"TotalCashBalance", "BASE"}: "1000000.00",
			{"TotalCashValue", "USD"}: "1000000.00", {"TotalCashValue-S", "USD"}: "1000000.00", {"TotalCashValue-C", "USD"}: "0.00",
			{"NetLiquidationByCurrency", "USD"}: "1000000.00", {"ExchangeRate", "USD"}: "1.00", {"Currency", "BASE"}: "BASE",
			{"BuyingPower", "USD"}: "2000000.00", {"Cushion", ""}: "1.0000", {"RealizedPnL", "USD"}: "0.00",
		} {
			if rows[key] != want {
				t.Errorf("version %d: %v is %q, want %q", v, key, rows[key], want)
			}
		}
		r.trade(login, "AAPL", order.Buy, 100)
		r.trade(login, "AAPL", order.Sell, 100)
		var positions []string
		for _, n := range e.names() {
			if n == "portfolio AAPL 100" || n == "portfolio AAPL 0" {
				positions = append(positions, n)
			}
		}
		if diff := cmp.Diff([]string{"portfolio AAPL 100", "portfolio AAPL 0"}, positions); diff != "" {
			t.Errorf("version %d: %s", v, diff)
		}
	}
}

// What moves with the market alone is told every three minutes, and only what
// changed.
func TestAccountIsRefreshedEveryThreeMinutes(t *testing.T) {
	r := newRig(t)
	r.print("AAPL", "187")
	r.trade(login, "AAPL", order.Buy, 100)
	e := r.join(1, 200)
	e.send(wire.ReqAccountUpdates{Subscribe: true})
	e.heard()
	r.print("AAPL", "188")
	r.pass(179 * time.Second)
	if got := e.names(); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	r.pass(time.Second)
	list := e.heard()
	values := map[string]string{}
	for _, m := range list {
		if a, ok := m.(wire.AccountValue); ok && a.Currency != "BASE" {
			values[a.Key] = a.Value
		}
	}
	if values["NetLiquidation"] != "1000099.00" || values["UnrealizedPnL"] != "99.00" || values["CashBalance"] != "" {
		t.Errorf("told %v", values)
	}
	if _, ok := list[len(list)-1].(wire.AcctUpdateTime); !ok {
		t.Errorf("ends with %T", list[len(list)-1])
	}
	if p := list[len(list)-2].(wire.PortfolioValue); *p.MarketPrice != market.MustPrice("188") || *p.UnrealizedPNL != market.MustMoney("99") ||
		*p.AverageCost != market.MustPrice("187.01") {
		t.Errorf("portfolio %+v", p)
	}
	r.pass(3 * time.Minute)
	if got := e.names(); len(got) != 0 {
		t.Errorf("nothing changed, told %v", got)
	}
	e.send(wire.ReqAccountUpdates{})
	r.print("AAPL", "189")
	r.pass(3 * time.Minute)
	if got := e.names(); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
}

// Each code about accounts, and what brings it about.
func TestCodes(t *testing.T) {
	subscribe := func(account string) wire.ReqAccountUpdates {
		return wire.ReqAccountUpdates{Subscribe: true, Account: account}
	}
	many := make([]wire.Message, maxOthers+1)
	for i := range many {
		many[i] = wire.ReqPositionsMulti{ReqID: i + 1, Account: "DU2222222"}
	}
	for name, tt := range map[string]struct {
		ask  []wire.Message
		want string // the last answer
	}{
		"321 no account":         {[]wire.Message{subscribe("")}, "error -1 321"},
		"321 unknown account":    {[]wire.Message{subscribe("DU9")}, "error -1 321"},
		"321 an adviser's All":   {[]wire.Message{subscribe("All")}, "error -1 321"},
		"321 an adviser's login": {[]wire.Message{subscribe("F1234567A")}, "error -1 321"},
		"321 a group":            {[]wire.Message{wire.ReqAccountSummary{ReqID: 4, Group: "mine", Tags: "Cushion"}}, "error 4 321"},
		"321 many tags":          {[]wire.Message{wire.ReqAccountSummary{ReqID: 4, Group: "All", Tags: strings.Repeat("x,", 1000)}}, "error 4 321"},
		"321 a model":            {[]wire.Message{wire.ReqPositionsMulti{ReqID: 4, Account: "DU1111111", ModelCode: "m"}}, "error 4 321"},
		"321 values of a model":  {[]wire.Message{wire.ReqAccountUpdatesMulti{ReqID: 4, Account: "DU1111111", ModelCode: "m"}}, "error 4 321"},
		"321 positions of none":  {[]wire.Message{wire.ReqPositionsMulti{ReqID: 4, Account: "DU9"}}, "error 4 321"},
		"321 profit of none":     {[]wire.Message{wire.ReqPnL{ReqID: 4, Account: "DU9"}}, "error 4 321"},
		"200 profit of nothing":  {[]wire.Message{wire.ReqPnLSingle{ReqID: 4, Account: "DU1111111", ConID: 5}}, "error 4 200"},
		"322 a third summary": {[]wire.Message{
			wire.ReqAccountSummary{ReqID: 1, Group: "All", Tags: "Cushion"},
			wire.ReqAccountSummary{ReqID: 2, Group: "All", Tags: "Cushion"},
			wire.ReqAccountSummary{ReqID: 3, Group: "All", Tags: "Cushion"},
		}, "error 3 322"},
		"322 an id in use": {[]wire.Message{
			wire.ReqPnL{ReqID: 4, Account: "DU1111111"}, wire.ReqPnLSingle{ReqID: 4, Account: "DU1111111", ConID: 265598},
		}, "error 4 322"},
		"322 too many": {many, "error 101 322"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "DU1111111", "DU2222222")
			e := r.join(1, 200)
			for _, m := range tt.ask {
				e.send(m)
			}
			if got := e.names(); got[len(got)-1] != tt.want {
				t.Errorf("answered %v, want %s", got, tt.want)
			}
		})
	}
}

func TestOneAccountAtATime(t *testing.T) {
	r := newRig(t, "DU1111111", "DU2222222")
	one, two := r.join(1, 200), r.join(2, 200)
	one.send(wire.ReqAccountUpdates{Subscribe: true, Account: "DU1111111"})
	one.heard()
	two.send(wire.ReqAccountUpdates{Subscribe: true, Account: "DU2222222"})
	if diff := cmp.Diff([]string{"error -1 2101"}, two.names()); diff != "" {
		t.Error(diff)
	}
	one.send(wire.ReqAccountUpdates{Subscribe: true, Account: "DU2222222"})
	if got := one.names(); got[0] != "error -1 2100" {
		t.Errorf("replaced: %v", got[0])
	}
	two.send(wire.ReqAccountUpdates{Subscribe: true, Account: "DU2222222"})
	if got := two.names(); got[0] != "accountValue" {
		t.Errorf("the same account: %v", got[0])
	}
}

func TestSummaries(t *testing.T) {
	r := newRig(t, "DU1111111", "DU2222222")
	r.print("AAPL", "187")
	e := r.join(1, 200)
	e.send(wire.ReqAccountSummary{ReqID: 1, Group: "All", Tags: "NetLiquidation, Cushion,NoSuchTag"})
	want := []string{
		"DU1111111 NetLiquidation 1000000.00 USD", "DU1111111 Cushion 1.0000 ",
		"DU2222222 NetLiquidation 1000000.00 USD", "DU2222222 Cushion 1.0000 ", "accountSummaryEnd",
	}
	got := e.names()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for tags, want := range map[string][3]bool{ // rows in BASE, rows in USD, others
		"$LEDGER":                  {true, false, false},
		"$LEDGER:USD":              {false, true, false},
		"$LEDGER:ALL":              {true, true, false},
		"$LEDGER:EUR":              {false, false, false},
		"Cushion,$LEDGER":          {true, false, true},
		"$LEDGER:EUR,":             {false, false, false},
		"":                         {false, true, true},
		"AccountType,$LEDGER:USD ": {false, true, true},
	} {
		e.send(wire.ReqAccountSummary{ReqID: 2, Group: "All", Tags: tags})
		var has [3]bool
		for _, m := range e.heard() {
			row, ok := m.(wire.AccountSummary)
			switch {
			case !ok:
			case row.Currency == base:
				has[0] = true
			case row.Currency == currency:
				has[1] = true
			default:
				has[2] = true
			}
		}
		if has != want {
			t.Errorf("%s: %v, want %v", tags, has, want)
		}
		e.send(wire.CancelAccountSummary{ReqID: 2})
	}
	r.trade("DU2222222", "AAPL", order.Buy, 100)
	r.pass(3 * time.Minute)
	if diff := cmp.Diff([]string{"DU2222222 Cushion 0.9953 ", "DU2222222 NetLiquidation 999999.00 USD"}, sorted(e.names())); diff != "" {
		t.Error(diff)
	}
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestPositions(t *testing.T) {
	r := newRig(t, "DU1111111", "DU2222222")
	r.print("AAPL", "187")
	r.print("MSFT", "400")
	r.trade("DU1111111", "MSFT", order.Sell, 5)
	e := r.join(1, 200)
	e.send(wire.ReqPositions{})
	e.send(wire.ReqPositionsMulti{ReqID: 7, Account: "DU2222222"})
	if diff := cmp.Diff([]string{"position MSFT -5", "positionEnd", "positionMultiEnd"}, e.names()); diff != "" {
		t.Error(diff)
	}
	r.trade("DU2222222", "AAPL", order.Buy, 3)
	r.trade("DU1111111", "MSFT", order.Buy, 5)
	want := []string{"position AAPL 3", "positionMulti DU2222222 AAPL 3", "position MSFT 0"}
	if diff := cmp.Diff(want, e.names()); diff != "" {
		t.Error(diff)
	}
	e.send(wire.CancelPositions{})
	e.send(wire.CancelPositionsMulti{ReqID: 7})
	r.trade("DU2222222", "AAPL", order.Sell, 3)
	if got := e.names(); len(got) != 0 {
		t.Errorf("after the cancels: %v", got)
	}
}

func TestAccountUpdatesMulti(t *testing.T) {
	r := newRig(t)
	r.print("AAPL", "187")
	e := r.join(1, 200)
	e.send(wire.ReqAccountUpdatesMulti{ReqID: 1, Account: login})
	all := e.heard()
	e.send(wire.ReqAccountUpdatesMulti{ReqID: 2, Account: login, LedgerAndNLV: true})
	some := e.heard()
	if len(some) >= len(all) || all[len(all)-1] != wire.Message(wire.AccountUpdateMultiEnd{ReqID: 1}) {
		t.Errorf("%d of all, %d of the ledger", len(all), len(some))
	}
	r.trade(login, "AAPL", order.Buy, 3)
	if got := e.heard(); len(got) == 0 || got[0].(wire.AccountUpdateMulti).ReqID != 1 {
		t.Errorf("after a fill %d", len(got))
	}
	e.send(wire.CancelAccountUpdatesMulti{ReqID: 1})
	e.send(wire.CancelAccountUpdatesMulti{ReqID: 2})
	r.trade(login, "AAPL", order.Buy, 3)
	if got := e.heard(); len(got) != 0 {
		t.Errorf("after the cancels %d", len(got))
	}
}

func TestProfits(t *testing.T) {
	r := newRig(t)
	r.print("AAPL", "187")
	e := r.join(1, 200)
	e.send(wire.ReqPnL{ReqID: 1, Account: login})
	e.send(wire.ReqPnLSingle{ReqID: 2, Account: login, ConID: 265598})
	if diff := cmp.Diff([]string{"pnl 0 0 0", "single 0: 0 0 0 0"}, e.names()); diff != "" {
		t.Error(diff)
	}
	r.trade(login, "AAPL", order.Buy, 100)
	r.print("AAPL", "188")
	r.pass(999 * time.Millisecond)
	if got := e.names(); len(got) != 0 {
		t.Errorf("within a second: %v", got)
	}
	r.pass(time.Millisecond)
	if diff := cmp.Diff([]string{"pnl 99 99 0", "single 100: 99 99 0 18800"}, e.names()); diff != "" {
		t.Error(diff)
	}
	r.pass(time.Second)
	if got := e.names(); len(got) != 0 {
		t.Errorf("nothing changed: %v", got)
	}
	r.trade(login, "AAPL", order.Sell, 100)
	r.pass(time.Second)
	if diff := cmp.Diff([]string{"pnl 98 0 98", "single 0: 98 0 98 0"}, e.names()); diff != "" {
		t.Error(diff)
	}
	e.send(wire.CancelPnL{ReqID: 1})
	e.send(wire.CancelPnLSingle{ReqID: 2})
	r.trade(login, "AAPL", order.Buy, 100)
	r.pass(time.Second)
	if got := e.names(); len(got) != 0 {
		t.Errorf("after the cancels: %v", got)
	}
}

// An unknown price is not told as 0.
func TestUnknownProfitIsNotZero(t *testing.T) {
	r := newRig(t)
	r.quote("AAPL", "187", "187")
	r.trade(login, "AAPL", order.Buy, 1)
	r.v.X.Apply(r.v.At, tape.Event{At: r.v.At, Symbol: "AAPL", Kind: tape.Quote})
	e := r.join(1, 200)
	e.send(wire.ReqPnL{ReqID: 1, Account: login})
	if diff := cmp.Diff([]string{"pnl ? ? 0"}, e.names()); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyIsWoken(t *testing.T) {
	r := newRig(t)
	e := r.join(1, 200)
	e.send(wire.ReqPnL{ReqID: 1, Account: login})
	r.l.Leave(e)
	r.pass(time.Minute)
	if !r.l.due.IsZero() {
		t.Errorf("the next look is at %v", r.l.due)
	}
	if n := testing.AllocsPerRun(100, func() { r.l.Tick(r.v.At) }); n != 0 {
		t.Errorf("%v allocations when there is nothing to do", n)
	}
}
