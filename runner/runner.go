package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"robotrader/broker/market"
	"robotrader/runner/orders"
	"robotrader/runner/portfolio"
	"robotrader/runner/strategy"
	"robotrader/services/event"
)

// Parts are what the runner works with.
type Parts struct {
	Ready Ready
	Pace  Pace // nil unless market time is in lock-step
	In    In
	Out   Out
	Kinds []strategy.Kind
	Log   *slog.Logger // nil is silence
}

// Runner runs one strategy for each symbol.
type Runner struct {
	cfg   Config
	parts Parts
	log   *slog.Logger
	kind  strategy.Kind
	board *board
	watch watch
	inbox inbox // only in lock-step

	cancel context.CancelFunc
	ctx    context.Context // the runner's own life, made in Start
	wg     sync.WaitGroup
	ended  chan struct{} // closed when a replay is over

	mu      sync.Mutex // guards what follows: the monitor
	hosts   []*host    // in the order of the configuration
	book    *portfolio.Book
	clock   market.Clock    // live market time
	speed   float64         // of it; 0 before the first session
	at      time.Time       // market time in lock-step
	lost    <-chan struct{} // closed when the session is; nil before the first
	changed bool            // the portfolio is not what the board shows
	stale   bool            // the desk's state has to be read again
	counts  event.Counts    // of the session, as far as folded
	worth   *market.Money   // the account's net liquidation value, as the broker last told it
	written uint64          // order messages of the session, by the desk's answers
	early   []Heard         // ticks that came before the first instant of a session
	cause   cause           // of what is asked for now
}

// New returns a runner, or all that is wrong with its configuration. It starts
// nothing.
func New(cfg Config, p Parts) (*Runner, error) {
	kind, values, err := cfg.Check(p.Kinds)
	if err := errors.Join(cfg.Validate(), err); err != nil {
		return nil, err
	}
	if p.Ready == nil || p.In == nil || p.Out == nil {
		return nil, errors.New("runner: Ready, In and Out are needed")
	}
	log := p.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		cfg: cfg, parts: p, log: log, kind: kind, board: newBoard(p.Out, cfg.BarWidth, log),
		inbox: inbox{wake: make(chan struct{}, 1)}, ended: make(chan struct{}),
	}
	for _, s := range cfg.Symbols {
		r.hosts = append(r.hosts, &host{
			r: r, symbol: s, strat: kind.New(s, values), orders: orders.New(cfg.RunID, kind.Name, s),
			cut:   cutter{width: cfg.BarWidth},
			state: event.StrategyState{Name: kind.Name, Symbol: s, State: waiting, Detail: "the link is not ready yet"},
		})
	}
	return r, nil
}

// Start begins and returns at once. The runner lives until Stop.
func (r *Runner) Start() {
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(func() { r.run(r.ctx) })
	r.wg.Go(func() { r.watch.run(r.ctx, r.notice) })
}

// Stop ends the runner and returns when its goroutines have gone or ctx has.
// Orders that are out stay out: the desk and its configuration decide about
// them. It may be called without Start.
func (r *Runner) Stop(ctx context.Context) error {
	if r.cancel == nil {
		return nil
	}
	r.cancel()
	done := make(chan struct{})
	go func() { // ends with the goroutines that it waits for
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("runner: stop: its goroutines have not ended: %w", ctx.Err())
	}
}

// Ended is closed when a lock-step replay is over and all of it is handled.
func (r *Runner) Ended() <-chan struct{} { return r.ended }

// rest is how long the runner waits before it tries again what failed.
const rest = time.Second

// run is the runner's goroutine.
func (r *Runner) run(ctx context.Context) {
	stopListening, err := r.parts.In.Listen(r.hear)
	if err != nil {
		r.broken("listen to the desk", err)
		return
	}
	defer r.end("listening", stopListening)
	stopServing, err := r.parts.Out.Serve(r.board.snapshot)
	if err != nil {
		r.broken("answer for the runner's state", err)
		return
	}
	defer r.end("serving", stopServing)
	r.each(func(h *host) { h.show(true) })
	told := ""
	for ctx.Err() == nil {
		err := r.session(ctx)
		if errors.Is(err, io.EOF) {
			<-ctx.Done() // still answers for its state
			return
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if told != err.Error() { // a gate that stays shut says so once
			told = err.Error()
			r.log.Warn("runner_session_failed", slog.Any("error", err))
		}
		r.each(func(h *host) { h.say(err.Error()) })
		pause(ctx, rest)
	}
}

func (r *Runner) each(fn func(h *host)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		fn(h)
	}
}

