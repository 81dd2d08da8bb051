package broker

import (
	"fmt"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// IntentRecord is what the journal keeps of one intent: what was asked, what
// the gate decided, and which order it became.
type IntentRecord struct {
	Intent   order.Intent   `json:"intent"`
	Decision order.Decision `json:"decision"`
	Account  string         `json:"account"`
	ClientID int            `json:"client_id"`
	// OrderID is the number under which it goes to the venue: the order's own
	// for a place, the target's for a cancel, 0 for one that was refused.
	OrderID int64 `json:"order_id"`
	// Order is the order that a place makes: in state Intended when it is
	// stored, as last recorded when it is looked up. Nil for a cancel and for
	// one that was refused.
	Order *order.Order `json:"order"`
	// Changed is the order that a change is about, with the change under way, as
	// it was when the intent was stored: a later life knows from it that either
	// version may be in force. Nil for all else.
	Changed *order.Order `json:"changed,omitempty"`
	Wall    time.Time    `json:"wall"` // when it was stored
}

// DuplicateIntentError tells that an intent's id is in the journal already.
// Nothing was stored; Stored is what stands there.
type DuplicateIntentError struct{ Stored IntentRecord }

func (e *DuplicateIntentError) Error() string {
	return fmt.Sprintf("broker: intent %.60q is known since %s", e.Stored.Intent.ID, e.Stored.Wall.Format(time.RFC3339Nano))
}

// Record is one thing that the journal keeps besides intents. Exactly one of
// the fields behind Market is set.
type Record struct {
	Wall   time.Time // when it came
	Market time.Time // market time then, zero before the first clock

	// Order is an order after a change of its state; the newest one replaces
	// nothing, it follows.
	Order *order.Order
	// Fill is an execution. The same ExecID twice is one fill; the second may
	// only add what the first did not know.
	Fill *order.Fill
	// Commission is what one execution cost. It may come before its Fill.
	Commission *CommissionReport
	// Values are values of the account that changed.
	Values []AccountValue
	// Mode is the desk's mode after a change.
	Mode *ModeRecord
	// Finding is what a reconciliation found out.
	Finding *Finding
}

// ModeRecord is a mode, since when (wall time) and why.
type ModeRecord struct {
	Mode   Mode      `json:"mode"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Flatten says that the positions are to be closed and this is not done
	// yet; a restart goes on with it.
	Flatten bool `json:"flatten,omitempty"`
}

// Finding is one difference between the desk's books and the broker, or the
// end of one. The broker is the truth: a finding explains, it never trades.
type Finding struct {
	// Kind is what differs: position, order, execution, cash.
	Kind   string        `json:"kind"`
	Symbol market.Symbol `json:"symbol,omitempty"`
	Ref    string        `json:"ref,omitempty"` // of an order
	Ours   string        `json:"ours"`          // as the books had it, "unknown" when they did not
	Theirs string        `json:"theirs"`        // as the broker told it
	// Explained says that Evidence accounts for all of the difference; without
	// it the mode becomes reduce_only.
	Explained bool `json:"explained"`
	// Evidence names what explains it, such as execution ids or an order made
	// by hand, or says what was looked at in vain.
	Evidence string `json:"evidence"`
	// Done is what the desk did about it.
	Done string    `json:"done"`
	At   time.Time `json:"at"` // wall time
}

// Books is what a journal remembers of an account at the start of a process.
type Books struct {
	// Orders are all orders whose last recorded state is not final, and the
	// newest of the ended ones; by order of their first record.
	Orders []order.Order
	// Fills are the newest executions and all of Orders, oldest first, with the
	// commission where it is known.
	Fills []order.Fill
	// Sent are the orders and changes of the newest market day, and perhaps of
	// earlier ones, that were allowed and may add risk (neither a reduction nor
	// asked by the desk itself), oldest first: what the gate's rates look back
	// upon.
	Sent []SentRecord
	// Asked are the ids of the newest intents, refused ones too, oldest first:
	// at most 16,384.
	Asked []string
	// Mode is the last mode recorded, nil when there is none.
	Mode *ModeRecord
	// Adopted are the symbols whose positions were taken over from the broker
	// without explanation, of the newest 256 such findings, with the market time of
	// the newest of each.
	Adopted map[market.Symbol]time.Time
}

// EquityRecord is what an account was worth at one time, as the venue told it.
type EquityRecord struct {
	Account string
	Wall    time.Time
	Market  time.Time // zero when there was no market time yet
	Equity  market.Money
}

// SentRecord is one order of the past that counts against the gate's rates.
type SentRecord struct {
	At       time.Time    // market time of the decision
	Notional market.Money // that it added, as the gate reckoned it, 0 when it could not
}
