package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

func TestOpenOrderRefuses(t *testing.T) {
	good := NewOpenOrder(aapl(), 1, 7, "Submitted")
	b, err := good.Append(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(string(b), "\x00")
	for _, tt := range []struct {
		at    int // of the recorded frame's fields, counted from 0
		value string
		field string
		err   error
	}{
		{1, "x", "orderId", ErrNotInteger},
		{14, "1e99", "totalQuantity", market.ErrNotDecimal},
		{78, "99999999", "comboLegs", ErrCount},
		{78, "-1", "comboLegs", ErrCount},
		{78, "1", "", nil}, // the fields behind it are taken for a leg: some error, no panic
		{119, "3000", "allocations", ErrCount},
		{123, "3000", "conditions", ErrCount},
	} {
		f := append([]string(nil), fields...)
		f[tt.at] = tt.value
		_, err := DecodeServerStrict(200, []byte(strings.Join(f, "\x00")))
		var fe *FieldError
		if !errors.As(err, &fe) || tt.err != nil && (!errors.Is(err, tt.err) || fe.Field != tt.field || fe.Value != tt.value) {
			t.Errorf("field %d = %q: %v, want %s: %v", tt.at, tt.value, err, tt.field, tt.err)
		}
	}
	bad := good
	bad.Conditions = []Condition{{Type: 2}}
	if _, err := bad.Append(nil, 200); !errors.Is(err, ErrUnsupported) {
		t.Errorf("condition type 2: %v", err)
	}
	bad = good
	bad.ComboLegs = make([]ComboLeg, maxItems+1)
	if _, err := bad.Append(nil, 200); !errors.Is(err, ErrCount) {
		t.Errorf("%d legs: %v", len(bad.ComboLegs), err)
	}
	for n := range fields[:len(fields)-1] { // cut anywhere, it is an error
		cut := strings.Join(fields[:n], "\x00") + "\x00"
		if _, err := DecodeServer(200, []byte(cut)); err == nil {
			t.Fatalf("cut after %d fields: no error", n)
		}
	}
}

// A venue computes with doubles; an order must not be lost over the last digit.
func TestOpenOrderRoundsWhatTheVenueComputed(t *testing.T) {
	b, err := NewOpenOrder(aapl(), 1, 7, "Submitted").Append(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(string(b), "\x00")
	f[73] = "169.10000000000002"
	m, err := DecodeServerStrict(200, []byte(strings.Join(f, "\x00")))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(OpenOrder).TrailStopPrice; got == nil || got.String() != "169.1" {
		t.Errorf("trailStopPrice %v", got)
	}
}

// The literals of the end of section 5.3, at their places.
func TestNewOpenOrderLooksLive(t *testing.T) {
	o := aapl()
	o.Action, o.OrderType, o.OrderRef = "BUY", "MKT", "r-1"
	b, err := NewOpenOrder(o, 1, 1518189976, "PreSubmitted").Append(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(string(b), "\x00")
	for at, want := range map[int]string{
		1: "42", 16: "0", 17: "0", 23: "r-1", 24: "1", 25: "1518189976", 41: "-1", 48: unsetIntText, 53: "3", 61: "None", 67: "?",
		81: unsetIntText, 82: unsetIntText, 87: "IB", 93: "PreSubmitted", 94: unsetDoubleText, 117: unsetSizeText,
		124: "None", 125: unsetDoubleText, 136: "1", 153: unsetIntText, 155: "0",
	} {
		if f[at] != want {
			t.Errorf("field %d is %q, want %q", at, f[at], want)
		}
	}
	if len(f) != 157 { // 156 fields in the recorded frame, and what Split makes of the last NUL
		t.Errorf("%d fields", len(f)-1)
	}
}

// What was ordered is told, whatever the gateway adds.
func TestNewOpenOrderKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		placed := withItsBlocks(draw[PlaceOrder](t, true))
		told := reflect.ValueOf(NewOpenOrder(placed, 1, 7, "Submitted"))
		from := reflect.ValueOf(placed)
		shared := 0
		for i := range from.NumField() {
			field := from.Type().Field(i)
			to := told.FieldByName(field.Name)
			if !to.IsValid() || to.Type() != field.Type || field.Name == "DontUseAutoPriceForHedge" {
				continue
			}
			shared++
			if !from.Field(i).IsZero() && !cmp.Equal(from.Field(i).Interface(), to.Interface(), exact) {
				t.Errorf("%s: ordered %v, told %v", field.Name, from.Field(i), to)
			}
		}
		if shared < 70 {
			t.Errorf("only %d fields have one name in both", shared)
		}
	})
}
