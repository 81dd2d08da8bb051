package desk

import (
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// correct has the broker correct an execution, once each.
func (v *worldVenue) correct() {
	fills := v.x.Fills()
	if len(fills) == 0 {
		return
	}
	f := fills[v.w.dice.IntN(len(fills))]
	base, _ := order.ExecVersion(f.ExecID)
	if v.fixed[base] {
		return
	}
	price, qty := f.Price.Add(market.MustPrice("0.01")), f.Qty
	if v.w.chance(300) && market.Shares(1).Less(qty) {
		qty = qty.Sub(market.Shares(1))
	}
	list, err := v.x.Correct(v.w.market(), f.ExecID, price, qty)
	if err != nil { // such as an order that is still open
		return
	}
	v.fixed[base] = true
	v.elsewhere = append(v.elsewhere, happened{time.Now(), f.Symbol, f.Qty.Sub(qty)})
	v.reported(list)
}

// byHand trades in the gateway's own window: nobody tells this client but by
// the position, until it asks.
func (v *worldVenue) byHand() {
	v.hand--
	side := order.Buy
	if v.w.chance(500) {
		side = order.Sell
	}
	v.w.say("by hand: %s 5", side)
	v.elsewhere = append(v.elsewhere, happened{time.Now(), worldSymbol, market.Shares(5)})
	v.reported(v.x.Place(v.w.market(), exchange.Request{
		OrderID: v.hand, Account: worldAccount, Symbol: worldSymbol, Side: side, Type: order.Market, TIF: order.IOC, Qty: market.Shares(5),
	}))
}
