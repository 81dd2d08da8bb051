package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// flood is n quotes, and as many trades whose sizes count from first.
func flood(n, first int) broker.Batch {
	b := broker.Batch{}
	for i := range n {
		b.Ticks = append(b.Ticks,
			market.Tick{Symbol: "AAPL", Kind: market.TickBid, Known: true, Price: market.MustPrice("10"), Size: market.Shares(int64(first + i)), At: day},
			market.Tick{Symbol: "AAPL", Kind: market.TickTrade, Known: true, Price: market.MustPrice("10"), Size: market.Shares(int64(first + i)), At: day})
	}
	return b
}

// heard returns the sizes of the ticks of a kind, and how many messages there
// were.
func (r *recorder) heard(kind string) (sizes []market.Qty, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.ticksSeen {
		for _, t := range m.Ticks {
			if t.Kind == kind {
				sizes = append(sizes, *t.Size)
			}
		}
	}
	return sizes, len(r.ticksSeen)
}

func TestWhoIsBehindHasTicksHeld(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.out.ticksSeen = nil
		r.out.behind.Store(true)
		const reads, each = 20, 1000
		for i := range reads {
			r.session.batches <- flood(each, 1+i*each)
		}
		synctest.Wait()
		if _, n := r.out.heard("trade"); n != 0 {
			t.Fatalf("%d messages were told to who is behind", n)
		}
		// Reports pass the ticks that are held.
		r.send(broker.OrderReport{Order: order.Order{
			Account: "DU1", PermID: 7, Symbol: "AAPL", Side: order.Buy, Qty: market.Shares(1),
		}, Signal: order.Acked, Known: true, Status: "Submitted"})
		if len(r.out.orders) == 0 {
			t.Fatal("a report waits behind ticks")
		}
		r.out.behind.Store(false)
		time.Sleep(2 * holdLook)
		synctest.Wait()
		trades, messages := r.out.heard("trade")
		want := make([]market.Qty, 0, reads*each)
		for i := range reads * each {
			want = append(want, market.Shares(int64(i+1)))
		}
		if !slices.Equal(trades, want) {
			t.Errorf("%d trades were told, want all of %d in order", len(trades), len(want))
		}
		bids, _ := r.out.heard("bid")
		if len(bids) == 0 || bids[len(bids)-1] != want[len(want)-1] {
			t.Errorf("%d bids were told, the newest of %d not among them", len(bids), len(want))
		}
		// Conflating waits until it is worth it: at most half of what is held is
		// older quotes.
		if len(bids) > len(want)/2 || messages < len(want)/tellAtOnce {
			t.Errorf("%d bids of %d in %d messages", len(bids), len(want), messages)
		}
	})
}

// TestAFullHoldStopsTheReading counts what is taken from a session while nobody
// takes ticks: memory has a bound, and a strategy that hangs loses in the end.
func TestAFullHoldStopsTheReading(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.out.ticksSeen = nil
		r.out.behind.Store(true)
		const each = 4096
		reads := 0
		read := func(patience time.Duration) bool {
			select {
			case r.session.batches <- flood(each, 1+reads*each):
				reads++
				return true
			case <-time.After(patience):
				return false
			}
		}
		for read(holdWithin / 2) {
			if reads > 2*holdMost/each {
				t.Fatalf("%d reads of %d trades were taken while nobody takes ticks", reads, each)
			}
		}
		if want := holdMost / each; reads < want {
			t.Errorf("the session is not read after %d reads, want %d at least: %d trades have room", reads, want, holdMost)
		}
		if _, n := r.out.heard("trade"); n != 0 {
			t.Fatalf("%d messages were told to who is behind", n)
		}
		r.out.taken.Add(1) // who is slow is not who hangs
		if read(holdWithin - time.Second) {
			t.Fatal("the session is read although somebody takes some, and 65,536 ticks are held")
		}
		if !read(holdWithin) {
			t.Fatalf("the session is not read for longer than %v because of a strategy that hangs", holdWithin)
		}
		if trades, _ := r.out.heard("trade"); len(trades) < holdMost {
			t.Errorf("%d trades were told after %v, want %d at least", len(trades), holdWithin, holdMost)
		}
	})
}

func TestMessagesOfTicksAreSmall(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.out.ticksSeen = nil
		b := flood(3000, 1)
		for i := range b.Ticks {
			b.Ticks[i].Symbol = market.Symbol(fmt.Sprint("S", i%3))
		}
		r.session.batches <- b
		synctest.Wait()
		n := 0
		for _, m := range r.out.ticksSeen {
			if len(m.Ticks) == 0 || len(m.Ticks) > tellAtOnce {
				t.Fatalf("a message of %d ticks, want 1 to %d", len(m.Ticks), tellAtOnce)
			}
			n += len(m.Ticks)
		}
		if n != len(b.Ticks) {
			t.Errorf("%d of %d ticks were told", n, len(b.Ticks))
		}
	})
}

// TestAHungStrategyPushesBack floods a desk on a real bus of which one
// subscriber hangs: what is read of the session and what is on the bus have
// bounds, counted by somebody else who listens.
func TestAHungStrategyPushesBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	server, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	conn, err1 := server.Connect("desk")
	hangs, err2 := server.Connect("runner")
	page, err3 := server.Connect("feed")
	leave, entered := make(chan struct{}), make(chan struct{}, 1)
	_, err4 := bus.SubscribeAll(hangs, "desk", bus.Paced, func(string, []byte) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-leave
	})
	var heard atomic.Int64
	_, err5 := bus.Subscribe(page, event.Tick, bus.Keep, func(m event.Message[event.Ticks]) { heard.Add(int64(len(m.Data.Ticks))) })
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.desk.out = busOutlet{conn, quiet}
	r.serve()
	const each = 1024
	reads := 0
	for full := false; !full && reads <= 2*holdMost/each; {
		select {
		case r.session.batches <- flood(each, 1+reads*each):
			reads++
		case <-time.After(time.Second):
			full = true
		}
	}
	select {
	case <-entered:
	case <-ctx.Done():
		t.Fatal("no tick came within 30 s")
	}
	// The first messages were told before the hanging one was seen to be behind.
	const onBus = 8 * each
	if most := (holdMost+onBus)/each + 1; reads > most {
		t.Errorf("%d reads of %d trades were taken, want %d at most", reads, each, most)
	}
	if n := heard.Load(); n > 2*onBus {
		t.Errorf("%d ticks are on the bus, want %d at most", n, 2*onBus)
	}
	close(leave)
	r.stop(t)
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}
