package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"robotrader/services/alert/post"
	"robotrader/services/event"
)

const (
	// keepSent bounds the newest messages in a hub's state.
	keepSent = 20
	// tellEvery is how often the state is told while it changes, and keepTold
	// how often while it does not, for who came late.
	tellEvery = time.Second
	keepTold  = 2 * time.Second
)

// Parts are what a hub works with.
type Parts struct {
	Targets []post.Target
	Client  *http.Client           // nil = post.NewClient
	Tell    func(event.AlertState) // hears how alerting stands; nil = nobody. It must not block for long
	Log     *slog.Logger           // nil = slog.Default
	Name    string                 // of this trader, in titles
}

// Hub tells of troubles. Make it with [New]. Its methods may be called from any
// goroutine at any time; they never wait for a target.
type Hub struct {
	parts Parts
	lanes []*post.Lane
	wake  chan struct{} // holds one word that there is something to look at
	ping  chan struct{} // holds one word that the state changed

	retryFor time.Duration // how long a lane tries a message

	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	book   *Book
	sent   []event.AlertSent
	counts map[Kind]*event.AlertCount
	owes   []owed // by lane
}

// New returns a hub that has not started. The configuration is a valid one.
func New(cfg Config, p Parts) *Hub {
	if p.Client == nil {
		p.Client = post.NewClient()
	}
	if p.Tell == nil {
		p.Tell = func(event.AlertState) {}
	}
	if p.Log == nil {
		p.Log = slog.Default()
	}
	h := &Hub{
		parts: p, book: NewBook(cfg, p.Name), counts: map[Kind]*event.AlertCount{},
		wake: make(chan struct{}, 1), ping: make(chan struct{}, 1), done: make(chan struct{}),
		retryFor: cfg.RetryFor, owes: make([]owed, len(p.Targets)),
	}
	for i, t := range p.Targets {
		h.lanes = append(h.lanes, post.NewLane(t, p.Client, post.LaneConfig{Timeout: cfg.Timeout, RetryFor: cfg.RetryFor},
			post.Ears{Done: func(m post.Message, err error) { h.delivered(i, m, err) }, Changed: h.changed}))
	}
	return h
}

// Start begins to tell and returns at once; the goroutines live until Stop.
func (h *Hub) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	for _, l := range h.lanes {
		l.Start()
	}
	go h.run(ctx) // joined by Stop
}

