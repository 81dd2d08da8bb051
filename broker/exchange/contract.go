package exchange

import (
	"fmt"
	"time"

	"robotrader/broker/market"
)

// StockDetails returns the contract details of a US stock, in whole shares on
// a grid of 0.01; see [InFractions]. Well-known tickers carry IBKR's own
// contract ids, exchanges and names; other symbols get a contract id that their
// name decides, between 100 and 900 million, NASDAQ for four letters and more,
// and NYSE for fewer. The hours are the tape's.
func StockDetails(s market.Symbol, trading, liquid market.Hours) market.Details {
	of := stockOf(s)
	c := market.USStock(s)
	c.LocalSymbol, c.TradingClass = string(s), string(s)
	c.ConID, c.PrimaryExchange = of.conID, of.primary
	if c.PrimaryExchange == "NASDAQ" {
		c.TradingClass = "NMS" // as IBKR calls the National Market System
	}
	return market.Details{
		Contract: c, LongName: of.name, MinTick: market.MustPrice("0.01"), SizeStep: market.Shares(1),
		Trading: trading, Liquid: liquid,
	}
}

// List makes a symbol tradable, with the details that the venue tells. Listing
// it again replaces the details, such as the hours. A contract id that another
// symbol has is refused.
func (x *Exchange) List(d market.Details) error {
	s := d.Contract.Symbol
	if p, err := market.ParseSymbol(string(s)); err != nil || p != s {
		return fmt.Errorf("exchange: list %.40q: not a ticker symbol in capitals", s)
	}
	if d.Contract.ConID <= 0 {
		return fmt.Errorf("exchange: list %s: contract id %d is not above 0", s, d.Contract.ConID)
	}
	if other, ok := x.byConID[d.Contract.ConID]; ok && other.details.Contract.Symbol != s {
		return fmt.Errorf("exchange: list %s: contract id %d is that of %s", s, d.Contract.ConID, other.details.Contract.Symbol)
	}
	l := x.listings[s]
	if l == nil {
		l = new(listing)
		l.alarm = alarm{no: int64(len(x.listings)), listing: l}
		x.listings[s] = l
	} else {
		delete(x.byConID, l.details.Contract.ConID)
	}
	l.details, l.changed = d, true
	l.hours(d.Trading, d.Liquid)
	x.alarms.set(&l.alarm, time.Time{}, rankTurn) // the next call sees where it stands
	x.byConID[d.Contract.ConID] = l
	return nil
}

// Find returns the details of the listing that c means: by its contract id if
// it has one, else by symbol. A symbol beside a contract id must agree.
func (x *Exchange) Find(c market.Contract) (market.Details, bool) {
	l := x.listings[c.Symbol]
	if c.ConID != 0 {
		l = x.byConID[c.ConID]
	}
	if l == nil || c.Symbol != "" && c.Symbol != l.details.Contract.Symbol {
		return market.Details{}, false
	}
	return l.details, true
}
