package acceptance

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// account is the account of every scenario that names no other.
const account = "DU7654321"

// rules say what the peer answers by itself. The peer's mutex guards them.
type rules struct {
	sets    map[string]bool
	answers map[string][]rule
	many    bool // more than one session is meant: another program's, too
	client  *int // the program's client id
	nextID  int64
	permID  int64
}

// rule is an answer that a script gives to one kind of request.
type rule struct {
	when []condition // of the request
	with []*outgoing // none: silence
	once bool
}

func (r *rules) init() {
	r.sets, r.answers = map[string]bool{}, map[string][]rule{}
	r.nextID, r.permID = 1001, 1518189976
}

// clientID remembers the first client id; ok is false for another one.
func (r *rules) clientID(id int) (first int, ok bool) {
	if r.client == nil {
		r.client = &id
	}
	return *r.client, *r.client == id
}

// sets are what serve can switch on: by set, the requests and their answers.
// "all" is every one but the extra ones.
// They are built from the protocol sheet, sections 4.1 to 4.7.
var sets = map[string]map[string]func(*peer, *conn, wire.Message) []wire.Message{
	"clock": {
		"reqCurrentTime": func(p *peer, _ *conn, _ wire.Message) []wire.Message {
			return []wire.Message{wire.CurrentTime{Epoch: p.now().Unix()}}
		},
		"reqCurrentTimeInMillis": func(p *peer, _ *conn, _ wire.Message) []wire.Message {
			return []wire.Message{wire.TimeInMillis{Epoch: p.now().UnixMilli()}}
		},
	},
	"account": {
		"reqAccountSummary":    summary,
		"cancelAccountSummary": nothing,
		"reqAccountUpdates":    updates,
	},
	"orders": {
		"reqOpenOrders": func(*peer, *conn, wire.Message) []wire.Message { return []wire.Message{wire.OpenOrderEnd{}} },
		"reqAllOpenOrders": func(*peer, *conn, wire.Message) []wire.Message {
			return []wire.Message{wire.OpenOrderEnd{}}
		},
		"reqPositions":    func(*peer, *conn, wire.Message) []wire.Message { return []wire.Message{wire.PositionEnd{}} },
		"cancelPositions": nothing,
		"reqExecutions": func(_ *peer, _ *conn, m wire.Message) []wire.Message {
			return []wire.Message{wire.ExecDetailsEnd{ReqID: m.(wire.ReqExecutions).ReqID}}
		},
		"reqCompletedOrders": func(*peer, *conn, wire.Message) []wire.Message { return []wire.Message{wire.CompletedOrdersEnd{}} },
	},
	"contract": {"reqContractDetails": contract},
	"market": {
		"reqMktData":        quotes,
		"cancelMktData":     unquote,
		"reqMarketDataType": nothing,
	},
	"history": {
		"reqHistoricalData":    bars,
		"cancelHistoricalData": nothing,
	},
	"trading": {
		"placeOrder":  placed,
		"cancelOrder": cancelled,
	},
	"handshake": {"startApi": ids}, // and the version, which conn sends
	"untraded":  {},                // quotes come without a last trade
	"ticking":   {},                // the peer's tick goroutine
}

// extra are the sets that "all" does not switch on.
var extra = []string{"handshake", "ticking", "trading", "untraded"}

func setNames() []string { return slices.Sorted(maps.Keys(sets)) }

// serve switches sets on or off.
func (p *peer) serve(names []string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range names {
		if n != "all" {
			p.rules.sets[n] = on
			continue
		}
		for _, s := range setNames() {
			if !on || !slices.Contains(extra, s) {
				p.rules.sets[s] = on
			}
		}
	}
}

// answer returns what the peer sends for a request by itself; served is false
// when the script has to deal with it.
func (p *peer) answer(k *conn, name string, m wire.Message) (list []wire.Message, served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.rules.answers[name] {
		if !fits(r.when, m) {
			continue
		}
		if r.once {
			p.rules.answers[name] = slices.Delete(slices.Clone(p.rules.answers[name]), i, i+1)
		}
		for _, o := range r.with {
			a, err := o.message(func(text string) (string, error) { return fillFrom(text, m) })
			if err != nil {
				p.blameLocked("the script's answer to %s: %v", name, err)
				continue
			}
			list = append(list, a)
		}
		return list, true
	}
	for set, on := range p.rules.sets {
		if reply, ok := sets[set][name]; on && ok {
			return reply(p, k, m), true
		}
	}
	return nil, false
}

