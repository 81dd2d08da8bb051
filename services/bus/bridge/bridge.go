package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/broker"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/task"
)

const (
	beatEvery  = time.Second            // how often outside hears of the bridge
	confirmAt  = 1024                   // kept messages, after which the node must confirm; at each beat, too
	claimEvery = 3 * time.Second        // how often it looks who else answers
	claimWait  = 400 * time.Millisecond // for others to speak up
	askWithin  = 2 * time.Second        // for a question of the bridge itself
	lastWords  = 500 * time.Millisecond // for what waits, at the end
)

// Parts are what a bridge works with. Conn is needed.
type Parts struct {
	// Conn is the bridge's place on the trader's own bus. It stays its owner's.
	Conn *bus.Conn
	// Reserved are names that no strategy outside may have: those of this
	// process.
	Reserved []string
	// Tell hears of every change of the state, one at a time. It must not block
	// for long. Nil tells nobody.
	Tell func(event.BusState)
	// Closed is why no order request of a program outside passes, as in a
	// lock-step replay, whose market time would follow their clocks. "" lets
	// them pass.
	Closed string
	// Log is silent when nil.
	Log *slog.Logger
}

// Bridge carries messages between the trader's bus and programs outside. Make
// one with [New].
type Bridge struct {
	cfg    bus.Config
	parts  Parts
	log    *slog.Logger
	queue  *queue
	door   *door
	claims []*claim // the instance's, then the account's; none where we listen
	tasks  *task.Group
	life   string        // tells apart this process's numbers from another's
	poke   chan struct{} // holds one token when the manager should look

	server   *listener                // nil with a cluster
	listens  atomic.Pointer[listener] // server, for who asks while the bridge starts
	lines    *lines
	pub, sub *nats.Conn
	tap      *bus.Sub
	links    *bus.Sub

	cuts    atomic.Uint64          // how often a connection broke
	serving atomic.Bool            // connected, and the claims are held
	refuses atomic.Bool            // order requests: the trader stops
	account atomic.Pointer[string] // that the link told last

	settled atomic.Uint64 // cuts for which the claims were made; the manager sets it

	state event.BusState // of the manager alone
	seq   uint64         // of the bridge's own messages outside; of the writer alone
}

// Check returns what is wrong with the files that the configuration names, all
// of it. Nothing is connected.
func Check(cfg bus.Config, reserved []string) error {
	if !cfg.Outside() {
		return nil
	}
	if cfg.Listen != "" {
		_, err := serverOptions(cfg, reserved)
		return err
	}
	_, err := clusterOptions(cfg)
	return err
}

// New returns a bridge that has not started, or what is wrong with its
// configuration.
func New(cfg bus.Config, p Parts) (*Bridge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !cfg.Outside() {
		return nil, errors.New("bridge: the configuration names neither bus.url nor bus.listen")
	}
	if err := Check(cfg, p.Reserved); err != nil {
		return nil, err
	}
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Bridge{
		cfg: cfg, parts: p, log: log, queue: newQueue(cfg.Instance), tasks: task.NewGroup("bridge"),
		life: rand.Text(), poke: make(chan struct{}, 1), lines: newLines(),
	}
	b.door = newDoor(b)
	if cfg.Listen == "" {
		self := event.Holder{ID: b.life, Instance: cfg.Instance, PID: os.Getpid(), Since: time.Now()}
		self.Host, _ = os.Hostname() // for people only
		b.claims = []*claim{newClaim(b, self), nil}
	}
	return b, nil
}

// Start begins and waits for no network: a cluster that is away is tried until
// it is there. Only the address to listen on must be free. Stop is to be called
// also after an error.
func (b *Bridge) Start() error {
	var err error
	if b.cfg.Listen != "" {
		if b.server, err = listen(b.cfg, b.parts.Reserved, b.log); err != nil {
			return err
		}
		b.listens.Store(b.server)
	}
	if b.tap, err = bus.Tap(b.parts.Conn, bus.Keep, b.queue.put); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	if b.links, err = bus.Subscribe(b.parts.Conn, event.Link, bus.Keep, func(m event.Message[broker.Link]) { b.knows(m.Data) }); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	b.tasks.Go("write", b.write)
	b.tasks.Go("manage", b.manage)
	b.tasks.Go("orders", b.door.orders)
	for range questioners {
		b.tasks.Go("questions", func(ctx context.Context) error { return b.door.questions(ctx, b.door.asks, askWithin) })
	}
	b.tasks.Go("bars", func(ctx context.Context) error { return b.door.questions(ctx, b.door.bars, historyWithin) })
	return nil
}

