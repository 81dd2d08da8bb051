package gateway

import (
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

func (c *conn) contractDetails(m wire.ReqContractDetails) {
	d, ok := c.s.find(m.Contract)
	if !ok {
		c.fail(int64(m.ReqID), codeNoContract, noContract)
		return
	}
	c.send(c.s.contractData(m.ReqID, d))
	c.send(wire.ContractDataEnd{ReqID: m.ReqID})
}

// contractData describes a listing, with the hours around market time.
func (s *Server) contractData(req int, d market.Details) wire.ContractData {
	trading, liquid, zone := d.Trading, d.Liquid, s.zone
	if h, err := s.src.Hours(d.Contract.Symbol, s.at); err == nil {
		trading, liquid = h.Trading, h.Liquid
	}
	contract := wire.ContractOf(d.Contract)
	tick, step := d.MinTick, d.SizeStep
	return wire.ContractData{
		ReqID: req, Contract: contract, MarketName: contract.TradingClass, MinTick: &tick,
		OrderTypes: orderTypes, ValidExchanges: venues, PriceMagnifier: 1, LongName: d.LongName,
		TimeZoneID: zoneText, TradingHours: trading.Format(zone), LiquidHours: liquid.Format(zone),
		EVMultiplier: &one, MarketRuleIDs: marketRule, StockType: "COMMON",
		MinSize: &step, SizeIncrement: &step, SuggestedSizeIncrement: &step,
	}
}
