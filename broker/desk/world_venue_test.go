package desk

import (
	"slices"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

const (
	worldSymbol  = market.Symbol("AAPL")
	worldAccount = "DU1"
	worldClient  = 1
)

// worldSymbols are what is traded.
var worldSymbols = []market.Symbol{worldSymbol}

// The lanes in which callbacks travel: within one they keep their order, and
// one lane may overtake another.
const (
	laneOrder = iota
	laneExec
	laneCost
	lanePosition
	numLanes
)

// worldVenue is a gateway and the broker behind it.
type worldVenue struct {
	w     *world
	x     *exchange.Exchange
	cents int64 // the market's price
	still bool  // nobody trades any more, and the quote stays
	told  [numLanes][]callback
	out   []frame          // in the socket, not taken by the gateway yet
	stuck []broker.Ticket  // taken, and held behind a dialog
	perms map[int64]int64  // by our order number
	last  map[int64]report // of our orders, by permanent id
	order []int64          // keys of last, in the order of their coming
	up    bool             // the gateway reaches the broker
	hand  int64            // number of the newest order by hand
	fixed map[string]bool  // permanent parts of execution ids that were corrected

	elsewhere []happened           // by hand, and corrections
	overtaken map[string]time.Time // stops whose held change went through after an exit of their group, by reference
	prices    []priced
}

// priced is a price that the market had.
type priced struct {
	at    time.Time
	cents int64
}

// callback is one under way.
type callback struct {
	at time.Time // wall time
	e  broker.Event
}

// frame is a message under way to the gateway: an order, or a cancel.
type frame struct {
	place  *broker.Ticket
	cancel int64
}

// report is the newest that the exchange said of an order.
type report struct {
	exchange.Order
	why string
}

func newVenue(t *testing.T, w *world) *worldVenue {
	t.Helper()
	x, err := exchange.New(exchange.Config{
		Accounts: []string{worldAccount}, Cash: market.MustMoney("1000000"), PartialFills: true, Margin: exchange.DefaultMargin(),
	})
	if err != nil {
		t.Fatal(err)
	}
	hours := market.Hours{{Open: day.Add(-time.Hour), Close: day.Add(5 * time.Hour)}}
	liquid := hours
	if w.chance(150) { // the regular session ends, and another begins
		shut := day.Add(time.Duration(w.dice.IntN(5000)) * time.Millisecond)
		liquid = market.Hours{{Open: hours[0].Open, Close: shut}, {Open: shut.Add(3 * time.Second), Close: hours[0].Close}}
	}
	w.liquid = liquid
	if err := x.List(exchange.StockDetails(worldSymbol, hours, liquid)); err != nil {
		t.Fatal(err)
	}
	v := &worldVenue{w: w, x: x, cents: 10_000, perms: map[int64]int64{}, last: map[int64]report{}, up: true, fixed: map[string]bool{}, overtaken: map[string]time.Time{}}
	v.tick()
	return v
}

// tick moves the market, which fills what it fills, and shows it to the desk.
func (v *worldVenue) tick() {
	w, now := v.w, v.w.market()
	if !v.still {
		v.cents += int64(w.dice.IntN(13) - 6)
		if w.fault(15) { // a gap, through a stop as often as not
			v.cents += int64(w.dice.IntN(1401) - 700)
		}
		v.cents = min(max(v.cents, 6_000), 14_000)
	}
	v.prices = append(v.prices, priced{time.Now(), v.cents})
	size := func() market.Qty { return market.Shares(int64(1 + w.dice.IntN(60))) }
	bid, ask, last := centsPrice(v.cents-1), centsPrice(v.cents+1), centsPrice(v.cents)
	bidSize, askSize, lastSize := size(), size(), size()
	quote := tape.Event{
		At: now, Symbol: worldSymbol, Kind: tape.Quote,
		Bid: tape.Level{Price: bid, Size: bidSize, Known: true}, Ask: tape.Level{Price: ask, Size: askSize, Known: true},
	}
	trade := tape.Event{At: now, Symbol: worldSymbol, Kind: tape.Trade, Price: last, Size: lastSize}
	if !v.still {
		v.reported(v.x.Apply(now, quote))
		v.reported(v.x.Apply(now, trade))
	}
	if w.session == nil || !w.session.subscribed || w.session.cut || !v.up {
		return
	}
	w.session.frames += 3
	w.desk.takeTicks(&w.ticks, broker.Batch{TickFrames: w.session.frames, Ticks: []market.Tick{
		{Symbol: worldSymbol, Kind: market.TickBid, Known: true, Price: bid, Size: bidSize, At: now},
		{Symbol: worldSymbol, Kind: market.TickAsk, Known: true, Price: ask, Size: askSize, At: now},
		{Symbol: worldSymbol, Kind: market.TickTrade, Known: true, Price: last, Size: lastSize, At: now},
	}})
}

// tell sends a callback, if anybody listens.
func (v *worldVenue) tell(lane int, e broker.Event) {
	if s := v.w.session; s != nil && !s.cut && v.up {
		v.told[lane] = append(v.told[lane], callback{time.Now(), e})
	}
}

// reported tells what the exchange did.
func (v *worldVenue) reported(list []exchange.Report) {
	for _, r := range list {
		if fix, ok := r.(exchange.Corrected); ok {
			v.w.say("venue corrects %s to %v at %v", fix.Fill.ExecID, fix.Fill.Qty, fix.Fill.Price)
			v.tell(laneExec, broker.ExecutionReport{Fill: bare(fix.Fill)})
			v.tell(laneCost, broker.CommissionReport{ExecID: fix.Fill.ExecID, Commission: *fix.Fill.Commission, Currency: "USD"})
			v.holds()
			continue
		}
		o := r.About()
		if o.ClientID != worldClient {
			if _, ok := r.(exchange.Executed); ok {
				v.holds()
			}
			continue
		}
		if _, known := v.last[o.PermID]; !known {
			v.order = append(v.order, o.PermID)
			v.perms[o.OrderID] = o.PermID
		}
		v.last[o.PermID] = report{Order: o}
		v.describe(r, o)
	}
}

// describe tells of one of our orders.
func (v *worldVenue) describe(r exchange.Report, o exchange.Order) {
	v.w.say("venue %T %s %d %v/%v", r, o.Ref, o.OrderID, o.Filled, o.Qty)
	switch r := r.(type) {
	case exchange.Executed:
		v.tell(laneExec, broker.ExecutionReport{Fill: r.Fill})
		v.tell(laneOrder, statusOf(o))
		v.holds()
	case exchange.Commission:
		v.tell(laneCost, broker.CommissionReport{ExecID: r.ExecID, Commission: r.Amount, Currency: r.Currency})
	case exchange.Rejected:
		v.last[o.PermID] = report{o, r.Text}
		v.tell(laneOrder, broker.Notice{Kind: broker.NoticeReject, Code: 201, Text: r.Text, OrderID: o.OrderID})
	case exchange.Unmodified:
		v.refuse(o.OrderID, 201, r.Text)
	case exchange.Cancelled:
		v.tell(laneOrder, statusOf(o))
		v.tell(laneOrder, broker.Notice{Kind: broker.NoticeCancelled, Code: 202, Text: "Order Canceled", OrderID: o.OrderID})
	default:
		v.tell(laneOrder, openOrder(o))
		v.tell(laneOrder, statusOf(o))
	}
}

// holds tells the position, as an account's stream does.
func (v *worldVenue) holds() {
	if p, ok := v.x.Position(worldAccount, worldSymbol); ok {
		v.tell(lanePosition, broker.PositionReport{Position: positionOf(p)})
	}
}

func positionOf(p exchange.Position) order.Position {
	return order.Position{Account: p.Account, Symbol: p.Contract.Symbol, ConID: p.Contract.ConID, Qty: p.Qty, AvgCost: p.AvgFullCost}
}

// bare is an execution as it is told: its cost comes with another message, and
// one that was given by hand has no number here.
func bare(f order.Fill) order.Fill {
	f.Commission, f.RealizedPNL, f.OrderID = nil, nil, max(f.OrderID, 0)
	return f
}

// signalOf is the status of an order, in the venue's word and in ours.
func signalOf(o exchange.Order) (string, order.Signal) {
	switch s := o.State; {
	case s == order.Filled:
		return "Filled", order.FilledUp
	case s == order.Cancelled:
		return "Cancelled", order.CancelDone
	case s == order.Rejected:
		return "Inactive", order.Refused
	case s == order.Working || s == order.Partial:
		return "Submitted", order.WorkingNow
	}
	return "PreSubmitted", order.Acked
}

func statusOf(o exchange.Order) broker.StatusReport {
	word, sig := signalOf(o)
	return broker.StatusReport{
		OrderID: o.OrderID, PermID: o.PermID, ClientID: o.ClientID, Status: word, Signal: sig, Known: true,
		Filled: o.Filled, Remaining: o.Remaining(),
	}
}

func openOrder(o exchange.Order) broker.OrderReport {
	word, sig := signalOf(o)
	return broker.OrderReport{Status: word, Signal: sig, Known: true, Order: order.Order{
		Ref: o.Ref, OrderID: o.OrderID, PermID: o.PermID, ClientID: o.ClientID, Account: o.Account, Symbol: o.Symbol,
		Side: o.Side, Type: o.Type, TIF: o.TIF, Qty: o.Qty, Limit: o.Limit, StopPrice: o.Stop, OCA: o.OCAGroup,
	}}
}

// take has the gateway take the next message from the socket.
func (v *worldVenue) take() {
	if len(v.out) == 0 || !v.up {
		return
	}
	m := v.out[0]
	v.out = v.out[1:]
	switch {
	case m.place == nil:
		v.cancel(m.cancel)
	case v.w.fault(15):
		v.w.say("gateway holds %s behind a dialog", m.place.Intent.ID)
		v.stuck = append(v.stuck, *m.place)
	default:
		v.place(*m.place)
	}
}

// takeAll takes all, also what a dialog held.
func (v *worldVenue) takeAll() {
	for len(v.out) > 0 && v.up {
		v.take()
	}
	for len(v.stuck) > 0 {
		v.letGo()
	}
}

// letGo gives on what a dialog held longest. A change is as large as it was
// written: an exit that was written after it, and filled, is not taken off it.
func (v *worldVenue) letGo() {
	t := v.stuck[0]
	if late := v.behind(v.pending(), t); late {
		v.overtaken[v.last[v.perms[t.OrderID]].Ref] = time.Now()
	}
	v.stuck = v.stuck[1:]
	v.place(t)
}

// place gives an order to the exchange, or the change of one that has the
// number already.
func (v *worldVenue) place(t broker.Ticket) {
	in := t.Intent
	r := exchange.Request{
		ClientID: worldClient, OrderID: t.OrderID, Ref: t.Ref(), Account: t.Account, Symbol: in.Symbol, Side: in.Side,
		Type: in.Type, TIF: in.TIF, Qty: in.Qty, Limit: in.Limit, Terms: exchange.Terms{Stop: in.Stop, OutsideRTH: in.OutsideRTH},
	}
	if in.OCA != "" {
		r.OCAGroup, r.OCAType = in.OCA, exchange.ReduceBlock
	}
	if perm, known := v.perms[t.OrderID]; known {
		r.Ref = v.last[perm].Ref // a change keeps the reference
		list, err := v.x.Modify(v.w.market(), perm, r)
		v.reported(list)
		if err != nil {
			v.refuse(t.OrderID, 104, "Cannot modify a filled order.")
		}
		return
	}
	if in.OCA != "" && v.spent(in.OCA) {
		v.refuse(t.OrderID, 201, "Order rejected - reason:OCA group "+in.OCA+" has filled already")
		return
	}
	v.reported(v.x.Place(v.w.market(), r))
}

// refuse tells that the gateway does not pass a message on.
func (v *worldVenue) refuse(id int64, code int, text string) {
	v.w.say("gateway refuses %d: %s", id, text)
	kind := broker.NoticeReject
	if code != 201 {
		kind = broker.NoticeInfo
	}
	v.tell(laneOrder, broker.Notice{Kind: kind, Code: code, Text: text, OrderID: id})
}

// spent reports whether an order of a group has filled: nobody joins it then.
func (v *worldVenue) spent(group string) bool {
	for _, o := range v.last {
		if o.OCAGroup == group && o.Filled.Sign() > 0 {
			return true
		}
	}
	return false
}

// holding reports whether the broker has an order, or will: in the socket, or
// behind a dialog.
func (v *worldVenue) holding(ref string) bool {
	for _, o := range v.last {
		if o.Ref == ref {
			return true
		}
	}
	return slices.ContainsFunc(v.out, func(f frame) bool { return f.place != nil && f.place.Intent.ID == ref }) ||
		slices.ContainsFunc(v.stuck, func(t broker.Ticket) bool { return t.Intent.ID == ref })
}

func (v *worldVenue) cancel(id int64) {
	if perm, ok := v.perms[id]; ok {
		if list, err := v.x.Cancel(v.w.market(), perm); err == nil {
			v.reported(list)
			return
		}
	}
	v.tell(laneOrder, broker.Notice{Kind: broker.NoticeNoCancel, Code: 10147, Text: "OrderId that needs to be cancelled is not found", OrderID: id})
}

// deliver hands some callbacks of one lane to the desk.
func (v *worldVenue) deliver() {
	if v.w.busy() || v.w.held == nil || v.w.session.cut {
		return
	}
	lane := v.w.dice.IntN(numLanes)
	n := min(1+v.w.dice.IntN(3), len(v.told[lane]))
	v.hand1(lane, n)
}

// hand1 hands the first n callbacks of a lane over. A status may get lost, and
// an execution may come twice.
func (v *worldVenue) hand1(lane, n int) {
	var events []broker.Event
	for _, t := range v.told[lane][:n] {
		switch t.e.(type) {
		case broker.StatusReport:
			if v.w.fault(80) {
				v.w.say("lost a status")
				continue
			}
		case broker.ExecutionReport, broker.CommissionReport, broker.OrderReport:
			if v.w.fault(80) {
				events = append(events, t.e)
			}
		}
		events = append(events, t.e)
	}
	v.told[lane] = v.told[lane][n:]
	if len(events) > 0 {
		v.w.desk.folded(batch{from: v.w.held, events: events})
	}
}

// overdue delivers what is under way for longer than a second, and lets a held
// order go now and then.
func (v *worldVenue) overdue() {
	if len(v.stuck) > 0 && v.w.chance(20) {
		v.w.say("gateway lets %s go", v.stuck[0].Intent.ID)
		v.letGo()
	}
	if v.w.busy() || v.w.held == nil || v.w.session.cut {
		return
	}
	for lane := range v.told {
		for len(v.told[lane]) > 0 && time.Since(v.told[lane][0].at) > time.Second {
			v.hand1(lane, 1)
		}
	}
}

func (v *worldVenue) deliverAll() {
	for lane := range v.told {
		for v.w.held != nil && len(v.told[lane]) > 0 {
			v.hand1(lane, 1)
		}
	}
}

// open lets a session in. Its next order number may be one that was used.
func (v *worldVenue) open() *worldSession {
	next := int64(1)
	for id := range v.w.ids {
		next = max(next, id+1)
	}
	if v.w.chance(100) {
		next = 1 + v.w.dice.Int64N(next) // the gateway forgot its sequence
	}
	return &worldSession{fakeSession: newSession(&trace{}), w: v.w, facts: broker.Facts{
		Account: worldAccount, Accounts: []string{worldAccount}, ClientID: worldClient, NextOrderID: next, Speed: 1, Opened: time.Now(),
	}}
}

// cut breaks the connection: of what was written some prefix arrives, and what
// was told and not read is lost.
func (v *worldVenue) cut(why string) {
	if v.w.session == nil || v.w.session.cut {
		return
	}
	v.w.say("cut: %s", why)
	v.hangUp()
	v.w.session.cut = true
}

// hangUp ends the connection of a session that the trader has left.
func (v *worldVenue) hangUp() {
	for n := v.w.dice.IntN(len(v.out) + 1); n > 0 && len(v.out) > 0; n-- {
		if v.up {
			v.take()
		} else if m := v.out[0]; m.place != nil {
			v.stuck, v.out = append(v.stuck, *m.place), v.out[1:]
		}
	}
	v.out = nil
	clear(v.told[:])
}

// restart restarts the gateway: what it held and had not given to the broker
// is gone.
func (v *worldVenue) restart() {
	v.cut("the gateway restarts")
	v.stuck, v.up = nil, true
}

// outage has the gateway lose the broker, or find it again.
func (v *worldVenue) outage() {
	if v.up {
		v.tell(laneOrder, broker.Notice{Kind: broker.NoticeLinkDown, Code: 1100, Text: "Connectivity between IBKR and Trader Workstation has been lost."})
		v.up = false
		return
	}
	v.up = true
	if v.w.chance(500) {
		v.tell(laneOrder, broker.Notice{Kind: broker.NoticeLinkUp, Code: 1102, Text: "Connectivity has been restored - data maintained."})
		return
	}
	if v.w.session != nil {
		v.w.session.subscribed = false
	}
	v.tell(laneOrder, broker.Notice{Kind: broker.NoticeDataLost, Code: 1101, Text: "Connectivity has been restored - data lost."})
}
