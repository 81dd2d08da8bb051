package feed

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"robotrader/broker/market"
)

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

	mail    chan func()
	quit    chan struct{}
	done    chan struct{}
	started atomic.Bool

	// What follows belongs to the goroutine.
	snap  Snapshot
	seq   uint64
	dirty map[market.Symbol]bool // quotes that changed since they were told
	last  []byte                 // the encoded snapshot, nil when out of date
}

// Broadcaster sends one message to every client; it never waits.
type Broadcaster interface{ Broadcast(msg []byte) }

// New returns a feed without any state; its epoch is the time of its making.
func New(cfg Config, out Broadcaster, log *slog.Logger) *Feed {
	now := time.Now().UTC()
	return &Feed{
		cfg: cfg, out: out, log: log,
		epoch: now.Format("20060102T150405.000000000"),
		mail:  make(chan func(), mailbox), quit: make(chan struct{}), done: make(chan struct{}),
		snap: newSnapshot(cfg.Version, now), dirty: map[market.Symbol]bool{},
	}
}

// Start begins to fold and returns at once.
func (f *Feed) Start() {
	if f.started.CompareAndSwap(false, true) {
		go f.run()
	}
}

// Stop ends the feed's goroutine, at most until ctx ends.
func (f *Feed) Stop(ctx context.Context) error {
	if !f.started.Load() {
		return nil
	}
	select {
	case <-f.quit:
	default:
		close(f.quit)
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("feed: did not end in time: %w", ctx.Err())
	}
}

func (f *Feed) run() {
	defer close(f.done)
	flush := time.NewTicker(time.Second / time.Duration(max(1, f.cfg.QuotesPerSecond)))
	defer flush.Stop()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case fn := <-f.mail:
			fn()
		case <-flush.C:
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

// tell numbers a delta and sends it.
func (f *Feed) tell(kind string, data any) {
	f.seq++
	f.last = nil
	msg, err := envelope{kind, f.epoch, f.seq, time.Now().UTC(), data}.encode()
	if err != nil {
		f.log.Error("feed_message_not_encoded", "type", kind, "error", err)
		f.seq-- // nothing went out under this number
		return
	}
	f.out.Broadcast(msg)
}

func (f *Feed) tellQuotes() {
	for sym := range f.dirty {
		delete(f.dirty, sym)
		f.tell("quote", f.snap.Quotes[sym])
	}
}

// snapshot returns the encoded snapshot. Quotes that are not told yet are in
// it, and are told again: a delta may repeat, it may not be missing.
func (f *Feed) snapshot() ([]byte, error) {
	if f.last == nil || len(f.dirty) > 0 {
		msg, err := envelope{"snapshot", f.epoch, f.seq, time.Now().UTC(), f.snap}.encode()
		if err != nil {
			return nil, err
		}
		f.last = msg
	}
	return f.last, nil
}

// Join calls add with the snapshot, at an instant after which every delta goes
// to the clients that were added. When the feed has ended, or cannot encode,
// add gets an empty snapshot message of its own making: the client sees that
// nothing is known.
func (f *Feed) Join(add func(first []byte)) {
	joined := make(chan struct{})
	f.do(func() {
		defer close(joined)
		add(f.mustSnapshot())
	})
	select {
	case <-joined:
	case <-f.done:
		select {
		case <-joined: // it was the feed's last deed
		default:
			add(nothing)
		}
	}
}

// nothing is the snapshot of a feed that cannot tell anything.
var nothing = []byte(`{"type":"snapshot","epoch":"","seq":0,"at":null,"data":null}`)

func (f *Feed) mustSnapshot() []byte {
	msg, err := f.snapshot()
	if err != nil {
		f.log.Error("feed_snapshot_not_encoded", "error", err)
		return nothing
	}
	return msg
}

// State returns the snapshot message, for /api/state.
func (f *Feed) State(ctx context.Context) ([]byte, error) {
	got := make(chan []byte, 1)
	f.do(func() { got <- f.mustSnapshot() })
	select {
	case msg := <-got:
		return msg, nil
	case <-f.done:
		return nil, fmt.Errorf("feed: stopped")
	case <-ctx.Done():
		return nil, fmt.Errorf("feed: state: %w", ctx.Err())
	}
}
