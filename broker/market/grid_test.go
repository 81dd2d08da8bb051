package market

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestPercent(t *testing.T) {
	for _, tt := range []struct{ percent, price, want string }{
		{"1.5", "187.25", "2.80875"},
		{"100", "187.25", "187.25"},
		{"0.00000001", "100", "0.00000001"},
		{"0.00000001", "50", "0"},           // half a unit, to even
		{"0.00000001", "150", "0.00000002"}, // one and a half, to even
		{"-2", "50", "-1"},
	} {
		got, ok := MustPercent(tt.percent).Of(MustPrice(tt.price))
		if !ok || got != MustPrice(tt.want) {
			t.Errorf("%s %% of %s: got %v, %v, want %s", tt.percent, tt.price, got, ok, tt.want)
		}
	}
	if p, ok := MustPercent("1000").Of(MustPrice("90000000000")); ok {
		t.Errorf("out of range, but %v", p)
	}
	for _, tt := range []struct{ percent, qty, step, want string }{
		{"40", "299", "1", "119"},
		{"40", "299", "0.5", "119.5"},
		{"40", "299", "0", "119.6"},
		{"33.33333333", "3", "1", "0"},
		{"100", "7", "1", "7"},
	} {
		if got := MustPercent(tt.percent).OfQty(MustQty(tt.qty), MustQty(tt.step)); got != MustQty(tt.want) {
			t.Errorf("%s %% of %s in steps of %s: got %v, want %s", tt.percent, tt.qty, tt.step, got, tt.want)
		}
	}
	var back Percent
	text, _ := MustPercent("12.5").MarshalText()
	if err := back.UnmarshalText(text); err != nil || back != MustPercent("12.5") {
		t.Errorf("%s reads back as %v, %v", text, back, err)
	}
	if _, err := ParsePercent("1e2"); err == nil {
		t.Error("an exponent is taken")
	}
	if !MustPercent("1").Less(MustPercent("1.1")) || MustPercent("-1").Sign() != -1 || MustPercent("2").Cmp(MustPercent("2")) != 0 {
		t.Error("order of percentages")
	}
}

func TestFloor(t *testing.T) {
	for _, tt := range []struct{ price, tick, want string }{
		{"98.52955", "0.01", "98.52"},
		{"98.52", "0.01", "98.52"},
		{"-98.52955", "0.01", "-98.53"}, // below, not towards zero
		{"-98.52", "0.01", "-98.52"},
		{"98.52955", "0", "98.52955"},
	} {
		if got := MustPrice(tt.price).Floor(MustPrice(tt.tick)); got != MustPrice(tt.want) {
			t.Errorf("%s on %s: got %v, want %s", tt.price, tt.tick, got, tt.want)
		}
	}
	for _, tt := range []struct{ qty, step, want string }{{"7.9", "1", "7"}, {"7.9", "0.25", "7.75"}, {"7.9", "0", "7.9"}} {
		if got := MustQty(tt.qty).Floor(MustQty(tt.step)); got != MustQty(tt.want) {
			t.Errorf("%s in steps of %s: got %v, want %s", tt.qty, tt.step, got, tt.want)
		}
	}
}

// A part is the least multiple of the step that is not below the exact part.
func TestPartUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := int64(1_000_000 * unit)
		den := rapid.Int64Range(1, most).Draw(t, "den")
		num := rapid.Int64Range(0, den).Draw(t, "num")
		q := rapid.Int64Range(0, most).Draw(t, "q")
		step := rapid.SampledFrom([]int64{0, 1, 7, unit / 2, unit}).Draw(t, "step")
		got := Qty{q}.PartUp(Qty{num}, Qty{den}, Qty{step})
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(q), big.NewInt(num)), big.NewInt(den))
		grid := max(step, 1)
		if got.n%grid != 0 || exact.Cmp(new(big.Rat).SetInt64(got.n)) > 0 || exact.Cmp(new(big.Rat).SetInt64(got.n-grid)) <= 0 {
			t.Fatalf("%d × %d / %d in steps of %d: got %d", q, num, den, step, got.n)
		}
	})
}
