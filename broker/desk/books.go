package desk

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Bounds of what is kept in memory. The journal keeps all.
const (
	keepEnded   = 500   // ended orders, and fills, in the desk's state
	keepAnswers = 65536 // answers to intents that made no order
	keepExecs   = 65536 // execution ids, to tell a duplicate
	keepRaised  = 1024  // what a person was told of once
	keepValues  = 4096  // values of the account
	keepCosts   = 1024  // commissions whose execution has not come
)

// books are the desk's orders, fills and positions. They are of the turn.
type books struct {
	zone    *time.Location
	account string // of the newest session, empty before the first

	byRef   map[string]*entry
	byID    map[orderKey]*entry
	byPerm  map[int64]*entry
	live    map[market.Symbol][]*entry // in the order of their making
	ended   []*entry                   // oldest first
	answers ring[string, event.OrderReply]

	fills []*order.Fill // the newest keepEnded, oldest first
	// execs has every execution that was told, in each version; nil is one that
	// counts nowhere, because a later version does.
	execs    ring[string, *order.Fill]
	versions ring[string, *order.Fill]             // by what the versions have in common: the newest
	costs    ring[string, broker.CommissionReport] // that came before their execution
	raised   ring[string, bool]                    // what a person was told of once

	positions map[market.Symbol]order.Position // nil = unknown
	counted   time.Time                        // market time at which positions were unknown last
	told      map[market.Symbol]toldPosition
	suspects  map[market.Symbol]suspect
	since     []moved                           // by executions since a recovery began, not nil during one
	values    map[[2]string]broker.AccountValue // by key and currency
	findings  []broker.Finding                  // the newest, oldest first

	nextID   int64
	minute   []time.Time // market times of orders written, oldest first
	day      string      // market day of notional
	notional market.Money
	score    *score
}

type orderKey struct {
	client int
	id     int64
}

// entry is one order with what only the desk needs to know.
type entry struct {
	order.Order
	sentAt time.Time    // wall time of the write while no answer came, else zero
	spent  market.Money // of its executions, for the average
	atEnd  bool         // is in ended

	change   *change   // a change that was written and is not proven, nil without one
	unfit    bool      // the venue refused the newest change
	used     bool      // another order of its group has filled: nobody can join that any more
	owed     time.Time // wall time of a fill in its group that the venue has yet to take off it, else zero
	suspect  bool      // it was told that the gateway may hold it behind a dialog
	endAsked *held     // the session in which a halt or a flatten had it cancelled, nil = none
	endAt    time.Time // wall time of that

	known  time.Time // wall time before which it was not written, or this process did not know of it
	absent int       // reconciliations in a row that did not find it
	proven time.Time // wall time of the first that proved its absence, zero without one
}

// moved is what an execution did to a position.
type moved struct {
	exec   string
	symbol market.Symbol
	qty    market.Qty // signed
}

// toldPosition is what the venue told about a position after the answer to
// the desk's question.
type toldPosition struct {
	qty  market.Qty
	cost *market.Price
	at   time.Time // wall time of it, or of the newest fill after it
}

func newBooks(zone *time.Location) *books {
	return &books{
		zone:     zone,
		byRef:    map[string]*entry{},
		byID:     map[orderKey]*entry{},
		byPerm:   map[int64]*entry{},
		live:     map[market.Symbol][]*entry{},
		answers:  newRing[string, event.OrderReply](keepAnswers),
		execs:    newRing[string, *order.Fill](keepExecs),
		versions: newRing[string, *order.Fill](keepExecs),
		raised:   newRing[string, bool](keepRaised),
		costs:    newRing[string, broker.CommissionReport](keepCosts),
		told:     map[market.Symbol]toldPosition{},
		suspects: map[market.Symbol]suspect{},
		values:   map[[2]string]broker.AccountValue{},
		nextID:   1,
		score:    newScore(zone),
	}
}

// load takes in what the journal remembers.
func (b *books) load(past broker.Books) {
	for _, o := range past.Orders {
		if o.State == order.Intended { // that life ended around the write: nobody knows
			o.State, _ = o.State.Next(order.Silent)
			o.Note = "the program ended before it noted whether this was sent"
		}
		b.add(o)
	}
	sums := map[*entry]market.Qty{}
	for _, f := range order.Newest(past.Fills) {
		if f.Qty.IsZero() { // taken back
			b.execs.put(f.ExecID, &f)
			b.remember(&f)
			continue
		}
		b.keep(f)
		if e := b.byRef[f.Ref]; e != nil && f.Ref != "" {
			e.spent = e.spent.Add(f.Price.Mul(f.Qty))
			sums[e] = sums[e].Add(f.Qty)
		}
	}
	b.recount(sums, past.Fills)
	for _, s := range past.Sent {
		b.count(s.At, s.Notional)
	}
}

