package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Causes folds what travels on the bus into troubles. Its methods are called
// by handlers of the bus and return at once. Make it with [NewCauses].
type Causes struct {
	hub *Hub
	// near is which share of a limit makes it nearly used up, in percent; below
	// calm it is over. The distance keeps a value at the edge from flapping.
	near, calm int64

	mu   sync.Mutex // guards what follows
	dark map[market.Symbol]bool
	mode broker.Mode
}

// calmBelow is how many percent below near a limit's use has to fall to be
// calm again, or half of near where that is less: below 0 it never falls.
const calmBelow = 10

// NewCauses returns causes that tell the hub.
func NewCauses(cfg Config, hub *Hub) *Causes {
	return &Causes{hub: hub, near: int64(cfg.RiskNear), calm: int64(cfg.RiskNear - min(calmBelow, cfg.RiskNear/2)), dark: map[market.Symbol]bool{}}
}

// Link folds the link's newest state. That it is down is told by the alarm
// that counts market minutes; here is what a person has to do.
func (c *Causes) Link(l broker.Link) {
	up := l.State == broker.Ready || l.State == broker.Degraded
	if l.State == broker.NeedsRestart { // the link's own words change with each look at the evidence
		c.hub.Raise(Trouble{Kind: NeedsRestart, Cause: "the gateway accepts connections and hangs", Advice: l.Cause + "; " + l.Advice})
	} else if up || l.State == broker.Refused {
		c.hub.Clear(NeedsRestart, "")
	}
	if l.State == broker.Refused {
		c.hub.Raise(Trouble{Kind: Refused, Cause: strings.TrimSpace("no attempt is made any more: " + string(l.Failure)), Advice: l.Cause + "; " + l.Advice})
	} else if up {
		c.hub.Clear(Refused, "")
	}
	switch {
	case l.Overdue(time.Now()):
		c.hub.Raise(Trouble{Kind: SecondFactor, Cause: "nobody has logged in to the gateway in time", Advice: "log in, and confirm on your phone"})
	case l.Phase == broker.FactorPhase:
		c.hub.Raise(Trouble{Kind: SecondFactor, Cause: "the gateway runs and waits for a log-in or a second factor", Advice: "log in, and confirm on your phone"})
	case l.Phase == broker.LoginPhase:
		c.hub.Raise(Trouble{Kind: SecondFactor, Cause: "the gateway wants its weekly log-in", Advice: "log in, and confirm on your phone"})
	case up:
		c.hub.Clear(SecondFactor, "")
	}
	c.clock(l, up)
}

// clock folds what the rung of that name noted about this machine's clock.
func (c *Causes) clock(l broker.Link, up bool) {
	for _, r := range l.Rungs {
		switch {
		case r.Name != broker.RungClock || !r.OK:
		case strings.HasPrefix(r.Note, "warning:"):
			c.hub.Raise(Trouble{Kind: Clock, Key: "venue", Cause: "this machine's clock differs from the venue's", Advice: strings.TrimPrefix(r.Note, "warning: ")})
		case up:
			c.hub.Clear(Clock, "venue")
		}
	}
}

// Mode folds the desk's mode. Differences and refusals of the limits are taken
// for looked at when a person has made it active again.
func (c *Causes) Mode(m event.ModeChange) {
	for _, p := range m.Closing {
		if key := string(p.Symbol); p.State == event.ClosingGivenUp {
			c.hub.Raise(Trouble{Kind: Flatten, Key: key, Cause: key + ": " + p.Detail, Advice: "close it at the broker by hand"})
		} else {
			c.hub.Clear(Flatten, key)
		}
	}
	c.mu.Lock()
	was := c.mode
	c.mode = m.Mode
	c.mu.Unlock()
	if m.Mode != broker.Active {
		what := "the mode is " + string(m.Mode)
		if m.Flatten {
			what = "every position is being closed"
		}
		c.hub.Raise(Trouble{Kind: Mode, Cause: what + ": " + m.Reason, Advice: "look why, then traderctl resume"})
		return
	}
	if was == broker.Active || was == "" { // the first word ends nothing: what was told before it, as of a start's look at the books, stands
		return
	}
	for _, k := range []Kind{Mode, Flatten, Finding, RiskHit} {
		c.hub.ClearAll(k)
	}
}

// Finding folds a difference between the books and the broker.
func (c *Causes) Finding(f broker.Finding) {
	key := strings.Join([]string{f.Kind, string(f.Symbol), f.Ref}, " ")
	if f.Explained {
		c.hub.Clear(Finding, key)
		return
	}
	about := f.Kind
	if f.Symbol != "" {
		about = string(f.Symbol) + ", " + about
	}
	if f.Ref != "" {
		about += " " + f.Ref
	}
	c.hub.Raise(Trouble{
		Kind: Finding, Key: key,
		Cause:  fmt.Sprintf("%s: the books had %s, the broker has %s; %s; %s", about, f.Ours, f.Theirs, f.Evidence, f.Done),
		Advice: "compare with the broker, then traderctl resume",
	})
}

// limits are those of which their use is told, by their rules. The limits of a
// single order, of one symbol and of a minute are not among them: a strategy that
// is sized to them is near them each day, and a minute is over before anybody
// looks.
var limits = map[string]string{
	"daily_loss": "the day's loss", "drawdown": "the drawdown", "losing_streak": "the losing streak",
	"notional_per_day": "the day's orders", "max_gross_notional": "all positions together",
}

