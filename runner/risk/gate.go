package risk

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Gate decides about intents. It has no state, so it is safe for concurrent
// use.
type Gate struct {
	cfg   Config
	rules []rule
}

// New returns a gate with a configuration that passed Validate.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{cfg: cfg}
	for _, r := range rules {
		if !slices.Contains(cfg.Off, r.name) {
			g.rules = append(g.rules, r)
		}
	}
	return g, nil
}

// rule is one row of the gate. Refuse returns why, or "".
type rule struct {
	name    string
	entries bool // reductions skip it
	cancels bool // cancels are asked, too
	refuse  func(*asked) string
}

// rules are asked in this order.
var rules = []rule{
	{name: RuleIntent, cancels: true, refuse: (*asked).intent},
	{name: RuleLink, cancels: true, refuse: (*asked).link},
	{name: RuleMode, refuse: (*asked).mode},
	{name: RuleReadOnly, cancels: true, refuse: (*asked).readOnly},
	{name: RulePosition, entries: true, refuse: (*asked).position},
	{name: RuleFreshQuote, entries: true, refuse: (*asked).freshQuote},
	{name: RuleHalted, entries: true, refuse: (*asked).halted},
	{name: RuleSession, entries: true, refuse: (*asked).session},
	{name: RuleMaxQty, entries: true, refuse: (*asked).maxQty},
	{name: RuleMaxNotional, entries: true, refuse: (*asked).maxNotional},
	{name: RuleCollar, refuse: (*asked).collar},
	{name: RuleOrdersPerMinute, entries: true, refuse: (*asked).ordersPerMinute},
	{name: RuleNotionalPerDay, entries: true, refuse: (*asked).notionalPerDay},
}

// asked is one question, with what the rules worked out of it.
type asked struct {
	*Config
	v         broker.View
	in        order.Intent
	reduction bool
	ref       *market.Price // the newest of last, bid and ask
	notional  *market.Money // nil when nothing says at what price
	saw       map[string]string
}

// Decide answers the desk.
func (g *Gate) Decide(v broker.View, in order.Intent) order.Decision {
	a := &asked{Config: &g.cfg, v: v, in: in, saw: make(map[string]string, 12)}
	d := order.Decision{IntentID: in.ID, At: v.Now, Saw: a.saw}
	a.look()
	for _, r := range g.rules {
		if in.Action == order.Cancel && !r.cancels || a.reduction && r.entries {
			continue
		}
		if why := r.refuse(a); why != "" {
			d.Rule, d.Reason = r.name, why
			return d
		}
	}
	d.Allowed = true
	return d
}

// look works out the numbers and notes them.
func (a *asked) look() {
	a.saw["link"], a.saw["mode"] = a.v.Link.String(), string(a.v.Mode)
	if a.in.Action == order.Cancel {
		return
	}
	a.lookAtPosition()
	if p, at, ok := a.v.Quote.Newest(); ok {
		a.ref = &p
		a.saw["reference"], a.saw["quote_age"] = p.String(), a.v.Now.Sub(at).String()
	}
	at := a.ref
	if a.in.Limit != nil && (at == nil || at.Less(*a.in.Limit)) {
		at = a.in.Limit
	}
	if at != nil {
		n := at.Mul(a.in.Qty).Abs()
		a.notional = &n
		a.saw["notional"] = n.String()
	}
	a.saw["orders_last_minute"] = strconv.Itoa(a.sentLastMinute())
	a.saw["notional_today"] = a.v.SentNotional.String()
}

func (a *asked) lookAtPosition() {
	if a.v.Position == nil {
		a.saw["position"] = "unknown"
		return
	}
	open := a.openSameSide()
	held := *a.v.Position
	against := held.Sign()*a.in.Side.Signed(a.in.Qty).Sign() < 0
	a.reduction = against && !held.Abs().Sub(open).Less(a.in.Qty)
	a.saw["position"], a.saw["open_same_side"] = held.String(), open.String()
	a.saw["reduction"] = strconv.FormatBool(a.reduction)
}

// openSameSide is what the open orders on the intent's side will still take. A
// stop of the one-cancels-all group that the intent joins takes nothing beside
// it; other orders of the group do, because a fill that nobody has told yet may
// have ended the group. An order that is to be changed does not count beside
// itself.
func (a *asked) openSameSide() market.Qty {
	var open market.Qty
	for _, o := range a.v.Open {
		switch {
		case o.Side != a.in.Side || !o.State.Live() || o.Symbol != a.in.Symbol:
		case a.in.Action == order.Modify && o.Ref == a.in.Target:
		case a.in.OCA != "" && o.OCA == a.in.OCA && o.Type == order.Stop:
		default:
			open = open.Add(o.Remaining())
		}
	}
	return open
}

func (a *asked) sentLastMinute() int {
	n, from := 0, a.v.Now.Add(-time.Minute)
	for _, at := range a.v.Sent {
		if at.After(from) {
			n++
		}
	}
	return n
}

