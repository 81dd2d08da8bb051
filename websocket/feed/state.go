package feed

import (
	"encoding/json"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// The bounds of the lists in a snapshot; the newest stay.
const (
	maxOrders = 200
	maxFills  = 500
	maxEvents = 200
	maxBars   = 500
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

// Risk is what the risk gate decided lately.
type Risk struct {
	Allowed uint64         `json:"allowed"`
	Refused uint64         `json:"refused"`
	Last    *event.Decided `json:"last"` // newest refusal, nil without one
}

// Account is what broker and portfolio say about the account. Null is unknown.
type Account struct {
	ID        string                `json:"id"`
	Values    []broker.AccountValue `json:"values"`    // the broker's words
	Portfolio *event.PortfolioState `json:"portfolio"` // by the executions
}

// Snapshot is all that a client needs to draw the page.
type Snapshot struct {
	Started    time.Time                         `json:"started"` // wall time of this process
	Version    string                            `json:"version"`
	Link       *broker.Link                      `json:"link"`
	Mode       *event.ModeChange                 `json:"mode"`
	ReadOnly   bool                              `json:"read_only"`
	Quotes     map[market.Symbol]Quote           `json:"quotes"`
	Bars       map[market.Symbol][]market.Bar    `json:"bars"` // oldest first; the newest may be forming
	BarWidth   time.Duration                     `json:"bar_width"`
	Positions  []order.Position                  `json:"positions"` // null = unknown
	Orders     []order.Order                     `json:"orders"`
	Fills      []order.Fill                      `json:"fills"`
	Account    Account                           `json:"account"`
	Risk       Risk                              `json:"risk"`
	Strategies []event.StrategyState             `json:"strategies"`
	Data       map[market.Symbol]event.DataState `json:"data"`
	Equity     []EquityPoint                     `json:"equity"`
	Sim        *event.SimState                   `json:"sim"`
	Events     []Event                           `json:"events"`
}

// EquityPoint is the equity at one market time, for the equity line.
type EquityPoint struct {
	At     time.Time    `json:"at"` // market time
	Equity market.Money `json:"equity"`
}

const maxEquity = 1000

func newSnapshot(version string, started time.Time) Snapshot {
	return Snapshot{
		Started: started, Version: version,
		Quotes: map[market.Symbol]Quote{}, Bars: map[market.Symbol][]market.Bar{}, Data: map[market.Symbol]event.DataState{},
		Orders: []order.Order{}, Fills: []order.Fill{}, Strategies: []event.StrategyState{}, Equity: []EquityPoint{}, Events: []Event{},
		Account: Account{Values: []broker.AccountValue{}},
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

// putOrder replaces the order with the same identity, or adds it.
func (s *Snapshot) putOrder(o order.Order) {
	same := func(x order.Order) bool {
		if o.Ref != "" || x.Ref != "" {
			return x.Ref == o.Ref
		}
		return x.PermID == o.PermID && x.OrderID == o.OrderID && x.ClientID == o.ClientID
	}
	s.Orders = put(s.Orders, o, same, maxOrders)
}

func (s *Snapshot) putFill(f order.Fill) {
	s.Fills = put(s.Fills, f, func(x order.Fill) bool { return x.ExecID == f.ExecID }, maxFills)
}

func (s *Snapshot) putPosition(p order.Position) {
	s.Positions = put(s.Positions, p, func(x order.Position) bool { return x.Symbol == p.Symbol && x.Account == p.Account }, maxOrders)
}

func (s *Snapshot) putStrategy(st event.StrategyState) {
	same := func(x event.StrategyState) bool { return x.Name == st.Name && x.Symbol == st.Symbol }
	s.Strategies = put(s.Strategies, st, same, maxOrders)
}

func (s *Snapshot) putValues(id string, values []broker.AccountValue) {
	s.Account.ID = id
	for _, v := range values {
		same := func(x broker.AccountValue) bool {
			return x.Key == v.Key && x.Currency == v.Currency && x.Account == v.Account
		}
		s.Account.Values = put(s.Account.Values, v, same, 300)
	}
}

func (s *Snapshot) putBar(sym market.Symbol, b market.Bar) {
	s.Bars[sym] = put(s.Bars[sym], b, func(x market.Bar) bool { return x.Start.Equal(b.Start) }, maxBars)
}

// sortBars orders a symbol's bars by time: history may come after the stream.
func (s *Snapshot) sortBars(sym market.Symbol) {
	bars := slices.Clone(s.Bars[sym])
	slices.SortFunc(bars, func(a, b market.Bar) int { return a.Start.Compare(b.Start) })
	s.Bars[sym] = bars
}

// putPortfolio keeps the newest portfolio and a point of the equity line for
// each minute of market time.
func (s *Snapshot) putPortfolio(p event.PortfolioState) {
	s.Account.Portfolio = &p
	if p.Equity == nil || p.Market.IsZero() {
		return
	}
	point := EquityPoint{p.Market.Truncate(time.Minute), *p.Equity}
	s.Equity = put(s.Equity, point, func(x EquityPoint) bool { return x.At.Equal(point.At) }, maxEquity)
}

// put returns list with v in the place of the newest element that is the same,
// or behind the last, and without the oldest beyond most. Published lists are
// never changed.
func put[T any](list []T, v T, same func(T) bool, most int) []T {
	for i := len(list) - 1; i >= 0; i-- {
		if same(list[i]) {
			list = slices.Clone(list)
			list[i] = v
			return list
		}
	}
	if len(list) >= most {
		list = list[len(list)-most+1:]
	}
	return append(slices.Clip(list), v)
}

// envelope is the frame of every message to a client.
type envelope struct {
	Type  string    `json:"type"`
	Epoch string    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
	Data  any       `json:"data"`
}

func (e envelope) encode() ([]byte, error) { return json.Marshal(e) }