// say tells people why nothing happens.
func (h *host) say(detail string) {
	if h.state.State != failed && h.state.Detail != detail {
		h.state.Detail = detail
		h.show(true)
	}
}

func (r *Runner) broken(what string, err error) {
	r.log.Error("runner_broken", slog.String("cannot", what), slog.Any("error", err))
	r.each(func(h *host) { h.fail("cannot " + what + ": " + err.Error()) })
}

func (r *Runner) end(what string, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.AskTimeout)
	defer cancel()
	if err := stop(ctx); err != nil {
		r.log.Error("runner_stop", slog.String("what", what), slog.Any("error", err))
	}
}

// session runs from ready to lost. It returns nil when the link was lost or
// ctx has ended, io.EOF at the end of a replay, and an error when the session
// could not be opened or had to be given up.
func (r *Runner) session(ctx context.Context) error {
	lost, err := r.parts.Ready.AwaitReady(ctx)
	if err != nil {
		return fmt.Errorf("the gate stays shut: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.wg.Go(func() { // ends with the session
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	})
	if err := r.open(ctx, lost); err != nil {
		return err
	}
	err = r.work(ctx)
	r.each(func(h *host) {
		h.state.Detail = "the link is lost"
		if errors.Is(err, io.EOF) {
			h.state.Detail = "the replay is over"
		}
		h.turn(paused)
	})
	r.log.Info("runner_paused", slog.Any("error", err))
	if errors.Is(err, io.EOF) {
		r.board.flush(true)
		close(r.ended)
	}
	return err
}

func (r *Runner) work(ctx context.Context) error {
	if r.parts.Pace != nil {
		return r.lockstep(ctx)
	}
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			r.beat(ctx)
		}
	}
}

// grace is how long, in wall time, a live bar stays open for trades that are
// on their way: venues stamp trades in whole seconds. Simulated market time
// that runs faster leaves as much time to arrive.
const grace = 2 * time.Second

// beat does what only time does: it closes bars without a later tick, and
// publishes. It does not wait behind a call that is on: the loss of the link
// must be noticed meanwhile, and the next beat is near.
func (r *Runner) beat(ctx context.Context) {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		r.stale = r.stale || h.drifted()
	}
	if r.stale {
		if err := r.reread(ctx); err != nil {
			r.log.Warn("runner_reread_failed", slog.Any("error", err))
		}
	}
	now := r.now()
	for _, h := range r.hosts {
		if !now.IsZero() {
			ended := now.Add(-time.Duration(float64(grace) * r.speed))
			h.advance(ended)
			r.mend(ctx, h, ended)
		}
		if h.cut.open && h.cut.forming != h.shown {
			h.shown = h.cut.forming
			r.board.forming(h.symbol, h.shown)
		}
		h.show(false)
	}
	r.publish(false)
}

// publish shows the portfolio, and publishes what is due.
func (r *Runner) publish(force bool) {
	if r.changed && r.book != nil {
		r.changed = false
		r.board.portfolio(portfolioState(r.book.View(), r.now()))
	}
	r.board.flush(force)
}

// now returns market time, zero when it is unknown.
func (r *Runner) now() time.Time {
	if r.parts.Pace != nil {
		return r.at
	}
	return r.clock.Now(time.Now())
}

// pausedNow reports whether the session is gone. It asks the channel itself,
// so a strategy is not called once more after the loss.
func (r *Runner) pausedNow() bool {
	if r.lost == nil {
		return true
	}
	select {
	case <-r.lost:
		return true
	default:
		return false
	}
}

func (r *Runner) notice(n event.NoticeText) {
	n.Source = "runner"
	if err := r.parts.Out.Notice(n); err != nil {
		r.log.Error("runner_publish_failed", slog.String("topic", "notice"), slog.String("text", n.Text), slog.Any("error", err))
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
