package market

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scaled is n × 10^-places as math/big has it.
func scaled(n int64, places int64) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil))
}

func rat(t interface{ Fatalf(string, ...any) }, s fmt.Stringer) *big.Rat {
	r, ok := new(big.Rat).SetString(s.String())
	if !ok {
		t.Fatalf("math/big cannot read %q", s)
	}
	return r
}

// anyUnits draws numbers of all magnitudes, the ends included.
func anyUnits() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(), rapid.Int64Range(-1e6, 1e6), rapid.Int64Range(-1e13, 1e13),
		rapid.SampledFrom([]int64{0, 1, -1, unit, -unit, math.MaxInt64, -math.MaxInt64}),
	).Filter(func(n int64) bool { return n != math.MinInt64 })
}

func anyMoney() *rapid.Generator[Money] {
	return rapid.Custom(func(t *rapid.T) Money {
		m := Price{anyUnits().Draw(t, "p")}.Mul(Qty{anyUnits().Draw(t, "q")})
		if rapid.Bool().Draw(t, "small") {
			return Money{0, m.lo >> 8}
		}
		return m
	})
}

func TestParseTable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // want == "" means ErrNotDecimal
		{"187.25", "187.25"},
		{"-0.00000001", "-0.00000001"}, // calendar spreads trade below zero
		{"0", "0"},
		{"-0", "0"},
		{"007.50", "7.5"},
		{".5", "0.5"},
		{"5.", "5"},
		{"1.2345678900", "1.23456789"}, // zeros beyond the eighth lose nothing
		{"92233720368.54775807", "92233720368.54775807"},
		{"-92233720368.54775807", "-92233720368.54775807"},
		{"92233720368.54775808", ""},
		{"92233720369", ""},
		{"99999999999999999999999999", ""},
		{"18446744073709551616.5", ""}, // 2^64 must not wrap to 0.5
		{"1.7976931348623157E308", ""}, // IBKR's "unset" double must not become a price
		{"1.7976931348623157e308", ""},
		{"1.234567891", ""},
		{"0.000000001", ""},
		{"", ""},
		{"-", ""},
		{".", ""},
		{"-.", ""},
		{"+1", ""},
		{"--1", ""},
		{"1.2.3", ""},
		{"1,000", ""},
		{" 1", ""},
		{"1 ", ""},
		{"NaN", ""},
		{"Inf", ""},
		{"-Infinity", ""},
		{"0x10", ""},
		{"1e3", ""},
		{"1_000", ""},
		{"٣", ""},
		{"1\x00", ""},
	} {
		p, err := ParsePrice(tt.in)
		q, err2 := ParseQty([]byte(tt.in))
		if tt.want == "" {
			if !errors.Is(err, ErrNotDecimal) || !errors.Is(err2, ErrNotDecimal) || p != (Price{}) {
				t.Errorf("%q was read as %v and %v (%v, %v)", tt.in, p, q, err, err2)
			}
			continue
		}
		if err != nil || err2 != nil || p.String() != tt.want || q.String() != tt.want {
			t.Errorf("%q was read as %v and %v (%v, %v), want %s", tt.in, p, q, err, err2, tt.want)
		}
	}
}

