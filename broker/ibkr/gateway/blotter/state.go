package blotter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// StateVersion is the version of [State] and [Change]. It rises when their
// meaning changes; another version is refused.
const StateVersion = 1

// ErrBadState means that a state is damaged, or is not of this venue. The error
// names place, value and mend.
var ErrBadState = errors.New("blotter: bad state")

// askVersion is the server version in whose layout asked orders are kept.
const askVersion = 200

// State is all that a blotter knows, to be kept as JSON beside the exchange's.
// The exchange rules where an open order is concerned: see [Blotter.Restore].
type State struct {
	Version int `json:"version"`
	// Seq counts the changes that are in it.
	Seq uint64 `json:"seq"`
	// ByHand is the number of the newest order given by hand, 0 or below.
	ByHand  int64         `json:"by_hand,omitempty"`
	Clients []ClientState `json:"clients"` // by id
	Orders  []OrderState  `json:"orders"`  // by perm id
}

// ClientState is what is remembered of a client id.
type ClientState struct {
	ID      int   `json:"id"`
	Highest int64 `json:"highest"` // order id that it used
}

// OrderState is an order that is known, open or ended.
type OrderState struct {
	// Ask is the client's last placeOrder, in the layout of server version
	// 200. It is empty where that cannot carry its text; the order's own terms
	// do then.
	Ask      []byte         `json:"ask"`
	Order    exchange.Order `json:"order"`
	LastFill *market.Price  `json:"last_fill,omitempty"`
	Text     string         `json:"text,omitempty"` // told at its end
	Told     bool           `json:"told,omitempty"` // its client has heard of it
	Rested   bool           `json:"rested,omitempty"`
	Bound    bool           `json:"bound,omitempty"` // given by hand, and client 0 may name it
	Ended    int64          `json:"ended,omitempty"` // how many orders had ended with it, 0 while open
}

// Change is what changed between two looks at a blotter, to be appended to a
// log as a line of JSON. [State.Apply] folds it into the state before.
type Change struct {
	Version int `json:"version"`
	// Seq is that of the state after it.
	Seq     uint64        `json:"seq"`
	ByHand  int64         `json:"by_hand,omitempty"`
	Clients []ClientState `json:"clients,omitempty"`
	Orders  []OrderState  `json:"orders,omitempty"`
	// Forgotten are the perm ids of orders that are not known any more.
	Forgotten []int64 `json:"forgotten,omitempty"`
}

// watch notes what changes, from the first call of State on.
type watch struct {
	on        bool
	seq       uint64
	clients   map[*client]struct{}
	orders    map[*placed]struct{}
	forgotten []int64
}

func (w *watch) begin() {
	w.on = true
	w.clients, w.orders, w.forgotten = map[*client]struct{}{}, map[*placed]struct{}{}, nil
}

func (w *watch) client(c *client) {
	if w.on {
		w.clients[c] = struct{}{}
	}
}

func (w *watch) order(p *placed) {
	if w.on {
		w.orders[p] = struct{}{}
	}
}

func (w *watch) forget(p *placed) {
	if w.on {
		delete(w.orders, p)
		w.forgotten = append(w.forgotten, p.order.PermID)
	}
}

// State returns all that the blotter knows, and begins a record of what changes
// from then on: see [Blotter.Changes].
func (b *Blotter) State() State {
	s := State{Version: StateVersion, Seq: b.watch.seq, ByHand: b.byHand, Clients: []ClientState{}, Orders: []OrderState{}}
	for _, c := range b.clients {
		if c.highest > 0 {
			s.Clients = append(s.Clients, ClientState{c.id, c.highest})
		}
	}
	for _, p := range b.placed {
		s.Orders = append(s.Orders, p.state())
	}
	slices.SortFunc(s.Clients, byClient)
	slices.SortFunc(s.Orders, byPermID)
	b.watch.begin()
	return s
}

func byClient(a, b ClientState) int { return cmp.Compare(a.ID, b.ID) }

func byPermID(a, b OrderState) int { return cmp.Compare(a.Order.PermID, b.Order.PermID) }

func (p *placed) state() OrderState {
	ask, err := p.ask.Append(nil, askVersion)
	if err != nil {
		ask = nil // a text beyond what a client of that version may write
	}
	return OrderState{
		Ask: ask, Order: p.order, LastFill: p.lastFill, Text: p.text, Told: p.told, Rested: p.rested, Bound: p.bound, Ended: p.endedAs,
	}
}

// Changes returns what changed since the last call of it or of [Blotter.State],
// whichever was later; ok is false when nothing did, and before the first call
// of State.
func (b *Blotter) Changes() (c Change, ok bool) {
	w := &b.watch
	if !w.on || len(w.clients)+len(w.orders)+len(w.forgotten) == 0 {
		return Change{}, false
	}
	w.seq++
	c = Change{Version: StateVersion, Seq: w.seq, ByHand: b.byHand, Forgotten: w.forgotten}
	for cl := range w.clients {
		c.Clients = append(c.Clients, ClientState{cl.id, cl.highest})
	}
	for p := range w.orders {
		c.Orders = append(c.Orders, p.state())
	}
	slices.SortFunc(c.Clients, byClient)
	slices.SortFunc(c.Orders, byPermID)
	w.begin()
	return c, true
}

