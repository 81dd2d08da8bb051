package market

import "time"

// TickKind tells what a [Tick] carries.
type TickKind uint8

// The kinds of tick. Bid, ask and trade carry a price and a size; volume
// carries a size; high, low, open and close (of the previous day) a price;
// halted carries in Size 0 for trading and anything else for halted.
const (
	TickBid TickKind = iota + 1
	TickAsk
	TickTrade
	TickVolume
	TickHigh
	TickLow
	TickOpen
	TickClose
	TickHalted
)

var tickNames = [...]string{"", "bid", "ask", "trade", "volume", "high", "low", "open", "close", "halted"}

func (k TickKind) String() string {
	if int(k) < len(tickNames) && k > 0 {
		return tickNames[k]
	}
	return "unknown"
}

// Tick is one change of a symbol's market, as the venue told it.
type Tick struct {
	Symbol Symbol
	Kind   TickKind
	// Known is false when the venue said that there is no such price now, as
	// with a bid of -1 and size 0. Price and Size mean nothing then.
	Known bool
	Price Price
	Size  Qty
	// At is the market time of the tick: for a trade the venue's own last
	// timestamp, for the rest the newest market time known when it came.
	At time.Time
	// Delayed marks data that the venue delays (by 15 minutes or so).
	Delayed bool
}

// Quote is the newest of everything known about a symbol's market. A nil
// price is unknown: never told, or told to be absent. The times are market
// time, zero as long as the price beside them never came.
type Quote struct {
	Bid, Ask, Last             *Price
	BidSize, AskSize, LastSize *Qty
	Volume                     *Qty
	BidAt, AskAt, LastAt       time.Time
	Halted, Delayed            bool
}

// Apply returns the quote after t. Published quotes are never changed.
func (q Quote) Apply(t Tick) Quote {
	q.Delayed = t.Delayed
	var price *Price
	var size *Qty
	if t.Known {
		price, size = &t.Price, &t.Size
	}
	switch t.Kind {
	case TickBid:
		q.Bid, q.BidSize, q.BidAt = price, size, t.At
	case TickAsk:
		q.Ask, q.AskSize, q.AskAt = price, size, t.At
	case TickTrade:
		if t.Known { // a missing last does not undo a trade that happened
			q.Last, q.LastSize, q.LastAt = price, size, t.At
		}
	case TickVolume:
		q.Volume = size
	case TickHalted:
		q.Halted = t.Known && !t.Size.IsZero()
	}
	return q
}

// Newest returns the newest known of last, bid and ask and its market time; a
// tie goes to the last, then the bid. ok is false when none is known.
func (q Quote) Newest() (p Price, at time.Time, ok bool) {
	for _, c := range [...]struct {
		p  *Price
		at time.Time
	}{{q.Last, q.LastAt}, {q.Bid, q.BidAt}, {q.Ask, q.AskAt}} {
		if c.p != nil && (!ok || c.at.After(at)) {
			p, at, ok = *c.p, c.at, true
		}
	}
	return p, at, ok
}

// Fresh reports whether any of bid, ask and last came at most maxAge of market
// time before now.
func (q Quote) Fresh(now time.Time, maxAge time.Duration) bool {
	_, at, ok := q.Newest()
	return ok && now.Sub(at) <= maxAge
}

// Bar is what was traded in [Start, Start+its width). Times are market time.
type Bar struct {
	Start  time.Time `json:"start"`
	Open   Price     `json:"open"`
	High   Price     `json:"high"`
	Low    Price     `json:"low"`
	Close  Price     `json:"close"`
	Volume Qty       `json:"volume"`
	Trades int       `json:"trades"` // 0 = not told
}

// Merge returns the bar after one more trade.
func (b Bar) Merge(price Price, size Qty) Bar {
	if b.Trades == 0 {
		b.Open, b.High, b.Low = price, price, price
	}
	if b.High.Less(price) {
		b.High = price
	}
	if price.Less(b.Low) {
		b.Low = price
	}
	b.Close = price
	b.Volume = b.Volume.Add(size)
	b.Trades++
	return b
}