func TestMoneyParseTable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"-1999.675", "-1999.675"},
		{"0.0000000000000001", "0.0000000000000001"},
		{"0.00000000000000001", ""},
		{"1.00000000000000000", "1"},
		{"17014118346046923173168.7303715884105727", "17014118346046923173168.7303715884105727"}, // 2^127 - 1
		{"-17014118346046923173168.7303715884105727", "-17014118346046923173168.7303715884105727"},
		{"17014118346046923173168.7303715884105728", ""},
		{"170141183460469231731687", ""},
		{"340282366920938463463374607431768211456", ""}, // 2^128 must not wrap
		{"1.7976931348623157E308", ""},
		{"", ""},
		{"-", ""},
		{".", ""},
		{"1..2", ""},
		{"+1", ""},
		{"NaN", ""},
		{"1e3", ""},
	} {
		m, err := ParseMoney(tt.in)
		if tt.want == "" {
			if !errors.Is(err, ErrNotDecimal) {
				t.Errorf("%q was read as %v, %v", tt.in, m, err)
			}
		} else if err != nil || m.String() != tt.want {
			t.Errorf("%q was read as %v, %v; want %s", tt.in, m, err, tt.want)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyUnits().Draw(t, "n")
		p, q := Price{n}, Qty{n}
		if rat(t, p).Cmp(scaled(n, decimals)) != 0 || q.String() != p.String() {
			t.Fatalf("%d units are written %v and %v", n, p, q)
		}
		if strings.ContainsAny(p.String(), "eE+") || strings.HasSuffix(p.String(), ".") ||
			strings.Contains(p.String(), ".") && strings.HasSuffix(p.String(), "0") {
			t.Fatalf("form of %v", p)
		}
		if back, err := ParsePrice(p.String()); err != nil || back != p {
			t.Fatalf("%v comes back as %v, %v", p, back, err)
		}
		if back, err := ParseQty(q.String()); err != nil || back != q {
			t.Fatalf("%v comes back as %v, %v", q, back, err)
		}
		m := anyMoney().Draw(t, "m")
		if rat(t, m).Cmp(new(big.Rat).SetFrac(m.big(), big.NewInt(moneyUnit))) != 0 {
			t.Fatalf("amount %v is not %v", m, m.big())
		}
		if back, err := ParseMoney(m.String()); err != nil || back != m {
			t.Fatalf("%v comes back as %v, %v", m, back, err)
		}
	})
}

func TestArithmeticAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyUnits().Draw(t, "a"), anyUnits().Draw(t, "b")
		ra, rb := scaled(a, decimals), scaled(b, decimals)
		if got := (Price{a}).Mul(Qty{b}); rat(t, got).Cmp(new(big.Rat).Mul(ra, rb)) != 0 {
			t.Fatalf("%v × %v = %v", Price{a}, Qty{b}, got)
		}
		if (Price{a}).Cmp(Price{b}) != ra.Cmp(rb) || (Price{a}).Less(Price{b}) != (ra.Cmp(rb) < 0) || (Qty{a}).Cmp(Qty{b}) != ra.Cmp(rb) {
			t.Fatalf("order of %v and %v", Price{a}, Price{b})
		}
		if (Price{a}).Sign() != ra.Sign() || rat(t, Price{a}.Abs()).Cmp(new(big.Rat).Abs(ra)) != 0 {
			t.Fatalf("sign of %v", Price{a})
		}
		checkSum(t, a, b, func() fmt.Stringer { return Price{a}.Add(Price{b}) }, new(big.Rat).Add(ra, rb))
		checkSum(t, a, -b, func() fmt.Stringer { return Qty{a}.Sub(Qty{b}) }, new(big.Rat).Sub(ra, rb))
		m, o := anyMoney().Draw(t, "m"), anyMoney().Draw(t, "o")
		rm, ro := rat(t, m), rat(t, o)
		if rat(t, m.Add(o)).Cmp(new(big.Rat).Add(rm, ro)) != 0 || rat(t, m.Sub(o)).Cmp(new(big.Rat).Sub(rm, ro)) != 0 {
			t.Fatalf("%v ± %v = %v, %v", m, o, m.Add(o), m.Sub(o))
		}
		if m.Cmp(o) != rm.Cmp(ro) || m.Sign() != rm.Sign() || rat(t, m.Neg()).Cmp(new(big.Rat).Neg(rm)) != 0 || m.Abs().Sign() < 0 {
			t.Fatalf("%v against %v", m, o)
		}
	})
}

// checkSum wants the exact sum, or a panic where the type cannot hold it.
func checkSum(t *rapid.T, a, b int64, sum func() fmt.Stringer, want *big.Rat) {
	exact := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
	defer func() {
		if v := recover(); (v != nil) == exact.IsInt64() {
			t.Fatalf("%d + %d units: panic is %v", a, b, v)
		}
	}()
	if got := sum(); exact.IsInt64() && rat(t, got).Cmp(want) != 0 {
		t.Fatalf("%d + %d units = %v", a, b, got)
	}
}

