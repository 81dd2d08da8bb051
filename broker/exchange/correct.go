package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// ErrNoCorrection means that an execution cannot be corrected as asked. The
// error says why.
var ErrNoCorrection = errors.New("exchange: no correction")

// execution is one version of an execution, with all that is known of it.
type execution struct {
	order.Fill
	net *market.Money // RealizedPNL after commission
}

// Execution is one version of an execution.
type Execution struct {
	order.Fill // Qty 0 when it was taken back
	// RealizedNet is RealizedPNL less the commission of opening and closing
	// these shares, nil with it.
	RealizedNet *market.Money
	Replaced    bool // by a later version: it counts nowhere
}

// Fills returns the executions that stand, with their commissions, oldest
// first: of a corrected one the newest version, of one taken back none.
func (x *Exchange) Fills() []order.Fill {
	all := make([]order.Fill, 0, len(x.fills))
	for i := range x.fills {
		if !x.fills[i].Qty.IsZero() {
			all = append(all, x.fills[i].Fill)
		}
	}
	return all
}

// Executions returns all versions of all executions: those that were replaced,
// oldest first, then the newest of each, oldest first.
func (x *Exchange) Executions() []Execution {
	all := make([]Execution, 0, len(x.replaced)+len(x.fills))
	for _, e := range x.replaced {
		all = append(all, Execution{e.Fill, e.net, true})
	}
	for _, e := range x.fills {
		all = append(all, Execution{e.Fill, e.net, false})
	}
	return all
}

// nextExecID gives an execution its number: in IBKR's form, the last part
// counting its versions.
func (x *Exchange) nextExecID() string {
	x.execs++
	return fmt.Sprintf("%08x.%08x.01.01", x.execHead, x.execBase+x.execs-1)
}

// enter writes an execution of an order and its commission into the books, and
// tells the commission.
func (x *Exchange) enter(o *resting, f order.Fill) {
	due := FixedCommission(o.Filled, o.value)
	commission := due.Sub(o.commission)
	o.commission = due
	e := execution{Fill: f}
	e.Commission = &commission
	if c := x.accounts[o.Account].book(&f, commission); c != nil {
		e.RealizedPNL, e.net = &c.before, &c.after
	}
	x.fills = append(x.fills, e)
	x.out = append(x.out, Commission{o.Order, f.ExecID, commission, currency, e.RealizedPNL, e.net})
}

// Correct replaces the price and quantity of an execution, as a venue does
// that made a mistake: the new version has the same id but for the last part,
// which rises, and the account is as if it had been so from the start. What
// other executions told stays told: the new version's realised profit carries
// what the correction changes in theirs, and its commission what it changes in
// the order's.
//
// The quantity is above 0 and at most what was first told. That of an order
// which is still open stays: cancel it first. The open order's average
// price follows. The error wraps [ErrNoCorrection].
func (x *Exchange) Correct(now time.Time, execID string, price market.Price, qty market.Qty) ([]Report, error) {
	x.begin(now)
	if qty.Sign() <= 0 {
		return x.out, fmt.Errorf("%w: %s: quantity %v is not above 0: use Bust to take it back", ErrNoCorrection, execID, qty)
	}
	return x.correct(now, execID, price, qty)
}

// Bust takes an execution back: its newest version has quantity 0. The terms
// are those of [Exchange.Correct].
func (x *Exchange) Bust(now time.Time, execID string) ([]Report, error) {
	x.begin(now)
	i := x.findExecution(execID)
	if i < 0 {
		return x.out, fmt.Errorf("%w: execution %.60q is not known, or not in its newest version", ErrNoCorrection, execID)
	}
	return x.correct(now, execID, x.fills[i].Price, market.Qty{})
}

func (x *Exchange) findExecution(execID string) int {
	for i := len(x.fills) - 1; i >= 0; i-- {
		if x.fills[i].ExecID == execID {
			return i
		}
	}
	return -1
}

