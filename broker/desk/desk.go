package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/desk/floor"
	"robotrader/broker/desk/guard"
	"robotrader/broker/desk/score"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// A Link is told when the session is worth less, or everything, again. The
// supervisor is one.
type Link interface {
	// Degrade says that new risk must not be taken, why, and what a person can
	// do.
	Degrade(cause, advice string)
	// Recover takes back what Degrade said.
	Recover()
}

// Desk is the door between the bus and a session. Make one with New.
type Desk struct {
	cfg     Config
	gate    Gate
	journal Journal
	conn    *bus.Conn // nil in tests that need no bus
	out     outlet
	log     *slog.Logger
	zone    *time.Location // of the market day

	turn     chan struct{} // holds one token while somebody has the turn
	batches  chan batch    // from Serve to run
	asking   chan struct{} // bounds the questions for bars
	ping     chan struct{} // taken by run: it turns
	settling chan struct{} // holds one token while a person's word about an order is looked into
	stopping atomic.Bool
	stopped  chan struct{} // closed by Stop
	done     chan struct{} // closed when run has gone
	started  atomic.Bool
	fresh    atomic.Bool // a first recovery of this process has begun
	marked   bool        // of the turn: the journal has told its highest order number
	markless bool        // of the turn: it was asked and has not, so no order has a number of its own
	subs     []*bus.Sub

	held  atomic.Pointer[held] // the session that is served; nil without one
	taken chan struct{}        // holds one token when held was set, for who waits for it
	state atomic.Uint32        // broker.LinkState, as the supervisor told it
	mode  atomic.Pointer[broker.ModeRecord]
	link  atomic.Pointer[Link]

	books   *books.Books                   // of the turn
	score   *score.Score                   // of the turn
	begun   *asked                         // has its own mutex
	denied  refusals                       // of the turn
	guards  map[market.Symbol]*guard.Guard // of the turn
	covers  event.Protection               // of the turn: what was told last
	weighed bool                           // of the turn: nothing came since that says how the account fares
	opened  []order.Order                  // of the turn: used again for every look at the exposure
	looked  time.Time                      // of the turn: when the symbols' data was looked at last
	floor   *floor.Floor                   // has its own mutex
	trouble trouble                        // has its own mutex
	hold    enforcement
	hours   *floor.Hours
	stream  *floor.Stream // has its own mutex
	vital   vital         // of the goroutine run

	tellHealth func(event.HealthState) // nil tells nobody
	figures    figures
}

// held is what the desk holds of one session.
type held struct {
	session broker.Session
	trader  broker.Trader  // nil when the session cannot trade
	drafter broker.Drafter // nil when it drafts nothing
	facts   broker.Facts
	since   time.Time     // wall time since which it is served
	fixed   atomic.Bool   // the gateway's API is read-only (321)
	written atomic.Uint64 // order messages that went out, whole or perhaps
	chores  chan chore    // for the goroutine that asks the session while Serve reads it
}

// New returns a desk that has not started. The zone of the market day is New
// York's.
func New(cfg Config, gate Gate, journal Journal, conn *bus.Conn, log *slog.Logger) *Desk {
	d := newDesk(cfg, gate, journal, busOutlet{conn, log}, log)
	d.conn = conn
	return d
}

func newDesk(cfg Config, gate Gate, journal Journal, out outlet, log *slog.Logger) *Desk {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		log.Warn("desk_no_zone", "zone", "America/New_York", "error", err, "instead", "UTC")
		zone = time.UTC
	}
	d := &Desk{
		cfg: cfg, gate: gate, journal: journal, out: out, log: log, zone: zone,
		turn:    make(chan struct{}, 1),
		batches: make(chan batch, cfg.Queue),
		asking:  make(chan struct{}, maxQuestions),
		ping:    make(chan struct{}), settling: make(chan struct{}, 1),
		taken:   make(chan struct{}, 1),
		stopped: make(chan struct{}),
		done:    make(chan struct{}),
		books:   books.New(zone),
		score:   score.New(zone),
		begun:   newAsked(),
		denied:  refusals{},
		guards:  map[market.Symbol]*guard.Guard{},
	}
	d.books.SettledAfter = cfg.SettledAfter
	d.books.Strict = cfg.Foreign == ForeignRestrict
	d.books.Follower = d.score
	d.floor, d.stream = floor.New(), &floor.Stream{}
	d.hold.init()
	d.hours, err = floor.NewHours()
	if err != nil {
		log.Warn("desk_no_calendar", "error", err, "instead", "the venue's hours as they are")
	}
	d.mode.Store(&broker.ModeRecord{Mode: broker.Active, Reason: "never changed", Since: time.Now()})
	return d
}

// SetLink gives the desk whom to tell about a degraded session. Without one it
// tells nobody.
func (d *Desk) SetLink(l Link) { d.link.Store(&l) }

// LinkChanged tells the desk where the link stands. It does not block.
func (d *Desk) LinkChanged(l broker.Link) {
	d.state.Store(uint32(l.State))
	d.hold.poke()
}

func (d *Desk) linkState() broker.LinkState { return broker.LinkState(d.state.Load()) }

