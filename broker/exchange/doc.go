// Package exchange is a matching engine for own orders against a market that a
// tape tells: it keeps accounts, fills orders of the types that a TWS knows for
// stocks, charges commission and writes the books. The simulated gateway and
// the backtest share it.
//
// It promises that it is deterministic and pure: time is an argument, there is
// no goroutine, no clock and no randomness; that no order fills beyond its
// quantity, at a price worse than its limit or that the market did not reach,
// before its stop, or beside another of its OCA group; and that cash, positions
// and executions always agree, exactly. An [Exchange] is not safe for concurrent
// use. It does not promise that a fill would have happened in the real market:
// own orders move no price, queue positions are not modelled (a print at the
// limit fills). An account that loses more than it has is not closed out: its
// equity may go below zero, and then it can only close. There is one currency,
// and there are no interest, borrow fees, dividends, splits, taxes, and none of
// the fees that regulators and venues take beside the commission. An order id
// used twice is the caller's business.
//
// # Design
//
// A market order fills at the opposite quote, at the last trade when there is
// no such quote, and waits when neither is known. A limit order that meets a
// quote at or through its limit when it arrives takes that quote's price. One
// that rests is filled at its own limit when the opposite quote reaches or
// crosses it or a trade prints at or through it: it was there first, so its
// price rules; market orders before limits, then better limits, then
// earlier ones. A suspicious trade fills nothing. An order goes whole unless
// [Config.PartialFills] bounds it by the size shown; all-or-none orders are then
// passed over, and fill-or-kill orders end, where there is too little.
//
// An order gets past one [Wait] after the other, and works when none is left:
// transmission, its parent's fill, its time, its session, its stop. Waits are
// asked anew at each step, so that their mixtures need no rules of their own.
// What is due by the clock stands in one heap of alarms, and every call begins
// with what is due by its time, each thing at its own time.
//
// Stops are set off by trades (a TWS's trigger method 2, "last"), at the stop
// or through it, the nearest first; not by suspicious trades, not by those of a
// halt or of hours in which the order may not be set off. A trade of this
// session that is through a stop when the order comes sets it off at once. MIT
// and LIT orders are stops on the better side. What is set off arrives as a
// market or limit order at that moment. A trailing stop follows the best trade
// since it began, is rounded to the price grid away from the market, and moves
// without a report. Stops wait in two queues by price, so that an event looks
// at none that it does not touch.
//
// Hours are those of the listing. Without OutsideRTH an order works in the
// liquid hours, and is held back outside of them; with it, orders with a limit
// work in all trading hours, and stops are set off in them, but what has no
// limit trades in liquid hours alone. Of hours that tell nothing, or nothing
// any more, and of hours without a gap for more than a day, the market is always
// in its regular session, which closes at 16:00 and opens at 09:30 New York time
// for the orders of an auction. An order that goes live because a session
// begins waits for its first quote or trade and takes that price, as in an
// opening; one that comes before the session's first event fills against what
// was known last.
//
// MOC and LOC orders trade whole when the regular session ends, at its last
// trade, else at the quote; a tape does not tell the sizes of an auction. OPG
// orders trade at the first quote or trade of the next regular session. What
// does not fill there is cancelled. A venue's cut-off times are not modelled.
//
// DAY orders expire at the end of the trading hours in which they may first
// work; where these know no end, at 20:00 New York time of the day on which
// they came (of the next day when they came later). GTD orders expire at their
// time, GTC orders wait for good. IOC and FOK orders end when they have met the
// market; in a halt at once.
//
// Children go live when their parent has filled whole. When it ends before,
// they go live for no more than what it filled, and end with it when that is
// nothing. A parent that becomes smaller, by a change or by its group, makes
// those as small that were no larger than it (from general knowledge). Children
// that undo what the parent does are an OCA group among themselves. A group is
// settled within the fill: before anything else can fill, the others are
// cancelled, or reduced by the same share, rounded up; so no sequence of fills
// adds up to more than one order of it. Nobody joins a group that has begun to
// fill. The bounds are [MaxOpen], [MaxFills], [MaxChildren], [MaxGroup] and
// [MaxPrice].
//
// A change keeps the order's place in the queue only when nothing but its
// quantity falls. What was set off stays so, a trail goes on unless its own
// terms change, and what was transmitted cannot be called back.
//
// The cost of a position is exact money without commission, so that the
// average cost is a fact about prices and commission is shown where it is
// paid. Closing a part takes that part of the cost, its sixteenth decimal
// rounded half to even. So at any time, exactly:
//
//	cash + cost of positions = starting cash + realised P&L before commission − commissions
//
// A real IBKR account counts commission into the average cost, and tells
// realised P&L after it. Both are told: [Position.FullCost] and
// [Commission.RealizedNet] are the venue's. What opened a position keeps its
// commission until it closes, and a part takes its part of it. [Ledger] has
// its after-commission figure less all commissions, those of shares still held
// included.
//
// A position needs equity by [Margin]: a part of its market value, in either
// direction. An order is taken when the account's equity carries the worst
// that can become of all its positions and open orders: in each symbol all
// buys fill and no sell, or the other way round; orders that go with the market
// count at its mark, others at their own price, and of an OCA group the
// largest on each side. A child counts from its parent's fill on. Neither the
// commission nor the spread of the order is counted. An order that asks for
// no more than before is always taken, so that what closes never fails. A
// market order that nobody can price yet is taken, too. Nothing is looked at
// again when prices move.
//
// A day begins at midnight in New York. A position's daily profit is counted
// from the mark of the day before: its last trade, else the middle of its
// quote; else from the first mark of the day.
//
// A correction ([Exchange.Correct], [Exchange.Bust]) makes a new version of an
// execution, with IBKR's scheme of numbers: the last part of the id rises. The
// account is then as if it had been so from the start. The profit of later
// executions that rested on it stays as it was told, and the new version tells
// the difference in its own, so that the figures of all standing versions add
// up to the account's, always. Versions that were replaced are shown and count
// nowhere.
//
// [Exchange.State] is all that the exchange knows, as JSON with exact texts,
// and [Exchange.Changes] what changed since; [State.Apply] folds them, and
// [Exchange.Restore] makes an exchange of the result that goes on as the first
// one would, to the last number that it gives. Restore builds every holding
// anew from its executions and refuses what does not add up. Listings and
// configuration are the caller's.
//
// Every call returns its [Report]s in the order in which a venue tells them;
// the slice is valid until the next call.
package exchange
