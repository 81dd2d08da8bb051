package exchange

import (
	"errors"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// ErrNotOpen means that no order with that number is open: it never was, or it
// has ended.
var ErrNotOpen = errors.New("exchange: order not open")

// Config sets up an [Exchange].
type Config struct {
	// Accounts are the account ids. Default one, "DU7654321".
	Accounts []string
	// Cash is what each account starts with, in US dollars. Default 1,000,000.
	Cash market.Money
	// Instance tells apart two lives of an exchange in the numbers that it
	// gives: execution ids and perm ids. The same instance gives the same
	// numbers; a journal that outlives the exchange needs another one each
	// time, because an execution id seen before is taken for a repetition.
	// Default 0.
	Instance uint64
	// PartialFills limits a fill to the size that the tape shows. Default
	// off: an order fills whole.
	PartialFills bool
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Accounts: []string{"DU7654321"}, Cash: market.MustMoney("1000000")}
}

// Request asks for an order.
type Request struct {
	ClientID int
	OrderID  int64  // the API client's number
	Ref      string // orderRef
	Account  string // empty: the only account
	Symbol   market.Symbol
	Side     order.Side
	Type     order.Type
	TIF      order.TIF
	Qty      market.Qty
	Limit    *market.Price
}

// Exchange matches own orders against a tape and keeps the books.
type Exchange struct{ cfg Config }

// New returns an exchange without listings.
func New(cfg Config) (*Exchange, error) { return &Exchange{cfg: cfg}, nil }

// List makes a symbol tradable, with the details that the venue tells.
func (x *Exchange) List(d market.Details) error { return nil }

// Find returns the details of the listing that c means: by its contract id if
// it has one, else by symbol.
func (x *Exchange) Find(c market.Contract) (market.Details, bool) { return market.Details{}, false }

// Listed returns the details of all listings, ordered by symbol.
func (x *Exchange) Listed() []market.Details { return nil }

// Advance moves market time: DAY orders whose session has ended expire.
func (x *Exchange) Advance(now time.Time) []Report { return nil }

// Apply tells the exchange what happened in the market, and fills what it
// fills. An event of a symbol that is not listed is ignored.
func (x *Exchange) Apply(now time.Time, ev tape.Event) []Report { return nil }

// Place gives an order. The order of the first report carries the number that
// the exchange gave it (PermID), also when it was rejected.
func (x *Exchange) Place(now time.Time, r Request) []Report { return nil }

// Cancel ends an open order. The error wraps [ErrNotOpen].
func (x *Exchange) Cancel(now time.Time, permID int64) ([]Report, error) { return nil, nil }

// CancelAll ends all open orders, in the order in which they came.
func (x *Exchange) CancelAll(now time.Time) []Report { return nil }

// Open returns the open orders, in the order in which they came.
func (x *Exchange) Open() []order.Order { return nil }

// Fills returns all executions with their commissions, oldest first.
func (x *Exchange) Fills() []order.Fill { return nil }

// Market is what is known about a symbol's market. A nil number is unknown.
type Market struct {
	Quote     market.Quote // Volume is the day's
	DayOpen   *market.Price
	DayHigh   *market.Price
	DayLow    *market.Price
	PrevClose *market.Price // the last trade of the day before, seen by this exchange
}

// Market returns what is known about a symbol's market; ok is false when it is
// not listed.
func (x *Exchange) Market(s market.Symbol) (m Market, ok bool) { return Market{}, false }

// Position is what an account holds of one symbol.
type Position struct {
	Account  string
	Contract market.Contract
	Qty      market.Qty    // negative is short
	Cost     market.Money  // exact, without commission; negative for a short
	AvgCost  *market.Price // Cost / Qty, nil when flat
	Mark     *market.Price // last, else the middle of the quote; nil when unknown
}

// Positions returns the positions of an account that are not flat, ordered by
// symbol. An account that is not known has none.
func (x *Exchange) Positions(account string) []Position { return nil }

// Value is what an account is worth. Positions without a mark count at cost.
type Value struct {
	Cash           market.Money
	Positions      market.Money // at their marks, shorts negative
	GrossPositions market.Money // the sum of their absolute values
	Equity         market.Money // Cash + Positions (NetLiquidation)
	Realized       market.Money // before commission
	Unrealized     market.Money
	Commissions    market.Money
}

// Value values an account; ok is false when it is not known.
func (x *Exchange) Value(account string) (v Value, ok bool) { return Value{}, false }

// Accounts lists the account ids, in the order of the configuration.
func (x *Exchange) Accounts() []string { return nil }