func fits(when []condition, m any) bool {
	for _, c := range when {
		got, err := inMessage(m, c.path)
		if err != nil || !c.holds(&scene{}, got) {
			return false
		}
	}
	return true
}

// fillFrom replaces {Field} by a field of the request.
func fillFrom(text string, m any) (string, error) {
	for {
		i := strings.IndexByte(text, '{')
		j := strings.IndexByte(text, '}')
		if i < 0 || j < i {
			return text, nil
		}
		v, err := inMessage(m, text[i+1:j])
		if err != nil {
			return "", err
		}
		text = text[:i] + v + text[j+1:]
	}
}

func ids(p *peer, _ *conn, _ wire.Message) []wire.Message {
	return []wire.Message{wire.ManagedAccts{List: account}, wire.NextValidID{OrderID: p.rules.nextID}}
}

func nothing(*peer, *conn, wire.Message) []wire.Message { return nil }

func summary(_ *peer, _ *conn, m wire.Message) []wire.Message {
	q := m.(wire.ReqAccountSummary)
	var list []wire.Message
	for _, tag := range []string{"NetLiquidation", "TotalCashValue", "BuyingPower"} {
		if strings.Contains(q.Tags, tag) {
			list = append(list, wire.AccountSummary{ReqID: q.ReqID, Account: account, Tag: tag, Value: "100000.00", Currency: "USD"})
		}
	}
	return append(list, wire.AccountSummaryEnd{ReqID: q.ReqID})
}

func updates(_ *peer, _ *conn, m wire.Message) []wire.Message {
	if !m.(wire.ReqAccountUpdates).Subscribe {
		return nil
	}
	return []wire.Message{
		wire.AccountValue{Key: "NetLiquidation", Value: "100000.00", Currency: "USD", Account: account},
		wire.AcctUpdateTime{Clock: "10:00"},
		wire.AcctDownloadEnd{Account: account},
	}
}

// conID is a symbol's contract id: AAPL's own, else one that its name decides.
func conID(symbol string) int64 {
	if symbol == "AAPL" {
		return 265598
	}
	h := fnv.New32a()
	h.Write([]byte(symbol))
	return int64(h.Sum32()>>2) + 1
}

func stock(symbol string) wire.Contract {
	return wire.Contract{
		ConID: conID(symbol), Symbol: symbol, SecType: "STK", Exchange: "SMART", PrimaryExchange: "NASDAQ",
		Currency: "USD", LocalSymbol: symbol, TradingClass: "NMS",
	}
}

func contract(p *peer, _ *conn, m wire.Message) []wire.Message {
	q := m.(wire.ReqContractDetails)
	tick, step := market.MustPrice("0.01"), market.Shares(1)
	return []wire.Message{
		wire.ContractData{
			ReqID: q.ReqID, Contract: stock(q.Contract.Symbol), MarketName: "NMS", MinTick: &tick, LongName: q.Contract.Symbol + " INC",
			OrderTypes: "LMT,MKT", ValidExchanges: "SMART,NASDAQ", PriceMagnifier: 1, TimeZoneID: "US/Eastern",
			TradingHours: hours(p.now(), "0400", "2000"), LiquidHours: hours(p.now(), "0930", "1600"),
			StockType: "COMMON", MinSize: &step, SizeIncrement: &step, SuggestedSizeIncrement: &step,
		},
		wire.ContractDataEnd{ReqID: q.ReqID},
	}
}

// hours words the days around an instant as a gateway does.
func hours(at time.Time, open, end string) string {
	var list []string
	for d := range 6 {
		day := at.AddDate(0, 0, d-1)
		text := day.Format("20060102")
		if w := day.Weekday(); w == time.Saturday || w == time.Sunday {
			list = append(list, text+":CLOSED")
			continue
		}
		list = append(list, fmt.Sprintf("%s:%s-%s:%s", text, open, text, end))
	}
	return strings.Join(list, ";")
}

// quotes answers a subscription with a whole quote, and remembers the line for
// the ticking.
func quotes(p *peer, k *conn, m wire.Message) []wire.Message {
	q := m.(wire.ReqMktData)
	k.lines[q.ReqID] = q.Contract.Symbol
	tick := market.MustPrice("0.01")
	list := []wire.Message{
		wire.TickReqParams{ReqID: q.ReqID, MinTick: &tick, BBOExchange: "9c0001", SnapshotPermissions: 3},
		wire.MarketDataType{ReqID: q.ReqID, Kind: wire.MarketDataLive},
	}
	return append(list, quote(p, q.ReqID)...)
}

