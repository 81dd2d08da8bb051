package ibkr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// Session is one live connection with a gateway; [Adapter.Open] makes it.
type Session struct {
	cfg   Config
	log   *slog.Logger
	facts broker.Facts
	conn  net.Conn
	in    *stream // the reader's
	v     wire.Version
	tap   tapped

	codes codeTable

	budget *pace.Budget // shared with the adapter's other sessions
	out    sync.Mutex   // held over one write: frames never mix

	wake chan struct{} // capacity 1: something is pending
	room chan struct{} // capacity 1: what was pending is fetched
	gone chan struct{} // closed when the session has ended, err is set
	done chan struct{} // closed when the reader has gone and the socket is closed

	mu        sync.Mutex // guards what follows
	err       error      // why it ended
	closing   bool       // the reader is on its way to close, within closeIn
	closeIn   time.Duration
	pending   backlog
	requests  map[int]*request
	owed      [numTurns]int         // ends of answers that came too late, or may still come
	owedSince [numTurns]time.Time   // when the newest of them was given up
	bySymbol  map[market.Symbol]int // the request of its market data
	lines     int                   // how many subscriptions the venue allows
	wanting   []market.Contract     // to be asked for with delayed data
	delaying  bool                  // askDelayed runs
	delayed   bool                  // delayed data were asked for
	cancels   recent                // order ids for which a cancel was written
	asked     *timeAsk              // the newest time request
	missed    int                   // time requests in a row that went unanswered
	answerAt  time.Time             // of the newest answer to one, or of the session's beginning
	heardBack bool                  // there was an answer
	roundTrip time.Duration         // of that
	vital     vital                 // what the gateway said of itself
	clock     market.Clock          // written by the reader, which reads it without the lock
	astray    bool                  // of the reader: a tick's time was left out

	ids     pace.IDs                // of our requests, fixed before the reader starts
	errands sync.WaitGroup          // the session's goroutines besides the reader, which waits for them
	strays  atomic.Uint64           // answers and ticks that named nothing of ours
	millis  atomic.Bool             // ask for the time in milliseconds
	turns   [numTurns]chan struct{} // capacity 1: one at a time of what has no request id
	subs    atomic.Pointer[map[int]*subscription]

	framesIn  atomic.Uint64
	framesOut atomic.Uint64
	skipped   atomic.Int64       // frames that did not decode
	rivalry   atomic.Bool        // another session of this user takes the data of some symbol
	frameAt   atomic.Int64       // wall time of the newest read, in nanoseconds since 1970
	standing  atomic.Bool        // the reader waits until what is pending is fetched
	doubt     chan struct{}      // capacity 1: somebody got no answer, look now
	drafting  chan broker.Ticket // capacity 1: for the goroutine that drafts
	drafted   atomic.Pointer[draft]

	// Of the reader alone.
	readAt   time.Time // of the newest read, wall time
	batch    broker.Batch
	answered []*request    // by the present read
	told     *timeAsk      // answered by the present read
	frames   uint64        // received
	parting  *broker.Error // the gateway said that it ends this connection, and why

	// The newest frames each way, for the error of a session that broke.
	heard  frameRing  // of the reader
	saidMu sync.Mutex // guards said
	said   frameRing
}

var (
	_ broker.Session        = (*Session)(nil)
	_ broker.Trader         = (*Session)(nil)
	_ broker.MarketData     = (*Session)(nil)
	_ broker.HistorySource  = (*Session)(nil)
	_ broker.AccountSource  = (*Session)(nil)
	_ broker.ContractSource = (*Session)(nil)
	_ broker.Vital          = (*Session)(nil)

	_ broker.Drafter         = (*Session)(nil)
	_ broker.Resubscriber    = (*Session)(nil)
	_ broker.CompletedSource = (*Session)(nil)
	_ broker.ForeignSource   = (*Session)(nil)
	_ broker.AllOrdersSource = (*Session)(nil)
)

// What has no request id on the wire is asked one at a time, and waits for its
// answer under these keys, which no request id ever is. The account's summary has
// an id; it is a subscription of which the venue allows two, section 9.
const (
	turnPositions = iota
	turnOpenOrders
	turnCompleted
	turnSummary
	numTurns
)

func turnKey(turn int) int { return -100 - turn }

func newSession(cfg Config, log *slog.Logger, conn net.Conn, shared *pace.Budget) *Session {
	s := &Session{
		cfg: cfg, log: log, conn: conn, in: newStream(conn), budget: shared, lines: cfg.Lines,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		gone: make(chan struct{}), done: make(chan struct{}), doubt: make(chan struct{}, 1),
		drafting: make(chan broker.Ticket, 1),
		requests: map[int]*request{}, bySymbol: map[market.Symbol]int{},
		clock: market.NewClock(time.Time{}, time.Now(), cfg.Speed),
	}
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	s.subs.Store(&map[int]*subscription{})
	s.codes, _ = codes.with(cfg.Codes) // valid, or less what is not
	return s
}

