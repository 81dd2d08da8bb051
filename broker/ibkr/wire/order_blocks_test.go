package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/market"
)

// blockCase is one block of placeOrder: what announces it, and which fields it
// puts behind which of section 5.1.
type blockCase struct {
	name  string
	set   func(*PlaceOrder)
	field int    // the number, in section 5.1, of the field that announces it
	value string // of that field
	after int    // the field that the block follows
	block string // its fields, with | for NUL
}

func blockCases() []blockCase {
	one, two := 1, 2
	return []blockCase{
		{"combination", func(o *PlaceOrder) {
			o.Contract.SecType = "BAG"
			o.ComboLegs = []ComboLeg{
				{ConID: 7, Ratio: 1, Action: "BUY", Exchange: "SMART", ExemptCode: -1},
				{ConID: 8, Ratio: 2, Action: "SELL", Exchange: "ARCA", OpenClose: 1, ShortSaleSlot: 2, DesignatedLocation: "X", ExemptCode: 3},
			}
			o.ComboLegPrices = []*market.Price{price("1.5"), nil}
			o.SmartComboRouting = []TagValue{{"NonGuaranteed", "1"}}
		}, 5, "BAG", 35, "2|7|1|BUY|SMART|0|0||-1|8|2|SELL|ARCA|1|2|X|3|2|1.5||1|NonGuaranteed|1|"},
		{"delta-neutral order", func(o *PlaceOrder) {
			o.DeltaNeutralOrderType = "MKT"
			o.DeltaNeutral = DeltaNeutralOrder{7, "F", "A", "IB", "O", true, 2, "X"}
		}, 65, "MKT", 66, "7|F|A|IB|O|1|2|X|"},
		{"scale", func(o *PlaceOrder) {
			o.ScalePriceIncrement = price("0.05")
			o.Scale = Scale{price("0.01"), &one, price("0.5"), true, &two, &one, true}
		}, 73, "0.05", 73, "0.01|1|0.5|1|2|1|1|"},
		{"scale increment of 0", func(o *PlaceOrder) { o.ScalePriceIncrement = price("0") }, 73, "0", 73, ""},
		{"hedge", func(o *PlaceOrder) { o.HedgeType, o.HedgeParam = "D", "0.5" }, 77, "D", 77, "0.5|"},
		{"delta-neutral contract", func(o *PlaceOrder) {
			o.DeltaNeutralContract = &DeltaNeutralContract{7, "0.5", "98.25"}
		}, 82, "1", 82, "7|0.5|98.25|"},
		{"algorithm", func(o *PlaceOrder) {
			o.AlgoStrategy, o.AlgoParams = "Twap", []TagValue{{"strategyType", "Marketable"}, {"allowPastEndTime", "1"}}
		}, 83, "Twap", 83, "2|strategyType|Marketable|allowPastEndTime|1|"},
		{"pegged to benchmark", func(o *PlaceOrder) {
			o.OrderType, o.PegBench = "PEG BENCH", PegBench{7, true, "0.1", "0.2", "ARCA"}
		}, 19, "PEG BENCH", 89, "7|1|0.1|0.2|ARCA|"},
		{"conditions", func(o *PlaceOrder) {
			o.Conditions = []Condition{
				{Type: 1, Connector: "a", More: true, Value: "180", ConID: 7, Exchange: "SMART", TriggerMethod: 4},
				{Type: 3, Connector: "o", Value: "20260402 15:00:00 US/Eastern"},
				{Type: 4, Connector: "a", More: true, Value: "30"},
				{Type: 5, Connector: "a", SecType: "STK", Exchange: "SMART", Symbol: "MSFT"},
				{Type: 6, Connector: "a", More: true, Value: "1000", ConID: 7, Exchange: "SMART"},
				{Type: 7, Connector: "a", Value: "2.5", ConID: 7, Exchange: "SMART"},
			}
			o.ConditionsIgnoreRTH = true
		}, 90, "6", 90, "1|a|1|180|7|SMART|4|3|o|0|20260402 15:00:00 US/Eastern|4|a|1|30|5|a|STK|SMART|MSFT|6|a|1|1000|7|SMART|7|a|0|2.5|7|SMART|1|0|"},
		{"IBKRATS", func(o *PlaceOrder) {
			o.Contract.Exchange, o.MinTradeQty = "IBKRATS", &two
		}, 10, "IBKRATS", 114, "2|"},
		{"pegged to best", func(o *PlaceOrder) {
			o.OrderType, o.MinCompeteSize, o.CompeteAgainstBestOffset = "PEG BEST", &two, "0.02"
		}, 19, "PEG BEST", 114, "2|0.02|"},
		{"pegged to best, up to mid", func(o *PlaceOrder) {
			o.OrderType, o.MinCompeteSize, o.CompeteAgainstBestOffset = "PEGBEST", &two, "Infinity"
			o.MidOffsetAtWhole, o.MidOffsetAtHalf = "0.01", "0.005"
		}, 19, "PEGBEST", 114, "2|Infinity|0.01|0.005|"},
		{"pegged to mid", func(o *PlaceOrder) {
			o.OrderType, o.MidOffsetAtWhole = "PEG MID", "0.01"
		}, 19, "PEG MID", 114, "0.01||"},
		{"pegged to market has no block", func(o *PlaceOrder) { o.OrderType = "PEG MKT" }, 19, "PEG MKT", 114, ""},
	}
}

