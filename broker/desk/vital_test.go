package desk

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/services/event"
)

// vitalSession is a session that tells its health.
type vitalSession struct {
	*fakeSession
	mu     sync.Mutex
	health broker.Health
}

func (s *vitalSession) Health() broker.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

func (r *rig) healths() []event.HealthState {
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	return append([]event.HealthState(nil), r.out.healths...)
}

// TestHealthSeparatesThings: session, account and symbols each stand for
// themselves; it is told when it changes, at most once a second, and on request.
func TestHealthSeparatesThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		told := 0
		r.desk.OnHealth(func(event.HealthState) { told++ })
		s := &vitalSession{fakeSession: r.session}
		r.served = make(chan error, 1)
		go func() { r.served <- r.desk.Serve(context.Background(), s) }()
		for _, step := range r.steps() {
			if _, err := step.Run(context.Background(), s); err != nil {
				t.Fatal(err)
			}
		}
		r.desk.LinkChanged(broker.Link{State: broker.Ready})
		r.send(r.session.values[0])
		time.Sleep(2 * time.Second)
		before := len(r.healths())
		time.Sleep(20 * time.Second)
		if n := len(r.healths()); n != before {
			t.Errorf("told %d times while nothing changed", n-before)
		}
		for i := range 50 { // it changes ten times a second
			s.mu.Lock()
			s.health.FramesIn = uint64(i)
			s.health.Farms = []broker.Part{{Name: "usfarm", Kind: "market", State: broker.PartBroken}}
			s.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(r.healths()) - before; n < 4 || n > 6 {
			t.Errorf("told %d times in five seconds", n)
		}
		now := r.desk.State(context.Background()).Health
		if now.Session == nil || now.Session.Farms[0].State != broker.PartBroken || now.Account.State != broker.PartOK ||
			len(now.Data) != 1 || now.Data[0].State != "live" || now.Data[0].Asked != 1 {
			t.Errorf("health %+v", now)
		}
		_ = r.session.Close(context.Background())
		<-r.served
		r.served = nil
		time.Sleep(3 * time.Second)
		list := r.healths()
		if last := list[len(list)-1]; last.Session != nil || last.Account.State != "" || last.Data[0].State != "lost" {
			t.Errorf("without a session: %+v", last)
		}
		r.stop(t)
		if told != len(list) {
			t.Errorf("published %d times, metrics told %d times", len(list), told)
		}
	})
}

func (r *rig) watched() *atomic.Int32 {
	var n atomic.Int32
	r.session.asking(func(what string) {
		if what == "watch" {
			n.Add(1)
		}
	})
	return &n
}

// TestAccountStream: it is ok by what comes, broken by the venue's word or when
// asking brings nothing, and asked for again.
func TestAccountStream(t *testing.T) {
	account := func(r *rig) broker.Part { return r.desk.State(context.Background()).Health.Account }
	value := broker.AccountValue{Account: "DU1", Key: "Cushion", Value: "1"}
	t.Run("quiet is asked before it is broken", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			asked := r.watched()
			r.send(value)
			if p := account(r); p.State != broker.PartOK || p.Kind != "account" {
				t.Errorf("%+v", p)
			}
			for range 5 { // every three minutes, as a gateway does
				time.Sleep(3 * time.Minute)
				r.send(value)
			}
			if asked.Load() != 0 {
				t.Errorf("asked %d times for what comes", asked.Load())
			}
			time.Sleep(floor.QuietAfter + 2*time.Second)
			if p := account(r); asked.Load() != 1 || p.State != broker.PartOK {
				t.Errorf("after ten quiet minutes asked %d times, %+v", asked.Load(), p)
			}
			r.send(value) // it answers: nothing had changed
			time.Sleep(time.Minute)
			if p := account(r); p.State != broker.PartOK || asked.Load() != 1 {
				t.Errorf("asked %d times, %+v", asked.Load(), p)
			}
			time.Sleep(floor.QuietAfter)
			time.Sleep(DefaultConfig().DataDeadline + 2*time.Second)
			if p := account(r); p.State != broker.PartBroken || asked.Load() != 2 {
				t.Errorf("asked in vain %d times, %+v", asked.Load()-1, p)
			}
			time.Sleep(time.Hour)
			if asked.Load() < 8 || asked.Load() > 16 {
				t.Errorf("asked %d times within an hour", asked.Load())
			}
			r.send(value)
			if p := account(r); p.State != broker.PartOK {
				t.Errorf("%+v", p)
			}
		})
	})
	t.Run("replaced", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			asked := r.watched()
			r.send(value)
			r.send(broker.Notice{Kind: broker.NoticeWarning, Code: 2100, Text: "unsubscribed from account data"})
			if p := account(r); p.State != broker.PartBroken || p.Code != 2100 {
				t.Errorf("%+v", p)
			}
			time.Sleep(floor.StreamSoon + 2*time.Second)
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
			r.send(value)
			if p := account(r); p.State != broker.PartOK || p.Code != 0 {
				t.Errorf("%+v", p)
			}
		})
	})
	t.Run("nothing ever", func(t *testing.T) {
		in(t, func(t *testing.T, r *rig) {
			if p := account(r); p.State != broker.PartIdle {
				t.Errorf("before a first value: %+v", p)
			}
			time.Sleep(DefaultConfig().DataDeadline + 2*time.Second)
			if p := account(r); p.State != broker.PartBroken {
				t.Errorf("%+v", p)
			}
		})
	})
}
