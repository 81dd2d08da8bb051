package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/market"
)

// TestVersionsOfMessages shows which messages a version does not have yet.
func TestVersionsOfMessages(t *testing.T) {
	for v := MinVersion; v <= MaxVersion; v++ {
		for in, since := range map[string]Version{"109|1|": 197, "108|3|a|b|": 196} {
			if _, err := DecodeServer(v, []byte(strings.ReplaceAll(in, "|", "\x00"))); (err == nil) != (v >= since) {
				t.Errorf("%s at %d: %v", in, v, err)
			}
		}
	}
	// ibkr-go saw it without its end.
	if got, err := DecodeServerStrict(200, []byte("108\x003\x00a\x00")); err != nil || got != (HistoricalDataEnd{3, "a", ""}) {
		t.Errorf("short historicalDataEnd: got %v, %v", got, err)
	}
}

// TestFrameValues checks that fields land where they belong.
func TestFrameValues(t *testing.T) {
	hundred, minusHalf := market.Shares(100), market.MustQty("-0.5")
	for _, tt := range []struct {
		v    Version
		in   string
		want Message
	}{
		{176, "1|6|1001|68|255.45|200|0|", TickPrice{ReqID: 1001, Type: TickDelayedLast, Price: market.MustPrice("255.45"), Size: market.Shares(200)}},
		{176, "2|6|1001|74|312894|", TickSize{ReqID: 1001, Type: TickDelayedVolume, Size: market.Shares(312894)}},
		{176, "2|6|1001|8|9223372036854775807|", TickSize{ReqID: 1001, Type: TickVolume, SizeUnset: true}},
		{176, "46|6|1|45|1775425766|", TickString{1, TickLastTime, []byte("1775425766")}},
		{193, "4|2|42|201|no|{}|", ErrMsg{42, 201, "no", "{}", 0}},
		{194, "4|42|201|no|{}|7|", ErrMsg{42, 201, "no", "{}", 7}},
		{200, "61|3|DU9|3691937|AMZN|STK||0.0|||NASDAQ|USD|AMZN|NMS|15|200.250000004|", Position{
			Account: "DU9", Position: market.Shares(15), AvgCost: price("200.25"),
			Contract: Contract{
				ConID: 3691937, Symbol: "AMZN", SecType: "STK", Strike: price("0"),
				Exchange: "NASDAQ", Currency: "USD", LocalSymbol: "AMZN", TradingClass: "NMS",
			},
		}},
		{200, "7|8|1|A|STK||0|?||NYSE|USD|A|A|-0.5|187.250000001|1.7976931348623157E308|NaN|1E-3|-0.00000000000000004|DU9|", PortfolioValue{
			Contract: Contract{
				ConID: 1, Symbol: "A", SecType: "STK", Strike: price("0"),
				PrimaryExchange: "NYSE", Currency: "USD", LocalSymbol: "A", TradingClass: "A",
			},
			Position: minusHalf, MarketPrice: price("187.25"), UnrealizedPNL: market.MustMoney("0.001").Ptr(), RealizedPNL: &market.Money{}, Account: "DU9",
		}},
		{200, "90|3|-1|d|1|2|4|0.5|1.5|100|", HistoricalDataUpdate{3, Bar{
			"d", market.MustPrice("1"), market.MustPrice("4"), market.MustPrice("0.5"), market.MustPrice("2"), &hundred, price("1.5"), -1,
		}}},
		{200, "17|3|1|d|1|4|0.5|2|-1|-1|-1|", HistoricalData{ReqID: 3, Bars: []Bar{{
			"d", market.MustPrice("1"), market.MustPrice("4"), market.MustPrice("0.5"), market.MustPrice("2"), nil, nil, -1,
		}}}},
	} {
		got, err := DecodeServerStrict(tt.v, []byte(strings.ReplaceAll(tt.in, "|", "\x00")))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, exact); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.in, diff)
		}
	}
}

