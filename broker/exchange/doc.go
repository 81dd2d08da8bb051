// Package exchange is a matching engine for own orders against a market that a
// tape tells: it keeps accounts, fills market and limit orders, charges
// commission and writes the books. The simulated gateway and the backtest
// share it.
//
// It promises that it is deterministic and pure: time is an argument, there is
// no goroutine, no clock and no randomness; that no order fills beyond its
// quantity or at a price worse than its limit; and that cash, positions and
// executions always agree, exactly. An [Exchange] is not safe for concurrent
// use. It does not promise that a fill would have happened in the real market:
// own orders move no price, queue positions are not modelled (a print at the
// limit fills), and there is no margin: cash and positions may go below zero.
// An order id used twice is the caller's business.
//
// # Design
//
// A market order fills at the opposite quote, at the last trade when there is
// no such quote, and waits when neither is known. A limit order that meets a
// quote at or through its limit when it arrives takes that quote's price. One
// that rests is filled at its own limit when the opposite quote reaches or
// crosses it or a trade prints at or through it: it was there first, so its
// price rules; market orders before limits, then better limits, then
// earlier ones. A suspicious trade fills nothing.
//
// DAY orders expire at 20:00 New York time, the end of the extended session,
// of the day on which they came (of the next day when they came later), also
// in a synthetic market that knows no night. IOC orders are cancelled at once
// as far as they did not fill. GTC orders wait for good. An order that comes
// before the day's first event fills against what was known last.
//
// The cost of a position is exact money without commission, so that the
// average cost is a fact about prices and commission is shown where it is
// paid. Closing a part takes that part of the cost, its sixteenth decimal
// rounded half to even. So at any time, exactly:
//
//	cash + cost of positions = starting cash + realised P&L before commission − commissions
//
// A real IBKR account counts commission into the average cost, and tells
// realised P&L after it; see [Ledger] for both.
//
// Every call returns its [Report]s in the order in which a venue tells them;
// the slice is valid until the next call.
package exchange
