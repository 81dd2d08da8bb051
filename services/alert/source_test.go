package alert

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// joined is a source on a bus of its own, and the desk's place on it. The desk
// says in asked that it was asked, and answers with what comes in answers.
type joined struct {
	desk    *bus.Conn
	hub     *Hub
	source  *Source
	asked   chan struct{}
	answers chan event.ModeChange
}

func join(t *testing.T) *joined {
	t.Helper()
	s, err := bus.Start(bus.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	j := &joined{asked: make(chan struct{}, 8), answers: make(chan event.ModeChange)}
	desk, errDesk := s.Connect("desk")
	conn, errConn := s.Connect("alert")
	if errDesk != nil || errConn != nil {
		t.Fatal(errDesk, errConn)
	}
	if _, err := bus.Reply(desk, event.DeskState, func(ctx context.Context, _ event.Empty) event.Desk {
		j.asked <- struct{}{}
		select {
		case m := <-j.answers:
			return event.Desk{Orders: []order.Order{}, Mode: m}
		case <-ctx.Done():
			return event.Desk{}
		}
	}); err != nil {
		t.Fatal(err)
	}
	causes, hub := folding()
	if j.source, err = causes.Connect(conn); err != nil {
		t.Fatal(err)
	}
	j.desk, j.hub = desk, hub
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := j.source.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return j
}

func (j *joined) publish(t *testing.T, m event.ModeChange) {
	t.Helper()
	if err := bus.Publish(j.desk, event.Mode, m); err != nil {
		t.Fatal(err)
	}
}

// becomes waits for what is on.
func (j *joined) becomes(t *testing.T, step, want string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); on(j.hub) != want && time.Now().Before(deadline); {
		<-tick.C
	}
	wants(t, j.hub, step, want)
}

// A slow answer is from before what the topic told meanwhile, and changes
// nothing of it.
func TestASlowAnswerOverridesNoNewerMode(t *testing.T) {
	j := join(t)
	<-j.asked // at the start
	began := time.Now()
	j.publish(t, event.ModeChange{Mode: broker.Halted, Reason: "by ops", Since: began})
	j.becomes(t, "a halt while the desk is asked", "mode")
	j.answers <- event.ModeChange{Mode: broker.Active, Since: began.Add(-time.Hour)}
	j.source.wish <- struct{}{} // the next question is asked after the answer was judged
	<-j.asked
	wants(t, j.hub, "the slow answer", "mode")
	j.publish(t, event.ModeChange{Mode: broker.Active, Since: began.Add(time.Second)})
	j.becomes(t, "resume", "")
	j.answers <- event.ModeChange{Mode: broker.Halted, Reason: "by ops", Since: began}
	j.source.wish <- struct{}{}
	<-j.asked
	wants(t, j.hub, "another slow answer", "")
	j.answers <- event.ModeChange{Mode: broker.Halted, Reason: "a day's loss", Since: began.Add(2 * time.Second)}
	j.becomes(t, "an answer beside which nothing was told", "mode")
}

// A mode that an answer has overtaken on its way is none; with a clock that was
// set back the desk is asked once more, and has the last word.
func TestAModeThatAnAnswerOvertookIsAskedForAgain(t *testing.T) {
	j := join(t)
	<-j.asked
	began := time.Now()
	j.answers <- event.ModeChange{Mode: broker.Active, Since: began}
	j.source.wish <- struct{}{}
	<-j.asked
	j.answers <- event.ModeChange{Mode: broker.Active, Since: began}
	eventually := time.NewTimer(10 * time.Second)
	defer eventually.Stop()
	j.publish(t, event.ModeChange{Mode: broker.Halted, Reason: "by ops", Since: began.Add(-time.Hour)})
	select {
	case <-j.asked:
	case <-eventually.C:
		t.Fatal("the desk is not asked again")
	}
	wants(t, j.hub, "a mode that is older than the answer", "")
	j.answers <- event.ModeChange{Mode: broker.Halted, Reason: "by ops", Since: began.Add(-time.Hour)}
	j.becomes(t, "what the desk says", "mode")
}

// What was found before the first word about the mode stands.
func TestTheFirstModeEndsNothing(t *testing.T) {
	c, h := folding()
	c.Finding(broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "0", Theirs: "7"})
	c.Mode(event.ModeChange{Mode: broker.Active})
	wants(t, h, "the first mode", "finding position AAPL")
	c.Mode(event.ModeChange{Mode: broker.Halted, Reason: "by ops"})
	c.Mode(event.ModeChange{Mode: broker.Active})
	wants(t, h, "resume", "")
}

// An alert leaves within 5 s of its cause: so what nobody tells is looked at more
// often than that.
func TestAWrongClockIsSeenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := folding()
		var wrong atomic.Bool
		w := NewWatch(DefaultConfig(), h, WatchParts{Clock: func() (bool, bool) { return !wrong.Load(), true }})
		w.Start()
		time.Sleep(lookEvery + lookEvery/2)
		synctest.Wait()
		wrong.Store(true)
		time.Sleep(4*time.Second + lookEvery/2)
		synctest.Wait()
		wants(t, h, "less than 5 s", "clock kernel")
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
