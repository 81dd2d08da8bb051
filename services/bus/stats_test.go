package bus

import (
	"testing"

	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestStats fills one subscriber's queue, and finds in the figures what was
// published, handled, dropped and lost.
func TestStats(t *testing.T) {
	s := start(t)
	desk, feed := connect(t, s, "desk"), connect(t, s, "feed")
	enter, leave := make(chan struct{}, 1), make(chan struct{})
	_, err := Subscribe(feed, event.Order, Bounded(1), func(event.Message[order.Order]) { enter <- struct{}{}; <-leave })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SubscribeAll(feed, "", Keep, func(string, []byte) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := Subscribe(feed, event.Tick, Keep, func(event.Message[event.Ticks]) {}, "AAPL"); err != nil {
		t.Fatal(err)
	}
	publish := func() {
		if err := Publish(desk, event.Order, order.Order{Ref: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	next(t, enter, "the first order")
	for range 4 { // one waits, three find the queue full
		publish()
	}
	find := func(topic string) (found SubStats) {
		_, subs := s.Stats()
		for _, x := range subs {
			if x.Conn == "feed" && x.Topic == topic {
				found = x
			}
		}
		return found
	}
	eventually(t, "three dropped", func() bool { x := find("desk.order"); return x.Dropped == 3 && x.Pending >= 1 })
	eventually(t, "all handled", func() bool { return find("*").Delivered == 5 })
	if find("desk.ticks").Topic == "" {
		t.Error("the topic of one symbol's ticks is not told without the symbol")
	}
	close(leave)
	next(t, enter, "the order that waited")
	publish() // its number shows the gap
	next(t, enter, "the newest order")
	eventually(t, "three lost", func() bool { x := find("desk.order"); return x.Lost == 3 && x.Delivered == 3 })
	conns, _ := s.Stats()
	if len(conns) != 2 || conns[0].Name != "desk" || conns[0].Published < 6 {
		t.Errorf("connections %+v", conns)
	}
	if err := feed.Close(within(t, callWait)); err != nil {
		t.Fatal(err)
	}
	if conns, subs := s.Stats(); len(conns) != 1 || len(subs) != 0 {
		t.Errorf("after the end: %+v, %+v", conns, subs)
	}
}

// TestStatsOfTheShortWay fills the queue of who takes all of a part's topics, and
// finds in the figures what waits and what was dropped.
func TestStatsOfTheShortWay(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	enter, leave := make(chan struct{}, 1), make(chan struct{})
	if _, err := SubscribeAll(run, "desk", Bounded(1), func(string, []byte) { enter <- struct{}{}; <-leave }); err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // one is handled, one waits, three find the queue full
		if err := Publish(desk, event.Order, order.Order{Ref: "a"}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			next(t, enter, "the first order")
		}
	}
	_, subs := s.Stats()
	if len(subs) != 1 || subs[0].Topic != "desk" || subs[0].Dropped != 3 || subs[0].Pending != 2 {
		t.Errorf("%+v", subs)
	}
	close(leave)
}
