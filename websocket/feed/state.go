package feed

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// The bounds of the lists in a snapshot; the newest stay. The page holds the
// same.
const (
	maxOrders     = 200
	maxFills      = 500
	maxEvents     = 200
	maxBars       = 500 // a symbol
	maxEquity     = 1000
	maxPositions  = 200
	maxStrategies = 200
	maxValues     = 300
	maxFindings   = 50
	maxSymbols    = 200 // with quotes, bars, or states of data; more are not shown
)

// Quote is a symbol's quote as a client sees it. Null is unknown. Ages are
// computed from the times, which are market time.
type Quote struct {
	Symbol  market.Symbol `json:"symbol"`
	Bid     *market.Price `json:"bid"`
	Ask     *market.Price `json:"ask"`
	Last    *market.Price `json:"last"`
	BidSize *market.Qty   `json:"bid_size"`
	AskSize *market.Qty   `json:"ask_size"`
	Size    *market.Qty   `json:"last_size"`
	Volume  *market.Qty   `json:"volume"`
	BidAt   *time.Time    `json:"bid_at"`
	AskAt   *time.Time    `json:"ask_at"`
	LastAt  *time.Time    `json:"last_at"`
	// Received is the wall time at which the newest of them came.
	Received time.Time `json:"received"`
	Halted   bool      `json:"halted"`
	Delayed  bool      `json:"delayed"`
}

// Event is one line of the event list.
type Event struct {
	At time.Time `json:"at"` // wall time
	event.NoticeText
}

// Risk is what the risk gate decided since this process began.
type Risk struct {
	Allowed uint64         `json:"allowed"`
	Refused uint64         `json:"refused"`
	Last    *event.Decided `json:"last"` // newest refusal, nil without one
	// LastAt is the wall time at which Last was told.
	LastAt *time.Time `json:"last_at"`
	// NewestAt is the wall time of the newest decision about an order, nil before
	// the first.
	NewestAt *time.Time `json:"newest_at"`
	// Use is how far the limits are used up now, nil while nobody told.
	Use []broker.LimitUse `json:"use"`
	// Currency is that of the account, "" when it is not told.
	Currency string `json:"currency"`
}

// Account is what broker and portfolio say about the account. Null is unknown.
type Account struct {
	ID        string                `json:"id"`        // "" = unknown
	Values    []broker.AccountValue `json:"values"`    // the broker's words
	Portfolio *event.PortfolioState `json:"portfolio"` // by the executions
}

// Snapshot is all that a client needs to draw the page. Null is unknown.
type Snapshot struct {
	Started    time.Time                         `json:"started"` // wall time of this process
	Version    string                            `json:"version"`
	Link       *broker.Link                      `json:"link"`
	Health     *event.HealthState                `json:"health"` // of session, farms, symbols and account stream
	Mode       *event.ModeChange                 `json:"mode"`
	ReadOnly   bool                              `json:"read_only"`
	Quotes     map[market.Symbol]Quote           `json:"quotes"`
	Bars       map[market.Symbol][]market.Bar    `json:"bars"` // oldest first; the newest may be forming
	BarWidth   time.Duration                     `json:"bar_width"`
	Positions  []order.Position                  `json:"positions"`
	Protection *event.Protection                 `json:"protection"` // of the positions by stops at the broker
	Orders     []order.Order                     `json:"orders"`     // oldest first
	Fills      []order.Fill                      `json:"fills"`      // oldest first
	Account    Account                           `json:"account"`
	Risk       Risk                              `json:"risk"`
	Strategies []event.StrategyState             `json:"strategies"`
	Data       map[market.Symbol]event.DataState `json:"data"`
	Equity     []EquityPoint                     `json:"equity"` // oldest first
	Sim        *event.SimState                   `json:"sim"`
	Alerts     *event.AlertState                 `json:"alerts"` // who is told of troubles, and of which; null where nobody is
	Bus        *event.BusState                   `json:"bus"`    // the way to programs outside; nil = there is none
	Events     []Event                           `json:"events"` // in the order in which they came
	// Findings are the differences between the desk's books and the broker, and
	// what explained them; oldest first.
	Findings []broker.Finding `json:"findings"`
}

// EquityPoint is the equity at one market time, for the equity line.
type EquityPoint struct {
	At     time.Time    `json:"at"` // market time
	Equity market.Money `json:"equity"`
}

