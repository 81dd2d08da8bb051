package orders

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
)

// byLayout makes an id from the standard library's parts. Ids tell an intent
// that is asked again after a restart, so they must never change.
func byLayout(run, strategy string, s market.Symbol, at time.Time, n int) string {
	var num [16]byte
	binary.BigEndian.PutUint64(num[:8], uint64(at.UnixNano()))
	binary.BigEndian.PutUint64(num[8:], uint64(n))
	hash := sha256.Sum256([]byte(run + "\x00" + strategy + "\x00" + string(s) + "\x00" + string(num[:])))
	text := base32.NewEncoding(idLetters).WithPadding(base32.NoPadding).EncodeToString(hash[:])
	return strings.ReplaceAll(string(s), " ", ".") + "-" + at.UTC().Format("060102T150405.000") + "-" + text[:9]
}

func TestIDsStayWhatTheyAre(t *testing.T) {
	at := time.Date(2026, 4, 2, 14, 29, 59, 7_900_000, time.UTC)
	if got := ID("run", "sma_cross", "BRK B", at, 1); got != "BRK.B-260402T142959.007-"+got[len(got)-9:] || got != byLayout("run", "sma_cross", "BRK B", at, 1) {
		t.Errorf("id %q, want %q", got, byLayout("run", "sma_cross", "BRK B", at, 1))
	}
	rapid.Check(t, func(t *rapid.T) {
		run, strategy := rapid.String().Draw(t, "run"), rapid.String().Draw(t, "strategy")
		s := market.Symbol(rapid.StringMatching(`[A-Z]{1,5}( [A-Z])?`).Draw(t, "symbol"))
		at := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		n := rapid.IntRange(1, 1000).Draw(t, "n")
		if got, want := ID(run, strategy, s, at, n), byLayout(run, strategy, s, at, n); got != want {
			t.Fatalf("id %q, want %q", got, want)
		}
	})
}

func BenchmarkID(b *testing.B) {
	b.ReportAllocs()
	at := time.Unix(1_780_000_000, 0)
	for b.Loop() {
		ID("run-1", "every_tick", "AAPL", at, 1)
	}
}
