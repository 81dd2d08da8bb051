package feed

import (
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// What the simulated exchange takes; the rest of a contract's description is
// made up where a real gateway tells more.
const (
	orderTypes = "LMT,MKT"
	venues     = "SMART"
	marketRule = "26" // the venue's number of the one-cent grid
)

var one = 1.0

func (c *client) contractDetails(m wire.ReqContractDetails) {
	d, ok := c.v.Find(m.Contract)
	if !ok {
		c.Fail(int64(m.ReqID), venue.NoContract, venue.NoContractText)
		return
	}
	c.Send(c.f.contractData(m.ReqID, d))
	c.Send(wire.ContractDataEnd{ReqID: m.ReqID})
}

// contractData describes a listing, with the hours around market time.
func (f *Feed) contractData(req int, d market.Details) wire.ContractData {
	trading, liquid, zone := d.Trading, d.Liquid, f.v.Zone
	if h, err := f.v.Source.Hours(d.Contract.Symbol, f.v.At); err == nil {
		trading, liquid = h.Trading, h.Liquid
	}
	contract := wire.ContractOf(d.Contract)
	tick, step := d.MinTick, d.SizeStep
	return wire.ContractData{
		ReqID: req, Contract: contract, MarketName: contract.TradingClass, MinTick: &tick,
		OrderTypes: orderTypes, ValidExchanges: venues, PriceMagnifier: 1, LongName: d.LongName,
		TimeZoneID: venue.ZoneText, TradingHours: trading.Format(zone), LiquidHours: liquid.Format(zone),
		EVMultiplier: &one, MarketRuleIDs: marketRule, StockType: "COMMON",
		MinSize: &step, SizeIncrement: &step, SuggestedSizeIncrement: &step,
	}
}
