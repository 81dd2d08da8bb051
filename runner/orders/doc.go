// Package orders is a strategy's view of its own orders: what it asked for,
// what has not ended, and what that will make of the position.
//
// It promises that an intent's id is the same whenever the same run decides
// the same at the same market time, so that asking twice is harmless, and that
// an order counts as outstanding until it has ended and its executions have
// come. It does not promise what the broker made of an order; silence keeps it
// outstanding.
//
// # Design
//
// An order's end and its executions come as messages of their own, in any
// order. An order whose end came first would look like room for the next one,
// while the position does not show it yet. So the end counts only with as many
// shares folded as the end speaks of. And an end may be taken back: the broker may
// know of an order that the desk had called dropped, rejected or cancelled. The
// newest 1,024 ended orders are remembered for that.
package orders
