package risk

import (
	"fmt"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Gate decides about intents. It has no state, so it is safe for concurrent
// use.
type Gate struct {
	cfg    Config
	rules  []rule
	limits string // of cfg, in words
}

// New returns a gate with a configuration that passed Validate.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{cfg: cfg, limits: cfg.Limits()}
	for _, r := range rules {
		if !slices.Contains(cfg.Off, r.name) {
			g.rules = append(g.rules, r)
		}
	}
	return g, nil
}

// rule is one row of the gate.
type rule struct {
	name    string
	entries bool // reductions skip it
	cancels bool // cancels are asked, too
	latches bool // what it found does not go away by itself: a person has to look
}

// rules are asked in this order.
var rules = []rule{
	{name: RuleIntent, cancels: true},
	{name: RuleLink, cancels: true},
	{name: RuleMode},
	{name: RuleReadOnly, cancels: true},
	{name: RulePosition, entries: true},
	{name: RuleFreshQuote, entries: true},
	{name: RuleTickSanity},
	{name: RuleHalted, entries: true},
	{name: RuleSession, entries: true},
	{name: RuleEquity, entries: true},
	{name: RuleDailyLoss, entries: true, latches: true},
	{name: RuleDrawdown, entries: true, latches: true},
	{name: RuleLosingStreak, entries: true, latches: true},
	{name: RuleMaxQty, entries: true},
	{name: RuleMaxNotional, entries: true},
	{name: RuleCollar},
	{name: RulePositionNotional, entries: true},
	{name: RuleGrossNotional, entries: true},
	{name: RuleLeverage, entries: true},
	{name: RuleDuplicate, entries: true},
	{name: RuleChurn, entries: true},
	{name: RuleOrdersPerMinute, entries: true},
	{name: RuleNotionalPerDay, entries: true},
}

// asked is one question, with what the rules worked out of it.
type asked struct {
	*Config
	v         broker.View
	in        order.Intent
	left      market.Qty // what the order will have to fill
	reduction bool
	ref       *market.Price // the newest of last, bid and ask
	believed  *market.Price // ref, or when that is not sane the median of the newest trades
	insane    string        // why ref cannot be acted upon, "" when it can
	notional  *market.Money // nil when nothing says at what price
	own       *market.Money // the position with the open orders of this side and this one, nil = unknown
	gross     *market.Money // all positions likewise, nil = unknown
	saw       order.Saw
}

// sawRoom is what a decision's numbers take in JSON, about: 0.5 kB besides the
// limits.
const sawRoom = 768

// Decide answers the desk.
func (g *Gate) Decide(v broker.View, in order.Intent) order.Decision {
	a := asked{Config: &g.cfg, v: v, in: in}
	d := order.Decision{IntentID: in.ID, At: v.Now}
	if in.Action != order.Cancel {
		a.saw.Room(sawRoom + len(g.limits))
	}
	a.look()
	d.Rule, d.Reason = g.refusal(&a)
	d.Allowed = d.Rule == ""
	if in.Action != order.Cancel {
		a.saw.Text("limits", g.limits)
	}
	d.Saw = a.saw
	return d
}

// refusal asks the rules. Without one that refuses, rule and reason are empty.
func (g *Gate) refusal(a *asked) (rule, reason string) {
	for i := range g.rules {
		r := &g.rules[i]
		if a.in.Action == order.Cancel && !r.cancels || a.reduction && r.entries {
			continue
		}
		if why := a.refuse(r.name); why != "" {
			return r.name, why
		}
	}
	return "", ""
}