// Apply makes the state that of after a change. It must be the next one.
func (s *State) Apply(c Change) error {
	if c.Version != s.Version || c.Seq != s.Seq+1 {
		return fmt.Errorf("%w: change %d of version %d does not follow state %d of version %d: the log is not of this snapshot",
			ErrBadState, c.Seq, c.Version, s.Seq, s.Version)
	}
	s.Seq, s.ByHand = c.Seq, c.ByHand
	for _, cl := range c.Clients {
		s.Clients = put(s.Clients, cl, byClient)
	}
	for _, o := range c.Orders {
		s.Orders = put(s.Orders, o, byPermID)
	}
	if len(c.Forgotten) > 0 {
		gone := make(map[int64]bool, len(c.Forgotten))
		for _, id := range c.Forgotten {
			gone[id] = true
		}
		s.Orders = slices.DeleteFunc(s.Orders, func(o OrderState) bool { return gone[o.Order.PermID] })
	}
	return nil
}

// put replaces the element of a sorted list that is equal to e, or inserts it:
// a log has many changes, and lists that are long.
func put[E any](list []E, e E, by func(a, b E) int) []E {
	i, found := slices.BinarySearchFunc(list, e, by)
	if found {
		list[i] = e
		return list
	}
	return slices.Insert(list, i, e)
}

// Restore makes a new blotter go on from a state. The exchange must have taken
// over its own before: both know the same open orders, or the state is refused.
// After an error the blotter is of no use.
func (b *Blotter) Restore(s State) error {
	if s.Version != StateVersion {
		return fmt.Errorf("%w: version %d, this program reads %d: start with an empty folder, or with the program that wrote it",
			ErrBadState, s.Version, StateVersion)
	}
	open := map[int64]exchange.Order{}
	for _, o := range b.v.X.Open() {
		open[o.PermID] = o
	}
	for _, c := range s.Clients {
		if c.ID < 0 || c.Highest < 0 || c.Highest > maxOrderID {
			return fmt.Errorf("%w: client %d used order id %d: restore the file from a copy", ErrBadState, c.ID, c.Highest)
		}
		b.client(c.ID).highest = c.Highest
	}
	for i := range s.Orders {
		if err := b.restoreOrder(&s.Orders[i], open); err != nil {
			return err
		}
	}
	for id := range open {
		return fmt.Errorf("%w: open order %d of the exchange is not among the orders: restore both files from one copy", ErrBadState, id)
	}
	slices.SortFunc(b.ended, func(x, y *placed) int { return cmp.Compare(x.endedAs, y.endedAs) })
	b.byHand, b.watch.seq = s.ByHand, s.Seq
	b.forget()
	return nil
}

// restoreOrder takes one order over, and takes it from open.
func (b *Blotter) restoreOrder(s *OrderState, open map[int64]exchange.Order) error {
	o := s.Order
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: order %d: %s: restore both files from one copy", ErrBadState, o.PermID, fmt.Sprintf(format, a...))
	}
	p := &placed{
		key: orderKey{o.ClientID, o.OrderID}, order: o, lastFill: s.LastFill,
		text: s.Text, told: s.Told, rested: s.Rested, bound: s.Bound, endedAs: s.Ended,
	}
	d, listed := b.v.Find(wire.Contract{Symbol: string(o.Symbol)})
	switch {
	case !listed:
		return bad("symbol %.20q is not listed", o.Symbol)
	case b.placed[p.key] != nil:
		return bad("client %d has two with the id %d", o.ClientID, o.OrderID)
	}
	p.contract = stockOf(d)
	p.ask = askOf(&o)
	if len(s.Ask) > 0 {
		m, err := wire.DecodeClient(askVersion, s.Ask)
		ask, ok := m.(wire.PlaceOrder)
		if err != nil || !ok {
			return bad("what was asked for cannot be read: %v", err)
		}
		p.ask = ask
	}
	now, isOpen := open[o.PermID]
	switch {
	case o.State.Final() && isOpen:
		return bad("it is %v here and open at the exchange", o.State)
	case o.State.Final():
		p.over = true
		b.ends = max(b.ends, p.endedAs)
		b.ended = append(b.ended, p)
	case !isOpen:
		return bad("it is %v here and not open at the exchange", o.State)
	default:
		p.order = now
		b.client(p.key.client).open++
		delete(open, o.PermID)
	}
	b.placed[p.key] = p
	return nil
}

// askOf is what a client would have asked for to get an order.
func askOf(o *exchange.Order) wire.PlaceOrder {
	m := wire.NewPlaceOrder(o.OrderID, wire.Contract{})
	m.Action, m.TotalQuantity, m.OrderType, m.TIF = string(o.Side), o.Qty.Ptr(), string(o.Type), string(o.TIF)
	m.LmtPrice, m.AuxPrice, m.Account, m.OrderRef = o.Limit, o.Stop, o.Account, o.Ref
	m.OutsideRTH, m.AllOrNone, m.OCAGroup, m.OCAType = o.OutsideRTH, o.AllOrNone, o.OCAGroup, int(o.OCAType)
	return m
}
