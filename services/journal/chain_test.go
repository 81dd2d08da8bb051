package journal

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// lived fills a journal with a row of every kind, and closes it.
func lived(t testing.TB, path string) {
	t.Helper()
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Intend(t.Context(), placed(2)))
	must(t, j.Intend(t.Context(), refused(3)))
	pnl := market.MustMoney("-3.25")
	commission := broker.CommissionReport{ExecID: "e1", Commission: market.MustMoney("1.0035"), Currency: "USD"}
	told := commission
	told.RealizedPNL = &pnl
	early := execution(1, "e1")
	early.Ref, early.PermID = "", 0
	must(t, j.Record(t.Context(),
		broker.Record{Wall: wall0, Order: became(1, order.Filled)},
		broker.Record{Wall: wall0, Commission: &commission},
		broker.Record{Wall: wall0, Fill: early},
		broker.Record{Wall: wall0, Fill: execution(1, "e1")}, // knows more
		broker.Record{Wall: wall0, Commission: &told},
		broker.Record{Wall: wall0, Mode: &broker.ModeRecord{Mode: broker.Halted, Reason: "a person", Since: wall0, Flatten: true}},
		broker.Record{Wall: wall0, Finding: &broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "1", Theirs: "2", Evidence: "none", Done: "nothing", At: wall0}},
		broker.Record{Wall: wall0, Values: []broker.AccountValue{{Account: "DU1", Key: "NetLiquidation", Value: "1e6", Currency: "USD"}}},
	))
	must(t, j.RecordLink(t.Context(), broker.Link{State: broker.Waiting, Cause: "down", Since: wall0}))
	shut(t, j)
}

func TestEveryRowHasItsPlaceInOneChain(t *testing.T) {
	path := file(t)
	lived(t, path)
	rep, err := Verify(t.Context(), path)
	// 3 intents, 3 events, 2 rows for the execution and 2 for its commission, mode, finding; value and link.
	if want := (Report{Rows: 14, Chained: 12, Witness: true}); err != nil || rep != want {
		t.Errorf("%+v, %v; want %+v", rep, err, want)
	}
	b := load(t, open(t, path), 9)
	if len(b.Fills) != 1 || b.Fills[0].Ref != "t-1" || b.Fills[0].RealizedPNL == nil {
		t.Errorf("one execution, told twice: %+v", b.Fills)
	}
	if b.Mode == nil || !b.Mode.Flatten {
		t.Errorf("mode %+v", b.Mode)
	}
}

// The file was made by the program whose schema was 1.
func TestFileOfTheOldSchemaGoesOn(t *testing.T) {
	path := file(t)
	packed, err := os.Open("testdata/schema1.db.gz")
	must(t, err)
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	must(t, err)
	b, err := io.ReadAll(z)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	for range 2 {
		j := open(t, path)
		books := load(t, j, 9)
		if len(books.Orders) != 3 || len(books.Sent) != 3 || len(books.Fills) != 2 || books.Mode.Mode != broker.Halted || books.Mode.Flatten {
			t.Errorf("%+v", books)
		}
		if diff := cmp.Diff("-3.25", books.Fills[0].RealizedPNL.String()); diff != "" {
			t.Error(diff)
		}
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Fill: execution(1, "e1")})) // known
		shut(t, j)
		if rep, err := Verify(t.Context(), path); err != nil || rep.Chained < 12 || !rep.Witness {
			t.Errorf("%+v, %v", rep, err)
		}
	}
	j := open(t, path)
	var dup *broker.DuplicateIntentError
	if err := j.Intend(t.Context(), placed(1)); !errors.As(err, &dup) {
		t.Errorf("an intent of the old file again: %v", err)
	}
	must(t, j.Intend(t.Context(), placed(9)))
}

// A restart looks at the newest rows only, wherever its window begins.
func TestWindowOfTheStartBeginsAnywhere(t *testing.T) {
	path := file(t)
	j := open(t, path)
	for n := 1; n <= 30; n++ {
		must(t, j.Intend(t.Context(), placed(n)))
		must(t, j.Record(t.Context(), broker.Record{Wall: wall0, Order: became(n, order.Filled)}, broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint(n))}))
	}
	must(t, j.Sync(t.Context()))
	<-j.lock
	defer func() { j.lock <- struct{}{} }()
	for from := int64(-3); from <= j.ledger.Count; from++ {
		if _, err := check(t.Context(), j.write, j.ledger, from, nil); err != nil {
			t.Errorf("from %d: %v", from, err)
		}
	}
}
