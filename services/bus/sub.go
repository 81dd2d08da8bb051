package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/event"
)

// Policy says what happens when a subscription's queue grows: its zero value
// is [Keep], and there are [Paced] and [Bounded]. Every queue has a bound in
// messages and in bytes, and what comes when it is full is dropped, counted and
// told as a gap.
type Policy int

const (
	// Keep is for what is rare and must not be lost: orders, fills, links and
	// modes. Its bound is keepMost messages and keepBytes, which is minutes of
	// what a venue's pacing allows, so only a handler that hangs loses any.
	// Beyond KeepMark waiting messages every doubling is logged.
	Keep Policy = 0
	// Paced is Keep for a subscriber that also takes what has no pace, as
	// ticks, and may be slower than it comes: a publisher that can hold such
	// things back asks [Conn.Room] before.
	Paced Policy = -1
)

// KeepMark is where a [Keep] subscription begins to complain: more than a
// second of orders and fills at any rate that a venue's pacing allows.
const KeepMark = 4096

// The bounds of queues. A message is at most maxPayload, so a queue that is
// empty takes any.
const (
	keepMost     = 1 << 17
	keepBytes    = 64 << 20
	boundedBytes = 2 * maxPayload
	roomMost     = 64      // messages that wait for a paced handler while it has room
	roomBytes    = 1 << 20 // and bytes
)

// Bounded drops the newest message when n wait already, or 16 MiB do. An n
// below 1 means 1.
func Bounded(n int) Policy { return Policy(max(n, 1)) }

// limits returns how many messages and bytes may be in the queue.
func (p Policy) limits() (messages, bytes int) {
	if p <= Keep {
		return keepMost, keepBytes
	}
	return int(p) + 1, boundedBytes // NATS counts the one that is being handled
}

// Gap tells of messages of one publisher that never came.
type Gap struct {
	Subject string
	Pub     string
	Lost    uint64
	Next    uint64 // the number of the message after the gap
}

// Sub is one subscription. Its handler runs on one goroutine that the
// subscription owns, one message at a time.
type Sub struct {
	conn    *Conn
	nats    *nats.Subscription // nil when it is direct
	direct  *direct            // nil when NATS delivers to it
	prefix  string             // of the subjects that it takes directly, "" = it takes no publications so
	subject string
	policy  Policy
	done    chan struct{} // closed when the handler's goroutine has gone
	release func()

	gaps   atomic.Uint64
	taken  atomic.Uint64     // messages that were handled
	late   atomic.Uint64     // duplicates and messages out of order
	mark   int               // only the handler's goroutine: the next queue length to complain at
	newest map[origin]uint64 // only the handler's goroutine: newest number

	mu    sync.Mutex // guards onGap
	onGap func(Gap)
}

// origin is what numbers messages: a publisher, on one subject.
type origin struct{ pub, subject string }

// Subscribe calls fn for every message of a topic. A topic whose subjects
// carry a symbol (see [event.HasSymbol]) is received for all symbols unless
// parts name one.
func Subscribe[T any](c *Conn, t event.Topic[T], p Policy, fn func(event.Message[T]), parts ...string) (*Sub, error) {
	subject := event.Subject(c.server.instance, t.Name, parts...)
	if len(parts) == 0 && event.HasSymbol(t.Name) {
		subject += ".*"
	}
	return c.subscribe(subject, p, func(s *Sub, m *nats.Msg) {
		msg, err := Decode[T](m.Data)
		if err != nil {
			s.undecodable(m.Subject, err)
			return
		}
		s.check(m.Subject, msg.Pub, msg.Seq)
		fn(msg)
	})
}