// begin takes over after the handshake: facts never change from here on.
func (s *Session) begin(facts broker.Facts) {
	s.facts = facts
	s.ids = s.budget.IDs(facts.NextOrderID)
	s.millis.Store(s.v >= 197) // protocol sheet, section 2
	s.answerAt = time.Now()
	s.frameAt.Store(s.answerAt.UnixNano())
	if !s.cfg.lockStep() { // there, wall time means nothing
		s.errands.Go(s.watch)
		s.errands.Go(s.draftAll)
	}
	go s.read()
}

// Facts returns what the handshake established.
func (s *Session) Facts() broker.Facts {
	f := s.facts
	f.Accounts = append([]string(nil), f.Accounts...)
	return f
}

// Events returns all that is pending; see [broker.Session]. The error comes
// when the reader has gone, so after the last report.
func (s *Session) Events(ctx context.Context) (broker.Batch, error) {
	for {
		over := false
		select {
		case <-s.done:
			over = true // looked at first: what is pending now is the rest
		default:
		}
		s.mu.Lock()
		b, some := s.pending.take()
		err := s.err
		s.mu.Unlock()
		if some {
			select {
			case s.room <- struct{}{}:
			default:
			}
			return b, nil
		}
		if over {
			return broker.Batch{}, err
		}
		select {
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
			return broker.Batch{}, ctx.Err()
		}
	}
}

// Close ends the session well. It returns when the reader has gone and the
// socket is closed, at most 2 s later, or with ctx's error when that comes
// first; the closing then goes on by itself.
func (s *Session) Close(ctx context.Context) error {
	left := mostClosing
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	s.end(broker.ErrClosed, left)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("ibkr: close %s: %w", s.facts.Gateway, ctx.Err())
	}
}

// finish sets the reason of the end, the first one wins, and fails all who
// wait for an answer.
func (s *Session) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	for key, r := range s.requests {
		r.finish(&broker.Error{
			Op: r.name, Kind: broker.ErrNoAnswer, Err: err,
			Advice: "ask again on the next session",
		})
		delete(s.requests, key)
	}
	close(s.gone)
}

// ended returns why the session is over, nil when it is not.
func (s *Session) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// read is the reader goroutine. Begin starts it; it ends with the socket.
func (s *Session) read() {
	defer close(s.done)
	defer s.errands.Wait()
	err := s.contained(s.readAll)
	if errors.Is(err, errPanic) {
		s.salvage()
	}
	s.shut(err)
}

func (s *Session) readAll() error {
	s.in.widen()
	for {
		for {
			payload, err := s.in.next()
			if err != nil {
				s.publish()
				return err
			}
			if payload == nil {
				break
			}
			s.tap.in(s.v, s.readAt, payload)
			s.dispatch(payload)
		}
		s.publish()
		if s.parting != nil {
			return s.parting
		}
		s.awaitRoom()
		if _, err := s.in.fill(); err != nil {
			return err
		}
		s.readAt = time.Now()
		s.frameAt.Store(s.readAt.UnixNano())
	}
}

// keepEvents bounds the room for events of one read that is kept for the next.
const keepEvents = 64

// publish hands on what the present read brought, and then answers those who
// asked: whoever gets an answer can be sure that what came before it is
// pending in Events.
func (s *Session) publish() {
	s.framesIn.Store(s.frames)
	b := &s.batch
	if len(b.Ticks) > 0 || len(b.Events) > 0 || b.TickFrames != 0 || b.ReportFrames != 0 {
		b.Received = s.readAt
		s.hand(b)
		select {
		case s.wake <- struct{}{}:
			// Whoever waits goes first; the reader's next look at the socket finds
			// nothing there. That is 6 µs of a tick's way to its order.
			defer runtime.Gosched()
		default:
		}
		// What was handed on is let go: an answer may hold all executions of a day,
		// and the next one as long may be a day away.
		clear(b.Events)
		if cap(b.Events) > keepEvents {
			b.Events = nil
		}
		*b = broker.Batch{Ticks: b.Ticks[:0], Events: b.Events[:0]}
	}
	for _, r := range s.answered {
		close(r.done)
	}
	clear(s.answered)
	s.answered = s.answered[:0]
	if s.told != nil {
		close(s.told.done)
		s.told = nil
	}
}

// hand puts a batch behind what is pending.
func (s *Session) hand(b *broker.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.add(b)
}

// awaitRoom holds the reader while too much is pending: the gateway's bytes
// then wait in the socket, and the gateway notices.
func (s *Session) awaitRoom() {
	s.mu.Lock()
	full := s.pending.full()
	s.mu.Unlock()
	if !full || s.ended() != nil { // closing takes what still comes, all of it
		return
	}
	s.standing.Store(true)
	defer s.standing.Store(false)
	const text = "the reader stopped: 65536 trades or reports are pending and nobody fetches them"
	s.log.Warn("session_reader_stopped", "gateway", s.facts.Gateway, "limit", maxPending)
	s.batch.Events = append(s.batch.Events, broker.Notice{Kind: broker.NoticeWarning, Text: text})
	s.publish()
	for {
		s.mu.Lock()
		full = s.pending.full()
		s.mu.Unlock()
		if !full {
			break
		}
		select {
		case <-s.room:
		case <-s.gone: // closing, or a write failed: read on to the end
			return
		}
	}
	s.log.Info("session_reader_resumed", "gateway", s.facts.Gateway)
}
