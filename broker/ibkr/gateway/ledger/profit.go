package ledger

import (
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// profit is a subscription to the profit and loss of an account, or of its
// position in one contract.
type profit struct {
	account string
	conID   int64
	single  bool
	due     time.Time
	told    figures
	any     bool // something was told
}

// figures are what such a subscription tells. What is unknown is nil.
type figures struct {
	daily, unrealized market.Money
	noDaily, noValue  bool // unknown
	realized, value   market.Money
	qty               market.Qty
}

// reqProfit subscribes to figures, which are told at once, and then once a
// second when they changed.
func (c *client) reqProfit(id int, request string, p *profit) {
	if !c.known(int64(id), request, p.account) || !c.room(id, request, c.others(), maxOthers) {
		return
	}
	if p.single {
		if _, ok := c.v.X.Find(market.Contract{ConID: p.conID}); !ok {
			c.Fail(int64(id), venue.NoContract, venue.NoContractText)
			return
		}
	}
	p.due = c.v.At.Add(profitPeriod)
	c.profits[id] = p
	c.l.wake(p.due)
	c.tellProfit(id, p)
}

func (c *client) tellProfit(id int, p *profit) {
	now := c.l.figures(p)
	if p.any && now == p.told {
		return
	}
	p.told, p.any = now, true
	known := func(m market.Money, no bool) *market.Money {
		if no {
			return nil
		}
		return m.Round(4).Ptr() // a live gateway tells more decimals than cents
	}
	daily, unrealized, realized := known(now.daily, now.noDaily), known(now.unrealized, now.noValue), known(now.realized, false)
	if p.single {
		c.Send(wire.PnLSingle{
			ReqID: id, Position: now.qty.Ptr(), Daily: daily, Unrealized: unrealized, Realized: realized,
			Value: known(now.value, now.noValue),
		})
		return
	}
	c.Send(wire.PnL{ReqID: id, Daily: daily, Unrealized: unrealized, Realized: realized})
}

// figures are the present ones: the day's profit, the unrealised one over the
// cost with commission, and the day's realised one after commission.
func (l *Ledger) figures(p *profit) figures {
	if p.single {
		d, _ := l.v.X.Find(market.Contract{ConID: p.conID})
		have, _ := l.v.X.Position(p.account, d.Contract.Symbol)
		f := of(&have.PnL)
		f.qty, f.value = have.Qty, worth(&have)
		f.unrealized = f.value.Sub(have.FullCost)
		return f
	}
	v, _ := l.v.X.Value(p.account)
	f := of(&v.Day)
	f.unrealized = unrealized(l.v.X.Positions(p.account))
	return f
}

func of(p *exchange.PnL) (f figures) {
	f.realized = p.RealizedNet
	f.noDaily, f.noValue = p.Daily == nil, p.Unrealized == nil
	if p.Daily != nil {
		f.daily = *p.Daily
	}
	return f
}
