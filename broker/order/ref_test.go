package order

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestRefIsThePattern(t *testing.T) {
	pattern := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,39}\z`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._:-]{0,42}`), rapid.StringMatching(`[A-Za-z0-9._:-]{0,4}[ -~]?[A-Za-z0-9]{0,4}\n?`), rapid.String(),
		).Draw(t, "ref")
		if got, want := isRef(s), pattern.MatchString(s); got != want {
			t.Fatalf("%q is a reference: %v, want %v", s, got, want)
		}
	})
}

func BenchmarkRef(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !isRef("AAPL-261121T235959.123-0a1b2c3d4") {
			b.Fatal("refused")
		}
	}
}
