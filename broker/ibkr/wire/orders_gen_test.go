package wire

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

// draw fills a message with random values, every exported field of it, so that
// a field that is forgotten in a layout cannot stay unnoticed.
func draw[M any](t *rapid.T, client bool) (m M) {
	fill(t, reflect.ValueOf(&m).Elem(), reflect.TypeFor[M]().Name(), client)
	return m
}

func fill(t *rapid.T, v reflect.Value, name string, client bool) {
	switch p := v.Addr().Interface().(type) {
	case *market.Price:
		*p = market.MustPrice(drawDecimal(t, name))
		return
	case *market.Qty:
		*p = market.MustQty(drawDecimal(t, name))
		return
	case *market.Money:
		*p = market.MustMoney(drawDecimal(t, name))
		return
	case *Number:
		*p = Number(rapid.SampledFrom([]string{"", "0", "0.5", "-1.25", "1.5E-7", "Infinity"}).Draw(t, name))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(drawText(t, name, client))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int: // sentinels have tests of their own
		v.SetInt(int64(rapid.IntRange(-1<<31+1, 1<<31-2).Draw(t, name)))
	case reflect.Int64: // identifiers; permId needs more than 32 bits
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Float64:
		v.SetFloat(rapid.Float64Range(-1e300, 1e300).Draw(t, name))
	case reflect.Uint8: // a byte of a text that is kept as it came
		v.SetUint(uint64(rapid.ByteRange(1, 255).Draw(t, name)))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name+" set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name, client)
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, name+" length"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i), name, client)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), name+"."+v.Type().Field(i).Name, client)
		}
	default:
		t.Fatalf("no generator for %s, a %s", name, v.Type())
	}
}

func drawDecimal(t *rapid.T, name string) string {
	whole := rapid.IntRange(-1_000_000_000, 1_000_000_000).Draw(t, name)
	return fmt.Sprintf("%d.%08d", whole, rapid.IntRange(0, 99_999_999).Draw(t, name+" fraction"))
}

func drawText(t *rapid.T, name string, client bool) string {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "Right":
		return rapid.SampledFrom([]string{"", "C", "P"}).Draw(t, name)
	case "OrderType":
		return rapid.SampledFrom([]string{"MKT", "LMT", "STP", "TRAIL", "PEG BENCH", "PEGBENCH", "PEG MID", "PEGMID", "PEG BEST", "PEGBEST", "PEG MKT"}).Draw(t, name)
	case "Exchange":
		return rapid.SampledFrom([]string{"SMART", "IBKRATS", ""}).Draw(t, name)
	case "SecType":
		return rapid.SampledFrom([]string{"STK", "OPT", "BAG", "FUND"}).Draw(t, name)
	}
	if client {
		return rapid.StringMatching(`[ -~]{0,8}`).Draw(t, name)
	}
	return strings.ReplaceAll(rapid.StringN(0, 8, -1).Draw(t, name), "\x00", "")
}

// exact compares the market package's numbers by value.
var exact = cmp.Options{
	cmp.Comparer(func(a, b market.Price) bool { return a == b }),
	cmp.Comparer(func(a, b market.Qty) bool { return a == b }),
	cmp.Comparer(func(a, b market.Money) bool { return a == b }),
}
