package journal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestExport(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Intend(t.Context(), refused(2)))
	commission := market.MustMoney("1")
	must(t, j.Record(t.Context(),
		broker.Record{Wall: wall0, Order: became(1, order.Filled)},
		broker.Record{Wall: wall0, Fill: execution(1, "e1")},
		broker.Record{Wall: wall0, Commission: &broker.CommissionReport{ExecID: "e1", Commission: commission, Currency: "USD"}},
		broker.Record{Wall: wall0, Fill: execution(1, "e2")},
		broker.Record{Wall: wall0, Market: market0, Values: []broker.AccountValue{{Account: "DU1", Key: "TotalCashValue", Value: "1000000", Currency: "USD"}}},
	))
	must(t, j.RecordLink(t.Context(), broker.Link{State: broker.Waiting, Cause: "down", Since: wall0}))
	must(t, j.Sync(t.Context()))
	r, err := OpenReadOnly(path) // while the journal is open
	must(t, err)
	defer r.Close()
	want := map[string]string{
		ExportExecutions: "e1,2014-06-05T13:30:00Z,DU1,AAPL,BUY,10,187.2,USD,1,,NASDAQ,t-1,1,9,1\n" +
			"e2,2014-06-05T13:30:00Z,DU1,AAPL,BUY,10,187.2,,,,NASDAQ,t-1,1,9,1\n",
		ExportOrders: "t-1,1,9001,1,DU1,t,AAPL,BUY,LMT,DAY,10,187.25,filled,0,,,,2014-06-05T13:30:00Z,2014-06-05T13:30:00Z\n",
		ExportIntents: `t-1,2026-04-02T09:00:00.123456789Z,2014-06-05T13:30:00Z,place,t,AAPL,BUY,LMT,DAY,10,187.25,,"it ""crossed"", so",true,,,DU1,1,1` + "\n" +
			`t-2,2026-04-02T09:00:00.123456789Z,2014-06-05T13:30:00Z,place,t,AAPL,BUY,LMT,DAY,10,187.25,,"it ""crossed"", so",false,max_qty,too many,DU1,1,` + "\n",
		ExportAccount: "2026-04-02T09:00:00.123456789Z,2014-06-05T13:30:00Z,DU1,TotalCashValue,USD,1000000\n",
	}
	for _, what := range Exports() {
		var b bytes.Buffer
		must(t, r.ExportCSV(t.Context(), &b, what))
		if diff := cmp.Diff(strings.Join(Columns(what), ",")+"\n"+want[what], b.String()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	if err := r.ExportCSV(t.Context(), &bytes.Buffer{}, "odd"); err == nil || !strings.Contains(err.Error(), "executions, orders") {
		t.Errorf("odd table: %v", err)
	}
	links, err := r.Links(t.Context(), 5)
	if err != nil || len(links) != 1 || links[0].State != broker.Waiting || links[0].Cause != "down" {
		t.Errorf("links %+v, %v", links, err)
	}
}