// Addr returns where other programs may join, "" when the bridge does not
// listen.
func (b *Bridge) Addr() string {
	if b.server == nil {
		return ""
	}
	return b.server.addr()
}

// connect opens both connections, or begins to. It may take 2 s for each
// node that does not answer.
func (b *Bridge) connect() error {
	url, options := "", []nats.Option{}
	var err error
	if b.server != nil {
		options = b.server.client()
	} else if options, err = clusterOptions(b.cfg); err != nil {
		return err
	} else {
		url = b.cfg.URL
	}
	done := make(chan error, 1)
	go func() { // ends before connect returns
		var err error
		b.sub, err = b.dial(url, "sub", options)
		done <- err
	}()
	b.pub, err = b.dial(url, "pub", options)
	return errors.Join(err, <-done)
}

// dial opens one connection, or begins to.
func (b *Bridge) dial(url, which string, options []nats.Option) (*nats.Conn, error) {
	broke := func(why string, err error) {
		b.cuts.Add(1)
		b.wake()
		if err != nil {
			b.log.Warn("bus_connection", slog.String("conn", which), slog.String("what", why), slog.Any("error", err))
		}
	}
	nc, err := nats.Connect(url, append([]nats.Option{
		nats.Name("robotrader-" + b.cfg.Instance + "-" + which), nats.SetCustomDialer(b.lines), nats.SkipHostLookup(),
		nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(), nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(again), nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second), nats.FlusherTimeout(2 * time.Second),
		nats.ConnectHandler(func(*nats.Conn) { b.wake() }),
		nats.ReconnectHandler(func(*nats.Conn) { b.wake() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { broke("lost", err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			b.log.Debug("bus_connection", slog.String("conn", which), slog.String("what", "no node answers"), slog.Any("error", err))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			attrs := []any{slog.String("conn", which), slog.Any("error", err)}
			if s != nil {
				attrs = append(attrs, slog.String("subject", s.Subject))
			}
			b.log.Warn("bus_error", attrs...)
		}),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("bridge: connect: %w", err)
	}
	return nc, nil
}

// again is how long to wait before all nodes are tried once more.
func again(attempts int) time.Duration {
	d := 100 * time.Millisecond << min(max(attempts-1, 0), 5)
	return min(d, 2*time.Second)
}

func (b *Bridge) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// knows takes the account from the link.
func (b *Bridge) knows(l broker.Link) {
	if l.Facts.Account == "" {
		return
	}
	if was := b.account.Load(); was != nil && *was == l.Facts.Account {
		return
	}
	b.account.Store(&l.Facts.Account)
	b.wake()
}

func (b *Bridge) accountNow() string {
	if a := b.account.Load(); a != nil {
		return *a
	}
	return ""
}

// write is the goroutine that writes what waits, and the beat.
func (b *Bridge) write(ctx context.Context) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	due := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.queue.signal:
		case <-beat.C:
			due = true
		}
		for b.serving.Load() && ctx.Err() == nil {
			select {
			case <-beat.C: // also while there is always something to write
				due = true
			default:
			}
			if due && b.tell(ctx) {
				due = false
				beat.Reset(beatEvery) // readers give what a state tells of until the next one
			}
			m, ok := b.queue.take()
			if !ok || !b.put(m) {
				break
			}
			if b.queue.unconfirmed() >= confirmAt {
				b.confirm(ctx)
			}
		}
		if due && b.serving.Load() && b.tell(ctx) {
			due = false
			beat.Reset(beatEvery)
		}
	}
}

// tell writes the beat and has what was written confirmed. It reports whether it
// did: not while kept messages wait, of which the beat would tell too early.
func (b *Bridge) tell(ctx context.Context) bool {
	if !b.beat() {
		return false
	}
	b.confirm(ctx)
	return true
}