// TestPlaceOrderBlocks holds each block's place and fields against section 5.1,
// whose numbers are those of a plain order at version 200.
func TestPlaceOrderBlocks(t *testing.T) {
	plain, err := aapl().Append(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range blockCases() {
		want := strings.Split(string(plain), "\x00")
		want[tt.field-1] = tt.value
		block := strings.Split(tt.block, "|")
		want = slices.Insert(want, tt.after, block[:len(block)-1]...)

		o := aapl()
		tt.set(&o)
		b, err := o.Append(nil, 200)
		if diff := cmp.Diff(want, strings.Split(string(b), "\x00")); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.name, err, diff)
			continue
		}
		got, err := DecodeClientStrict(200, b)
		if diff := cmp.Diff(Message(o), got, exact); err != nil || diff != "" {
			t.Errorf("%s: read: %v (-want +got)\n%s", tt.name, err, diff)
		}
		// What was ordered is told, with the same blocks.
		told, err := NewOpenOrder(o, 1, 7, "Submitted").Append(nil, 200)
		if err != nil {
			t.Errorf("%s: told: %v", tt.name, err)
			continue
		}
		if m, err := DecodeServerStrict(200, told); err != nil {
			t.Errorf("%s: told: %v", tt.name, err)
		} else if o := m.(OpenOrder); len(o.Conditions)+len(o.ComboLegs)+len(o.AlgoParams) != len(got.(PlaceOrder).Conditions)+len(got.(PlaceOrder).ComboLegs)+len(got.(PlaceOrder).AlgoParams) {
			t.Errorf("%s: told %+v", tt.name, o)
		}
	}
}

// ib_async spells the infinite offset "Infinite". Section 12, trap 2.
func TestInfiniteOffset(t *testing.T) {
	o := aapl()
	o.OrderType, o.CompeteAgainstBestOffset, o.MidOffsetAtHalf = "PEG BEST", "Infinite", "0.01"
	b, err := o.Append(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	m, err := DecodeClientStrict(200, b)
	if got, ok := m.(PlaceOrder); err != nil || !ok || got.CompeteAgainstBestOffset != "Infinity" || got.MidOffsetAtHalf != "0.01" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPlaceOrderRefusesWhatIsNone(t *testing.T) {
	o := aapl()
	o.Conditions = []Condition{{Type: 2}}
	if _, err := o.Append(nil, 200); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a condition of type 2: %v", err)
	}
	for count, want := range map[string]error{"-1": ErrCount, "100000": ErrCount, "x": ErrNotInteger} {
		_, err := DecodeClient(200, withField(t, "conditionCount", count))
		var fe *FieldError
		if !errors.As(err, &fe) || !errors.Is(err, want) || fe.Field != "conditions" || fe.Value != count {
			t.Errorf("%s conditions: %v, want %v", count, err, want)
		}
	}
}
