package post

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stub is a target that answers as it is told, in fake time.
type stub struct {
	mu    sync.Mutex // guards what follows
	fail  func(n int) error
	hangs bool
	tries []time.Duration // since the start
	taken []Message
	began time.Time
}

func (s *stub) send(ctx context.Context, _ *http.Client, m Message) error {
	s.mu.Lock()
	s.tries = append(s.tries, time.Since(s.began))
	n, fail, hangs := len(s.tries), s.fail, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if fail != nil {
		if err := fail(n); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.taken = append(s.taken, m)
	s.mu.Unlock()
	return nil
}

// seen returns when was tried, and what was taken.
func (s *stub) seen() (tries []time.Duration, taken []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tries), slices.Clone(s.taken)
}

func (s *stub) set(hangs bool, fail func(int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs, s.fail = hangs, fail
}

// rig is a lane with what its ears heard.
type rig struct {
	*stub
	*Lane
	mu      sync.Mutex // guards what follows
	done    map[string]int
	changes []string
}

// heard returns what became of messages, by the error's text, and the changes.
func (r *rig) heard() (map[string]int, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.done), strings.Join(r.changes, " ")
}

func lane(t *testing.T, fn func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{stub: &stub{began: time.Now()}, done: map[string]int{}}
		r.Lane = NewLane(Target{Name: "ntfy", Where: "ntfy.sh", send: r.send}, nil, LaneConfig{Timeout: 10 * time.Second, RetryFor: 15 * time.Minute}, Ears{
			Done: func(_ Message, err error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.done[fmt.Sprint(err)]++
			},
			Changed: func(s State) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.changes = append(r.changes, s.State)
			},
		})
		r.Start()
		fn(t, r)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		began := time.Now()
		if err := r.Stop(ctx); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("stop: %v after %v", err, time.Since(began))
		}
	})
}

func note(n int) Message {
	return Message{Title: fmt.Sprint("t", n), Text: fmt.Sprint("x", n), Kind: "disk", At: time.Now()}
}

// An outage: attempts come further and further apart, the state tells of it
// once, and what waited comes as one message.
func TestLaneTriesAgain(t *testing.T) {
	lane(t, func(t *testing.T, r *rig) {
		r.set(false, func(n int) error {
			if n <= 4 {
				return &Error{Text: "it answers 500"}
			}
			return nil
		})
		r.Put(note(1))
		synctest.Wait()
		if s := r.State(); s.State != Untried || s.Waiting != 1 {
			t.Errorf("after one attempt: %+v", s)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		tries, taken := r.seen()
		if len(tries) != 5 || len(taken) != 1 || taken[0].Title != "t1" {
			t.Fatalf("tried at %v, taken %+v", tries, taken)
		}
		if last := tries[4]; last < 7*time.Second || last > 20*time.Second {
			t.Errorf("tried at %v", tries)
		}
		if done, changes := r.heard(); changes != "failing working" || done["<nil>"] != 1 {
			t.Errorf("changes %q, done %v", changes, done)
		}
		r.Put(note(2))
		synctest.Wait()
		tries, _ = r.seen()
		if s := r.State(); len(tries) != 6 || s.State != Working || s.Sent != 2 || s.Lost != 0 || s.Waiting != 0 || s.Cause != "" {
			t.Errorf("then: %+v after %d tries", s, len(tries))
		}
	})
}

// What waits through an outage is one message after it; a new one does not wait
// for the next attempt; the queue has a bound, and who was dropped is told.
func TestLaneBoundsWhatWaits(t *testing.T) {
	lane(t, func(t *testing.T, r *rig) {
		r.set(false, func(int) error { return &Error{Text: "it answers 502"} })
		for n := range maxWaiting + 8 {
			r.Put(note(n))
			synctest.Wait()
		}
		if tries, _ := r.seen(); len(tries) != maxWaiting+8 {
			t.Errorf("%d attempts", len(tries))
		}
		r.set(false, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		_, taken := r.seen()
		if len(taken) != 1 || !strings.Contains(taken[0].Title, "t8 (and 31 more)") || !strings.Contains(taken[0].Text, "(8 earlier alerts could not be delivered here)") {
			t.Fatalf("taken %+v", taken)
		}
		done, _ := r.heard()
		if s := r.State(); s.Lost != 8 || s.Sent != maxWaiting || done[errDropped.Error()] != 8 {
			t.Errorf("%+v, %v", s, done)
		}
	})
}

// A message is given up in the end, and one that is refused is not tried again.
func TestLaneGivesUp(t *testing.T) {
	lane(t, func(t *testing.T, r *rig) {
		r.set(true, nil)
		r.Put(note(1))
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		tries, _ := r.seen()
		n := len(tries)
		if s := r.State(); s.State != Failing || s.Lost != 1 || s.Waiting != 0 || n < 10 || n > 25 || !strings.Contains(s.Cause, "did not answer in time") {
			t.Errorf("%+v after %d tries", s, n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if tries, _ := r.seen(); len(tries) != n {
			t.Error("it was tried after it was given up")
		}
		r.set(false, func(int) error { return &Error{Text: "it answers 401", Kind: ErrNotTaken} })
		r.Put(note(2))
		time.Sleep(time.Minute)
		synctest.Wait()
		tries, _ = r.seen()
		if s := r.State(); len(tries) != n+1 || s.Lost != 2 {
			t.Errorf("%+v after %d more tries", s, len(tries)-n)
		}
	})
}

// A service that wants to be left alone is, even when something new comes.
func TestLaneLeavesAloneWhoAsksForIt(t *testing.T) {
	lane(t, func(t *testing.T, r *rig) {
		r.set(false, func(n int) error {
			if n == 1 {
				return &Error{Text: "it answers 429", After: 40 * time.Second}
			}
			return nil
		})
		r.Put(note(1))
		time.Sleep(30 * time.Second)
		r.Put(note(2))
		synctest.Wait()
		if tries, _ := r.seen(); len(tries) != 1 {
			t.Errorf("tried at %v", tries)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if tries, taken := r.seen(); len(tries) != 2 || len(taken) != 1 || tries[1] != 40*time.Second {
			t.Errorf("tried at %v, taken %d", tries, len(taken))
		}
	})
}

// The end makes one more attempt, and does not wait for one that hangs.
func TestLaneEnds(t *testing.T) {
	var ended *rig
	lane(t, func(_ *testing.T, r *rig) {
		r.set(false, func(n int) error {
			if n == 1 {
				return errors.New("down")
			}
			return nil
		})
		r.Put(note(1))
		synctest.Wait()
		ended = r
	})
	if _, taken := ended.seen(); len(taken) != 1 {
		t.Error("the last attempt was not made")
	}
	lane(t, func(_ *testing.T, r *rig) {
		r.set(true, nil)
		r.Put(note(1))
		synctest.Wait()
	})
	lane(t, func(*testing.T, *rig) {})
}
