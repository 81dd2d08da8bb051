package indicator

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func naive(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func near(a, b, scale float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(1, math.Abs(scale)) }

func TestSMAIsTheNaiveFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 200).Draw(t, "values")
		s := NewSMA(n)
		for i, v := range values {
			got, ok := s.Add(v)
			if ok != (i+1 >= n) {
				t.Fatalf("value %d of a window of %d: ok = %v", i+1, n, ok)
			}
			if s.Len() != min(i+1, n) {
				t.Fatalf("value %d: len %d", i+1, s.Len())
			}
			if !ok {
				continue
			}
			if want := naive(values[i+1-n : i+1]); !near(got, want, 1e6*float64(n)) {
				t.Fatalf("value %d: %v, naive %v", i+1, got, want)
			}
		}
	})
}

func TestEMAIsTheNaiveFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), n, 200).Draw(t, "values")
		e := NewEMA(n)
		var want float64
		for i, v := range values {
			got, ok := e.Add(v)
			if ok != (i+1 >= n) {
				t.Fatalf("value %d of %d: ok = %v", i+1, n, ok)
			}
			if i+1 < n {
				continue
			}
			if want = want + 2/(float64(n)+1)*(v-want); i+1 == n {
				want = naive(values[:n])
			}
			if !near(got, want, 1e6*float64(n)) {
				t.Fatalf("value %d: %v, naive %v", i+1, got, want)
			}
		}
	})
}

// A running sum that is never made anew is off by far more than this after a
// million steps over values of such different size.
func TestSMADoesNotDrift(t *testing.T) {
	const n = 20
	rng := rand.New(rand.NewPCG(1, 2))
	s := NewSMA(n)
	var window []float64
	for i := range 1_000_000 {
		v := rng.Float64() * 200
		if i%1000 == 0 {
			v = 1e9 // a spike leaves its rounding error behind
		}
		window = append(window, v)
		if len(window) > n {
			window = window[1:]
		}
		got, ok := s.Add(v)
		if ok && i%997 == 0 && i%1000 > 2*n {
			if want := naive(window); math.Abs(got-want) > 1e-9 {
				t.Fatalf("value %d: %v, naive %v", i, got, want)
			}
		}
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	s, e := NewSMA(20), NewEMA(20)
	if got := testing.AllocsPerRun(1000, func() { s.Add(1.5); e.Add(1.5) }); got != 0 {
		t.Fatalf("%v allocations a value", got)
	}
}

func BenchmarkSMA(b *testing.B) {
	b.ReportAllocs()
	s := NewSMA(20)
	for i := range b.N {
		s.Add(float64(i))
	}
}

func BenchmarkEMA(b *testing.B) {
	b.ReportAllocs()
	e := NewEMA(20)
	for i := range b.N {
		e.Add(float64(i))
	}
}
