package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// ErrStopped means that the feed has ended: nothing is known any more.
var ErrStopped = errors.New("feed: stopped")

// Config tells how often and for whom.
type Config struct {
	// QuotesPerSecond is how often a symbol's quote is told at most. Default 20.
	QuotesPerSecond int
	// Version is shown on the page. Default "dev".
	Version string
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config { return Config{QuotesPerSecond: 20, Version: "dev"} }

// mailbox is how many functions may wait for the feed's goroutine; one more
// makes its sender wait.
const mailbox = 4096

// Feed owns the dashboard's state. Make one with [New], connect it to a bus
// with [Feed.Connect], then Start it.
type Feed struct {
	cfg   Config
	out   Broadcaster
	log   *slog.Logger
	epoch string

	mail chan func()
	quit chan struct{} // closed by Stop
	done chan struct{} // closed when no function will run any more

	mu      sync.Mutex // guards what follows
	started bool
	stopped bool

	// What follows belongs to the goroutine.
	snap   Snapshot
	seq    uint64
	size   int // of the newest snapshot, encoded
	owners [numOwners]owner

	dirty  map[market.Symbol]struct{} // quotes that changed since they were told
	flush  <-chan time.Time           // when they may be told, nil when none is dirty
	quoted time.Time                  // when quotes were told last
	words  order.Words                // of the orders and executions that are shown
}

// Broadcaster sends one message to every client; it never waits, and keeps the
// message.
type Broadcaster interface{ Broadcast(msg []byte) }

// New returns a feed without any state; its epoch is the time of its making.
func New(cfg Config, out Broadcaster, log *slog.Logger) *Feed {
	now := time.Now().UTC()
	snap := newSnapshot(cfg.Version, now)
	return &Feed{
		cfg: cfg, out: out, log: log,
		epoch: now.Format("20060102T150405.000000000"),
		mail:  make(chan func(), mailbox), quit: make(chan struct{}), done: make(chan struct{}),
		snap: snap, dirty: map[market.Symbol]struct{}{},
	}
}

// Start begins to fold and returns at once. A second call, and one after Stop,
// does nothing.
func (f *Feed) Start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started || f.stopped {
		return
	}
	f.started = true
	go f.run()
}

// Stop ends the feed's goroutine, at most until ctx ends.
func (f *Feed) Stop(ctx context.Context) error {
	f.mu.Lock()
	if !f.stopped {
		f.stopped = true
		close(f.quit)
		if !f.started {
			close(f.done)
		}
	}
	f.mu.Unlock()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("feed: did not end in time: %w", ctx.Err())
	}
}

func (f *Feed) run() {
	defer close(f.done)
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case fn := <-f.mail:
			fn()
		case <-f.flush:
			f.tellQuotes()
		case <-beat.C: // so that silence tells a client that the line is dead
			f.tell("beat", nil)
		case <-f.quit:
			return
		}
	}
}

// do runs fn on the feed's goroutine, in order. It waits while the mailbox is
// full and gives up when the feed ends.
func (f *Feed) do(fn func()) {
	select {
	case f.mail <- fn:
	case <-f.quit:
	}
}

// envelope is the frame of every message to a client.
type envelope struct {
	Type  string    `json:"type"`
	Epoch string    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
	Data  any       `json:"data"`
}

// tell numbers a delta and sends it.
func (f *Feed) tell(kind string, data any) {
	msg, err := json.Marshal(envelope{kind, f.epoch, f.seq + 1, time.Now().UTC(), data})
	if err != nil {
		f.log.Error("feed_message_not_encoded", "type", kind, "error", err)
		return // nothing goes out, so no number is used
	}
	f.seq++
	f.out.Broadcast(msg)
}

// quoteChanged sees to it that the symbol's quote is told: at once when quotes
// were not told for a while, and else when their interval is over.
func (f *Feed) quoteChanged(sym market.Symbol) {
	f.dirty[sym] = struct{}{}
	if f.flush == nil {
		every := time.Second / time.Duration(max(1, f.cfg.QuotesPerSecond))
		f.flush = time.After(every - time.Since(f.quoted))
	}
}

func (f *Feed) tellQuotes() {
	f.flush, f.quoted = nil, time.Now()
	for _, sym := range slices.Sorted(maps.Keys(f.dirty)) {
		f.tell("quote", f.snap.Quotes[sym])
	}
	clear(f.dirty)
}

// snapshot returns the encoded snapshot. Quotes that are not told yet are in
// it, and are told again: a delta may repeat, it may not be missing.
func (f *Feed) snapshot() ([]byte, error) {
	frame, err := json.Marshal(envelope{"snapshot", f.epoch, f.seq, time.Now().UTC(), nil})
	if err != nil {
		return nil, err
	}
	frame = bytes.TrimSuffix(frame, []byte("null}"))
	msg, err := event.AppendParts(append(make([]byte, 0, f.size+f.size/8), frame...), &f.snap)
	if err != nil {
		return nil, err
	}
	msg = append(msg, '}')
	f.size = len(msg)
	return msg, nil
}

// Join calls add once with the snapshot, at an instant after which every delta
// goes to the clients that were added. When the feed has ended, or cannot
// encode, the snapshot's data is null: the client sees that nothing is known.
// A feed that is neither started nor stopped makes it wait.
func (f *Feed) Join(add func(first []byte)) {
	joined := make(chan struct{})
	f.do(func() {
		defer close(joined)
		msg, err := f.snapshot()
		if err != nil {
			f.log.Error("feed_snapshot_not_encoded", "error", err)
			msg = nothing
		}
		add(msg)
	})
	select {
	case <-joined:
	case <-f.done: // now it has been called, or never will be
		select {
		case <-joined:
		default:
			add(nothing)
		}
	}
}

// nothing is the snapshot of a feed that cannot tell anything.
var nothing = []byte(`{"type":"snapshot","epoch":"","seq":0,"at":null,"data":null}`)

// State returns the snapshot message, for /api/state. The error of a feed that
// has ended is [ErrStopped].
func (f *Feed) State(ctx context.Context) ([]byte, error) {
	type answer struct {
		msg []byte
		err error
	}
	got := make(chan answer, 1)
	ask := func() {
		msg, err := f.snapshot()
		got <- answer{msg, err}
	}
	select {
	case f.mail <- ask:
	case <-f.quit:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, fmt.Errorf("feed: state: %w", ctx.Err())
	}
	select {
	case a := <-got:
		return a.msg, a.err
	case <-f.done:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, fmt.Errorf("feed: state: %w", ctx.Err())
	}
}
