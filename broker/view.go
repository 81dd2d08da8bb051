package broker

import (
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Mode is what the desk lets through.
type Mode string

// The modes.
const (
	Active     Mode = "active"
	ReduceOnly Mode = "reduce_only"
	Halted     Mode = "halted"
)

// View is what the risk gate sees when it decides: a snapshot taken inside the
// desk's command loop, so that check and reserve are one step. Only market
// time is in it.
type View struct {
	Now        time.Time // market time
	Link       LinkState
	Mode       Mode
	ModeReason string // why the mode is what it is
	ReadOnly   bool   // broker.read_only
	Account    string
	Live       bool // the account is not a paper account
	Quote      market.Quote
	// Trades are the newest trades of the intent's symbol, to tell a jump.
	Trades market.Trades
	// Details is what the venue told about the intent's contract; nil when it
	// did not.
	Details *market.Details
	// Position is the account's holding of the intent's symbol by the desk's
	// books; nil means unknown, as before the first recovery.
	Position *market.Qty
	// Told is that holding as the broker told it last, where it differs; nil when
	// it does not. See Surely.
	Told *market.Qty
	// Open are the live orders of the intent's symbol. Of one with a change that
	// the venue has not shown it is the worst that either version may do.
	Open []order.Order
	// Own says that the desk itself asks: for a protective stop, or to close a
	// position. Nobody on the bus can say so.
	Own bool
	// Target is the order that a cancel or a modification is about; nil when it
	// is not known, and for a new order.
	Target *order.Order
	// Sent are the market times of the entries, and changes of them, written in
	// the last minute, oldest first. An order that only reduced a position, or that the desk
	// asked for itself, is not among them: safety does not use up the budget.
	Sent []time.Time
	// SentNotional is the notional of these entries in this market day.
	SentNotional market.Money
	// Others is the exposure of all other symbols: of each the largest size
	// that its open orders may lead to, at the highest of market and order
	// prices. Amounts are added as they are, without conversion between
	// currencies. Nil means unknown, and OthersNote says why.
	Others     *market.Money
	OthersNote string
	// Standing is how the account fares.
	Standing Standing
	// Twin is the newest entry that was written for the same strategy, symbol,
	// side and quantity; the zero value is none.
	Twin Twin
	// LastExit is the market time of the newest execution that made the
	// position of the intent's symbol smaller, zero when none is known.
	LastExit time.Time
}

// Twin is an entry that went out before.
type Twin struct {
	ID string
	At time.Time // market time
}

// Standing is how an account fares, in its own currency. A nil amount is
// unknown.
type Standing struct {
	Equity   *market.Money // newest NetLiquidation that the venue told
	Currency string        // of Equity
	// DayStart is the first equity of this market day, and Peak the highest
	// since the mode last became active.
	DayStart, Peak *market.Money
	// Note says where DayStart and Peak come from when that is not plain, as
	// after a restart that nothing remembers.
	Note string
	// Realized is the result of this market day's round trips, from flat to
	// flat, after the commissions that are told.
	Realized market.Money
	// LosingStreak is how many of the day's newest round trips lost in a row.
	LosingStreak int
}

// Surely is what is held whoever is right: the smaller of two words about a
// position, and nothing when they are on different sides; without a second word
// it is the first. It is what an order may reduce.
func Surely(position, told *market.Qty) *market.Qty {
	switch {
	case position == nil || told == nil:
		return position
	case position.Sign()*told.Sign() <= 0:
		return &market.Qty{}
	case told.Abs().Less(position.Abs()):
		return told
	}
	return position
}

// Worth returns what an intent's order is worth, in the contract's currency:
// at the highest of the newest price, its limit and its stop. Of a
// modification it is what the order will have left to fill. Nil means that no
// price is known.
func (v View) Worth(in order.Intent) *market.Money {
	var e Exposure
	if p, _, ok := v.Quote.Newest(); ok {
		e.Raise(&p)
	}
	e.Raise(in.Limit)
	e.Raise(in.Stop)
	if !e.Priced {
		return nil
	}
	return e.Price.Mul(v.Left(in)).Abs().Ptr()
}

// Grows returns by how much an intent makes what may be traded more, as Worth
// reckons it: all of a new order, of a modification what it is worth more than
// the order that it changes, never below 0. Without a price it is 0.
func (v View) Grows(in order.Intent) market.Money {
	worth := v.Worth(in)
	if worth == nil {
		return market.Money{}
	}
	if in.Action != order.Modify || v.Target == nil {
		return *worth
	}
	t := v.Target
	was := View{Quote: v.Quote}.Worth(order.Intent{Action: order.Place, Qty: t.Remaining(), Limit: t.Limit, Stop: t.StopPrice})
	if was == nil || worth.Less(*was) {
		return market.Money{}
	}
	return worth.Sub(*was)
}

// Left returns what an intent's order will have left to fill: its quantity, of
// a modification without what the order has filled.
func (v View) Left(in order.Intent) market.Qty {
	if in.Action != order.Modify || v.Target == nil {
		return in.Qty
	}
	return order.Order{Qty: in.Qty, Filled: v.Target.Filled}.Remaining()
}

// Instant is one step of a lock-step replay: all that happens at one market
// time. The counts are those of the trader's present session.
type Instant struct {
	At      time.Time // market time
	Ticks   uint64    // market-data frames that the gateway wrote so far
	Reports uint64    // order-report frames that the gateway wrote so far
}
