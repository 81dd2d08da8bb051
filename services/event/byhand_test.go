package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func someTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		zone := time.UTC
		if rapid.Bool().Draw(t, "zoned") {
			zone = time.FixedZone("", rapid.IntRange(-26, 26).Draw(t, "hours")*3600+rapid.SampledFrom([]int{0, 1800, 7}).Draw(t, "odd"))
		}
		return time.Unix(rapid.Int64Range(-1<<36, 1<<39).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
	})
}

func someText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9 ._:-]{0,12}`), rapid.String(), rapid.SampledFrom([]string{"", `"`, `\`, "<&>", "\u2028", "\x7f", "ü"}))
}

func somePrice(t *rapid.T) *market.Price {
	if rapid.Bool().Draw(t, "unknown") {
		return nil
	}
	return market.MustPrice(rapid.StringMatching(`-?[0-9]{1,9}\.[0-9]{1,8}`).Draw(t, "price")).Ptr()
}

// TestByHandIsTheSame holds the encoders written by hand against encoding/json.
func TestByHandIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ticks := event.Ticks{Symbol: market.Symbol(someText().Draw(t, "symbol")), Frames: rapid.Uint64().Draw(t, "frames")}
		if n := rapid.IntRange(-1, 3).Draw(t, "n"); n >= 0 {
			ticks.Ticks = make([]event.TickData, n)
		}
		for i := range ticks.Ticks {
			d := event.TickData{Kind: someText().Draw(t, "kind"), Price: somePrice(t), At: someTime().Draw(t, "at"), Delayed: rapid.Bool().Draw(t, "delayed")}
			if rapid.Bool().Draw(t, "sized") {
				d.Size = market.Shares(rapid.Int64Range(-5, 1e6).Draw(t, "size")).Ptr()
			}
			ticks.Ticks[i] = d
		}
		same(t, ticks, func() any { return new(event.Ticks) })
		text := func(name string) string { return someText().Draw(t, name) }
		in := order.Intent{
			ID: text("id"), Action: order.Action(text("action")), Strategy: text("strategy"), Symbol: market.Symbol(text("symbol")),
			Side: order.Side(text("side")), Type: order.Type(text("type")), TIF: order.TIF(text("tif")), Qty: market.Shares(rapid.Int64Range(-5, 1e6).Draw(t, "qty")),
			Limit: somePrice(t), Stop: somePrice(t), OCA: text("oca"), OutsideRTH: rapid.Bool().Draw(t, "outside"), Target: text("target"), Reason: text("reason"), At: someTime().Draw(t, "at"), Trace: text("trace"),
		}
		same(t, in, func() any { return new(order.Intent) })
		dec := order.Decision{
			IntentID: text("id"), Allowed: rapid.Bool().Draw(t, "allowed"), Rule: text("rule"), Reason: text("reason"), At: someTime().Draw(t, "at"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "numbers") {
			dec.Saw.Text(text("name"), text("saw"))
		}
		same(t, dec, func() any { return new(order.Decision) })
		same(t, event.Decided{Intent: in, Decision: dec}, func() any { return new(event.Decided) })
		o := order.Order{
			Ref: text("ref"), OrderID: rapid.Int64().Draw(t, "order_id"), PermID: rapid.Int64().Draw(t, "perm_id"), ClientID: rapid.Int().Draw(t, "client"),
			Account: text("account"), Strategy: text("strategy"), Symbol: in.Symbol, Side: in.Side, Type: in.Type, TIF: in.TIF, Qty: in.Qty,
			Limit: somePrice(t), StopPrice: somePrice(t), OCA: in.OCA, Extended: in.OutsideRTH, State: order.State(rapid.IntRange(0, int(order.Unknown)).Draw(t, "state")),
			Filled: market.Shares(rapid.Int64Range(-5, 1e6).Draw(t, "filled")), AvgPrice: somePrice(t), Reason: text("reason"), Note: text("note"),
			Created: in.At, Updated: someTime().Draw(t, "updated"), Trace: in.Trace,
		}
		if rapid.Bool().Draw(t, "changes") {
			o.Change = &order.Change{ID: text("change"), Qty: in.Qty, Limit: somePrice(t), StopPrice: somePrice(t)}
		}
		same(t, o, func() any { return new(order.Order) })
		same(t, event.OrderReply{
			IntentID: text("id"), Result: text("result"), Rule: text("rule"), Reason: text("reason"), OrderID: rapid.Int64Range(0, 9).Draw(t, "order_id"),
			Known: rapid.Bool().Draw(t, "known"), Written: rapid.Uint64().Draw(t, "written"),
		}, func() any { return new(event.OrderReply) })
	})
}

// TestByHandForgetsNoField: a field that a type has got since is not left out of
// the journal and the bus.
func TestByHandForgetsNoField(t *testing.T) {
	for _, v := range []any{
		new(event.Ticks), new(order.Intent), new(order.Decision), new(event.Decided), new(order.Order), new(event.OrderReply),
	} {
		all := reflect.ValueOf(v).Elem()
		for i := range all.NumField() {
			one := reflect.New(all.Type()).Elem()
			some(one.Field(i))
			same(t, one.Interface(), func() any { return reflect.New(all.Type()).Interface() })
		}
	}
}

// some gives what can be set another value than its zero.
func some(v reflect.Value) {
	switch {
	case !v.CanSet():
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		some(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		some(v.Index(0))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			some(v.Field(i))
		}
	}
}

func same(t interface{ Fatalf(string, ...any) }, v any, fresh func() any) {
	want, err := json.Marshal(v)
	got, err2 := event.AppendJSON([]byte("before"), v)
	if (err == nil) != (err2 == nil) || err == nil && string(got) != "before"+string(want) {
		t.Fatalf("by hand\n%s %v\nencoding/json\n%s %v", got, err2, want, err)
	}
	if err == nil {
		agree(t, want, fresh)
	}
}

// agree wants ParseJSON to read what encoding/json reads, and to refuse what
// that refuses.
func agree(t interface{ Fatalf(string, ...any) }, b []byte, fresh func() any) {
	hand, std := fresh(), fresh()
	err, err2 := event.ParseJSON(b, hand), json.Unmarshal(b, std)
	if (err == nil) != (err2 == nil) {
		t.Fatalf("%q: by hand %v, encoding/json %v", b, err, err2)
	}
	if err != nil {
		return
	}
	x, _ := json.Marshal(hand)
	y, _ := json.Marshal(std)
	if !bytes.Equal(x, y) {
		t.Fatalf("%s was read as\n%s and by encoding/json as\n%s", b, x, y)
	}
}

func FuzzByHand(f *testing.F) {
	for _, v := range []any{intent, event.Ticks{Symbol: "A", Ticks: []event.TickData{{Kind: "bid"}}}} {
		b, _ := event.AppendJSON(nil, v)
		f.Add(b)
	}
	f.Add([]byte(`{"symbol":"A","ticks":[{"kind":"bid","price":null,"size":null,"at":"2026-04-02T14:29:59Z"},],"frames":01}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, b, func() any { return new(event.Ticks) })
		agree(t, b, func() any { return new(order.Intent) })
		if pub, seq, at, data, ok := event.ParseHead(b); ok {
			var m event.Message[json.RawMessage]
			if json.Valid(data) && (json.Unmarshal(b, &m) != nil || m.Pub != string(pub) || m.Seq != seq || !m.At.Equal(at) || !bytes.Equal(m.Data, bytes.TrimSpace(data))) {
				t.Fatalf("%s: %q %d %v %s, and by encoding/json %+v", b, pub, seq, at, data, m)
			}
		}
	})
}
