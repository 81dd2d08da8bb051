package risk

import (
	"slices"
	"strconv"

	"robotrader/broker"
	"robotrader/broker/market"
)

// Use tells how far the limits are used up that last longer than one order, as
// things are and without another order: first those of the account, then
// max_position_notional of each symbol that is traded here. What the rules hold
// for unknown is unknown here, and so are the rates before the first clock.
func (g *Gate) Use(s broker.Sight) []broker.LimitUse {
	u := uses{cfg: &g.cfg, list: make([]broker.LimitUse, 0, 7+len(s.Symbols))}
	u.standing(s)
	u.rates(s)
	u.exposure(s)
	return u.list
}

// uses is a list that grows by a limit at a time.
type uses struct {
	cfg  *Config
	list []broker.LimitUse
}

// add adds a limit of which used is taken, nil = unknown.
func (u *uses) add(rule, limit string, sym market.Symbol, used *market.Money, most market.Money) {
	l := broker.LimitUse{Rule: rule, Limit: limit, Symbol: sym, Most: most, Off: slices.Contains(u.cfg.Off, rule)}
	if used != nil {
		if used.Sign() < 0 {
			used = &market.Money{}
		}
		share := used.Float() / most.Float()
		l.Used, l.Share = used, &share
	}
	u.list = append(u.list, l)
}

// standing adds the limits on what was lost. Round trips that lost enough are
// known to, whatever the equity is.
func (u *uses) standing(s broker.Sight) {
	var loss, streak *market.Money
	if s.Known {
		l, _ := dayLoss(s.Standing)
		if s.Standing.Equity != nil && s.Standing.DayStart != nil || !l.Less(u.cfg.MaxDailyLoss) {
			loss = &l
		}
		streak = whole(s.Standing.LosingStreak)
	}
	u.add(RuleDailyLoss, "max_daily_loss", "", loss, u.cfg.MaxDailyLoss)
	u.drawdown(s)
	u.add(RuleLosingStreak, "max_losing_streak", "", streak, *whole(u.cfg.MaxLosingStreak))
}

// drawdown tells percent; the share is that of the amounts, which the rule
// compares, too.
func (u *uses) drawdown(s broker.Sight) {
	most := market.Qty(u.cfg.MaxDrawdown)
	u.add(RuleDrawdown, "max_drawdown", "", nil, *decimal(most.Float()))
	eq, peak := s.Standing.Equity, s.Standing.Peak
	if !s.Known || eq == nil || peak == nil || peak.Sign() <= 0 {
		return
	}
	l, down := &u.list[len(u.list)-1], max(0, peak.Sub(*eq).Float())
	share := down / peak.MulFrac(most, market.Shares(100)).Float()
	l.Used, l.Share = decimal(100*down/peak.Float()), &share
}

// rates adds what entries have used up.
func (u *uses) rates(s broker.Sight) {
	var sent, minute *market.Money
	if !s.Now.IsZero() {
		a := asked{v: broker.View{Now: s.Now, Sent: s.Sent}}
		sent, minute = &s.SentNotional, whole(a.sentLastMinute())
	}
	u.add(RuleNotionalPerDay, "notional_per_day", "", sent, u.cfg.NotionalPerDay)
	u.add(RuleOrdersPerMinute, "orders_per_minute", "", minute, *whole(u.cfg.OrdersPerMinute))
}

// exposure adds what is held, and may be when all open orders have filled.
func (u *uses) exposure(s broker.Sight) {
	var gross *market.Money
	worth := make([]*market.Money, len(s.Symbols))
	if s.Known {
		gross = &market.Money{}
	}
	for i := range s.Symbols {
		e := &s.Symbols[i].Exposure
		size := e.Worst()
		switch {
		case !s.Known:
		case e.Priced || size.IsZero():
			worth[i] = e.Price.Mul(size).Abs().Ptr()
			if gross != nil {
				gross = gross.Add(*worth[i]).Ptr()
			}
		default:
			gross = nil
		}
	}
	u.add(RuleGrossNotional, "max_gross_notional", "", gross, u.cfg.MaxGrossNotional)
	u.add(RuleLeverage, "max_leverage", "", nil, *decimal(u.cfg.MaxLeverage.Float()))
	if eq := s.Standing.Equity; gross != nil && eq != nil && eq.Sign() > 0 {
		l := &u.list[len(u.list)-1]
		share := gross.Float() / eq.MulFrac(u.cfg.MaxLeverage, market.Shares(1)).Float()
		l.Used, l.Share = decimal(gross.Float()/eq.Float()), &share
	}
	for i := range s.Symbols {
		if sym := s.Symbols[i].Symbol; !sym.IsOther() {
			u.add(RulePositionNotional, "max_position_notional", sym, worth[i], u.cfg.MaxPositionNotional)
		}
	}
}

// whole is a count as a decimal.
func whole(n int) *market.Money { return market.MustMoney(strconv.Itoa(n)).Ptr() }

// decimal is a number with four places, for people.
func decimal(x float64) *market.Money {
	m, err := market.ParseMoney(strconv.FormatFloat(x, 'f', 4, 64))
	if err != nil {
		return nil // beyond what a decimal holds
	}
	return &m
}
