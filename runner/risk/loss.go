package risk

import (
	"fmt"

	"robotrader/broker"
	"robotrader/broker/market"
)

// equity wants to know how the account fares before it takes a risk. The rules
// below judge what is known; this one stands before them.
func (a *asked) equity() string {
	if s := a.v.Standing; s.Equity == nil || s.DayStart == nil || s.Peak == nil {
		return "the account's equity (NetLiquidation), now, at the day's start or at its highest, is unknown; wait for the venue to tell it"
	}
	return ""
}

// dailyLoss ends the day's entries when it has lost enough. Round trips count
// beside the equity, as a venue tells the equity minutes late.
func (a *asked) dailyLoss() string {
	s := a.v.Standing
	loss, equity := dayLoss(s)
	a.saw.Money("day_loss", loss)
	switch {
	case loss.Less(a.MaxDailyLoss):
		return ""
	case equity:
		return fmt.Sprintf("the equity fell by %v today, from %v to %v, and %v is where the day ends; look at what happened, and resume tomorrow or raise risk.max_daily_loss",
			loss, s.DayStart, s.Equity, a.MaxDailyLoss)
	}
	return fmt.Sprintf("today's round trips lost %v, and %v is where the day ends; look at what happened, and resume tomorrow or raise risk.max_daily_loss",
		loss, a.MaxDailyLoss)
}

// dayLoss is what the day has lost, below 0 what it made; equity says that it is
// the equity which tells it.
func dayLoss(s broker.Standing) (loss market.Money, equity bool) {
	loss = s.Realized.Neg()
	if s.Equity != nil && s.DayStart != nil {
		if fell := s.DayStart.Sub(*s.Equity); loss.Less(fell) {
			return fell, true
		}
	}
	return loss, false
}

// drawdown ends entries when the equity lies too far below its highest.
func (a *asked) drawdown() string {
	s := a.v.Standing
	if s.Equity == nil || s.Peak == nil {
		return ""
	}
	down := s.Peak.Sub(*s.Equity)
	a.saw.Money("drawdown", down)
	if down.Sign() <= 0 && s.Peak.Sign() > 0 {
		return ""
	}
	if s.Peak.Sign() > 0 && down.Less(s.Peak.MulFrac(market.Qty(a.MaxDrawdown), market.Shares(100))) {
		return ""
	}
	return fmt.Sprintf("the equity %v lies %v below its highest, %v, and %v %% is where entries end; look at what happened, and resume or raise risk.max_drawdown",
		s.Equity, down, s.Peak, a.MaxDrawdown)
}

func (a *asked) losingStreak() string {
	if n := a.v.Standing.LosingStreak; n >= a.MaxLosingStreak {
		return fmt.Sprintf("the newest %d round trips of today lost, and %d in a row is where entries end; look at what happened, and resume tomorrow or raise risk.max_losing_streak",
			n, a.MaxLosingStreak)
	}
	return ""
}
