package exchange

import (
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// maxCount bounds the numbers that a state says were given.
const maxCount = 1 << 50

// Restore takes over a state, on an exchange that was just made and lists the
// state's symbols. Numbers go on where the state ended, whatever
// [Config.Instance] says, and accounts keep the cash with which they started;
// margin and partial fills are this exchange's. An account that the state does
// not know begins with its cash. The error wraps [ErrBadState] and leaves the
// exchange unusable.
func (x *Exchange) Restore(s State) error {
	if x.orders != 0 || x.execs != 0 || !x.dayEnd.IsZero() {
		return badState("this exchange has been used: restore into a new one")
	}
	if s.Version != StateVersion {
		return badState("version %d, not %d: it was written by another release; restore it with that one, or begin anew", s.Version, StateVersion)
	}
	c := &s.Counters
	if c.PermBase <= 0 || c.PermBase > maxCount || c.Orders < 0 || c.Orders > maxCount || c.Queued < 0 || c.DayEnd.Before(c.DayStart) || c.DayEnd.Sub(c.DayStart) > 49*time.Hour {
		return badState("counters %+v cannot be: the state is damaged; use an older copy, or begin anew", *c)
	}
	if err := s.bounded(); err != nil {
		return err
	}
	x.permBase, x.orders, x.execHead, x.execBase, x.execs, x.seqs = c.PermBase, c.Orders, c.ExecHead, c.ExecBase, c.Execs, c.Queued
	x.dayStart, x.dayEnd = c.DayStart, c.DayEnd
	x.watch.seq = s.Seq
	for i := range s.Markets {
		if err := x.restoreMarket(&s.Markets[i]); err != nil {
			return err
		}
	}
	for i := range s.Accounts {
		if err := x.restoreAccount(&s.Accounts[i]); err != nil {
			return err
		}
	}
	for _, step := range []func(*State) error{x.restoreExecutions, x.checkHoldings, x.restoreOrders} {
		if err := step(&s); err != nil {
			return err
		}
	}
	return nil
}

func (x *Exchange) restoreMarket(m *MarketState) error {
	l := x.listings[m.Symbol]
	switch {
	case l == nil:
		return badState("market of %.20q: not listed here; list it before the state is restored", m.Symbol)
	case l.details.Contract.ConID != m.ConID:
		return badState("market of %s: contract id %d, here it is %d: the state is of another exchange", m.Symbol, m.ConID, l.details.Contract.ConID)
	case (m.DayOpen == nil) != (m.DayHigh == nil) || (m.DayOpen == nil) != (m.DayLow == nil):
		return badState("market of %s: one of the day's open, high and low is missing: the state is damaged", m.Symbol)
	}
	l.bid, l.ask, l.last = m.Bid.level(), m.Ask.level(), m.Last.level()
	p := slices.Index(phaseNames[:], m.Phase)
	if p < 0 {
		return badState("market of %s: %.20q is no phase of a day: the state is damaged", m.Symbol, m.Phase)
	}
	l.phase, l.halted, l.printed = phase(p), m.Halted, m.Printed
	x.alarms.set(&l.alarm, m.Turns, rankTurn)
	l.bidLeft, l.askLeft, l.boughtLeft, l.soldLeft = l.bid, l.ask, l.last, l.last
	l.bidLeft.Size, l.askLeft.Size, l.boughtLeft.Size, l.soldLeft.Size = m.Left.Bid, m.Left.Ask, m.Left.Bought, m.Left.Sold
	l.bidAt, l.askAt, l.lastAt, l.dayEnd = m.BidAt, m.AskAt, m.LastAt, m.DayEnd
	if m.Volume != nil {
		l.volume, l.hasVolume = *m.Volume, true
	}
	if m.DayOpen != nil {
		l.dayOpen, l.dayHigh, l.dayLow, l.hasDay = *m.DayOpen, *m.DayHigh, *m.DayLow, true
	}
	if m.PrevClose != nil {
		l.prevClose, l.hasClose = *m.PrevClose, true
	}
	if m.Ref != nil {
		l.ref, l.hasRef = *m.Ref, true
	}
	return nil
}

func (s *LevelState) level() tape.Level {
	if s == nil {
		return tape.Level{}
	}
	return tape.Level{Price: s.Price, Size: s.Size, Known: true}
}

func (x *Exchange) restoreAccount(s *AccountState) error {
	a := x.accounts[s.Account]
	if a == nil {
		return badState("account %.20q is none of %v: the state is of another exchange, or name the account", s.Account, x.cfg.Accounts)
	}
	a.start, a.cash, a.realised, a.commissions = s.Start, s.Cash, s.Realized, s.Commissions
	sum := s.Cash
	for i := range s.Positions {
		p := &s.Positions[i]
		if x.listings[p.Symbol] == nil {
			return badState("account %s: position in %.20q: not listed here; list it before the state is restored", s.Account, p.Symbol)
		}
		if a.positions[p.Symbol] != nil {
			return badState("account %s: two positions in %s: the state is damaged", s.Account, p.Symbol)
		}
		sum = sum.Add(p.Holding.Cost)
		d := &p.Day
		a.positions[p.Symbol] = &position{
			holding: p.Holding.holding(), base: p.Base.holding(),
			day: dayBook{d.Qty, d.Paid, d.Fees, closing{d.Realized, d.RealizedNet}},
		}
	}
	if want := s.Start.Add(s.Realized).Sub(s.Commissions); sum != want {
		return badState("account %s: cash and cost of positions are %v, start and profit %v: the state is damaged; use an older copy", s.Account, sum, want)
	}
	return nil
}

func (x *Exchange) restoreExecutions(s *State) error {
	if max(len(s.Executions), len(s.Replaced)) > MaxFills {
		return badState("%d executions and %d replaced ones, more than %d: the state is damaged", len(s.Executions), len(s.Replaced), MaxFills)
	}
	seen := make(map[string]bool)
	take := func(list []ExecutionState, into *[]execution) error {
		for i := range list {
			e := &list[i]
			if err := x.checkExecution(e); err != nil {
				return err
			}
			if seen[e.ExecID] {
				return badState("execution %.40q is there twice: the state is damaged", e.ExecID)
			}
			seen[e.ExecID] = true
			*into = append(*into, execution{e.Fill, e.RealizedNet})
		}
		return nil
	}
	if err := take(s.Executions, &x.fills); err != nil {
		return err
	}
	return take(s.Replaced, &x.replaced)
}

func (x *Exchange) checkExecution(e *ExecutionState) error {
	_, err := nextVersion(e.ExecID)
	switch a := x.accounts[e.Account]; {
	case err != nil || stem(e.ExecID) == "":
		return badState("execution %.40q: no execution id: the state is damaged", e.ExecID)
	case a == nil || a.positions[e.Symbol] == nil:
		return badState("execution %.40q of %.20q in account %.20q, which has none: the state is damaged", e.ExecID, e.Symbol, e.Account)
	case e.Side != order.Buy && e.Side != order.Sell, e.Qty.Sign() < 0, e.Commission == nil:
		return badState("execution %.40q: %.10q %v without or with a wrong side, quantity or commission: the state is damaged", e.ExecID, e.Side, e.Qty)
	case e.PermID <= x.permBase || e.PermID > x.permBase+x.orders:
		return badState("execution %.40q: perm id %d was never given: the state is damaged", e.ExecID, e.PermID)
	}
	return nil
}

// checkHoldings builds every holding anew from the executions.
func (x *Exchange) checkHoldings(*State) error {
	type key struct {
		account string
		symbol  market.Symbol
	}
	built := make(map[key]*holding)
	for id, a := range x.accounts {
		for s, p := range a.positions {
			h := p.base
			built[key{id, s}] = &h
		}
	}
	for i := range x.fills {
		f := &x.fills[i]
		h := built[key{f.Account, f.Symbol}]
		if h.trade(f.Side.Signed(f.Qty), f.Price, *f.Commission); mostQty.Less(h.qty.Abs()) {
			return badState("account %s: executions make %v %s, beyond %v: the state is damaged", f.Account, h.qty, f.Symbol, mostQty)
		}
	}
	for _, id := range sortedKeys(x.accounts) {
		a := x.accounts[id]
		for _, s := range sortedKeys(a.positions) {
			if have, want := a.positions[s].holding, *built[key{id, s}]; have != want {
				return badState("account %s holds %v %s at cost %v, its executions make %v at %v: the state is damaged; use an older copy",
					id, have.qty, s, have.cost, want.qty, want.cost)
			}
		}
	}
	return nil
}

func (x *Exchange) restoreOrders(s *State) error {
	if len(s.Open) > MaxOpen {
		return badState("%d open orders, more than %d: the state is damaged", len(s.Open), MaxOpen)
	}
	for i := range s.Open {
		k := &s.Open[i]
		switch {
		case x.accounts[k.Account] == nil || x.listings[k.Symbol] == nil:
			return badState("order %d: account %.20q or symbol %.20q is not known here: list it before the state is restored", k.PermID, k.Account, k.Symbol)
		case k.PermID <= x.permBase || k.PermID > x.permBase+x.orders || x.open[k.PermID] != nil:
			return badState("order %d: never given, or there twice: the state is damaged", k.PermID)
		case k.Side != order.Buy && k.Side != order.Sell, k.Filled.Sign() < 0, k.Remaining().Sign() <= 0, !k.State.Live():
			return badState("order %d: %.10q %v with %v filled and %v cannot be open: the state is damaged", k.PermID, k.Side, k.Qty, k.Filled, k.State)
		case k.Queued <= 0 || k.Queued > x.seqs:
			return badState("order %d: place %d in the queue was never given: the state is damaged", k.PermID, k.Queued)
		case k.Wait == WaitParent && !slices.ContainsFunc(s.Open, func(p OrderState) bool { return p.PermID == k.Parent }):
			return badState("order %d: waits for its parent %d, which is not open: the state is damaged", k.PermID, k.Parent)
		}
		if reason, text := x.readmit(k); reason != 0 {
			return badState("order %d: %s: the state is damaged", k.PermID, text)
		}
	}
	return nil
}

// readmit puts an order of a state back to its place, unless its terms cannot
// be those of an order.
func (x *Exchange) readmit(k *OrderState) (Reason, string) {
	o := &resting{
		Order: k.Order, seq: k.Queued, value: k.Value, commission: k.Commission, expires: k.Expires,
		fresh: k.Fresh, atClose: k.AtClose, opened: k.Opened,
	}
	o.alarm = alarm{no: o.PermID - x.permBase, order: o}
	l := x.listings[o.Symbol]
	for _, judge := range [...]func() (Reason, string){
		func() (Reason, string) { return refuseQty(o, market.Qty{}) },
		func() (Reason, string) { return refusePrices(o, market.Price{}) },
	} {
		if reason, text := judge(); reason != 0 {
			return reason, text
		}
	}
	x.open[o.PermID] = o
	x.join(o)
	if o.Parent != 0 {
		x.children[o.Parent] = append(x.children[o.Parent], o)
	}
	switch {
	case o.Wait == WaitTrigger:
		l.arm(o)
	case o.Wait == WaitNone && !o.atClose:
		l.queue(o)
	}
	if !k.Due.IsZero() {
		rank := rankEnd
		if !k.Due.Equal(o.expires) && !o.atClose {
			rank = rankBegin
		}
		x.alarms.set(&o.alarm, k.Due, rank)
	}
	x.recount(o.Account, o.PermID)
	return 0, ""
}

// The bounds of a state's numbers. They are far from what a market makes, and
// keep sums from overflowing.
var (
	mostMoney = market.MustMoney("1000000000000000000")
	mostPrice = market.MustPrice("1000000000")
	mostQty   = market.Shares(10_000_000_000)
)

// bounded refuses numbers beyond all bounds, before anything is computed from
// them.
func (s *State) bounded() error {
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if !small(a.Start, a.Cash, a.Realized, a.Commissions) {
			return badState("account %.20q: an amount beyond %v: the state is damaged", a.Account, mostMoney)
		}
		for j := range a.Positions {
			if p := &a.Positions[j]; !p.bounded() {
				return badState("account %.20q: position in %.20q: a number beyond %v or %v: the state is damaged", a.Account, p.Symbol, mostQty, mostMoney)
			}
		}
	}
	for _, list := range [][]ExecutionState{s.Executions, s.Replaced} {
		for i := range list {
			e := &list[i]
			if order.MaxQty.Less(e.Qty) || mostPrice.Less(e.Price.Abs()) || e.Commission != nil && !small(*e.Commission) ||
				!small(*known(e.RealizedPNL), *known(e.RealizedNet)) {
				return badState("execution %.40q: a number beyond %v shares at %v: the state is damaged", e.ExecID, order.MaxQty, mostPrice)
			}
		}
	}
	for i := range s.Open {
		if o := &s.Open[i]; !o.bounded() {
			return badState("order %d: a number beyond %v shares at %v: the state is damaged", o.PermID, order.MaxQty, mostPrice)
		}
	}
	for i := range s.Markets {
		if m := &s.Markets[i]; !m.bounded() {
			return badState("market of %.20q: a number beyond %v at %v: the state is damaged", m.Symbol, mostQty, mostPrice)
		}
	}
	return nil
}