// Start reads the journal, so that orders and mode of earlier lives are known
// before the first question, and begins to answer. It waits for nothing but
// the journal. The context of the caller is not kept: the desk lives until
// Stop.
func (d *Desk) Start(ctx context.Context) error {
	if d.started.Swap(true) {
		return errors.New("desk: start: started already")
	}
	past, err := d.journal.Load(ctx, "", books.KeepEnded)
	if err != nil {
		close(d.done)
		return fmt.Errorf("desk: start: load the journal: %w", err)
	}
	d.books.Load(d.today(past), time.Now())
	d.begun.begin(past.Asked...)
	if past.Mode != nil {
		d.mode.Store(past.Mode)
	}
	d.remember(ctx, past.Mode)
	go d.run() // joined by Stop
	if d.conn == nil {
		return nil
	}
	if err := d.answer(d.conn); err != nil {
		return fmt.Errorf("desk: start: %w", err)
	}
	return nil
}

// Stop refuses further orders, ends the answers and the desk's goroutine, and
// syncs the journal. Whoever calls Serve is to be stopped before: reports that
// come later are not folded. It returns when that is done or ctx has ended.
func (d *Desk) Stop(ctx context.Context) error {
	if !d.started.Load() || d.stopping.Swap(true) {
		return nil
	}
	var errs []error
	for _, s := range d.subs {
		if err := s.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("desk: stop: %w", err))
		}
	}
	close(d.stopped)
	select {
	case <-d.done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("desk: stop: wait for the command loop: %w", ctx.Err()))
	}
	if err := d.journal.Sync(ctx); err != nil {
		errs = append(errs, fmt.Errorf("desk: stop: sync the journal: %w", err))
	}
	return errors.Join(errs...)
}

// take waits for the turn. Every take has its give.
func (d *Desk) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("desk: wait for the command loop: %w", ctx.Err())
	}
}

func (d *Desk) give() { <-d.turn }

// run folds what Serve reads, and judges silence.
func (d *Desk) run() {
	defer close(d.done)
	tick := time.NewTicker(max(d.cfg.SilenceAfter/10, 10*time.Millisecond))
	defer tick.Stop()
	back := d.back()
	for {
		select {
		case b := <-d.batches:
			d.folded(b)
		case <-back:
			d.retell()
		case <-d.ping:
		case <-tick.C:
			d.turn <- struct{}{} // whoever has the turn is bounded by its own deadline
			d.judge(time.Now())
			d.protect(time.Now())
			d.tellProtection()
			d.tellLimits(time.Now())
			d.give()
			d.showHealth(time.Now())
		case <-d.stopped:
			d.drain()
			return
		}
	}
}

// drain folds what waits in the channel: a report is never dropped.
func (d *Desk) drain() {
	for {
		select {
		case b := <-d.batches:
			d.folded(b)
		default:
			return
		}
	}
}

// State returns all that the desk knows. When ctx ends first, it is zero.
func (d *Desk) State(ctx context.Context) event.Desk {
	if err := d.take(ctx); err != nil {
		return event.Desk{}
	}
	defer d.give()
	s := event.Desk{Mode: d.modeChange(), ReadOnly: d.cfg.ReadOnly}
	if h := d.held.Load(); h != nil {
		s.Counts.Written = h.written.Load()
	}
	d.books.State(&s)
	d.showGuards(&s)
	d.floor.State(&s, time.Now())
	s.Health = d.health()
	s.Limits = d.limits(time.Now())
	return s
}

// record queues records for the journal. A journal that fails is told once an
// occurrence; it then refuses intents too, so nothing goes out any more.
func (d *Desk) record(rs ...broker.Record) {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.OrderDeadline)
	defer cancel()
	if err := d.journal.Record(ctx, rs...); err != nil {
		d.warn(event.NoticeText{Level: "error", Name: "journal_failed", Text: err.Error()})
	}
}

// stamp returns a record of now.
func (d *Desk) stamp() broker.Record {
	return broker.Record{Wall: time.Now(), Market: d.floor.Now(time.Now())}
}

// trouble is what makes the session worth less. Empty is none.
type trouble struct {
	mu     sync.Mutex // guards all, and is held while the link is told, for the order
	silent string     // the gateway leaves time requests unanswered: its words
	down   string     // the gateway lost the venue: its words
	blind  string     // the books could not be held against the broker for long: why
	dark   string     // no wanted symbol has data: why
	lost   int        // how often the gateway lost the venue
	last   time.Time  // wall time of the newest word about silence, or about the gateway's link to the venue
	unseen time.Time  // wall time of the first look in a row that failed, zero = the newest answered
}

// losses tells how often the gateway lost the venue.
func (d *Desk) losses() int {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	return d.trouble.lost
}

// settled returns the wall time since which a session has stood without being cut
// off from its venue.
func (d *Desk) settled(h *held) time.Time {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	if d.trouble.last.After(h.since) {
		return d.trouble.last
	}
	return h.since
}

// troubled changes the trouble and tells the link.
func (d *Desk) troubled(change func(*trouble)) {
	t := &d.trouble
	t.mu.Lock()
	defer t.mu.Unlock()
	before := [...]string{t.silent, t.down, t.blind, t.dark}
	change(t)
	l := d.link.Load()
	if after := [...]string{t.silent, t.down, t.blind, t.dark}; l == nil || after == before {
		return
	}
	switch {
	case t.silent != "":
		(*l).Degrade(t.silent, "wait: the session is closed and made anew when it stays silent; look at the gateway's machine")
	case t.down != "":
		(*l).Degrade(t.down, "wait: the gateway reconnects to the broker by itself")
	case t.blind != "":
		(*l).Degrade(t.blind, "look at the gateway's window and log; entries wait until it answers, and it is asked all the time")
	case t.dark != "":
		(*l).Degrade(t.dark, "look at the market data subscriptions and permissions of the account")
	default:
		(*l).Recover()
	}
}
