package feed

import (
	"reflect"
	"slices"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// What the bus tells changes the snapshot and becomes a delta, always. What an
// answer tells becomes one only when it changes the snapshot, and not at all
// when a message told of it since the question.

func (f *Feed) onLink(m event.Message[broker.Link]) {
	f.owners[linkOwner].note("link", "")
	f.snap.Link = &m.Data
	f.tell("link", m.Data)
}

func (f *Feed) setLink(l broker.Link) {
	if f.owners[linkOwner].newer("link", "") || f.snap.Link != nil && reflect.DeepEqual(*f.snap.Link, l) {
		return
	}
	f.snap.Link = &l
	f.tell("link", l)
}

func (f *Feed) onTicks(m event.Message[event.Ticks]) {
	sym := m.Data.Symbol
	if len(m.Data.Ticks) == 0 || !room(f.snap.Quotes, sym) {
		return
	}
	for _, t := range m.Data.Ticks {
		f.snap.tick(sym, t, m.At)
	}
	f.quoteChanged(sym)
}

func (f *Feed) onOrder(m event.Message[order.Order]) {
	f.owners[deskOwner].note("order", orderID(&m.Data))
	f.words.Order(&m.Data)
	f.snap.putOrder(m.Data)
	f.tell("order", m.Data)
}

func (f *Feed) onFill(m event.Message[order.Fill]) {
	f.owners[deskOwner].note("fill", fillID(&m.Data))
	f.words.Fill(&m.Data)
	if f.snap.putFill(m.Data) { // an older version of an execution is no news
		f.tellFill(&m.Data)
	}
}

// tellFill tells an execution. One that replaces an older version is told with
// all of them, so that a page need not know how versions are written.
func (f *Feed) tellFill(x *order.Fill) {
	if x.Replaces != "" {
		f.tell("fills", f.snap.Fills)
		return
	}
	f.tell("fill", x)
}

func (f *Feed) onPosition(m event.Message[order.Position]) {
	f.owners[deskOwner].note("position", positionID(&m.Data))
	f.snap.putPosition(m.Data)
	f.tell("position", m.Data)
}

func (f *Feed) onAccount(m event.Message[event.AccountValues]) {
	for i := range m.Data.Values {
		f.owners[deskOwner].note("value", valueID(&m.Data.Values[i]))
	}
	f.snap.putValues(m.Data.Account, m.Data.Values)
	f.tell("account", f.snap.Account)
}

func (f *Feed) onMode(m event.Message[event.ModeChange]) {
	f.owners[deskOwner].note("mode", "")
	f.snap.Mode = &m.Data
	f.tell("mode", m.Data)
}

func (f *Feed) onDecision(m event.Message[event.Decided]) {
	f.snap.Risk.decided(m.Data.Decision, m.At)
	if !m.Data.Decision.Allowed {
		f.snap.Risk.Last, f.snap.Risk.LastAt = &m.Data, &m.At
	}
	f.tell("risk", f.snap.Risk)
}

func (f *Feed) onData(m event.Message[event.DataState]) {
	f.owners[deskOwner].note("data", string(m.Data.Symbol))
	if room(f.snap.Data, m.Data.Symbol) {
		f.snap.Data[m.Data.Symbol] = m.Data
		f.tell("data", m.Data)
	}
}

func (f *Feed) onHealth(m event.Message[event.HealthState]) {
	f.owners[deskOwner].note("health", "")
	m.Data.Data = m.Data.Data[:min(len(m.Data.Data), maxSymbols)]
	f.snap.Health = &m.Data
	f.tell("health", m.Data)
}

// setHealth takes over the desk's word. One that has none yet says nothing.
func (f *Feed) setHealth(own *owner, h event.HealthState) {
	h.Data = h.Data[:min(len(h.Data), maxSymbols)]
	silent := h.Session == nil && h.Data == nil && h.Account == broker.Part{}
	if silent || own.newer("health", "") || f.snap.Health != nil && reflect.DeepEqual(*f.snap.Health, h) {
		return
	}
	f.snap.Health = &h
	f.tell("health", h)
}

func (f *Feed) onBar(m event.Message[event.BarUpdate]) {
	f.owners[runOwner].note("bar", barID(m.Data.Symbol, &m.Data.Bar))
	if room(f.snap.Bars, m.Data.Symbol) {
		f.snap.putBar(m.Data.Symbol, m.Data.Bar)
		f.snap.BarWidth = m.Data.Width
		f.tell("bar", m.Data)
	}
}

// onStrategy reports whether the strategy is new or in another state.
func (f *Feed) onStrategy(m event.Message[event.StrategyState]) (changed bool) {
	f.owners[runOwner].note("strategy", strategyID(&m.Data))
	was := f.snap.strategy(m.Data.Name, m.Data.Symbol)
	changed = was == nil || was.State != m.Data.State
	f.snap.putStrategy(m.Data)
	f.tell("strategy", m.Data)
	return changed
}

func (f *Feed) onPortfolio(m event.Message[event.PortfolioState]) {
	f.owners[runOwner].note("portfolio", "")
	f.snap.putPortfolio(m.Data)
	f.tell("portfolio", m.Data) // without the broker's values, which are many and change rarely
}

func (f *Feed) onNotice(m event.Message[event.NoticeText]) {
	e := Event{m.At, m.Data}
	f.snap.putEvent(e)
	f.tell("event", e)
}

func (f *Feed) onSim(m event.Message[event.SimState]) {
	f.snap.Sim = &m.Data
	f.tell("sim", m.Data)
}

func (f *Feed) onBus(m event.Message[event.BusState]) {
	f.snap.Bus = &m.Data
	f.tell("bus", m.Data)
}

// setDesk takes over the desk's whole state.
func (f *Feed) setDesk(d event.Desk) {
	own := &f.owners[deskOwner]
	if !own.newer("mode", "") && (f.snap.Mode == nil || !reflect.DeepEqual(*f.snap.Mode, d.Mode)) {
		f.snap.Mode = &d.Mode
		f.tell("mode", d.Mode)
	}
	if f.snap.ReadOnly != d.ReadOnly {
		f.snap.ReadOnly = d.ReadOnly
		f.tell("read_only", d.ReadOnly)
	}
	if f.snap.knowOrders() {
		f.tell("orders", f.snap.Orders)
	}
	for len(d.Orders) > maxOrders { // oldest first; what has no room is not told
		i := leastOrder(d.Orders)
		d.Orders = slices.Delete(d.Orders, i, i+1)
	}
	for i := range d.Orders {
		f.words.Order(&d.Orders[i])
		if o := &d.Orders[i]; !own.newer("order", orderID(o)) && f.snap.putOrder(*o) {
			f.tell("order", o)
		}
	}
	if f.snap.knowFills() {
		f.tell("fills", f.snap.Fills)
	}
	d.Fills = d.Fills[max(0, len(d.Fills)-maxFills):]
	for i := range d.Fills {
		f.words.Fill(&d.Fills[i])
		if x := &d.Fills[i]; !own.newer("fill", fillID(x)) && f.snap.putFill(*x) {
			f.tellFill(x)
		}
	}
	f.setPositions(own, d.Positions)
	f.setProtection(own, d)
	f.setLimits(own, d.Limits)
	f.setFindings(own, d.Findings)
	for _, s := range d.Data {
		was, ok := f.snap.Data[s.Symbol]
		if !own.newer("data", string(s.Symbol)) && room(f.snap.Data, s.Symbol) && (!ok || !reflect.DeepEqual(was, s)) {
			f.snap.Data[s.Symbol] = s
			f.tell("data", s)
		}
	}
	f.setValues(own, d)
	f.setHealth(own, d.Health)
}

// setPositions takes over the desk's positions, which are all that there are
// unless they are nil: what is not among them is flat.
func (f *Feed) setPositions(own *owner, all []order.Position) {
	if all == nil {
		return // unknown
	}
	if f.snap.Positions == nil {
		f.snap.Positions = []order.Position{}
		f.tell("positions", f.snap.Positions)
	}
	held := map[string]bool{}
	for i := range all {
		p := &all[i]
		held[positionID(p)] = true
		if !own.newer("position", positionID(p)) && f.snap.putPosition(*p) {
			f.tell("position", p)
		}
	}
	for i := range f.snap.Positions {
		p := &f.snap.Positions[i]
		if id := positionID(p); !held[id] && !own.newer("position", id) && !p.Qty.IsZero() {
			p.Qty, p.AvgCost = market.Qty{}, nil
			f.tell("position", p)
		}
	}
}

func (f *Feed) setValues(own *owner, d event.Desk) {
	if d.Account == "" {
		return // unknown
	}
	var newest []broker.AccountValue
	for i := range d.Values {
		if v := &d.Values[i]; !own.newer("value", valueID(v)) {
			newest = append(newest, *v)
		}
	}
	if f.snap.putValues(d.Account, newest) {
		f.tell("account", f.snap.Account)
	}
}

// setRun takes over the runner's whole state.
func (f *Feed) setRun(r event.Run) {
	own := &f.owners[runOwner]
	for i := range r.Strategies {
		if st := &r.Strategies[i]; !own.newer("strategy", strategyID(st)) && f.snap.putStrategy(*st) {
			f.tell("strategy", st)
		}
	}
	f.setBars(own, r)
	if !own.newer("portfolio", "") && f.snap.putPortfolio(r.Portfolio) {
		f.tell("portfolio", r.Portfolio)
	}
}

// Bars are all bars of some symbols, oldest first.
type Bars struct {
	Width int64                          `json:"width"` // nanoseconds
	Bars  map[market.Symbol][]market.Bar `json:"bars"`
}

// setBars merges the runner's closed bars with those that came as messages,
// and tells the symbols that changed in one delta: history is hundreds.
func (f *Feed) setBars(own *owner, r event.Run) {
	changed := Bars{Width: int64(r.Width), Bars: map[market.Symbol][]market.Bar{}}
	for sym, bars := range r.Bars {
		if !room(f.snap.Bars, sym) {
			continue
		}
		for i := range bars {
			if b := &bars[i]; !own.newer("bar", barID(sym, b)) && f.snap.putBar(sym, *b) {
				changed.Bars[sym] = f.snap.Bars[sym]
			}
		}
	}
	if len(changed.Bars) > 0 || f.snap.BarWidth != r.Width {
		f.snap.BarWidth = r.Width
		f.tell("bars", changed)
	}
}