func quote(p *peer, id int) []wire.Message {
	price := func(kind wire.TickType, text string) wire.Message {
		return wire.TickPrice{ReqID: id, Type: kind, Price: market.MustPrice(text), Size: market.Shares(100)}
	}
	list := []wire.Message{price(wire.TickBid, "187.24"), price(wire.TickAsk, "187.26")}
	if p.rules.sets["untraded"] {
		return list
	}
	stamp := fmt.Sprint(p.now().Unix())
	return append(list, wire.TickString{ReqID: id, Type: wire.TickLastTime, Text: []byte(stamp)}, price(wire.TickLast, "187.25"))
}

func unquote(_ *peer, k *conn, m wire.Message) []wire.Message {
	delete(k.lines, m.(wire.CancelMktData).ReqID)
	return nil
}

// tickEvery is how often a line that ticks gets a bid.
const tickEvery = 200 * time.Millisecond

// tick sends ticks to all lines while the set "ticking" is on.
func (p *peer) tick() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for n := int64(0); ; n++ {
		select {
		case <-t.C:
		case <-p.quit:
			return
		}
		p.mu.Lock()
		var due []*conn
		var lines [][]int
		for _, k := range p.conns {
			if p.rules.sets["ticking"] && k.over == live && !k.ours && len(k.lines) > 0 {
				due, lines = append(due, k), append(lines, slices.Sorted(maps.Keys(k.lines)))
			}
		}
		p.mu.Unlock()
		for i, k := range due {
			for _, id := range lines[i] {
				_ = k.send(wire.TickPrice{ReqID: id, Type: wire.TickBid, Price: market.MustPrice("187.24"), Size: market.Shares(100 + n%7)}) // it may end under us
			}
		}
	}
}

// bars answers a question for history with half an hour of one-minute bars up
// to now.
func bars(p *peer, k *conn, m wire.Message) []wire.Message {
	q := m.(wire.ReqHistoricalData)
	volume := market.Shares(100)
	end := p.now().Truncate(time.Minute)
	var list []wire.Bar
	for i := 30; i > 0; i-- {
		at := end.Add(-time.Duration(i) * time.Minute)
		price := market.MustPrice("187.25")
		list = append(list, wire.Bar{
			Date: fmt.Sprint(at.Unix()), Open: price, High: price, Low: price, Close: price, Volume: &volume, WAP: &price, Trades: 10,
		})
	}
	answer := []wire.Message{wire.HistoricalData{ReqID: q.ReqID, Bars: list}}
	if k.version >= 196 { // sheet, section 4.3
		answer = append(answer, wire.HistoricalDataEnd{ReqID: q.ReqID})
	}
	return answer
}

// placed acknowledges an order, which then works and does not fill.
func placed(p *peer, _ *conn, m wire.Message) []wire.Message {
	o := m.(wire.PlaceOrder)
	p.rules.permID++
	zero := market.Shares(0)
	return []wire.Message{
		wire.OpenOrder{
			OrderID: o.OrderID, Contract: stock(o.Contract.Symbol), Action: o.Action, TotalQuantity: o.TotalQuantity, OrderType: o.OrderType,
			LmtPrice: o.LmtPrice, TIF: o.TIF, Account: o.Account, OrderRef: o.OrderRef, PermID: p.rules.permID, ClientID: p.id(),
			Status: "Submitted",
		},
		wire.OrderStatus{
			OrderID: o.OrderID, Status: "Submitted", Filled: &zero, Remaining: o.TotalQuantity, PermID: p.rules.permID, ClientID: p.id(),
		},
	}
}

func cancelled(p *peer, _ *conn, m wire.Message) []wire.Message {
	o := m.(wire.CancelOrder)
	zero := market.Shares(0)
	return []wire.Message{
		wire.OrderStatus{OrderID: o.OrderID, Status: "Cancelled", Filled: &zero, Remaining: &zero, ClientID: p.id()},
		wire.ErrMsg{RequestID: o.OrderID, Code: 202, Text: "Order Canceled - reason:"},
	}
}

// id is the program's client id.
func (p *peer) id() int {
	if p.rules.client == nil {
		return 0
	}
	return *p.rules.client
}