// Stop says what there is to say, makes one more attempt to deliver what waits,
// and returns when all goroutines have gone; ctx bounds the attempts. It may be
// called without Start.
func (h *Hub) Stop(ctx context.Context) error {
	if h.cancel == nil {
		return nil
	}
	h.cancel()
	<-h.done // it waits for nothing
	var wg sync.WaitGroup
	errs := make([]error, len(h.lanes))
	for i, l := range h.lanes {
		wg.Go(func() { errs[i] = l.Stop(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Raise tells of a trouble that is on.
func (h *Hub) Raise(t Trouble) {
	h.change(func(now time.Time) bool { return h.book.Raise(now, t) })
}

// Clear tells that a trouble is over.
func (h *Hub) Clear(k Kind, key string) {
	h.change(func(now time.Time) bool { return h.book.Clear(now, k, key) })
}

// ClearAll tells that all troubles of a kind are over.
func (h *Hub) ClearAll(k Kind) {
	h.change(func(now time.Time) bool { return h.book.ClearAll(now, k) })
}

func (h *Hub) change(fn func(now time.Time) bool) {
	h.mu.Lock()
	news := fn(time.Now())
	h.mu.Unlock()
	if news {
		poke(h.wake)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (h *Hub) run(ctx context.Context) {
	defer close(h.done)
	next, told := time.NewTimer(0), time.NewTimer(0)
	defer next.Stop()
	defer told.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			h.look(time.Now())
			return
		case <-h.wake:
		case <-next.C:
		case <-h.ping:
			told.Reset(tellEvery - time.Since(last))
			continue
		case <-told.C:
			last = time.Now()
			h.parts.Tell(h.State())
			told.Reset(keepTold)
			continue
		}
		h.look(time.Now())
		h.makeUp(time.Now())
		next.Stop()
		if at, ok := h.next(); ok {
			next.Reset(max(time.Until(at), time.Millisecond))
		}
		poke(h.ping)
	}
}

func (h *Hub) next() (time.Time, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.book.Next(time.Now())
	if o, owed := h.owedNext(); owed && (!ok || o.Before(at)) {
		return o, true
	}
	return at, ok
}

// look hands to the lanes what there is to say.
func (h *Hub) look(now time.Time) {
	h.mu.Lock()
	list := h.book.Due(now)
	for _, m := range list {
		h.sent = append(h.sent, event.AlertSent{At: m.At, Kind: m.Kind, Title: m.Title, Text: m.Text, Urgent: m.Urgent})
		h.of(Kind(m.Kind)).Said++
	}
	if n := len(h.sent) - keepSent; n > 0 {
		h.sent = slices.Clone(h.sent[n:])
	}
	h.mu.Unlock()
	for _, m := range list {
		h.parts.Log.Info("alert", "kind", m.Kind, "title", m.Title, "text", m.Text, "targets", len(h.lanes))
		for _, l := range h.lanes {
			l.Put(m)
		}
	}
}

// of returns the counts of a kind. The caller holds mu.
func (h *Hub) of(k Kind) *event.AlertCount {
	c := h.counts[k]
	if c == nil {
		c = &event.AlertCount{Kind: string(k)}
		h.counts[k] = c
	}
	return c
}

// delivered counts what became of a message at one target.
func (h *Hub) delivered(lane int, m post.Message, err error) {
	h.mu.Lock()
	h.owes[lane].settle(time.Now(), m, err, errors.Is(err, post.ErrNotTaken), h.retryFor)
	owes := h.owes[lane].on
	if err == nil {
		h.of(Kind(m.Kind)).Delivered++
	} else {
		h.of(Kind(m.Kind)).Failed++
	}
	h.mu.Unlock()
	if err != nil {
		h.parts.Log.Error("alert_not_delivered", "kind", m.Kind, "title", m.Title, "error", err)
	}
	if owes {
		poke(h.wake)
	}
	poke(h.ping)
}

// changed takes down that a target works or fails, and tells the others.
func (h *Hub) changed(s post.State) {
	if s.State != post.Failing {
		h.parts.Log.Info("alert_target_works", "target", s.Name, "where", s.Where)
		h.Clear(Delivery, s.Name)
		return
	}
	h.parts.Log.Error("alert_target_fails", "target", s.Name, "where", s.Where, "error", s.Cause)
	h.Raise(Trouble{
		Kind: Delivery, Key: s.Name, Cause: fmt.Sprintf("%s at %s fails: %s", s.Name, s.Where, s.Cause),
		Advice: "look at its URL, token and network; traderctl alert test tries it",
	})
}

// State tells how alerting stands.
func (h *Hub) State() event.AlertState {
	s := event.AlertState{Targets: make([]event.AlertTarget, 0, len(h.lanes)), On: []event.AlertOn{}}
	for _, l := range h.lanes {
		t := l.State()
		s.Targets = append(s.Targets, event.AlertTarget{
			Name: t.Name, Where: t.Where, State: t.State, Cause: t.Cause, Since: t.Since, Delivered: t.Sent, Lost: t.Lost, Waiting: t.Waiting,
		})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.book.Forget(time.Now())
	for _, x := range h.book.On() {
		s.On = append(s.On, event.AlertOn{Kind: string(x.Kind), Key: x.Key, Title: x.Kind.title(), Cause: x.Cause, Advice: x.Advice, Since: x.Since, Untold: x.Untold})
	}
	s.Sent = append([]event.AlertSent{}, h.sent...)
	for k, n := range h.book.Held() {
		h.of(k).Held = n
	}
	for _, k := range h.counts {
		s.Counts = append(s.Counts, *k)
	}
	slices.SortFunc(s.Counts, func(a, b event.AlertCount) int { return strings.Compare(a.Kind, b.Kind) })
	return s
}

// Tried is what came of an attempt at one target.
type Tried struct {
	Err  error // nil = it took the message
	Took time.Duration
}

// Try sends one message to each target at once, past all rules, and returns
// what came of it, in their order. It is for a person who wants to know.
func Try(ctx context.Context, targets []post.Target, c *http.Client, m post.Message) []Tried {
	list := make([]Tried, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			began := time.Now()
			err := t.Send(ctx, c, m)
			list[i] = Tried{err, time.Since(began)}
		})
	}
	wg.Wait()
	return list
}
