package books

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Ask is a question to the broker that follows from what was folded.
type Ask uint8

// The questions.
const (
	AskNothing Ask = iota
	AskAll         // all of it at once, because something was refused or is unsure
	AskLook        // how the books stand against the broker
	AskSoon        // the same, in a moment
)

// Effect is one thing that follows from what was folded. One field is set.
type Effect struct {
	Order    *order.Order          // is to be told, then stored
	Store    *broker.Record        // is to be stored
	Fill     *order.Fill           // is to be told
	Position *order.Position       // is to be told
	Values   []broker.AccountValue // are to be told, of Account
	Account  string
	Finding  *broker.Finding   // is to be told
	Notice   *event.NoticeText // is for people
	Restrict string            // why the mode is to be reduce_only
	Ask      Ask               // is to be asked
}

// Turn is one turn of whoever has the books: its time, and what follows from
// what is folded in it.
type Turn struct {
	Wall   time.Time
	Market time.Time // zero before the first clock
	// ConID tells the number of a symbol's contract, 0 when it is not known.
	ConID func(market.Symbol) int64
	// CanAsk says that a session stands whose venue can be asked while its market
	// goes on.
	CanAsk bool
	// Effects follow, and are to be told and stored in their order.
	Effects []Effect
}

func (t *Turn) follows(c Effect) { t.Effects = append(t.Effects, c) }

func (t *Turn) order(o order.Order)     { t.follows(Effect{Order: &o}) }
func (t *Turn) warn(n event.NoticeText) { t.follows(Effect{Notice: &n}) }
func (t *Turn) fill(f order.Fill)       { t.follows(Effect{Fill: &f}) }

// Position has a position told.
func (t *Turn) Position(p order.Position) { t.follows(Effect{Position: &p}) }

// store has a record stored, with the time of the turn.
func (t *Turn) store(r broker.Record) {
	r.Wall, r.Market = t.Wall, t.Market
	t.follows(Effect{Store: &r})
}

// stored records an execution.
func (t *Turn) stored(f order.Fill) { t.store(broker.Record{Fill: &f}) }

// Ask has the broker asked.
func (t *Turn) Ask(a Ask) { t.follows(Effect{Ask: a}) }

func (t *Turn) restrict(why string) { t.follows(Effect{Restrict: why}) }