func (a *asked) intent() string {
	if err := a.in.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func (a *asked) link() string {
	switch {
	case a.v.Link.Trades(), a.v.Link == broker.Degraded && (a.reduction || a.in.Action == order.Cancel):
		return ""
	case a.v.Link == broker.Degraded:
		return "the link is degraded, and only orders that reduce a position pass; wait until it is ready"
	}
	return fmt.Sprintf("the link is %v, not ready; wait until it is", a.v.Link)
}

func (a *asked) mode() string {
	switch a.v.Mode {
	case broker.Active:
		return ""
	case broker.ReduceOnly:
		if a.reduction {
			return ""
		}
		return "the mode is reduce_only, and this order does not only make a position smaller; resume to trade"
	case broker.Halted:
		if a.v.Own && a.reduction {
			return "" // what protects or closes a position, asked for by the desk itself
		}
		return "the mode is halted; resume to trade"
	}
	return fmt.Sprintf("the mode %.20q is unknown, which counts as halted", a.v.Mode)
}

func (a *asked) readOnly() string {
	if a.v.ReadOnly {
		return "the trader runs read-only; start it without --read-only to trade"
	}
	return ""
}

func (a *asked) position() string {
	if a.v.Position == nil {
		return "the position of " + string(a.in.Symbol) + " is unknown; wait for the recovery to tell it"
	}
	return ""
}

func (a *asked) freshQuote() string {
	switch _, at, ok := a.v.Quote.Newest(); {
	case a.v.Now.IsZero():
		return "market time is unknown, so no quote is known to be fresh; wait for the clock"
	case !ok:
		return "no bid, ask or last of " + string(a.in.Symbol) + " is known; wait for market data"
	case a.v.Quote.Delayed: // it is stamped when it comes, which says nothing about its age
		return fmt.Sprintf("the market data of %s is delayed; subscribe to live data or put %s into risk.off", a.in.Symbol, RuleFreshQuote)
	case !a.v.Quote.Fresh(a.v.Now, a.MaxQuoteAge):
		return fmt.Sprintf("the newest quote of %s is %v old, more than %v; wait for market data or raise risk.max_quote_age",
			a.in.Symbol, a.v.Now.Sub(at), a.MaxQuoteAge)
	}
	return ""
}

func (a *asked) halted() string {
	if a.v.Quote.Halted {
		return "trading of " + string(a.in.Symbol) + " is halted; wait until the venue resumes it"
	}
	return ""
}

func (a *asked) session() string {
	var liquid market.Hours
	if a.v.Details != nil {
		liquid = a.v.Details.Liquid
	}
	in, known := liquid.Contains(a.v.Now)
	switch {
	case in:
		a.saw["session"] = "open"
		return ""
	case known:
		a.saw["session"] = "closed"
		return fmt.Sprintf("%s is outside the regular session at %s; wait for it or put %s into risk.off",
			a.in.Symbol, a.v.Now.Format(time.RFC3339), RuleSession)
	}
	if n := len(liquid); n > 0 && !a.v.Now.Before(liquid[n-1].Close) {
		a.saw["session"] = "over"
		return fmt.Sprintf("the last regular session that the venue told for %s ended at %s; wait for the next or put %s into risk.off",
			a.in.Symbol, liquid[n-1].Close.Format(time.RFC3339), RuleSession)
	}
	a.saw["session"] = "unknown"
	return fmt.Sprintf("the venue told no trading hours of %s for %s; wait for them or put %s into risk.off",
		a.in.Symbol, a.v.Now.Format(time.RFC3339), RuleSession)
}

func (a *asked) maxQty() string {
	if a.MaxOrderQty.Less(a.in.Qty) {
		return fmt.Sprintf("%v shares are more than %v; ask for less or raise risk.max_order_qty", a.in.Qty, a.MaxOrderQty)
	}
	return ""
}

func (a *asked) maxNotional() string {
	if a.notional == nil {
		return "no price is known to measure the order with; wait for market data"
	}
	if a.MaxOrderNotional.Less(*a.notional) {
		return fmt.Sprintf("%v shares are worth %v, more than %v; ask for less or raise risk.max_order_notional",
			a.in.Qty, a.notional, a.MaxOrderNotional)
	}
	return ""
}

// collar keeps a limit near the market, so that a slip of the hand does not
// trade, and wants a market to exist. An order that reduces passes when there
// is none to compare with.
func (a *asked) collar() string {
	if a.ref == nil {
		if a.reduction {
			return ""
		}
		return "no bid, ask or last is known to compare the order with; wait for market data"
	}
	if a.in.Limit == nil {
		return ""
	}
	hundred := market.Shares(100)
	off := a.in.Limit.Mul(hundred).Sub(a.ref.Mul(hundred)).Abs() // amounts, which cannot overflow here
	if most := a.ref.Abs().Mul(a.PriceCollar); most.Less(off) {
		return fmt.Sprintf("the limit %v is more than %v %% away from %v; correct it or raise risk.price_collar",
			a.in.Limit, a.PriceCollar, a.ref)
	}
	return ""
}

func (a *asked) ordersPerMinute() string {
	if n := a.sentLastMinute(); n >= a.OrdersPerMinute {
		return fmt.Sprintf("%d orders went out in the last minute, and %d are the most; wait or raise risk.orders_per_minute",
			n, a.OrdersPerMinute)
	}
	return ""
}

func (a *asked) notionalPerDay() string {
	if a.notional == nil {
		return "no price is known to measure the order with; wait for market data"
	}
	if sum := a.v.SentNotional.Add(*a.notional); a.NotionalPerDay.Less(sum) {
		return fmt.Sprintf("with %v sent today this order makes %v, more than %v; wait for tomorrow or raise risk.notional_per_day",
			a.v.SentNotional, sum, a.NotionalPerDay)
	}
	return ""
}