// add takes in an order that is not there yet.
func (b *books) add(o order.Order) *entry {
	e := &entry{Order: o, known: time.Now()}
	if o.Ref != "" {
		b.byRef[o.Ref] = e
	}
	if o.OrderID != 0 {
		b.byID[orderKey{o.ClientID, o.OrderID}] = e
	}
	if o.PermID != 0 {
		b.byPerm[o.PermID] = e
	}
	b.saw(o.OrderID)
	b.place(e)
	return e
}

// maxOrderID bounds the numbers of orders: from here on they are requests'.
const maxOrderID = 1 << 30

// saw makes the numbers of orders that come rise above one that was seen,
// whoever used it.
func (b *books) saw(id int64) {
	if id < maxOrderID {
		b.nextID = max(b.nextID, id+1)
	}
}

// place puts the entry where its state belongs: among the live or the ended.
func (b *books) place(e *entry) {
	if ended := e.State.Final(); ended && !e.atEnd {
		e.atEnd = true
		b.live[e.Symbol] = slices.DeleteFunc(b.live[e.Symbol], func(o *entry) bool { return o == e })
		b.ended = append(b.ended, e)
		if len(b.ended) > 2*keepEnded { // in one go, so that it costs little an order
			for _, old := range b.ended[:keepEnded] {
				b.forget(old)
			}
			b.ended = slices.Clone(b.ended[keepEnded:])
		}
	} else if !ended && e.atEnd { // rejected → working happens
		e.atEnd = false
		b.ended = slices.DeleteFunc(b.ended, func(o *entry) bool { return o == e })
		b.live[e.Symbol] = append(b.live[e.Symbol], e)
	} else if !ended && !slices.Contains(b.live[e.Symbol], e) {
		b.live[e.Symbol] = append(b.live[e.Symbol], e)
	}
}

// forget drops an ended order from memory.
func (b *books) forget(e *entry) {
	if b.byRef[e.Ref] == e {
		delete(b.byRef, e.Ref)
	}
	if k := (orderKey{e.ClientID, e.OrderID}); b.byID[k] == e {
		delete(b.byID, k)
	}
	if b.byPerm[e.PermID] == e {
		delete(b.byPerm, e.PermID)
	}
}

// find returns the order that a report is about: by the venue's number, by the
// reference, and by the client's number where these say nothing, as that one
// comes again when a gateway forgets its sequence. Nil when there is none.
func (b *books) find(client int, id, perm int64, ref string) *entry {
	if perm != 0 {
		if e := b.byPerm[perm]; e != nil {
			return e
		}
	}
	if ref != "" {
		if e := b.byRef[ref]; e != nil {
			return e
		}
	}
	if id != 0 {
		return b.byID[orderKey{client, id}]
	}
	return nil
}

// moved notes what an execution does to a position while the venue is asked.
func (b *books) moved(exec string, s market.Symbol, qty market.Qty) {
	if b.since != nil {
		b.since = append(b.since, moved{exec, s, qty})
	}
}

// remember makes a fill the newest version of its execution.
func (b *books) remember(p *order.Fill) {
	if stem, v := order.ExecVersion(p.ExecID); v > 0 {
		b.versions.put(stem, p)
	}
}

// keep remembers a fill; it returns the kept one.
func (b *books) keep(f order.Fill) *order.Fill {
	b.moved(f.ExecID, f.Symbol, f.Side.Signed(f.Qty))
	b.score.fill(b, f)
	p := &f
	b.execs.put(f.ExecID, p)
	b.remember(p)
	b.fills = append(b.fills, p)
	if len(b.fills) > 2*keepEnded {
		b.fills = slices.Clone(b.fills[keepEnded:])
	}
	return p
}

// count takes an order that was written into the rates.
func (b *books) count(at time.Time, notional market.Money) {
	b.turnDay(at)
	b.notional = b.notional.Add(notional)
	b.minute = append(b.minute, at)
}

// turnDay begins a new market day when at is in another one.
func (b *books) turnDay(at time.Time) {
	if at.IsZero() { // no clock yet, so no day
		return
	}
	if day := at.In(b.zone).Format(time.DateOnly); day != b.day {
		b.day, b.notional = day, market.Money{}
	}
}