func newSnapshot(version string, started time.Time) Snapshot {
	return Snapshot{
		Started: started, Version: version,
		Quotes: map[market.Symbol]Quote{}, Bars: map[market.Symbol][]market.Bar{}, Data: map[market.Symbol]event.DataState{},
		Strategies: []event.StrategyState{}, Equity: []EquityPoint{}, Events: []Event{}, Findings: []broker.Finding{},
	}
}

// tick folds one tick into its symbol's quote.
func (s *Snapshot) tick(sym market.Symbol, t event.TickData, received time.Time) {
	q := s.Quotes[sym]
	q.Symbol, q.Received, q.Delayed = sym, received, t.Delayed
	at := &t.At
	switch t.Kind {
	case "bid":
		q.Bid, q.BidSize, q.BidAt = t.Price, t.Size, at
	case "ask":
		q.Ask, q.AskSize, q.AskAt = t.Price, t.Size, at
	case "trade":
		if t.Price != nil {
			q.Last, q.Size, q.LastAt = t.Price, t.Size, at
		}
	case "volume":
		q.Volume = t.Size
	case "halted":
		q.Halted = t.Size != nil && !t.Size.IsZero()
	}
	s.Quotes[sym] = q
}

// knowOrders makes unknown orders known, and reports whether they were not.
func (s *Snapshot) knowOrders() bool {
	if s.Orders != nil {
		return false
	}
	s.Orders = []order.Order{}
	return true
}

// knowFills does so for fills.
func (s *Snapshot) knowFills() bool {
	if s.Fills != nil {
		return false
	}
	s.Fills = []order.Fill{}
	return true
}

// The put methods report whether they changed anything.

// putOrder keeps orders that have not ended before newer ones that have: a stop
// that has rested at the broker for days is what a person must see.
func (s *Snapshot) putOrder(o order.Order) bool {
	same := func(x *order.Order) bool { return sameOrder(x, &o) }
	if len(s.Orders) >= maxOrders && !slices.ContainsFunc(s.Orders, func(x order.Order) bool { return same(&x) }) {
		i := leastOrder(s.Orders)
		switch least := &s.Orders[i]; {
		case least.State.Final() && !o.State.Final(): // which makes room
		case !least.State.Final() && o.State.Final(), o.Created.Before(least.Created):
			return false // there is no room for it
		}
		s.Orders = slices.Delete(s.Orders, i, i+1)
	}
	return put(&s.Orders, o, maxOrders, same, func(x *order.Order) time.Time { return x.Created })
}

// leastOrder is the one that goes first: the oldest that has ended, or the oldest
// where none has. The list is by time.
func leastOrder(list []order.Order) int {
	return max(0, slices.IndexFunc(list, func(o order.Order) bool { return o.State.Final() }))
}

// putFill keeps of each execution the newest version.
func (s *Snapshot) putFill(f order.Fill) bool {
	_, version := order.ExecVersion(f.ExecID)
	for i := range s.Fills {
		if _, v := order.ExecVersion(s.Fills[i].ExecID); v > version && order.SameExecution(s.Fills[i].ExecID, f.ExecID) {
			return false
		}
	}
	return put(&s.Fills, f, maxFills, func(x *order.Fill) bool { return order.SameExecution(x.ExecID, f.ExecID) },
		func(x *order.Fill) time.Time { return x.At })
}

func (s *Snapshot) putBar(sym market.Symbol, b market.Bar) bool {
	bars := s.Bars[sym]
	changed := put(&bars, b, maxBars, func(x *market.Bar) bool { return x.Start.Equal(b.Start) },
		func(x *market.Bar) time.Time { return x.Start })
	s.Bars[sym] = bars
	return changed
}

func (s *Snapshot) putPosition(p order.Position) bool {
	return put(&s.Positions, p, maxPositions, func(x *order.Position) bool { return x.Symbol == p.Symbol && x.Account == p.Account }, nil)
}

func (s *Snapshot) putStrategy(st event.StrategyState) bool {
	same := func(x *event.StrategyState) bool { return x.Name == st.Name && x.Symbol == st.Symbol }
	return put(&s.Strategies, st, maxStrategies, same, nil)
}

// strategy returns what is known of a strategy and symbol, or nil.
func (s *Snapshot) strategy(name string, sym market.Symbol) *event.StrategyState {
	for i := range s.Strategies {
		if st := &s.Strategies[i]; st.Name == name && st.Symbol == sym {
			return st
		}
	}
	return nil
}

