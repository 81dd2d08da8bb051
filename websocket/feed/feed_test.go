package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func stop(t testing.TB, f *Feed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func bidTick(price string) event.TickData {
	return event.TickData{Kind: "bid", Price: market.MustPrice(price).Ptr(), Size: market.Shares(1).Ptr(), At: noon}
}

func TestQuotesAreConflatedOrdersAndFillsAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = time.Millisecond
		const n = 3000
		r := &recorder{}
		f := New(DefaultConfig(), r, silent)
		f.Start()
		f.Join(r.join)
		for i := range n {
			for _, sym := range []market.Symbol{"AAPL", "MSFT"} {
				f.do(func() {
					f.onTicks(msg(event.Ticks{Symbol: sym, Ticks: []event.TickData{bidTick(fmt.Sprintf("%d.5", i))}}))
				})
			}
			if i%3 == 0 {
				f.do(func() { f.onOrder(msg(order.Order{Ref: fmt.Sprint("r", i)})) })
				f.do(func() { f.onFill(msg(order.Fill{ExecID: fmt.Sprint("x", i)})) })
			}
			time.Sleep(each)
		}
		time.Sleep(50 * time.Millisecond) // the last quote's turn
		stop(t, f)
		c := r.joins[0]
		if c.kinds["order"] != n/3 || c.kinds["fill"] != n/3 {
			t.Errorf("%d orders and %d fills came, want all %d", c.kinds["order"], c.kinds["fill"], n/3)
		}
		told := map[any][]time.Time{}
		for _, q := range c.seen["quote"] {
			sym := q.Data.(obj)["symbol"]
			told[sym] = append(told[sym], q.At)
		}
		for sym, at := range told {
			for i := 20; i < len(at); i++ {
				if d := at[i].Sub(at[i-20]); d < time.Second {
					t.Fatalf("%v: 21 quotes within %v", sym, d)
				}
			}
			if len(at) < 55 {
				t.Errorf("%v: %d quotes in 3 s of steady change, want nearly 20 a second", sym, len(at))
			}
		}
		if got := c.data["quotes"].(obj)["AAPL"].(obj)["bid"]; got != "2999.5" {
			t.Errorf("the last quote that was told is %v, want the newest", got)
		}
	})
}

func TestAQuoteAfterQuietIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		f := New(DefaultConfig(), r, silent)
		f.Start()
		f.Join(r.join)
		for i := range 3 {
			time.Sleep(300 * time.Millisecond)
			began := time.Now()
			f.do(func() { f.onTicks(msg(event.Ticks{Symbol: "AAPL", Ticks: []event.TickData{bidTick(fmt.Sprint(i))}})) })
			synctest.Wait()
			q := r.joins[0].seen["quote"]
			if len(q) != i+1 || !q[i].At.Equal(began) {
				t.Fatalf("tick %d: %d quotes", i, len(q))
			}
		}
		stop(t, f)
	})
}

func TestBeatOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		f := New(DefaultConfig(), r, silent)
		f.Start()
		f.Join(r.join)
		began := time.Now()
		time.Sleep(5500 * time.Millisecond)
		stop(t, f)
		c := r.joins[0]
		if c.kinds["beat"] != 5 {
			t.Fatalf("%d beats in 5.5 s", c.kinds["beat"])
		}
		for i, at := range c.at {
			if want := began.Add(time.Duration(i+1) * time.Second); !at.Equal(want) {
				t.Errorf("beat %d at %v, want %v", i, at, want)
			}
		}
	})
}

// However clients join between the messages, each sees every number once.
func TestJoinIsOneInstant(t *testing.T) {
	r := &recorder{}
	f := New(DefaultConfig(), r, silent)
	f.Start()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			f.do(func() { f.onOrder(msg(order.Order{Ref: fmt.Sprint("r", i), Created: noon.Add(time.Duration(i))})) })
		}
	}()
	for range 20 {
		f.Join(r.join)
	}
	<-done
	now, err := f.State(t.Context()) // behind all of them
	if err != nil {
		t.Fatal(err)
	}
	stop(t, f)
	last := decode(now)
	for i, c := range r.joins {
		for _, m := range c.seen["order"] { // the recorder has checked that none is missing
			if m.Seq == last.Seq && m.Data.(obj)["ref"] != "r499" {
				t.Errorf("client %d ends with %v", i, m.Data)
			}
		}
		if c.seq < last.Seq {
			t.Errorf("client %d ends at %d of %d", i, c.seq, last.Seq)
		}
	}
}

func TestStoppedFeedKnowsNothing(t *testing.T) {
	for _, started := range []bool{true, false} {
		t.Run(fmt.Sprint("started=", started), func(t *testing.T) {
			r := &recorder{}
			f := New(DefaultConfig(), r, silent)
			if started {
				f.Start()
			}
			stop(t, f)
			stop(t, f)
			f.Start() // does nothing any more
			if _, err := f.State(t.Context()); !errors.Is(err, ErrStopped) {
				t.Errorf("State: %v, want ErrStopped", err)
			}
			var got []string
			f.Join(func(first []byte) { got = append(got, string(first)) })
			if len(got) != 1 || !strings.Contains(got[0], `"data":null`) || !json.Valid([]byte(got[0])) {
				t.Errorf("Join gave %q, want one snapshot that knows nothing", got)
			}
			for range 2 * mailbox {
				f.do(func() { t.Error("a stopped feed folds") })
			}
		})
	}
}

// Those who join while the feed stops are added once, whoever wins.
func TestJoinWhileStopping(t *testing.T) {
	for range 50 {
		f := New(DefaultConfig(), &recorder{}, silent)
		f.Start()
		added := make(chan []byte, 64)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 8 {
				f.Join(func(first []byte) { added <- first })
			}
		}()
		stop(t, f)
		<-done
		if len(added) != 8 {
			t.Fatalf("8 joined, %d were added", len(added))
		}
	}
}

func TestStateGivesUpWithItsContext(t *testing.T) {
	f := New(DefaultConfig(), &recorder{}, silent) // not started: nobody answers
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.State(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("State: %v", err)
	}
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	f := New(DefaultConfig(), &recorder{}, silent)
	f.Start()
	busy, goOn := make(chan struct{}), make(chan struct{})
	f.do(func() { close(busy); <-goOn })
	<-busy
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v", err)
	}
	close(goOn)
	stop(t, f)
}

// TestACorrectedFillReplacesTheOlder: a page has one row for an execution,
// whatever the order in which its versions and an answer come.
func TestACorrectedFillReplacesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		f := New(DefaultConfig(), r, silent)
		f.Start()
		f.Join(r.join)
		one := order.Fill{ExecID: "a.01", Qty: market.Shares(10)}
		two := order.Fill{ExecID: "a.02", Qty: market.Shares(4), Replaces: "a.01"}
		f.do(func() { f.setDesk(event.Desk{Fills: []order.Fill{one, {ExecID: "b.01", Qty: market.Shares(1)}}}) })
		f.do(func() { f.onFill(msg(two)) })
		f.do(func() { f.setDesk(event.Desk{Fills: []order.Fill{one}}) }) // an answer from before
		time.Sleep(50 * time.Millisecond)
		stop(t, f)
		c := r.joins[0]
		fills := c.data["fills"].([]any)
		if len(fills) != 2 || fills[0].(obj)["exec_id"] != "a.02" || fills[0].(obj)["qty"] != "4" {
			t.Errorf("the page shows %v", fills)
		}
	})
}
