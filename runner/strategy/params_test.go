package strategy

import (
	"errors"
	"strings"
	"testing"

	"robotrader/broker/market"
)

var kind = Kind{
	Name: "demo",
	Params: []Param{
		{Name: "bars", Unit: "bars", Default: "10", Min: "1", Max: "100", Whole: true},
		{Name: "part", Default: "0.05", Min: "0.01", Max: "1"},
	},
	Check: func(v Values) error {
		if v.Int("bars") == 13 {
			return errors.New("thirteen")
		}
		return nil
	},
}

func TestParse(t *testing.T) {
	v, err := kind.Parse(map[string]string{"bars": " 20 "})
	if err != nil || v.Int("bars") != 20 || v.Decimal("part") != market.MustQty("0.05") {
		t.Fatalf("values %v, error %v", v, err)
	}
	for _, tt := range []struct {
		set  map[string]string
		want []string // all of these in the error
	}{
		{map[string]string{"bars": "0"}, []string{`demo: parameter bars="0" is not a whole number from 1 to 100 bars (default 10)`}},
		{map[string]string{"bars": "101"}, []string{`bars="101"`}},
		{map[string]string{"bars": "1.5"}, []string{`bars="1.5"`}},
		{map[string]string{"bars": "1e1"}, []string{`bars="1e1"`}},
		{map[string]string{"bars": ""}, []string{`bars=""`}},
		{map[string]string{"part": "1.01"}, []string{`part="1.01" is not a number from 0.01 to 1 (default`}},
		{map[string]string{"moon": "1"}, []string{`parameter "moon"="1" is unknown; it has bars, part`}},
		{map[string]string{"bars": "13"}, []string{"demo: thirteen"}},
		{map[string]string{"bars": "x", "part": "y", "a": "1", "b": "2"}, []string{"bars=", "part=", `"a"=`, `"b"=`}},
	} {
		_, err := kind.Parse(tt.set)
		if !errors.Is(err, ErrBadParam) {
			t.Errorf("%v: error %v", tt.set, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %q is not in: %v", tt.set, want, err)
			}
		}
	}
	if _, err := (Kind{Name: "bare"}).Parse(map[string]string{"x": "1"}); err == nil || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("a kind without parameters: %v", err)
	}
}