func (x *Exchange) correct(now time.Time, execID string, price market.Price, qty market.Qty) ([]Report, error) {
	i := x.findExecution(execID)
	if i < 0 {
		return x.out, fmt.Errorf("%w: execution %.60q is not known, or not in its newest version", ErrNoCorrection, execID)
	}
	old := x.fills[i]
	next, err := nextVersion(old.ExecID)
	if err != nil {
		return x.out, err
	}
	o, open := x.open[old.PermID]
	switch first := x.firstVersion(i); {
	case price.Sign() <= 0:
		return x.out, fmt.Errorf("%w: %s: price %v is not above 0", ErrNoCorrection, execID, price)
	case old.Qty.IsZero():
		return x.out, fmt.Errorf("%w: %s was taken back", ErrNoCorrection, execID)
	case first.Qty.Less(qty):
		return x.out, fmt.Errorf("%w: %s: quantity %v is above the %v that were told first", ErrNoCorrection, execID, qty, first.Qty)
	case open && qty != old.Qty:
		return x.out, fmt.Errorf("%w: %s: its order %d is open: cancel it before its quantity is corrected", ErrNoCorrection, execID, old.PermID)
	case len(x.replaced) >= MaxFills:
		return x.out, fmt.Errorf("%w: the books hold %d corrections: start a new exchange", ErrNoCorrection, len(x.replaced))
	}
	x.watch.version(i)
	e := &x.fills[i]
	e.ExecID, e.Price, e.Qty = next, price, qty
	filled, value, paid := x.orderSums(old.PermID)
	due := FixedCommission(filled, value)
	e.Commission = due.Sub(paid.Sub(*old.Commission)).Ptr()
	x.replaced = append(x.replaced, old)
	x.rebook(&old, e)
	if open {
		o.value, o.commission, o.Updated = value, due, now
	} else {
		o = &resting{Order: Order{Order: order.Order{
			Ref: e.Ref, OrderID: e.OrderID, PermID: e.PermID, ClientID: e.ClientID, Account: e.Account,
			Symbol: e.Symbol, Side: e.Side, Filled: filled, Updated: now,
		}}}
	}
	o.AvgPrice = perUnit(value, filled)
	x.out = append(x.out, Corrected{Order: o.Order, Old: old.Fill, Fill: e.Fill, RealizedNet: e.net})
	return x.out, nil
}

// orderSums adds up the standing executions of an order.
func (x *Exchange) orderSums(permID int64) (qty market.Qty, value, commission market.Money) {
	for i := range x.fills {
		if f := &x.fills[i]; f.PermID == permID {
			qty = qty.Add(f.Qty)
			value = value.Add(f.Price.Mul(f.Qty))
			commission = commission.Add(*f.Commission)
		}
	}
	return qty, value, commission
}

// rebook puts a new version of an execution into the books: the holding is
// built anew from the executions, and what that changes in profit goes to the
// new version, so that all figures still add up.
func (x *Exchange) rebook(old, e *execution) {
	a := x.accounts[e.Account]
	p := a.positions[e.Symbol]
	a.changed, p.changed = true, true
	was := p.holding
	p.holding = p.base
	inDay := !e.At.Before(x.dayStart)
	for i := range x.fills {
		f := &x.fills[i]
		if f.Account == e.Account && f.Symbol == e.Symbol {
			p.trade(f.Side.Signed(f.Qty), f.Price, *f.Commission)
		}
	}
	paid := e.Price.Mul(e.Side.Signed(e.Qty)).Sub(old.Price.Mul(old.Side.Signed(old.Qty)))
	fees := e.Commission.Sub(*old.Commission)
	a.cash = a.cash.Sub(paid).Sub(fees)
	a.commissions = a.commissions.Add(fees)
	// As cash + cost = start + realised − commissions before and after.
	change := closing{before: p.cost.Sub(was.cost).Sub(paid)}
	change.after = change.before.Sub(fees).Add(p.fees.Sub(was.fees))
	a.realised = a.realised.Add(change.before)
	e.RealizedPNL, e.net = adjusted(old.RealizedPNL, change.before), adjusted(old.net, change.after)
	if (e.RealizedPNL == nil) != (e.net == nil) { // one changed, the other did not
		e.RealizedPNL, e.net = known(e.RealizedPNL), known(e.net)
	}
	if !inDay {
		p.day.qty = p.day.qty.Add(e.Side.Signed(e.Qty)).Sub(old.Side.Signed(old.Qty))
		return
	}
	p.day.enter(paid, fees, &change)
}

// adjusted is m + by; what was unknown stays so when nothing is added.
func adjusted(m *market.Money, by market.Money) *market.Money {
	if m == nil && by.IsZero() {
		return nil
	}
	return known(m).Add(by).Ptr()
}

func known(m *market.Money) *market.Money {
	if m == nil {
		return new(market.Money)
	}
	return m
}

// firstVersion is the execution as it was told first.
func (x *Exchange) firstVersion(i int) *execution {
	head := stem(x.fills[i].ExecID)
	j := slices.IndexFunc(x.replaced, func(e execution) bool { return stem(e.ExecID) == head })
	if j < 0 {
		return &x.fills[i]
	}
	return &x.replaced[j]
}

// stem is an execution id without its version.
func stem(execID string) string { return execID[:strings.LastIndexByte(execID, '.')+1] }

// maxVersions is how often the two digits of an execution id can count.
const maxVersions = 99

func nextVersion(execID string) (string, error) {
	head := stem(execID)
	n, err := strconv.Atoi(execID[len(head):])
	if err != nil || n >= maxVersions {
		return "", fmt.Errorf("%w: %s has no next version", ErrNoCorrection, execID)
	}
	return fmt.Sprintf("%s%02d", head, n+1), nil
}