// rates returns the orders of the minute before now, and the notional of now's
// market day. Times more than a minute after now are of another replay and do
// not count. Nearer ones do: a venue tells whole seconds, so that the clock of a
// new process may be a little behind that of the one before. Without a clock
// nothing is old.
func (b *books) rates(now time.Time) ([]time.Time, market.Money) {
	if now.IsZero() {
		return b.minute, b.notional
	}
	b.turnDay(now)
	from, replay := now.Add(-time.Minute), now.Add(time.Minute)
	old := 0
	for old < len(b.minute) && (!b.minute[old].After(from) || b.minute[old].After(replay)) {
		old++
	}
	if b.minute = b.minute[old:]; len(b.minute) == 0 {
		b.minute = nil
	}
	return b.minute, b.notional
}

// open returns the live orders of a symbol in the session's account, the one
// about to be decided not among them.
func (b *books) open(s market.Symbol, h *held) []order.Order {
	list := b.live[s]
	if len(list) == 0 {
		return nil
	}
	open := make([]order.Order, 0, len(list))
	for _, e := range list {
		if !h.foreign(e.Account) {
			open = append(open, e.Order)
		}
	}
	return open
}

// holding returns the account's position of a symbol, nil when unknown.
func (b *books) holding(s market.Symbol) *market.Qty {
	if b.positions == nil {
		return nil
	}
	return b.positions[s].Qty.Ptr()
}

// move takes an execution of a contract into its position; changed is false as
// long as positions are unknown.
func (b *books) move(f order.Fill, conID int64) (p order.Position, changed bool) {
	if t, ok := b.told[f.Symbol]; ok {
		t.at = time.Now()
		b.told[f.Symbol] = t
	}
	if b.positions == nil {
		return p, false
	}
	p, ok := b.positions[f.Symbol]
	if !ok {
		p = order.Position{Account: f.Account, Symbol: f.Symbol, ConID: conID, AvgCost: &market.Price{}}
	}
	delta := f.Side.Signed(f.Qty)
	after := p.Qty.Add(delta)
	switch {
	case after.IsZero():
		p.AvgCost = &market.Price{}
	case p.Qty.Sign()*after.Sign() <= 0: // opened, or turned over
		p.AvgCost = f.Price.Ptr()
	case p.Qty.Sign() == delta.Sign() && p.AvgCost != nil: // added to
		cost := p.AvgCost.Mul(p.Qty).Add(f.Price.Mul(delta))
		p.AvgCost = nil
		if avg, ok := cost.DivQty(after); ok {
			p.AvgCost = avg.Ptr()
		}
	}
	p.Qty = after
	b.positions[f.Symbol] = p
	return p, true
}

// begin is told when a recovery begins to ask. It returns the live orders.
func (b *books) begin() map[*entry]bool {
	b.since = []moved{}
	all := map[*entry]bool{}
	for _, list := range b.live {
		for _, e := range list {
			all[e] = true
		}
	}
	return all
}

// state copies the books into the desk's state.
func (b *books) state(s *event.Desk) {
	s.Account = b.account
	s.Orders = []order.Order{}
	for _, e := range b.ended {
		s.Orders = append(s.Orders, e.Order)
	}
	for _, sym := range slices.Sorted(maps.Keys(b.live)) {
		for _, e := range b.live[sym] {
			s.Orders = append(s.Orders, e.Order)
		}
	}
	s.Orders = slices.Clone(s.Orders[max(0, len(s.Orders)-keepEnded):])
	slices.SortStableFunc(s.Orders, func(x, y order.Order) int { return x.Created.Compare(y.Created) })
	s.Fills = []order.Fill{}
	for _, f := range b.fills[max(0, len(b.fills)-keepEnded):] {
		s.Fills = append(s.Fills, *f)
	}
	s.Findings = append([]broker.Finding{}, b.findings...)
	if b.positions != nil {
		s.Positions = []order.Position{}
		for _, sym := range slices.Sorted(maps.Keys(b.positions)) {
			s.Positions = append(s.Positions, b.positions[sym])
		}
	}
	s.Values = slices.SortedFunc(maps.Values(b.values), func(x, y broker.AccountValue) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Currency, y.Currency))
	})
}

// ring is a map that forgets its oldest key when it is full.
type ring[K comparable, V any] struct {
	m    map[K]V
	keys []K
	next int // where the next key goes, once full
	cap  int
}

func newRing[K comparable, V any](n int) ring[K, V] { return ring[K, V]{m: map[K]V{}, cap: n} }

func (r *ring[K, V]) put(k K, v V) {
	if _, ok := r.m[k]; !ok {
		if len(r.keys) < r.cap {
			r.keys = append(r.keys, k)
		} else {
			delete(r.m, r.keys[r.next])
			r.keys[r.next] = k
			r.next = (r.next + 1) % r.cap
		}
	}
	r.m[k] = v
}
