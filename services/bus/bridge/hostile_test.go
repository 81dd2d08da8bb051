package bridge

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// mute accepts connections and never says a word. Came tells how many.
func mute(t testing.TB) (addr string, came func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(conns)
	}
}

// A cluster whose nodes accept and say nothing holds up the end no longer than
// one that is there.
func TestStopDoesNotWaitForASilentCluster(t *testing.T) {
	cfg := bus.DefaultConfig()
	cfg.UserFile = file(t, "user", "trader\n"+secretWord+"\n")
	stop := func(attempts int) time.Duration {
		addr, came := mute(t)
		second, _ := mute(t)
		cfg.URL = fmt.Sprintf("nats://%s,nats://%s", addr, second)
		if attempts > 1 {
			cfg.URL = "nats://" + addr
		}
		r := newTrader(t, cfg, "DU1")
		eventually(t, "it is being tried", func() bool { return came() >= attempts })
		began := time.Now()
		if err := r.bridge.Stop(within(t, 20*time.Second)); err != nil {
			t.Errorf("stopped in attempt %d: %v", attempts, err)
		}
		return time.Since(began)
	}
	for _, attempts := range []int{1, 3} { // of two connections: the first, and one of those after it
		took := stop(attempts)
		for try := 1; try < 3 && took > time.Second; try++ { // a busy machine is slow once, a wait is always there
			took = min(took, stop(attempts))
		}
		if took > time.Second {
			t.Errorf("stopped in attempt %d after %v", attempts, took)
		}
	}
}

// Questions for bars, which a venue may take half a minute for, hold up no
// question for the desk's state.
func TestSlowBarsHoldUpNoOtherQuestion(t *testing.T) {
	r := listening(t, nil)
	hold := make(chan struct{})
	defer close(hold)
	began := make(chan struct{}, 64)
	reply(t, r.desk, event.HistoryRequest, func(ctx context.Context, _ event.HistoryQuery) event.HistoryReply {
		began <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return event.HistoryReply{}
	})
	flood, _ := r.guest(t, "flood")
	raw, err := encode("flood", event.HistoryQuery{Symbol: "AAPL"})
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		if err := flood.PublishRequest(event.Subject("main", event.HistoryRequest.Name), flood.NewInbox(), raw); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	dip, _ := r.guest(t, "dip")
	if raw, err = encode("dip", event.Empty{}); err != nil {
		t.Fatal(err)
	}
	m, err := dip.Request(event.Subject("main", event.DeskState.Name), raw, 20*time.Second) // the bars are held for longer
	if err != nil || strings.Contains(string(m.Data), `"error"`) {
		t.Errorf("the desk's state: %v, %v", m, err)
	}
}

// Names that asked once make room for others when they have been quiet.
func TestQuietStrategiesMakeRoom(t *testing.T) {
	r := listening(t, func(c *bus.Config) { c.RequestsPerSecond = 1000 })
	d := r.bridge.door
	for i := range 3 * strategiesMax {
		name := fmt.Sprint("s", i)
		raw, err := encode(name, intent(name, "1"))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is admitted", func() bool {
			rule, reason := d.admit(asked{msg: &nats.Msg{Data: raw, Reply: "_INBOX.x"}, asker: name, came: time.Now()})
			if rule == ruleBusy && strings.Contains(reason, "start the trader again") {
				t.Fatal(reason)
			}
			return rule == ""
		})
	}
	d.orderly.mu.Lock()
	defer d.orderly.mu.Unlock()
	if len(d.orderly.by) > strategiesMax {
		t.Errorf("%d rates", len(d.orderly.by))
	}
}

// A program that sends what is far too large, as fast as it can, does not cost
// the others their bus.
func TestLargeMessagesCutNobodyElse(t *testing.T) {
	r := listening(t, nil)
	flood := make([]*nats.Conn, 4)
	for i := range flood {
		flood[i], _ = r.guest(t, "flood")
	}
	cuts := r.bridge.cuts.Load()
	big := make([]byte, payloadMost-1)
	var wg sync.WaitGroup
	for _, nc := range flood {
		wg.Go(func() {
			for range 20 {
				if err := nc.PublishRequest(event.OrderFrom("main", "flood"), nc.NewInbox(), big); err != nil {
					return // it was cut off itself, which is right
				}
			}
			_ = nc.FlushTimeout(20 * time.Second)
		})
	}
	wg.Wait()
	if n := r.bridge.cuts.Load() - cuts; n > 0 {
		t.Errorf("the bridge's own connections broke %d times", n)
	}
}

// A connection that broke and came back between two looks of the manager does not
// confirm what was written into the one before: it is written again.
func TestANewConnectionConfirmsNothingOfTheOld(t *testing.T) {
	r := listening(t, nil)
	q := r.bridge.queue
	q.mu.Lock()
	q.sent = append(q.sent, message{event.Subject("main", event.Order.Name), []byte("{}")})
	q.bytes += 2 + keptOverhead
	q.mu.Unlock()
	r.bridge.cuts.Add(1)
	r.bridge.confirm(within(t, 20*time.Second))
	if q.unconfirmed() == 0 {
		t.Error("it counts as confirmed")
	}
	watch, _ := r.guest(t, "watch")
	s, err := watch.SubscribeSync(event.Subject("main", event.Order.Name))
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.FlushTimeout(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	r.bridge.wake()
	if m, err := s.NextMsg(20 * time.Second); err != nil || string(m.Data) != "{}" {
		t.Errorf("written again: %v, %v", m, err)
	}
}

// Numbers are a publisher's: where several publish on one topic, there is no
// newest one that a reader could hold against what came.
func TestNewestIsOfOnePublisher(t *testing.T) {
	q := newQueue("main")
	for _, m := range []struct {
		pub string
		seq uint64
	}{{"desk", 7}, {"link", 2}, {"desk", 8}, {"link", 3}} {
		raw := fmt.Appendf(nil, `{"pub":%q,"seq":%d,"at":"2026-04-02T12:00:00Z","data":{}}`, m.pub, m.seq)
		q.put(event.Subject("main", event.Notice.Name), raw)
		if m.pub == "desk" {
			q.put(event.Subject("main", event.Order.Name), raw)
		}
	}
	newest, _, _ := q.told()
	if n, told := newest[event.Notice.Name]; told {
		t.Errorf("the newest notice is %d, of whom", n)
	}
	if newest[event.Order.Name] != 8 {
		t.Errorf("newest %v", newest)
	}
}