func (o *OrderState) bounded() bool {
	return !order.MaxQty.Less(o.Qty) && !order.MaxQty.Less(o.Filled.Abs()) && small(o.Value, o.Commission) &&
		cheap(o.Limit, o.Stop, o.TrailAmount, o.TrailStop, o.LimitOffset, o.TrailNow, o.TrailSeen)
}

func (m *MarketState) bounded() bool {
	for _, l := range []*LevelState{m.Bid, m.Ask, m.Last} {
		if l != nil && (mostQty.Less(l.Size.Abs()) || !cheap(&l.Price)) {
			return false
		}
	}
	return (m.Volume == nil || !mostQty.Less(m.Volume.Abs())) && cheap(m.DayOpen, m.DayHigh, m.DayLow, m.PrevClose, m.Ref)
}

func cheap(all ...*market.Price) bool {
	for _, p := range all {
		if p != nil && mostPrice.Less(p.Abs()) {
			return false
		}
	}
	return true
}

func (p *PositionState) bounded() bool {
	for _, h := range []*HoldingState{&p.Holding, &p.Base} {
		if mostQty.Less(h.Qty.Abs()) || !small(h.Cost, h.Fees) {
			return false
		}
	}
	d := &p.Day
	return !mostQty.Less(d.Qty.Abs()) && small(d.Paid, d.Fees, d.Realized, d.RealizedNet)
}

func small(all ...market.Money) bool {
	for _, m := range all {
		if mostMoney.Less(m.Abs()) {
			return false
		}
	}
	return true
}
