package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// drawn fills a value with anything, to some depth.
func drawn(t *rapid.T, v reflect.Value, depth int) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0).UTC()
		return
	case *market.Price:
		*x = market.MustPrice(rapid.SampledFrom([]string{"0", "-1.25", "187.2501"}).Draw(t, "price"))
		return
	case *market.Qty:
		*x = market.Shares(rapid.Int64Range(-5, 5).Draw(t, "qty"))
		return
	case *market.Money:
		*x = market.MustMoney(rapid.SampledFrom([]string{"0", "-3.5", "12"}).Draw(t, "money"))
		return
	case *order.State:
		*x = rapid.SampledFrom([]order.State{order.Sent, order.Filled, order.Unknown}).Draw(t, "state")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				drawn(t, v.Field(i), depth-1)
			}
		}
	case reflect.Pointer:
		if depth > 0 && rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			drawn(t, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "n"); n >= 0 && depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				drawn(t, v.Index(i), depth-1)
			}
		}
	case reflect.Map:
		if n := rapid.IntRange(-1, 3).Draw(t, "n"); n >= 0 && depth > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				drawn(t, k, depth-1)
				drawn(t, e, depth-1)
				v.SetMapIndex(k, e)
			}
		}
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "AAPL", "<&>\u2028\"\\", "\xff", "ü"}).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(0, 3).Draw(t, "int"))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 3).Draw(t, "uint"))
	}
}

// TestPartsAreTheWhole: a state that is written in parts is what encoding/json
// writes.
func TestPartsAreTheWhole(t *testing.T) {
	for _, zero := range []any{event.Desk{}, event.Run{}, event.LimitState{}} {
		t.Run(reflect.TypeOf(zero).Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(reflect.TypeOf(zero))
				drawn(t, v.Elem(), 6)
				want, wrong := json.Marshal(v.Interface())
				got, err := event.AppendParts([]byte("before"), v.Interface())
				if (err != nil) != (wrong != nil) {
					t.Fatalf("%v, and encoding/json says %v", err, wrong)
				}
				if wrong == nil && !bytes.Equal(got, append([]byte("before"), want...)) {
					t.Fatalf("in parts\n%s\nas a whole\n%s", got, want)
				}
			})
		})
	}
}

// shouted is a list that writes itself, by its address.
type shouted []struct{ N int }

func (s *shouted) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d!"`, len(*s)), nil }

// spoken is a struct that writes itself.
type spoken struct {
	A int `json:"a"`
}

func (spoken) MarshalJSON() ([]byte, error) { return []byte(`"mine"`), nil }

// TestPartsOfWhatIsNotPlain: whatever has a say in how it is written, or is left out
// at times, takes the long way.
func TestPartsOfWhatIsNotPlain(t *testing.T) {
	type inside struct{ A, B int }
	type some struct {
		List []inside `json:"list,omitempty"`
	}
	type mixed struct {
		inside
		Times map[string][]time.Time `json:"times"`
	}
	type plain struct {
		Times map[string][]time.Time `json:"times"`
		Texts []string               `json:"texts"`
		List  []inside               `json:"list"`
		By    map[time.Duration]int  `json:"by"`
		Order *order.Order           `json:"order"`
		Own   shouted                `json:"own"`
		Owns  map[string]shouted     `json:"owns"`
	}
	type quoted struct {
		A []inside `json:"a<b"`
	}
	type nested struct {
		In plain `json:"in"`
	}
	at := time.Date(2026, 4, 2, 15, 0, 0, 5, time.UTC)
	for _, v := range []any{
		&some{}, &some{List: []inside{{1, 2}}}, &mixed{inside{1, 2}, map[string][]time.Time{"b": {at}, "a": nil}}, &plain{},
		&plain{Times: map[string][]time.Time{"b": {at, at}, "a<": {}}, Texts: []string{"x"}, List: []inside{{1, 2}, {3, 4}}, By: map[time.Duration]int{2: 1, 1: 3}, Order: &order.Order{Ref: "r"}, Own: shouted{{1}, {2}}, Owns: map[string]shouted{"x": {{1}}}},
		&quoted{}, &spoken{}, &nested{In: plain{List: []inside{{5, 6}}, Owns: map[string]shouted{"x": nil}}},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := event.AppendParts(nil, v); err != nil || string(got) != string(want) {
			t.Errorf("in parts %s (%v), as a whole %s", got, err, want)
		}
	}
	for _, v := range []any{event.Desk{}, nil, new(int)} {
		if _, err := event.AppendParts(nil, v); err == nil || !strings.Contains(err.Error(), "no address of a struct") {
			t.Errorf("%T: %v", v, err)
		}
	}
}
