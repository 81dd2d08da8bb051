package journal

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// TestWhatWasTakenOverIsRemembered: the newest unexplained difference of each
// position, by market time, and nothing that was explained or is of another kind.
func TestWhatWasTakenOverIsRemembered(t *testing.T) {
	path := file(t)
	j := open(t, path)
	if b := load(t, j, 1); b.Adopted != nil {
		t.Errorf("of nothing: %v", b.Adopted)
	}
	tell := func(kind string, s market.Symbol, explained bool, at time.Time) {
		t.Helper()
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Market: at, Finding: &broker.Finding{Kind: kind, Symbol: s, Ours: "0", Theirs: "10", Explained: explained, At: wall0}}))
	}
	tell("position", "AAPL", false, market0)
	tell("position", "AAPL", false, market0.Add(time.Minute))
	tell("position", "AAPL", true, market0.Add(2*time.Minute))
	tell("order", "MSFT", false, market0)
	tell("position", "IBM", false, market0)
	tell("position", "GE", false, time.Time{})
	shut(t, j)
	b := load(t, open(t, path), 1)
	if len(b.Adopted) != 2 || !b.Adopted["AAPL"].Equal(market0.Add(time.Minute)) || !b.Adopted["IBM"].Equal(market0) {
		t.Errorf("%v", b.Adopted)
	}
}
