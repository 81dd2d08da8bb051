// Package risk is the gate that the desk asks before every order: a pure
// decision over a snapshot.
//
// It promises that the same view and intent always get the same answer, that
// a refusal names the rule, the value, the limit and what can be done, and
// that an order that only makes a position smaller is never refused by a rule
// that is there to keep new risk out. It does not promise that an allowed
// order is wise, nor does it remember anything: what was sent is in the view.
//
// # Design
//
// The rules are a table, asked in order; the first refusal wins. Those that
// say whether the numbers can be trusted stand before those that use them. A
// reduction is an order against the position, not larger than what is left of
// it after the open orders on the same side; it skips the rules that are
// marked as being for entries. Orders of one one-cancels-all group share that
// room: what one executes, the others are reduced by. A number that a rule
// needs and that is unknown refuses: unknown is not zero.
//
// Exposure counts open orders as if they were filled, at the highest of market
// and order prices, so that no sequence of allowed entries passes a limit
// whatever of it fills. A modification is judged like the order that results,
// without what the order takes that it changes.
//
// Halted, nothing passes but what the desk asks itself and reduces: a stop that
// protects, a position that is closed. Rates and repeats do not count what
// reduces, so that safety never waits for a budget.
//
// Daily loss, drawdown and losing streak latch: after such a refusal the desk
// makes the mode reduce_only (see [Gate.Latches]), because what they found does
// not go away by itself. They are judged when an entry is asked for.
//
// A price that jumped, a crossed or a wide market starts no entry and moves no
// stop that rests; a new stop is then held against the median of the trades
// before. Who lets a price start an exit asks [Gate.Sane] first.
//
// A rule is switched off by its name in risk.off, never by a limit of 0: that
// a limit was forgotten must not read as "no limit". What protects against
// another state than the trader believes in (link, mode, read_only, position)
// cannot be switched off.
package risk
