// Package runner runs strategies: it waits at the gate until the link is
// ready, learns the account's state from the desk, warms the strategies up
// with past bars, builds bars from trades, and asks the desk for the orders
// that the strategies want.
//
// It promises that a strategy sees each closed bar once and in order, that the
// runner pauses as soon as the link is lost, and that no execution is counted
// twice or left out. It does not promise that a strategy earns money, nor that
// an order is allowed: the desk and its gate decide. A strategy that panics or
// blocks is at fault itself, and is named.
//
// # Design
//
// The state is a monitor: one mutex. Live, the bus calls the runner on the
// subscription's goroutine, and the strategy runs there: between the message
// of a tick and the request for an order lies no other goroutine. The runner's
// own goroutine opens and closes sessions and moves what only time moves. A
// request for an order is waited for with the mutex held, at most
// [Config].AskTimeout; what comes meanwhile waits in the subscription, and when
// there is no room in it the desk holds ticks back. A strategy that hangs for
// longer than that lasts loses messages; it is told as a gap, after which the
// desk's state is read again.
//
// At speed 0 (a [Pace] is given) the bus only fills an inbox, and the runner's
// goroutine folds it instant by instant: reports first, then ticks in their
// order, so the batching of messages cannot change what a strategy sees. An
// instant is done when every order request of it is answered, the gateway has
// handled what was written, and the reports of that are folded.
//
// Bars are cut by market time. A bar without a trade does not exist. A trade
// that comes after its bar was closed is counted and left out, never put into
// another bar. After an outage the bars between are asked for from the desk,
// and given once, in order, none that was still forming; the one that was is
// asked for when it has ended, and those behind it wait in line. As long as the
// desk cannot tell, the strategy stays paused for that symbol and is asked for
// again; only bars that the venue says it does not have are gone without.
//
// The portfolio is a fold of the executions over the account's state at the
// start: its figures are those that the product shows.
package runner
