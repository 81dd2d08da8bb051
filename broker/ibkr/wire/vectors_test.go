package wire

import (
	"strings"
	"testing"

	"robotrader/broker/market"
)

// requestVectors are our values for the official client's requests, by the
// names that the vectors give them. The order family has its own.
func requestVectors() map[string]Message {
	stock := ContractOf(market.USStock("AAPL"))
	stock.PrimaryExchange = "NASDAQ"
	known := stock
	known.ConID = 265598
	return map[string]Message{
		"reqMktData":         ReqMktData{ReqID: 1, Contract: known, Generic: "233"},
		"cancelMktData":      CancelMktData{ReqID: 1},
		"reqContractDetails": ReqContractDetails{ReqID: 2, Contract: stock},
		"reqHistoricalData": ReqHistoricalData{
			ReqID: 3, Contract: known, BarSize: "1 min", Duration: "2 D",
			RegularOnly: true, WhatToShow: "TRADES", FormatDate: 1, KeepUpToDate: true,
		},
		"reqRealTimeBars":          ReqRealTimeBars{ReqID: 4, Contract: known, BarSize: 5, WhatToShow: "TRADES", RegularOnly: true},
		"reqTickByTickData":        ReqTickByTick{ReqID: 5, Contract: known, Kind: "AllLast"},
		"reqPnL":                   ReqPnL{ReqID: 8, Account: "DU1234567"},
		"reqAccountSummary":        ReqAccountSummary{ReqID: 6, Group: "All", Tags: "NetLiquidation,TotalCashValue"},
		"reqAccountUpdates":        ReqAccountUpdates{Subscribe: true, Account: "DU1234567"},
		"reqPositions":             ReqPositions{},
		"reqIds":                   ReqIDs{Num: 1},
		"reqCurrentTime":           ReqCurrentTime{},
		"request/StartAPI":         StartAPI{ClientID: 1},
		"request/PositionsRequest": ReqPositions{},
	}
}

func TestVectorsOfClients(t *testing.T) {
	ours, orders := requestVectors(), officialRequests()
	seen := map[string]int{}
	for _, v := range append(orderVectors(t, "requests-official.jsonl"), orderVectors(t, "live-v200.jsonl")...) {
		if v.Dir != "client" {
			continue
		}
		want := strings.ReplaceAll(v.Payload, "|", "\x00")
		read, err := DecodeClientStrict(v.ServerVersion, []byte(want))
		if err != nil {
			t.Errorf("%s at %d: %v", v.Name, v.ServerVersion, err)
			continue
		}
		if u, ok := read.(Unknown); ok {
			t.Errorf("%s at %d: message %d is unknown", v.Name, v.ServerVersion, u.IDNum)
			continue
		}
		if ours[v.Name] == nil && orders[v.Name] == nil {
			t.Errorf("no value of ours for %s", v.Name)
		}
		for _, m := range []Message{read, ours[v.Name]} {
			if m == nil {
				continue // written by the tests of the order family
			}
			b, err := m.Append(nil, v.ServerVersion)
			if err != nil {
				t.Errorf("%s at %d: %v", v.Name, v.ServerVersion, err)
				continue
			}
			sameFields(t, v.Name, string(b), want)
			seen[v.Name]++
		}
	}
	for name := range ours {
		if seen[name] == 0 {
			t.Errorf("no vector named %s", name)
		}
	}
}

func TestVectorsOfLiveGateway(t *testing.T) {
	read := 0
	for _, v := range orderVectors(t, "live-v200.jsonl") {
		if v.Dir != "server" {
			continue
		}
		want := strings.ReplaceAll(v.Payload, "|", "\x00")
		m, err := DecodeServerStrict(v.ServerVersion, []byte(want))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if u, ok := m.(Unknown); ok {
			t.Errorf("%s: message %d is unknown", v.Name, u.IDNum)
			continue
		}
		b, err := m.Append(nil, v.ServerVersion)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		sameFields(t, v.Name, string(b), want)
		read++
	}
	if read == 0 {
		t.Error("no frame of a gateway was read")
	}
	t.Logf("%d frames of a live gateway read to the last field and written again", read)
}
