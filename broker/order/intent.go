package order

import (
	"errors"
	"fmt"
	"time"

	"robotrader/broker/market"
)

// Side is the direction of an order.
type Side string

// The sides, in the venue's words.
const (
	Buy  Side = "BUY"
	Sell Side = "SELL"
)

// Signed returns q for a buy and -q for a sell: the change of the position.
func (s Side) Signed(q market.Qty) market.Qty {
	if s == Sell {
		return q.Neg()
	}
	return q
}

// Type says how an order is priced.
type Type string

// The order types, in the venue's words. An [Intent] asks for Market, Limit or
// Stop; the others are orders that were made elsewhere, or that a simulated venue
// takes.
const (
	Market          Type = "MKT"
	Limit           Type = "LMT"
	Stop            Type = "STP"
	StopLimit       Type = "STP LMT"
	Trail           Type = "TRAIL"
	TrailLimit      Type = "TRAIL LIMIT"
	MarketOnClose   Type = "MOC"
	LimitOnClose    Type = "LOC"
	MarketIfTouched Type = "MIT"
	LimitIfTouched  Type = "LIT"
)

// TIF says how long an order works (time in force).
type TIF string

// The times in force, in the venue's words. An [Intent] asks for Day, GTC or
// IOC.
const (
	Day TIF = "DAY" // until its session ends
	GTC TIF = "GTC" // until cancelled
	IOC TIF = "IOC" // at once, and what does not fill is cancelled
	GTD TIF = "GTD" // until a time that it names
	OPG TIF = "OPG" // at the opening, and what does not fill is cancelled
	FOK TIF = "FOK" // at once and whole, or cancelled
)

// Action tells what an intent asks for.
type Action string

// The actions. Cancel asks to end the order whose intent is Target; Modify asks
// to give it the intent's quantity and prices.
const (
	Place  Action = "place"
	Cancel Action = "cancel"
	Modify Action = "modify"
)

// Intent is what somebody wants done, before anybody decided or did anything.
// Its ID is made by the asker so that asking twice is harmless: the desk
// answers a known id with what became of it. It travels to the venue as the
// order's reference (orderRef).
type Intent struct {
	ID       string        `json:"id"`
	Action   Action        `json:"action"`
	Strategy string        `json:"strategy"` // who asks
	Symbol   market.Symbol `json:"symbol"`
	Side     Side          `json:"side,omitempty"`
	Type     Type          `json:"type,omitempty"`
	TIF      TIF           `json:"tif,omitempty"`
	Qty      market.Qty    `json:"qty"`
	Limit    *market.Price `json:"limit,omitempty"` // for Limit orders
	Stop     *market.Price `json:"stop,omitempty"`  // for Stop orders: where it becomes a market order
	// OCA names the one-cancels-all group that the order belongs to, "" is
	// none: what one of the group executes, the others are reduced by.
	OCA string `json:"oca,omitempty"`
	// OutsideRTH lets the order trade outside the regular session, too.
	OutsideRTH bool      `json:"outside_rth,omitempty"`
	Target     string    `json:"target,omitempty"` // of a cancel or a modification
	Reason     string    `json:"reason,omitempty"` // plain words
	At         time.Time `json:"at"`               // market time
	// Trace names what led to it, such as a message of ticks, in logs and in the
	// journal: 1 to 40 characters like an ID, the asker's own choice; empty for
	// none. The order carries it to its end. Nothing is decided by it.
	Trace string `json:"trace,omitempty"`
}

// ErrBadIntent means that an intent makes no sense, whatever the market does.
var ErrBadIntent = errors.New("bad order intent")

// maxRef bounds an order reference, in characters.
const maxRef = 40

// isRef reports whether s is what every venue takes as an order reference, and
// no log or bus subject chokes on: [A-Za-z0-9][A-Za-z0-9._:-]{0,39}. It is
// asked three times on an order's way; a regular expression takes 1 µs each
// time, and several when its code is cold.
func isRef(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != ':' && c != '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxRef
}

// MaxQty bounds an order's quantity: one million shares, beyond which a
// number is taken for a mistake.
var MaxQty = market.Shares(1_000_000)

// Validate returns all that is wrong with the intent, joined; each error wraps
// [ErrBadIntent] and names field and value.
func (in Intent) Validate() error {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("order: "+format+": %w", append(a, ErrBadIntent)...))
	}
	if !isRef(in.ID) {
		bad("id %.60q is not 1 to 40 letters, digits, dots, colons and dashes", in.ID)
	}
	if in.At.IsZero() {
		bad("at: no market time")
	}
	if in.Trace != "" && !isRef(in.Trace) {
		bad("trace %.60q is not 1 to 40 letters, digits, dots, colons and dashes", in.Trace)
	}
	switch in.Action {
	case Cancel:
		if !isRef(in.Target) {
			bad("target %.60q of a cancel is no intent id", in.Target)
		}
		return errors.Join(errs...)
	case Modify:
		if !isRef(in.Target) {
			bad("target %.60q of a modification is no intent id", in.Target)
		}
	case Place:
		if in.Target != "" {
			bad("target %.60q on a new order", in.Target)
		}
	default:
		bad("action %.20q is none of place, modify, cancel", in.Action)
	}
	if _, err := market.ParseSymbol(string(in.Symbol)); err != nil {
		bad("symbol %.40q", in.Symbol)
	}
	if in.Side != Buy && in.Side != Sell {
		bad("side %.20q is neither BUY nor SELL", in.Side)
	}
	if in.Qty.Sign() <= 0 || MaxQty.Less(in.Qty) {
		bad("qty %v is not above 0 and at most %v", in.Qty, MaxQty)
	}
	if in.Limit != nil && in.Type != Limit {
		bad("limit %v on an order of type %.20q", in.Limit, in.Type)
	}
	if in.Stop != nil && in.Type != Stop {
		bad("stop %v on an order of type %.20q", in.Stop, in.Type)
	}
	switch in.Type {
	case Market:
	case Limit:
		if in.Limit == nil || in.Limit.Sign() <= 0 {
			bad("limit order without a limit above 0")
		}
	case Stop:
		if in.Stop == nil || in.Stop.Sign() <= 0 {
			bad("stop order without a stop above 0")
		}
	default:
		bad("type %.20q is none of MKT, LMT, STP", in.Type)
	}
	if in.OCA != "" && !isRef(in.OCA) {
		bad("oca %.60q is not 1 to 40 letters, digits, dots, colons and dashes", in.OCA)
	}
	if in.TIF != Day && in.TIF != GTC && in.TIF != IOC {
		bad("tif %.20q is none of DAY, GTC, IOC", in.TIF)
	}
	return errors.Join(errs...)
}

// Decision is the risk gate's answer to an intent, with the numbers it saw.
type Decision struct {
	IntentID string    `json:"intent_id"`
	Allowed  bool      `json:"allowed"`
	Rule     string    `json:"rule,omitempty"`   // that refused, such as "max_notional"
	Reason   string    `json:"reason,omitempty"` // plain words: value, limit, mend
	At       time.Time `json:"at"`               // market time
	Saw      Saw       `json:"saw,omitzero"`
}