// halfEven rounds r to places decimals in a way that has nothing in common
// with the code under test.
func halfEven(r *big.Rat, places int) *big.Rat {
	pow := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
	x := new(big.Rat).Mul(r, pow)
	floor := new(big.Int).Div(x.Num(), x.Denom()) // Euclid's, and the divisor is positive
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(floor))
	c := rest.Cmp(big.NewRat(1, 2))
	if c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(floor), pow)
}

func TestRoundingAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "m")
		places := rapid.IntRange(0, moneyDecimals).Draw(t, "places")
		if got, want := m.Round(places), halfEven(rat(t, m), places); rat(t, got).Cmp(want) != 0 {
			t.Fatalf("%v to %d places is %v, want %v", m, places, got, want.FloatString(16))
		}
		num := Qty{rapid.Int64Range(-1e15, 1e15).Draw(t, "num")}
		den := Qty{rapid.Int64Range(1, 1e15).Draw(t, "den")}
		if rapid.Bool().Draw(t, "negative") {
			den = den.Neg()
		}
		if want := halfEven(new(big.Rat).Quo(rat(t, m), rat(t, den)), decimals); true {
			p, ok := m.DivQty(den)
			units := new(big.Rat).Mul(want, big.NewRat(unit, 1)).Num()
			if ok != units.IsInt64() || ok && rat(t, p).Cmp(want) != 0 {
				t.Fatalf("%v / %v = %v, %v; want %v", m, den, p, ok, want.FloatString(8))
			}
		}
		small := Money{0, m.lo}
		want := halfEven(new(big.Rat).Quo(new(big.Rat).Mul(rat(t, small), rat(t, num)), rat(t, den)), moneyDecimals)
		if fits := new(big.Rat).Mul(want, new(big.Rat).SetInt64(moneyUnit)).Num().BitLen() <= 126; fits {
			if got := small.MulFrac(num, den); rat(t, got).Cmp(want) != 0 {
				t.Fatalf("%v × %v / %v = %v, want %v", small, num, den, got, want.FloatString(16))
			}
		}
	})
}

func TestRoundHalvesToEven(t *testing.T) {
	for in, want := range map[string]string{
		"0.005": "0", "0.015": "0.02", "0.025": "0.02", "-0.005": "0", "-0.015": "-0.02", "-0.025": "-0.02",
		"0.0050000000000001": "0.01", "1.234": "1.23", "9.995": "10", "9.985": "9.98",
	} {
		if got := MustMoney(in).Round(2).String(); got != want {
			t.Errorf("%s to the cent is %s, want %s", in, got, want)
		}
	}
}

func TestPriceGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Price{rapid.Int64Range(-1e15, 1e15).Draw(t, "p")}
		tick := Price{rapid.SampledFrom([]int64{0, -1, 1, 3, 10_000, 1_000_000, 5_000_000, 7 * unit}).Draw(t, "tick")}
		r := p.Round(tick)
		if !r.OnGrid(tick) {
			t.Fatalf("%v on the grid of %v is %v", p, tick, r)
		}
		if tick.Sign() <= 0 {
			if r != p {
				t.Fatalf("%v without a grid is %v", p, r)
			}
			return
		}
		if d := r.Sub(p).Abs(); tick.Less(d.Times(2)) {
			t.Fatalf("%v on the grid of %v is %v: a nearer one is there", p, tick, r)
		}
		if d := r.Sub(p).Abs(); d.Times(2) == tick && r.Abs().Less(p.Abs()) {
			t.Fatalf("%v on the grid of %v is %v: halves go away from zero", p, tick, r)
		}
	})
}

func TestTimesHalfNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := anyUnits().Draw(t, "n"), rapid.Int64Range(-1e6, 1e6).Draw(t, "k")
		exact := new(big.Int).Mul(big.NewInt(n), big.NewInt(k))
		func() {
			defer func() {
				if v := recover(); (v != nil) == exact.IsInt64() {
					t.Fatalf("%d × %d: panic is %v", n, k, v)
				}
			}()
			if got := (Price{n}).Times(k); exact.IsInt64() && got.n != exact.Int64() {
				t.Fatalf("%d × %d = %d", n, k, got.n)
			}
		}()
		f := rapid.Float64().Draw(t, "f")
		p, ok := PriceNear(f)
		if fits := math.Abs(f) < 9.2e10; fits != ok && math.Abs(f) < 9.1e10 {
			t.Fatalf("near %v: %v", f, ok)
		} else if ok && math.Abs(p.Float()-f) > 0.5e-8+math.Abs(f)*1e-15 {
			t.Fatalf("near %v is %v", f, p)
		}
	})
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e11, -1e11, math.MaxFloat64} {
		if p, ok := PriceNear(f); ok {
			t.Errorf("near %v is %v", f, p)
		}
	}
}

func TestWholeShares(t *testing.T) {
	for _, tt := range []struct {
		in, whole string
		n         int64
	}{{"1.9", "1", 1}, {"-1.9", "-1", -1}, {"0.99999999", "0", 0}, {"100", "100", 100}} {
		if q := MustQty(tt.in); q.Whole().String() != tt.whole || q.Int() != tt.n {
			t.Errorf("%s: whole %v, %d", tt.in, q.Whole(), q.Int())
		}
	}
	for _, n := range []int64{math.MaxInt64, math.MinInt64, math.MaxInt64/unit + 1, math.MinInt64/unit - 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Shares(%d) wrapped", n)
				}
			}()
			Shares(n)
		}()
	}
}

func TestJSONKeepsUnknownAndExact(t *testing.T) {
	type all struct {
		P  Price  `json:"p"`
		PP *Price `json:"pp"`
		Q  *Qty   `json:"q"`
		M  *Money `json:"m"`
	}
	for text, want := range map[string]all{
		`{"p":"0.1","pp":null,"q":null,"m":null}`:               {P: MustPrice("0.1")},
		`{"p":"0","pp":"0","q":"0","m":"0"}`:                    {PP: new(Price), Q: new(Qty), M: new(Money)},
		`{"p":"-1.5","pp":"187.25","q":"0.0001","m":"-0.0035"}`: {MustPrice("-1.5"), MustPrice("187.25").Ptr(), MustQty("0.0001").Ptr(), MustMoney("-0.0035").Ptr()},
	} {
		b, err := json.Marshal(want)
		if err != nil || string(b) != text {
			t.Errorf("written %s, %v; want %s", b, err, text)
		}
		var got all
		if err := json.Unmarshal([]byte(text), &got); err != nil || (got.PP == nil) != (want.PP == nil) {
			t.Errorf("%s: %v", text, err)
		}
		if b, _ := json.Marshal(got); string(b) != text {
			t.Errorf("%s comes back as %s", text, b)
		}
	}
	for _, bad := range []string{`{"p":1.5}`, `{"p":""}`, `{"p":"1e3"}`, `{"m":"NaN"}`, `{"q":"0.000000001"}`, `{"m":5}`, `{"pp":0}`} {
		var got all
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read as %+v", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"187.25", "-0.00000001", "1e5", "92233720368.54775808", "1.234567890", "..", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePrice(s); err == nil {
			want, ok := new(big.Rat).SetString(s)
			if strings.HasSuffix(s, ".") { // big wants a digit behind the point
				want, ok = new(big.Rat).SetString(s + "0")
			}
			if !ok || rat(t, p).Cmp(want) != 0 {
				t.Fatalf("%q was read as %v", s, p)
			}
			if m, err := ParseMoney(s); err != nil || m.String() != p.String() {
				t.Fatalf("%q is price %v and amount %v, %v", s, p, m, err)
			}
		}
		if m, err := ParseMoney(s); err == nil {
			if back, err := ParseMoney(m.String()); err != nil || back != m {
				t.Fatalf("%q: %v comes back as %v, %v", s, m, back, err)
			}
		}
	})
}