// lasting are those whose rules refuse while all of the limit is used, whatever is
// asked for: of the others an order may be too large for what is left.
var lasting = []string{"daily_loss", "drawdown", "losing_streak"}

// hits are the rules whose refusal is told, beside those of limits: a loop that
// ran wild, and money that is not there.
var hits = []string{"orders_per_minute", "max_leverage"}

// Limits folds how far the limits are used up. What is not known changes nothing.
func (c *Causes) Limits(s event.LimitState) {
	for _, l := range s.Limits {
		words, told := limits[l.Rule]
		if !told || l.Share == nil || l.Off {
			continue
		}
		switch share := *l.Share * 100; {
		case share >= float64(c.near):
			c.hub.Raise(Trouble{
				Kind: RiskNear, Key: l.Rule, Cause: fmt.Sprintf("%s is at %d %% or more of risk.%s, which is %s", words, c.near, l.Limit, l.Most),
				Advice: "at the limit, entries are refused; the page shows how far each limit is used up",
			})
		case share < float64(c.calm):
			c.hub.Clear(RiskNear, l.Rule)
		}
		if *l.Share < 1 && slices.Contains(lasting, l.Rule) {
			c.hub.Clear(RiskHit, l.Rule)
		}
	}
}

// Decision folds what the risk gate decided. An entry that it lets through has
// passed all limits.
func (c *Causes) Decision(d event.Decided) {
	rule := d.Decision.Rule
	_, told := limits[rule]
	switch {
	case !d.Decision.Allowed && (told || slices.Contains(hits, rule)):
		c.hub.Raise(Trouble{
			Kind: RiskHit, Key: rule, Cause: fmt.Sprintf("the rule %s refuses orders", rule),
			Advice: fmt.Sprintf("the first of %s: %s", d.Intent.Symbol, d.Decision.Reason),
		})
	case d.Decision.Allowed && d.Intent.Action == order.Place && !d.Decision.Saw.Is("reduction", "true") && !d.Decision.Saw.Is("own", "true"):
		c.hub.ClearAll(RiskHit)
	}
}

// Health folds the state of market data, symbol by symbol.
func (c *Causes) Health(h event.HealthState) {
	c.mu.Lock()
	was := c.dark
	now := map[market.Symbol]bool{}
	for _, f := range h.Data {
		if f.State == "stale" || f.State == "blocked" {
			now[f.Symbol] = true
		}
	}
	c.dark = now
	c.mu.Unlock()
	for _, f := range h.Data {
		switch {
		case f.State == "stale":
			c.hub.Raise(Trouble{
				Kind: StaleData, Key: string(f.Symbol), Cause: fmt.Sprintf("%s: ticks came, and stopped in session", f.Symbol),
				Advice: "it is asked for again by itself; look at the gateway's data farms",
			})
		case f.State == "blocked":
			c.hub.Raise(Trouble{Kind: StaleData, Key: string(f.Symbol), Cause: fmt.Sprintf("%s: refused by the venue: %s", f.Symbol, f.Cause), Advice: "look at the account's data subscriptions"})
		case was[f.Symbol] && (f.State == "live" || f.State == "delayed" || f.State == "closed"):
			c.hub.Clear(StaleData, string(f.Symbol))
		case was[f.Symbol]: // lost or wanted: the link is the trouble, this one is not over
			c.mu.Lock()
			c.dark[f.Symbol] = true
			c.mu.Unlock()
		}
	}
	if s := h.Session; s != nil && s.Competing != nil {
		c.hub.Raise(Trouble{Kind: Competing, Cause: "another session of this user takes the market data (code 10197)", Advice: "log out there, or give the trader a user of its own"})
	} else if s != nil {
		c.hub.Clear(Competing, "")
	}
}

// elsewhere are names of notices whose trouble is told from its own topic, or
// by the health's registry.
var elsewhere = []string{"reconciliation_difference", "alarm_not_ready"}

// Notice folds a line of the list of events. Errors that have no kind of their
// own are told as they are.
func (c *Causes) Notice(n event.NoticeText) {
	key := cmp.Or(n.Ref, string(n.Symbol))
	switch n.Name {
	case "journal_failed", "mode_not_stored":
		c.hub.Raise(Trouble{Kind: Journal, Cause: "the journal does not work: entries are refused, cancels pass", Advice: "look at the disk and the log: " + n.Text})
		return
	case "journal_restored":
		c.hub.Clear(Journal, "")
		return
	case "position_naked":
		c.hub.Raise(Trouble{Kind: Naked, Key: string(n.Symbol), Cause: n.Text, Advice: "entries of the symbol are refused until it has one; look at the broker"})
		return
	case "position_covered":
		c.hub.Clear(Naked, string(n.Symbol))
		return
	}
	if n.Level != "error" || n.Source == "link" || slices.Contains(elsewhere, n.Name) {
		return
	}
	c.hub.Raise(Trouble{Kind: Other, Key: n.Name + " " + key, Cause: strings.TrimSpace(string(n.Symbol) + " " + n.Text), Advice: "look at the dashboard's events and at the log"})
}
