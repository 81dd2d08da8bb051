package desk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/score"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// remembering is a journal that remembers equity.
type remembering struct {
	*memJournal
	equity []broker.EquityRecord
	err    error
}

func (j remembering) Equity(context.Context) ([]broker.EquityRecord, error) { return j.equity, j.err }

func TestMarksOutliveTheProcess(t *testing.T) {
	at := func(after time.Duration, account, equity string) broker.EquityRecord {
		return broker.EquityRecord{Account: account, Wall: day.Add(after), Market: day.Add(after), Equity: market.MustMoney(equity)}
	}
	records := []broker.EquityRecord{
		at(-48*time.Hour, "DU1", "5000"), at(-2*time.Hour, "DU1", "2000"), at(-time.Hour, "DU1", "2500"), at(-time.Minute, "DU1", "900"),
		at(-time.Hour, "DU2", "9000"),
		{Account: "DU1", Equity: market.MustMoney("7000")}, // without a market time
	}
	for _, tt := range []struct {
		name        string
		mode        *broker.ModeRecord
		err         error
		ephemeral   string
		start, peak string
		note        string
	}{
		{"all", nil, nil, "", "2000", "5000", "from the journal"},
		{"since it became active", &broker.ModeRecord{Mode: broker.Active, Since: day.Add(-3 * time.Hour)}, nil, "", "2000", "2500", "from the journal"},
		{"an account that ended with its process", nil, nil, "DU1", "1000", "1000", "the day's first"},
		{"a journal that fails", nil, context.Canceled, "", "1000", "1000", "the journal does not tell it"},
	} {
		d := &Desk{score: score.New(time.UTC), log: quiet, journal: remembering{&memJournal{}, records, tt.err}, cfg: Config{Ephemeral: tt.ephemeral}}
		d.remember(t.Context(), tt.mode)
		d.score.Told(broker.AccountValue{Account: "DU1", Key: "NetLiquidation", Value: "1000"}, day, &broker.ModeRecord{Mode: broker.Active})
		s := d.score.Standing()
		if *s.DayStart != market.MustMoney(tt.start) || *s.Peak != market.MustMoney(tt.peak) || !strings.Contains(s.Note, tt.note) {
			t.Errorf("%s: start %v, peak %v, %q", tt.name, s.DayStart, s.Peak, s.Note)
		}
	}
}

func TestOthersAreMeasuredAtTheirWorst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		defer r.stop(t)
		d, h := r.desk, r.desk.held.Load()
		r.tick("MSFT", "40")
		synctest.Wait()
		d.turn <- struct{}{}
		defer d.give()
		want := func(what, sum, note string) {
			t.Helper()
			got, said := d.others(h, "AAPL")
			if (got == nil) != (sum == "") || got != nil && *got != market.MustMoney(sum) || !strings.Contains(said, note) || (note == "") != (said == "") {
				t.Errorf("%s: %v, %q; want %q, %q", what, got, said, sum, note)
			}
		}
		hold := func(s market.Symbol, qty string, cost *market.Price) {
			d.books.Positions[s] = order.Position{Symbol: s, Qty: market.MustQty(qty), AvgCost: cost}
		}
		open := func(ref string, s market.Symbol, side order.Side, qty, limit string) {
			o := order.Order{Ref: ref, Account: "DU1", Symbol: s, Side: side, Qty: market.MustQty(qty), State: order.Working}
			if limit != "" {
				o.Limit = market.MustPrice(limit).Ptr()
			}
			d.books.Add(o, day)
		}
		want("flat", "0", "")
		hold("AAPL", "1000", nil) // the one that is asked about
		hold("MSFT", "10", nil)
		want("one", "400", "")
		open("a", "MSFT", order.Buy, "5", "41")
		want("with an order above the market", "615", "")
		open("b", "MSFT", order.Sell, "40", "")
		want("the worse side", "1230", "")
		open("c", "SPY", order.Sell, "1", "500")
		want("an order without a position", "1730", "")
		hold("IBM", "-2", market.MustPrice("100").Ptr())
		want("at its cost", "1930", "IBM is measured at its cost")
		hold("GE", "1", nil)
		want("at no price", "", "no price of GE is known")
		d.books.Positions = nil
		want("unknown", "", "the positions are unknown")
	})
}
