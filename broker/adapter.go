package broker

import (
	"context"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// An Adapter opens sessions with one kind of venue.
type Adapter interface {
	// Name is the configuration key that selects the adapter, such as "ibkr".
	Name() string
	// Open dials, completes the venue's handshake and returns a live session,
	// telling on of every rung as it is reached. It blocks until done or until
	// ctx ends. On failure the error is a *[Error] that carries the rungs and
	// satisfies [ErrGatewayDown] or [ErrRefused], and nothing is left running.
	Open(ctx context.Context, cfg OpenConfig, on func(Rung)) (Session, error)
}

// OpenConfig is what every adapter needs to know for one attempt.
type OpenConfig struct {
	// Account is the account to trade. Empty means the only one; with several
	// and none named, opening is refused.
	Account string
	// Live permits an account that is not a paper account (id without a
	// leading D). Default false.
	Live bool
	// Allowed are the only accounts that may be traded; opening is refused for
	// every other. Empty = any.
	Allowed []string
	// AnyAccount skips all account checks: for a probe, which never trades.
	AnyAccount bool
}

// Facts is what a handshake established.
type Facts struct {
	Gateway        string    `json:"gateway"` // host:port
	ServerVersion  int       `json:"server_version"`
	ConnectionTime string    `json:"connection_time"` // the venue's words, unparsed
	Accounts       []string  `json:"accounts"`
	Account        string    `json:"account"` // the one that is traded
	ClientID       int       `json:"client_id"`
	NextOrderID    int64     `json:"next_order_id"`
	Simulated      bool      `json:"simulated"` // the gateway is the built-in one
	Speed          float64   `json:"speed"`     // of market time; 1 but for the simulator, 0 = lock-step
	Opened         time.Time `json:"opened"`    // wall time
	// ForceDisconnect says that sessions are closed abruptly, by configuration:
	// a reset, of which gateways may keep a dead socket.
	ForceDisconnect bool `json:"force_disconnect"`
}

// Session is one live connection. It is safe for concurrent use, except that
// Events has one caller.
type Session interface {
	// Facts returns what the handshake established. It never changes.
	Facts() Facts
	// Events blocks until something came, and returns all that is pending, in
	// order. After the session's end it returns what is left, then the error
	// that ended it; after Close that error is [ErrClosed].
	Events(ctx context.Context) (Batch, error)
	// Time asks the venue for its time.
	Time(ctx context.Context) (time.Time, error)
	// Close ends the session well: the write side first, then what the venue
	// still sends is read, then the rest. It may be called twice.
	Close(ctx context.Context) error
}

// Trader is the only way to write an order. A call returns nil when the last
// byte went to the socket, [ErrNotWritten] when it is certain that none did,
// and [ErrOutcomeUnknown] for anything between. None of these says what the
// venue made of it; events do.
type Trader interface {
	Place(ctx context.Context, t Ticket) error
	Cancel(ctx context.Context, orderID int64) error
}

// Drafter gets a message ready that Place is about to write, while whoever
// places the order waits for a disk. It is an optional power of a [Trader],
// found by assertion. Nothing is written, a ticket that cannot be one is told
// by Place alone, and a draft that Place never asks for is forgotten. Draft
// does not block.
type Drafter interface {
	Draft(t Ticket)
}

// Ticket is an order as it goes to the venue. With an intent to modify, it is
// the order OrderID as it is to become: the venue knows it by that number.
type Ticket struct {
	OrderID  int64
	Account  string
	Contract market.Contract
	Intent   order.Intent
}

// Ref is the order's reference: the id of the intent that made it.
func (t Ticket) Ref() string {
	if t.Intent.Action == order.Modify {
		return t.Intent.Target
	}
	return t.Intent.ID
}

// MarketData subscribes to a contract's market: one lasting subscription,
// whose ticks come as events. Subscribing does not wait for the first tick.
type MarketData interface {
	Subscribe(ctx context.Context, c market.Contract) error
	Unsubscribe(ctx context.Context, s market.Symbol) error
}

// Resubscriber renews a symbol's market data: the subscription that is held, if
// there is one, ends at the venue, and another is made under an id that was
// never used. Ticks of the old one that are still on the way are dropped. It is
// an optional power of who has [MarketData], found by assertion. After an error
// the symbol has its old subscription or none: Resubscribe again mends both.
type Resubscriber interface {
	Resubscribe(ctx context.Context, c market.Contract) error
}

// HistorySource answers questions about past bars.
type HistorySource interface {
	// Bars returns the closed bars before End, oldest first. An empty list
	// without an error means that the venue has none, and says so. When the
	// venue's limits leave no room for the question within the deadline of ctx,
	// nothing is asked and the error satisfies [ErrPacing]; RetryAfter of its
	// [Error] then tells how long to wait.
	Bars(ctx context.Context, q BarsQuery) ([]market.Bar, error)
}

// BarsQuery asks for historical bars of trades.
type BarsQuery struct {
	Contract market.Contract
	End      time.Time     // zero = now, the venue's now
	Span     time.Duration // how far back from End, at most 365 days
	Width    time.Duration // of a bar: a whole number of minutes, hours or one day
	// RegularOnly leaves out the bars outside the regular session.
	RegularOnly bool
}

// AccountSource answers questions about the account. Each answer is complete
// or an error: a failed query never reads as "nothing".
type AccountSource interface {
	// Positions returns all that the account holds. What is no stock has a symbol
	// that [market.Symbol.Other] made, its kind, and is marked as unmanaged.
	Positions(ctx context.Context) ([]order.Position, error)
	OpenOrders(ctx context.Context) ([]OrderReport, error)
	Executions(ctx context.Context) ([]ExecutionReport, []CommissionReport, error)
	// Account returns the account's values: at least NetLiquidation,
	// TotalCashValue and BuyingPower in the base currency where told.
	Account(ctx context.Context) ([]AccountValue, error)
	// WatchAccount subscribes to changes, which come as events.
	WatchAccount(ctx context.Context) error
}

// CompletedSource answers which orders of the venue's present day are done. It
// is an optional power, found by assertion: a gateway in read-only mode refuses
// it, and some stay silent. The answer is complete or an error.
type CompletedSource interface {
	CompletedOrders(ctx context.Context) ([]CompletedReport, error)
}

// AllOrdersSource answers which orders of the account are open, whichever client
// made them, those by hand included. It is an optional power, found by assertion.
// The answer is complete or an error.
type AllOrdersSource interface {
	AllOpenOrders(ctx context.Context) ([]OrderReport, error)
}

// ForeignSource answers what other clients of the account did, as by hand in the
// broker's own window. It is an optional power, found by assertion: some
// gateways answer it never. The answer is complete or an error.
type ForeignSource interface {
	// AllExecutions returns the day's executions of the account by all clients.
	AllExecutions(ctx context.Context) ([]ExecutionReport, error)
}

// ContractSource looks contracts up.
type ContractSource interface {
	Details(ctx context.Context, c market.Contract) ([]market.Details, error)
}
