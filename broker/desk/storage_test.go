package desk

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// The desk's health tells of a journal that takes nothing, and of its end.
func TestHealthTellsOfTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		defer r.stop(t)
		newest := func() *broker.JournalFailure {
			time.Sleep(2 * time.Second) // it is told once a second
			synctest.Wait()
			list := r.healths()
			return list[len(list)-1].Journal
		}
		if got := newest(); got != nil {
			t.Errorf("a journal that works: %+v", got)
		}
		set := func(f *broker.JournalFailure) {
			r.journal.mu.Lock()
			defer r.journal.mu.Unlock()
			r.journal.trouble = f
		}
		set(&broker.JournalFailure{Kind: "full", Since: time.Now(), Cause: "disk full", Advice: "free some space", Mends: true})
		if got := newest(); got == nil || got.Kind != "full" {
			t.Errorf("a full disk: %+v", got)
		}
		set(nil)
		if got := newest(); got != nil {
			t.Errorf("it works again: %+v", got)
		}
	})
}

// While the journal does not work entries stop, cancels pass, reports are
// folded; when it is back it is told where all stands.
func TestBrokenJournalStopsEntriesAloneAndIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t, func(r *rig, _ *Config) { r.journal.back = make(chan struct{}, 1) })
		defer r.stop(t)
		if got := r.ask(buy("a")); got.Result != event.Written {
			t.Fatalf("%+v", got)
		}
		id := r.order("a").OrderID
		r.send(described(id, "a", order.WorkingNow), status(id, order.WorkingNow))
		r.journal.mu.Lock()
		r.journal.fail = errors.New("disk full")
		r.journal.mu.Unlock()
		if got := r.ask(buy("b")); got.Result != event.Refused || got.Rule != "journal" {
			t.Errorf("an entry: %+v", got)
		}
		if got := r.ask(cancelOf("c", "a")); got.Result != event.Written || got.Reason == "" {
			t.Errorf("a cancel: %+v", got)
		}
		r.send(executed(id, "a", "e1", "4"))
		if got := r.order("a").Filled.String(); got != "4" {
			t.Errorf("the report is not folded: filled %s", got)
		}
		r.journal.mu.Lock()
		r.journal.fail, r.journal.records = nil, nil
		r.journal.mu.Unlock()
		r.journal.back <- struct{}{}
		synctest.Wait()
		r.journal.mu.Lock()
		defer r.journal.mu.Unlock()
		var orders, fills, modes int
		for _, rec := range r.journal.records {
			switch {
			case rec.Order != nil && rec.Order.Ref == "a" && rec.Order.Filled.String() == "4":
				orders++
			case rec.Fill != nil && rec.Fill.ExecID == "e1":
				fills++
			case rec.Mode != nil && rec.Mode.Mode == broker.Active:
				modes++
			}
		}
		if orders != 1 || fills != 1 || modes != 1 {
			t.Errorf("told again: %d orders, %d executions, %d modes: %+v", orders, fills, modes, r.journal.records)
		}
	})
}
