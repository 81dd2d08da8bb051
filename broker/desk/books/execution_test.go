package books

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// anyFill draws an execution with anything in each of its fields.
func anyFill(t *rapid.T) order.Fill {
	word, number := rapid.StringN(0, 8, -1), rapid.Int64()
	amount := func(name string) *market.Money {
		return rapid.Ptr(rapid.Custom(func(t *rapid.T) market.Money {
			return market.MustPrice("0.00000001").Mul(market.Shares(rapid.Int64Range(-9e10, 9e10).Draw(t, "n")))
		}), true).Draw(t, name)
	}
	hours := rapid.IntRange(-12, 12).Draw(t, "zone")
	at := time.Unix(rapid.Int64Range(-62135596800, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds"))
	return order.Fill{
		ExecID: word.Draw(t, "exec"), Ref: word.Draw(t, "ref"), OrderID: number.Draw(t, "order"), PermID: number.Draw(t, "perm"), ClientID: rapid.Int().Draw(t, "client"),
		Account: word.Draw(t, "account"), Symbol: market.Symbol(word.Draw(t, "symbol")), ConID: number.Draw(t, "contract"), Side: order.Side(word.Draw(t, "side")),
		Qty:      market.MustQty(fmt.Sprintf("%d.%08d", rapid.IntRange(0, 9e8).Draw(t, "shares"), rapid.IntRange(0, 1e8-1).Draw(t, "fraction"))),
		Price:    market.MustPrice(fmt.Sprintf("%d.%08d", rapid.IntRange(-9e8, 9e8).Draw(t, "price"), rapid.IntRange(0, 1e8-1).Draw(t, "fraction"))),
		Exchange: word.Draw(t, "exchange"), At: at.In(time.FixedZone("", hours*3600)), // as decoded from JSON: without a name
		Commission: amount("commission"), Currency: word.Draw(t, "currency"), RealizedPNL: amount("pnl"), Replaces: word.Draw(t, "replaces"),
	}
}

// TestAnExecutionIsToldAsItCame: what is kept of one in little memory is all of it,
// whatever others there are.
func TestAnExecutionIsToldAsItCame(t *testing.T) {
	if n := reflect.TypeFor[order.Fill]().NumField(); n != 17 {
		t.Fatalf("an execution has %d fields, and 17 are tried", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := New(time.UTC)
		fills := rapid.SliceOfN(rapid.Custom(anyFill), 1, 5).Draw(t, "fills")
		fills = append(fills, order.Fill{ExecID: "bare"})
		kept := make([]Execution, len(fills))
		for i := range fills {
			b.set(&kept[i], fills[i])
		}
		for i, want := range fills {
			got := kept[i].Fill()
			if x, y := got.At.Format(time.RFC3339Nano), want.At.Format(time.RFC3339Nano); x != y || got.At.IsZero() != want.At.IsZero() {
				t.Errorf("its time is %s, want %s", x, y)
			}
			if got.At = want.At; !reflect.DeepEqual(got, want) {
				t.Errorf("it is %+v, want %+v", got, want)
			}
		}
	})
}
