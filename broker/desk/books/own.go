package books

import (
	"fmt"
	"strings"
	"time"

	"robotrader/broker/order"
)

// OwnStrategy is who asks for the orders that the desk makes itself: protective
// stops, and those that close a position.
const OwnStrategy = "desk"

// CancelAgain is how long a cancel may stay without any effect before it is
// written again. Wall time.
const CancelAgain = 5 * time.Second

// FlattenPrefix begins the intent id of every order that closes a position.
const FlattenPrefix = "flatten-"

// GuardPrefix begins the reference of each stop of the guard, and the ids of
// its changes and cancels.
const GuardPrefix = "guard-"

// StopPrefix begins the intent id of every cancel of an orderly stop.
const StopPrefix = "stop-"

// Reserved tells what of an intent only the desk's own orders have: the name of
// who asks, the id, the stop that it is about, or the group. It is empty for all
// others. What an order is, its words tell, also after a restart; so nobody else
// may use them. Unguarded says that nobody looks after the stops: they may be
// cancelled then.
func Reserved(in order.Intent, unguarded bool) string {
	for _, prefix := range []string{GuardPrefix, FlattenPrefix, StopPrefix} {
		if strings.HasPrefix(in.ID, prefix) {
			return "ids that begin with " + prefix
		}
	}
	switch {
	case in.Strategy == OwnStrategy:
		return "the strategy name " + OwnStrategy
	case in.Action == order.Cancel && unguarded:
		return ""
	case strings.HasPrefix(in.Target, GuardPrefix):
		return "orders that begin with " + GuardPrefix
	case strings.HasPrefix(in.OCA, GuardPrefix):
		return "groups that begin with " + GuardPrefix
	}
	return ""
}

// Protects reports whether an order is a protective stop of the desk's.
func (e *Entry) Protects() bool {
	return strings.HasPrefix(e.Ref, GuardPrefix) && e.Type == order.Stop
}

// Closes reports whether an order is one by which a flatten closes a position,
// of this life or of an earlier one.
func (e *Entry) Closes() bool {
	return e.Strategy == OwnStrategy && strings.HasPrefix(e.Ref, FlattenPrefix)
}

// Describe words how an order stands.
func Describe(o order.Order) string {
	s := fmt.Sprintf("%s %v %s is %v, %v filled", o.Side, o.Qty, o.Symbol, o.State, o.Filled)
	if o.Note != "" {
		s += ": " + o.Note
	}
	return s
}
