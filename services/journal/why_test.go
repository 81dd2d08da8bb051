package journal

import (
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestWhyTellsTheStoryOfAnOrder(t *testing.T) {
	path := file(t)
	j := open(t, path)
	must(t, j.Intend(t.Context(), placed(1)))
	must(t, j.Intend(t.Context(), placed(2)))
	must(t, j.Intend(t.Context(), refused(3)))
	cancel := func(id string, allowed bool, number int64) broker.IntentRecord {
		return broker.IntentRecord{
			Intent:   order.Intent{ID: id, Action: order.Cancel, Target: "t-1", At: market0},
			Decision: order.Decision{IntentID: id, Allowed: allowed}, Account: "DU1", ClientID: 1, OrderID: number, Wall: wall0,
		}
	}
	must(t, j.Intend(t.Context(), cancel("c-1", true, 1)))
	must(t, j.Intend(t.Context(), cancel("c-2", false, 0)))
	other := became(1, order.Working)
	other.ClientID, other.Ref = 7, ""
	must(t, j.Record(t.Context(),
		broker.Record{Wall: wall0, Market: market0, Order: became(1, order.Sent)},
		broker.Record{Wall: wall0.Add(time.Second), Order: became(1, order.Working)},
		broker.Record{Wall: wall0, Order: other},
		broker.Record{Wall: wall0, Fill: execution(1, "e1")},
		broker.Record{Wall: wall0, Fill: execution(2, "e2")},
		broker.Record{Wall: wall0, Commission: &broker.CommissionReport{ExecID: "e1", Commission: market.MustMoney("1"), Currency: "USD"}},
	))
	must(t, j.Sync(t.Context()))
	r, err := OpenReadOnly(path) // beside the one that writes
	must(t, err)
	defer func() { must(t, r.Close()) }()
	why := func(id string, stories int) Story {
		t.Helper()
		list, err := r.Why(t.Context(), id)
		must(t, err)
		if len(list) != stories {
			t.Fatalf("%s has %d stories, want %d: %+v", id, len(list), stories, list)
		}
		if stories == 0 {
			return Story{}
		}
		return list[0]
	}
	s := why("t-1", 1)
	var states []string
	for _, c := range s.States {
		states = append(states, c.Order.State.String())
	}
	if len(s.Intents) != 3 || s.Intents[0].Intent.ID != "t-1" || s.Intents[2].Intent.ID != "c-2" || s.Intents[0].Decision.Saw.Map()["notional"] != "1872.5" {
		t.Errorf("intents %+v", s.Intents)
	}
	if len(states) != 3 || states[0] != "intended" || states[1] != "sent" || states[2] != "working" || !s.States[1].Market.Equal(market0) {
		t.Errorf("states %q: %+v", states, s.States)
	}
	if len(s.Fills) != 1 || s.Fills[0].ExecID != "e1" || s.Fills[0].Commission == nil {
		t.Errorf("fills %+v", s.Fills)
	}
	if s := why("c-1", 1); len(s.Intents) != 3 || len(s.States) != 3 {
		t.Errorf("by its cancel: %+v", s)
	}
	if s := why("c-2", 1); len(s.Intents) != 1 || len(s.States) != 0 {
		t.Errorf("a refused cancel: %+v", s)
	}
	if s := why("t-3", 1); len(s.Intents) != 1 || s.Intents[0].Decision.Rule != "max_qty" || len(s.States) != 0 {
		t.Errorf("refused: %+v", s)
	}
	if s := why("1", 2); len(s.Intents) != 3 {
		t.Errorf("by its number: %+v", s)
	}
	why("2", 1)
	why("0", 0)
	why("-1", 0)
	why("nobody", 0)
}