// refuse asks one rule; it returns why it refuses, or "". The calls are plain
// ones, so that a question stays on the stack: with a function in each row of
// the table, a kilobyte of fresh memory was written for every order.
func (a *asked) refuse(rule string) string {
	switch rule {
	case RuleIntent:
		return a.intent()
	case RuleLink:
		return a.link()
	case RuleMode:
		return a.mode()
	case RuleReadOnly:
		return a.readOnly()
	case RulePosition:
		return a.position()
	case RuleFreshQuote:
		return a.freshQuote()
	case RuleTickSanity:
		return a.tickSanity()
	case RuleHalted:
		return a.halted()
	case RuleSession:
		return a.session()
	case RuleEquity:
		return a.equity()
	case RuleDailyLoss:
		return a.dailyLoss()
	case RuleDrawdown:
		return a.drawdown()
	case RuleLosingStreak:
		return a.losingStreak()
	case RuleMaxQty:
		return a.maxQty()
	case RuleMaxNotional:
		return a.maxNotional()
	case RuleCollar:
		return a.collar()
	case RulePositionNotional:
		return a.positionNotional()
	case RuleGrossNotional:
		return a.grossNotional()
	case RuleLeverage:
		return a.leverage()
	case RuleDuplicate:
		return a.duplicate()
	case RuleChurn:
		return a.churn()
	case RuleOrdersPerMinute:
		return a.ordersPerMinute()
	case RuleNotionalPerDay:
		return a.notionalPerDay()
	}
	panic("risk: no code for the rule " + rule)
}

// Latches reports whether what a rule found stays true until a person looks at
// it: the desk then lets only reductions through, also after a restart.
func (g *Gate) Latches(name string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.latches && r.name == name })
}

// Judge asks the rules that latch how an account fares, without an intent: a
// strategy that only waits for its resting orders asks for nothing. Rule is
// empty while none of them objects, or is switched on.
func (g *Gate) Judge(s broker.Standing) (rule, reason string) {
	a := asked{Config: &g.cfg, v: broker.View{Standing: s}}
	for i := range g.rules {
		if r := &g.rules[i]; r.latches {
			if why := a.refuse(r.name); why != "" {
				return r.name, why
			}
		}
	}
	return "", ""
}

// Sane tells whether a quote may start an order, such as a stop that is priced
// anew or an exit, and why not. Recent are the symbol's newest trades. With
// the rule tick_sanity switched off everything is sane.
func (g *Gate) Sane(q market.Quote, recent market.Trades) (ok bool, why string) {
	if slices.Contains(g.cfg.Off, RuleTickSanity) {
		return true, ""
	}
	return g.cfg.sanity().Check(q, recent)
}

func (c *Config) sanity() market.Sanity {
	return market.Sanity{MaxJump: c.MaxJump, MaxSpread: c.MaxSpread}
}

func (a *asked) intent() string {
	if err := a.in.Validate(); err != nil {
		return err.Error()
	}
	switch t := a.v.Target; {
	case a.in.Action != order.Modify:
	case t == nil:
		return fmt.Sprintf("no order with intent id %.40q is known; nothing to modify", a.in.Target)
	case t.Side != a.in.Side || t.Symbol != a.in.Symbol:
		return fmt.Sprintf("the order is a %s of %s, and a modification cannot make it a %s of %s; cancel it and ask anew", t.Side, t.Symbol, a.in.Side, a.in.Symbol)
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
		return "the mode is reduce_only" + a.because() + ", and this order does not only make a position smaller; resume to trade"
	case broker.Halted:
		if a.v.Own && a.reduction { // a stop that protects, or a position that is closed
			return ""
		}
		return "the mode is halted" + a.because() + "; resume to trade"
	}
	return fmt.Sprintf("the mode %.20q is unknown, which counts as halted", a.v.Mode)
}

// because tells in brackets why the mode is what it is, when that is known.
func (a *asked) because() string {
	if a.v.ModeReason == "" {
		return ""
	}
	return " (" + a.v.ModeReason + ")"
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
		a.saw.Text("session", "open")
		return ""
	case known:
		a.saw.Text("session", "closed")
		return fmt.Sprintf("%s is outside the regular session at %s; wait for it or put %s into risk.off",
			a.in.Symbol, a.v.Now.Format(time.RFC3339), RuleSession)
	}
	if n := len(liquid); n > 0 && !a.v.Now.Before(liquid[n-1].Close) {
		a.saw.Text("session", "over")
		return fmt.Sprintf("the last regular session that the venue told for %s ended at %s; wait for the next or put %s into risk.off",
			a.in.Symbol, liquid[n-1].Close.Format(time.RFC3339), RuleSession)
	}
	a.saw.Text("session", "unknown")
	return fmt.Sprintf("the venue told no trading hours of %s for %s; wait for them or put %s into risk.off",
		a.in.Symbol, a.v.Now.Format(time.RFC3339), RuleSession)
}