func (s *Snapshot) putValues(id string, values []broker.AccountValue) bool {
	changed := s.Account.ID != id || s.Account.Values == nil
	s.Account.ID = id
	if s.Account.Values == nil {
		s.Account.Values = []broker.AccountValue{}
	}
	for _, v := range values {
		same := func(x *broker.AccountValue) bool {
			return x.Key == v.Key && x.Currency == v.Currency && x.Account == v.Account
		}
		changed = put(&s.Account.Values, v, maxValues, same, nil) || changed
	}
	return changed
}

func (s *Snapshot) putEvent(e Event) {
	put(&s.Events, e, maxEvents, func(*Event) bool { return false }, nil)
}

func (s *Snapshot) putFinding(x broker.Finding) bool {
	return put(&s.Findings, x, maxFindings, func(y *broker.Finding) bool { return findingID(y) == findingID(&x) },
		func(y *broker.Finding) time.Time { return y.At })
}

// putPortfolio keeps the newest portfolio and a point of the equity line for
// each minute of market time.
func (s *Snapshot) putPortfolio(p event.PortfolioState) bool {
	changed := s.Account.Portfolio == nil || !reflect.DeepEqual(*s.Account.Portfolio, p)
	s.Account.Portfolio = &p
	if p.Equity == nil || p.Market.IsZero() {
		return changed
	}
	point := EquityPoint{p.Market.Truncate(time.Minute), *p.Equity}
	put(&s.Equity, point, maxEquity, func(x *EquityPoint) bool { return x.At.Equal(point.At) },
		func(x *EquityPoint) time.Time { return x.At })
	return changed
}

// put replaces the newest element that is the same as v, or else adds v behind
// the last that is not later; without a time all are equally late. Beyond most
// the oldest goes. It reports whether the list changed. A list by time fills up
// sooner or later, so that it has its whole size from the start: what grows for
// hours looks like a leak.
func put[T any](list *[]T, v T, most int, same func(*T) bool, at func(*T) time.Time) bool {
	l := *list
	for i := range slices.Backward(l) {
		if same(&l[i]) {
			changed := !reflect.DeepEqual(l[i], v)
			l[i] = v
			return changed
		}
	}
	where := len(l)
	for at != nil && where > 0 && at(&l[where-1]).After(at(&v)) {
		where--
	}
	if len(l) < most {
		if at != nil && cap(l) < most {
			l = append(make([]T, 0, most), l...)
		}
		*list = slices.Insert(l, where, v)
		return true
	}
	if where == 0 {
		return false // older than the oldest that has room
	}
	copy(l, l[1:where]) // the oldest goes
	l[where-1] = v
	return true
}

// room reports whether a symbol is in m or may still be added.
func room[V any](m map[market.Symbol]V, sym market.Symbol) bool {
	_, ok := m[sym]
	return ok || len(m) < maxSymbols
}

// sameOrder reports whether both have one identity: the intent's, or the
// venue's for an order that was made elsewhere.
func sameOrder(a, b *order.Order) bool {
	if a.Ref != "" || b.Ref != "" {
		return a.Ref == b.Ref
	}
	return a.PermID == b.PermID && a.OrderID == b.OrderID && a.ClientID == b.ClientID
}

// orderID is that identity in one word.
func orderID(o *order.Order) string {
	if o.Ref != "" {
		return o.Ref
	}
	return fmt.Sprintf("%d:%d:%d", o.ClientID, o.OrderID, o.PermID)
}

// fillID is what all versions of an execution have in common.
func fillID(f *order.Fill) string {
	stem, _ := order.ExecVersion(f.ExecID)
	return stem
}

func positionID(p *order.Position) string { return p.Account + " " + string(p.Symbol) }

// findingID tells one finding from another about the same thing.
func findingID(x *broker.Finding) string {
	return fmt.Sprintf("%s %s %s %d", x.Kind, x.Symbol, x.Ref, x.At.UnixNano())
}

func valueID(v *broker.AccountValue) string { return v.Account + " " + v.Currency + " " + v.Key }

func strategyID(s *event.StrategyState) string { return string(s.Symbol) + " " + s.Name }

func barID(sym market.Symbol, b *market.Bar) string {
	return string(sym) + " " + strconv.FormatInt(b.Start.UnixNano(), 10)
}