// SubscribeAll calls fn for every message of all topics that begin with
// prefix, such as "desk", in the order in which they came, on one goroutine.
// An empty prefix means all topics. Questions and answers are left out. fn may
// keep raw but must not change it, and decodes it with [Decode]; the topic
// comes without its symbol.
//
// It takes the short way: [Publish] puts the message into its queue before NATS
// has it. The queue is bounded, and a loss is told, as with all others.
func SubscribeAll(c *Conn, prefix string, p Policy, fn func(topic string, raw []byte)) (*Sub, error) {
	subject := event.Subject(c.server.instance, prefix) + ".>"
	if prefix == "" {
		subject = event.Subject(c.server.instance, ">")
	}
	s := c.newSub(subject, p)
	s.direct, s.prefix = newDirect(p), strings.TrimSuffix(subject, ">")
	err := c.serve(s, func(m parcel) {
		s.check(m.subject, m.pub, m.seq)
		fn(event.TopicOf(c.server.instance, m.subject), m.raw)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Tap calls fn for every message of all topics with its subject and payload as
// they are, in the order in which they came, on one goroutine: for who carries
// them elsewhere. Questions and answers are left out. fn may keep raw.
func Tap(c *Conn, p Policy, fn func(subject string, raw []byte)) (*Sub, error) {
	return c.subscribe(event.Subject(c.server.instance, "")+">", p, func(s *Sub, m *nats.Msg) {
		if m.Reply == "" {
			fn(m.Subject, m.Data)
		}
	})
}

// Head returns who published a payload, and its number.
func Head(raw []byte) (pub string, seq uint64, err error) {
	if pub, seq, _, _, ok := event.ParseHead(raw); ok {
		return string(pub), seq, nil
	}
	var head struct {
		Pub string `json:"pub"`
		Seq uint64 `json:"seq"`
	}
	err = json.Unmarshal(raw, &head)
	return head.Pub, head.Seq, err
}

func (c *Conn) newSub(subject string, p Policy) *Sub {
	return &Sub{
		conn: c, subject: subject, policy: p, mark: KeepMark,
		done: make(chan struct{}), newest: map[origin]uint64{},
	}
}

// serve begins to take what comes the short way.
func (c *Conn) serve(s *Sub, fn func(parcel)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("bus: subscribe %s: %w", s.subject, ErrClosed)
	}
	go s.direct.serve(s.done, func(m parcel) { // joined by Stop
		s.watchQueue(m.subject)
		fn(m)
		s.taken.Add(1)
	})
	c.subs[s] = struct{}{}
	c.server.enlist(s)
	return nil
}

func (c *Conn) subscribe(subject string, p Policy, fn func(*Sub, *nats.Msg)) (*Sub, error) {
	s := c.newSub(subject, p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("bus: subscribe %s: %w", subject, ErrClosed)
	}
	ns, err := c.sub.Subscribe(subject, func(m *nats.Msg) {
		s.watchQueue(m.Subject)
		fn(s, m)
		s.taken.Add(1)
	})
	if err != nil {
		return nil, fmt.Errorf("bus: subscribe %s: %w", subject, closedErr(err))
	}
	s.nats = ns
	ns.SetClosedHandler(func(string) { close(s.done) })
	if err := ns.SetPendingLimits(p.limits()); err != nil {
		return nil, fmt.Errorf("bus: subscribe %s: %w", subject, err)
	}
	if err := c.sub.FlushTimeout(callWait); err != nil {
		_ = ns.Unsubscribe()
		return nil, fmt.Errorf("bus: subscribe %s: the server is silent: %w", subject, closedErr(err))
	}
	c.subs[s] = struct{}{}
	c.server.enlist(s)
	return s, nil
}

// room reports whether few enough messages wait.
func (s *Sub) room() bool {
	messages, bytes := s.pending()
	return messages < roomMost && bytes < roomBytes
}

// pending returns what waits for the handler, with what it is at; nothing once
// it is gone, so that it holds up nobody.
func (s *Sub) pending() (messages, bytes int) {
	if s.direct != nil {
		return s.direct.pending()
	}
	messages, bytes, err := s.nats.Pending()
	if err != nil {
		return 0, 0
	}
	return messages, bytes
}

// Gaps returns how many messages were lost so far.
func (s *Sub) Gaps() uint64 { return s.gaps.Load() }

// OnGap has fn called for each gap, on the handler's goroutine and before the
// message that showed it.
func (s *Sub) OnGap(fn func(Gap)) {
	s.mu.Lock()
	s.onGap = fn
	s.mu.Unlock()
}

// drainLook is how often Drain looks whether all is handled.
const drainLook = time.Millisecond

// Drain handles what was published before, as far as ctx lets it, and returns
// when that is done or ctx has ended. The subscription goes on: Stop ends it.
func (s *Sub) Drain(ctx context.Context) error {
	if s.nats != nil {
		if err := s.conn.sub.FlushWithContext(ctx); err != nil { // what the server had for us is in the queue now
			return fmt.Errorf("bus: drain %s: %w", s.subject, closedErr(err))
		}
	}
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for {
		if waiting, _ := s.pending(); waiting == 0 {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("bus: drain %s: %w", s.subject, ctx.Err())
		}
	}
}

// Stop ends the subscription and waits until its handler has returned or ctx
// has ended. What waits in its queue is not handled. It must not be called by
// the handler itself, which would wait for itself.
func (s *Sub) Stop(ctx context.Context) error {
	s.conn.mu.Lock()
	delete(s.conn.subs, s)
	s.conn.mu.Unlock()
	s.conn.server.delist(s)
	if s.release != nil {
		s.release()
	}
	switch {
	case s.direct != nil:
		s.direct.end()
	case s.nats.IsValid():
		_ = s.nats.Unsubscribe() // fails only when it is gone already
		// Until the server knows, it delivers.
		told, cancel := context.WithTimeout(ctx, callWait)
		_ = s.conn.sub.FlushWithContext(told) // the wait below says what is wrong
		cancel()
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bus: stop: the handler of %s did not return: %w", s.subject, ctx.Err())
	}
}

// check compares a message's number with the one before it.
func (s *Sub) check(subject, pub string, seq uint64) {
	key := origin{pub, subject}
	before, seen := s.newest[key]
	switch {
	case seq == 0: // not numbered: from outside
		return
	case !seen, seq == before+1, seq == 1: // 1 is a publisher's new life
	case seq <= before:
		s.late.Add(1)
		return
	default:
		s.lost(Gap{Subject: subject, Pub: pub, Lost: seq - before - 1, Next: seq})
	}
	s.newest[key] = seq
}

func (s *Sub) lost(g Gap) {
	s.gaps.Add(g.Lost)
	s.conn.server.log.Warn("bus_gap", slog.String("subscriber", s.conn.name), slog.String("subject", g.Subject),
		slog.String("publisher", g.Pub), slog.Uint64("lost", g.Lost), slog.Uint64("next", g.Next))
	s.mu.Lock()
	fn := s.onGap
	s.mu.Unlock()
	if fn != nil {
		fn(g)
	}
}

func (s *Sub) undecodable(subject string, err error) {
	s.conn.bad.Add(1)
	s.conn.server.log.Error("bus_undecodable", slog.String("subscriber", s.conn.name),
		slog.String("subject", subject), slog.Any("error", err))
}

// watchQueue complains about a Keep or Paced queue each time it has doubled.
func (s *Sub) watchQueue(subject string) {
	if s.policy > Keep {
		return
	}
	waiting, _ := s.pending()
	if waiting < s.mark {
		return
	}
	s.mark *= 2
	s.conn.server.log.Warn("bus_queue_long", slog.String("subscriber", s.conn.name),
		slog.String("subject", subject), slog.Int("waiting", waiting))
}