// confirm waits until the node has read what was written so far. One that does
// not within two seconds is taken for gone.
func (b *Bridge) confirm(ctx context.Context) {
	n := b.queue.unconfirmed()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := b.pub.FlushWithContext(ctx); err != nil {
		b.broken(err)
		return
	}
	if b.cuts.Load() != b.settled.Load() {
		return // it may have gone into the connection before: the manager has it written again
	}
	b.queue.confirm(n)
}

// put writes a message, and reports whether it did. One that is too large for
// the cluster is left out; its number tells.
func (b *Bridge) put(m message) bool {
	err := b.pub.Publish(m.subject, m.raw)
	switch {
	case err == nil:
		return true
	case errors.Is(err, nats.ErrMaxPayload):
		b.log.Warn("bus_too_large", slog.String("subject", m.subject), slog.Int("bytes", len(m.raw)), slog.Int64("most", b.pub.MaxPayload()))
		return true
	}
	b.broken(err)
	return false
}

// broken ends the serving until the manager has looked. A write that timed out
// leaves half a message behind it, so that connection is of no more use.
func (b *Bridge) broken(err error) {
	b.serving.Store(false)
	b.cuts.Add(1)
	if !errors.Is(err, nats.ErrReconnectBufExceeded) && !errors.Is(err, nats.ErrConnectionClosed) {
		_ = b.pub.ForceReconnect() // fails only when it is closed
	}
	b.wake()
}

// beat tells outside how the bridge stands, unless kept messages wait.
func (b *Bridge) beat() bool {
	newest, dropped, ok := b.queue.told()
	if !ok {
		return false
	}
	b.say(event.BusState{State: event.BusUp, Life: b.life, Account: b.accountNow(), Newest: newest, Dropped: dropped})
	return true
}

// say writes a state outside.
func (b *Bridge) say(s event.BusState) {
	b.seq++
	raw, err := json.Marshal(event.Message[event.BusState]{Pub: "bus", Seq: b.seq, At: time.Now().UTC(), Data: s})
	if err != nil {
		b.log.Error("bus_beat_failed", slog.Any("error", err))
		return
	}
	if err := b.pub.Publish(event.Subject(b.cfg.Instance, event.Bus.Name), raw); err != nil {
		b.broken(err)
	}
}

// Refuse has the door refuse each further order request, because the trader
// stops. All else goes on until Stop, so that programs outside hear how the desk
// winds down, and can ask it.
func (b *Bridge) Refuse() { b.refuses.Store(true) }

// Stop ends the bridge: what is kept is written if that is possible at once,
// outside hears that the trader stops, and all is closed. It returns when the
// goroutines have gone or ctx has ended.
func (b *Bridge) Stop(ctx context.Context) error {
	served := b.serving.Load()
	last, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	defer b.lines.end()
	if !served {
		b.lines.end() // nobody is there to hear a word
	}
	defer context.AfterFunc(last, b.lines.end)() // wakes whoever waits for the network
	if b.tap != nil {
		if err := b.tap.Drain(last); err != nil { // what the desk said last
			b.log.Warn("bus_last_words", slog.Any("error", err))
		}
	}
	errs := []error{b.tasks.Stop(ctx)}
	for _, s := range []*bus.Sub{b.tap, b.links} {
		if s != nil {
			errs = append(errs, s.Stop(ctx))
		}
	}
	b.door.close()
	if served && b.pub != nil {
		for last.Err() == nil {
			m, ok := b.queue.take()
			if !ok || !b.put(m) {
				break
			}
		}
		newest, dropped, _ := b.queue.told()
		b.say(event.BusState{State: event.BusStopped, Life: b.life, Since: time.Now(), Cause: "the trader stops", Account: b.accountNow(), Newest: newest, Dropped: dropped})
		_ = b.pub.FlushWithContext(last) // who is away hears nothing
	}
	b.lines.end()
	for _, nc := range []*nats.Conn{b.sub, b.pub} {
		if nc != nil {
			nc.Close()
		}
	}
	if b.server != nil {
		errs = append(errs, b.server.stop(ctx))
	}
	return errors.Join(errs...)
}
