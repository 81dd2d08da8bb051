package journal

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

func TestEquityIsRemembered(t *testing.T) {
	path := file(t)
	at := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	j := open(t, path)
	value := func(key, v string) broker.Record {
		return broker.Record{Wall: at, Market: at, Values: []broker.AccountValue{{Account: "DU1", Key: key, Value: v, Currency: "USD"}}}
	}
	must(t, j.Record(t.Context(), value("NetLiquidation", "1000.50"), value("TotalCashValue", "7"), value("NetLiquidation", "1e6"), value("NetLiquidation", "999")))
	shut(t, j)
	j = open(t, path)
	list, err := j.Equity(t.Context())
	must(t, err)
	if len(list) != 2 || list[0].Equity != market.MustMoney("1000.5") || list[1].Equity != market.MustMoney("999") ||
		list[0].Account != "DU1" || !list[0].Market.Equal(at) || !list[0].Wall.Equal(at) {
		t.Errorf("equity %+v", list)
	}
	shut(t, j)
}