// TestFieldCounts counts the fields that are written, the message id included,
// against the protocol sheet.
func TestFieldCounts(t *testing.T) {
	stock := ContractOf(market.USStock("AAPL"))
	for _, tt := range []struct {
		m     Message
		v     Version
		count int
	}{
		{ReqMktData{Contract: stock}, 176, 20},
		{ReqHistoricalData{Contract: stock}, 200, 23},
		{ReqContractDetails{Contract: stock}, 176, 19},
		{StartAPI{}, 200, 4},
		{ReqTimeInMillis{}, 197, 1},
		{ErrMsg{}, 176, 6},
		{ErrMsg{}, 193, 6},
		{ErrMsg{}, 194, 6},
		{ContractData{}, 176, 40},
		{ContractData{}, 182, 41},
		{ContractData{}, 186, 42},
		{ContractData{Contract: Contract{SecType: "FUND"}}, 178, 40},
		{ContractData{Contract: Contract{SecType: "FUND"}}, 179, 57},
		{ContractData{Contract: Contract{SecType: "FUND"}}, 200, 59},
		{HistoricalData{Bars: make([]Bar, 3)}, 195, 5 + 3*8},
		{HistoricalData{Bars: make([]Bar, 3)}, 196, 3 + 3*8},
		{HistoricalDataUpdate{}, 200, 10},
		{HistoricalSchedule{Sessions: make([]ScheduleSession, 2)}, 200, 6 + 2*3},
		{TickPrice{}, 200, 7},
		{TickReqParams{}, 200, 5},
		{Position{}, 200, 16},
		{PortfolioValue{}, 200, 20},
		{AccountValue{}, 200, 6},
		{AccountSummary{}, 200, 7},
		{ReqTickByTick{Contract: stock}, 176, 17},
		{TickByTick{Kind: TBTLast}, 200, 9},
		{TickByTick{Kind: TBTBidAsk}, 200, 9},
		{TickByTick{Kind: TBTMidPoint}, 200, 5},
		{ReqRealTimeBars{Contract: stock}, 176, 19},
		{RealTimeBar{}, 200, 11},
		{ReqHistoricalTicks{Contract: stock}, 176, 22},
		{HistoricalTicks{Ticks: make([]HistoricalTick, 2)}, 200, 4 + 2*4},
		{HistoricalTicksBidAsk{Ticks: make([]HistoricalTickBidAsk, 2)}, 200, 4 + 2*6},
		{HistoricalTicksLast{Ticks: make([]HistoricalTickLast, 2)}, 200, 4 + 2*6},
		{ReqHeadTimestamp{Contract: stock}, 176, 18},
		{PnL{}, 200, 5},
		{PnLSingle{}, 200, 7},
		{PositionMulti{}, 200, 18},
		{AccountUpdateMulti{}, 200, 8},
		{ReqMktDepth{Contract: stock}, 176, 18},
		{MarketDepth{}, 200, 8},
		{MarketDepthL2{}, 200, 10},
		{TickOptionComputation{}, 200, 12},
		{BondContractData{}, 187, 36},
		{BondContractData{}, 188, 39},
		{CompletedOrder{}, 176, 97},
		{CompletedOrder{}, 177, 96},
		{CompletedOrder{}, 183, 97},
		{CompletedOrder{}, 184, 98},
		{CompletedOrder{}, 198, 99},
	} {
		b, err := tt.m.Append(nil, tt.v)
		if n := bytes.Count(b, []byte{0}); err != nil || n != tt.count {
			t.Errorf("%T at %d: %d fields, %v, want %d", tt.m, tt.v, n, err, tt.count)
		}
	}
}

func TestCountsAreBounded(t *testing.T) {
	for _, in := range []string{
		"17|3|2147483646|d|1|1|1|1|1|1|1|",
		"17|3|-1|",
		"106|3|a|b|UTC|9999999|x|y|z|",
	} {
		if m, err := DecodeServer(200, []byte(strings.ReplaceAll(in, "|", "\x00"))); !errors.Is(err, ErrCount) {
			t.Errorf("%s: got %v, %v, want ErrCount", in, m, err)
		}
	}
}

func TestContractWords(t *testing.T) {
	c := market.Contract{
		ConID: 265598, Symbol: "AAPL", SecType: "STK", Exchange: "SMART", PrimaryExchange: "NASDAQ",
		Currency: "USD", LocalSymbol: "AAPL", TradingClass: "NMS",
	}
	if n := reflect.TypeFor[market.Contract]().NumField(); n != 8 {
		t.Errorf("market.Contract has %d fields; this test, ContractOf and Market know 8", n)
	}
	if got, err := ContractOf(c).Market(); err != nil || got != c {
		t.Errorf("got %+v, %v, want %+v", got, err, c)
	}
	if got, err := (Contract{Symbol: "a;b"}).Market(); !errors.Is(err, market.ErrBadSymbol) {
		t.Errorf("got %+v, %v, want ErrBadSymbol", got, err)
	}
}

func TestNoQuote(t *testing.T) {
	for _, tt := range []struct {
		in   TickPrice
		want bool
	}{
		{TickPrice{Type: TickBid, Price: market.MustPrice("-1")}, true},
		{TickPrice{Type: TickBid, Price: market.MustPrice("-1"), SizeUnset: true}, true},
		{TickPrice{Type: TickBid, PriceUnset: true, Size: market.Shares(3)}, true},
		{TickPrice{Type: TickBid, Price: market.MustPrice("-1"), Size: market.Shares(3)}, false}, // a spread at -1
		{TickPrice{Type: TickBid}, false},                                                        // 0 is a price
		{TickPrice{Type: TickBid, Price: market.MustPrice("187.25"), Size: market.Shares(3)}, false},
	} {
		if got := tt.in.NoQuote(); got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.in, got, tt.want)
		}
	}
	for price, size := range map[TickType]TickType{TickBid: TickBidSize, TickAsk: TickAskSize, TickLast: TickLastSize, 66: 69, 67: 70, 68: 71} {
		if got, ok := price.SizeType(); !ok || got != size {
			t.Errorf("type %d: got %d, %v, want %d", price, got, ok, size)
		}
	}
	if got, ok := TickHigh.SizeType(); ok {
		t.Errorf("a high has no size, got %d", got)
	}
}
