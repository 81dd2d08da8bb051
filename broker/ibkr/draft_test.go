package ibkr

import (
	"testing"
	"testing/synctest"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// A draft is written for just the ticket that it was made of: any other, and one
// that cannot be drafted, goes the long way.
func TestADraftIsOfOneTicket(t *testing.T) {
	first, other, changed := ticket(1001), ticket(1002), ticket(1003)
	other.Intent.ID = "every_tick-2"
	changed.Intent.ID = "every_tick-3"
	late := changed
	late.Intent.Qty = market.Shares(4)
	bad := ticket(0)
	live(t, func(p *peer) {
		for _, want := range []struct {
			id  int64
			ref string
			qty int64
		}{{1001, "every_tick-1", 3}, {1002, "every_tick-2", 3}, {1003, "every_tick-3", 4}, {1001, "every_tick-1", 3}} {
			o, ok := p.next().(wire.PlaceOrder)
			if !ok || o.OrderID != want.id || o.OrderRef != want.ref || *o.TotalQuantity != market.Shares(want.qty) {
				p.t.Errorf("placed %+v, want %+v", o, want)
			}
		}
	}, func(t *testing.T, s *Session) {
		s.Draft(first)
		synctest.Wait()
		d := s.drafted.Load()
		if d == nil || d.ticket != first {
			t.Fatalf("draft %+v", d)
		}
		if frame, err := s.frameOf(first); err != nil || &frame[0] != &d.frame[0] {
			t.Errorf("the draft was not taken: %v", err)
		}
		s.Draft(bad)
		synctest.Wait()
		if d := s.drafted.Load(); d != nil {
			t.Errorf("draft of what is no order: %+v", d)
		}
		s.Draft(first)
		s.Draft(changed) // perhaps one too many
		if err := s.Place(t.Context(), first); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := s.Place(t.Context(), other); err != nil {
			t.Error(err)
		}
		s.Draft(changed)
		synctest.Wait()
		if err := s.Place(t.Context(), late); err != nil {
			t.Error(err)
		}
		if err := s.Place(t.Context(), first); err != nil {
			t.Error(err)
		}
	})
}
