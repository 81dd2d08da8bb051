package books

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// CashSettles is how long the broker's cash must stay as it is, without an
// execution or a commission, before it is compared: gateways tell it anew every
// three minutes. Wall time.
const CashSettles = 4 * time.Minute

// cashKey is the broker's name for the cash of an account, in its own currency.
const cashKey = "TotalCashValue"

// cashRounding is what an account's cash may be off without anything behind it:
// commissions are told to more places than cash is kept.
var cashRounding = market.MustMoney("1")

// cash is an account's cash by its executions, against what the broker says.
// Nothing is known before the broker's figure has settled once, and again
// whenever something came of which nobody can tell what it cost.
type cash struct {
	base   *market.Money // the broker's figure that the executions move, nil = unknown
	moved  market.Money  // by executions and commissions since
	owing  int           // executions since whose commission is not told
	spoilt bool          // since then something came that cannot be reckoned

	told     market.Money // the broker's newest figure
	currency string       // of it
	since    time.Time    // wall time since when it, and our own sum, are what they are; zero = never told
	touched  bool         // by an execution or a commission, since it was told

	day   Day          // of drift
	drift market.Money // that nothing accounted for, in this market day
}

// traded takes an execution in.
func (c *cash) traded(f order.Fill) {
	c.touched = true
	if f.Symbol.IsOther() || f.Currency != "" && f.Currency != c.currency {
		c.spoilt = true
		return
	}
	c.moved = c.moved.Sub(f.Price.Mul(f.Side.Signed(f.Qty)))
	if f.Commission == nil {
		c.owing++
		return
	}
	c.moved = c.moved.Sub(*f.Commission)
}

// charged takes in that an execution cost so much, and not what was told before.
func (c *cash) charged(before *market.Money, now market.Money) {
	c.touched = true
	if before != nil {
		c.moved = c.moved.Add(*before)
	} else {
		c.owing--
	}
	c.moved = c.moved.Sub(now)
}

// unsure takes in that something happened of which nobody can tell what it cost.
func (c *cash) unsure() { c.touched, c.spoilt = true, true }

// take makes the broker's figure the one that executions move.
func (c *cash) take() {
	c.base, c.moved, c.owing, c.spoilt = c.told.Ptr(), market.Money{}, 0, false
}

// CompareCash holds the broker's cash against the executions since it was taken
// last. Only a confirmed answer comes here. A difference in figures that have
// settled is taken over and told: interest, dividends, fees and deposits come
// without an execution. What comes to more than tolerance in a market day takes
// entries away until a person has looked.
func (b *Books) CompareCash(t *Turn, who *broker.Facts, values []broker.AccountValue, tolerance market.Money) {
	c := &b.cash
	told, currency, ok := cashOf(who, values)
	if !ok {
		return
	}
	if c.since.IsZero() || c.touched || told != c.told || currency != c.currency {
		if currency != c.currency {
			c.base = nil
		}
		c.told, c.currency, c.since, c.touched = told, currency, t.Wall, false
		return
	}
	if t.Wall.Sub(c.since) < CashSettles {
		return
	}
	known := c.base != nil && c.owing == 0 && !c.spoilt
	ours := told
	if known {
		ours = c.base.Add(c.moved)
	}
	c.take()
	if diff := told.Sub(ours); cashRounding.Less(diff.Abs()) {
		b.cashDiffers(t, ours, diff, tolerance)
	}
}

// cashDiffers raises a difference that has settled.
func (b *Books) cashDiffers(t *Turn, ours, diff, tolerance market.Money) {
	c := &b.cash
	if !c.day.Has(t.Market) {
		c.day, c.drift = MarketDay(t.Market, b.zone), market.Money{}
	}
	c.drift = c.drift.Add(diff)
	f := broker.Finding{
		Kind: findCash, Ours: ours.String() + " " + c.currency, Theirs: c.told.String() + " " + c.currency,
		Evidence: fmt.Sprintf("no execution or commission accounts for %v, %v in this market day; interest, a dividend, a fee or a deposit may: look at the broker's statement", diff, c.drift),
	}
	if tolerance.Less(c.drift.Abs()) {
		f.Done = "the broker's figure is taken; entries are refused until a person resumes"
		b.Found(t, f)
		return
	}
	f.Explained, f.Done = true, fmt.Sprintf("the broker's figure is taken; up to %v a day nothing else follows (desk.cash_tolerance)", tolerance)
	if key := "cash " + t.Market.In(b.zone).Format(time.DateOnly); !b.raised.m[key] { // once a day: an account in several currencies drifts all the time
		b.Found(t, f)
		b.Raise(t, key, event.NoticeText{Level: "warning", Name: "cash_differs", Text: "the broker's cash differs by " + diff.String() + " " + c.currency + "; " + f.Evidence})
	}
}

// TellsCash reports whether the venue has told the account's cash.
func (b *Books) TellsCash() bool {
	for k := range b.values {
		if k[0] == cashKey {
			return true
		}
	}
	return false
}

// cashOf finds the account's cash in what the broker told.
func cashOf(who *broker.Facts, values []broker.AccountValue) (m market.Money, currency string, ok bool) {
	for _, v := range values {
		if v.Key != cashKey || v.Currency == "" || v.Currency == "BASE" || Foreign(who, v.Account) {
			continue
		}
		m, err := market.ParseMoney(v.Value)
		return m, v.Currency, err == nil
	}
	return m, "", false
}
