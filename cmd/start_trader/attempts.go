package main

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/services/diag"
	"robotrader/services/host"
)

const (
	// attemptQueue is how many states of the link may wait for a disk that is
	// slow. One more is left out: a record less, and never a link that waits.
	attemptQueue = 64
	// buildWithin bounds the look at the gateway's process.
	buildWithin = 2 * time.Second
	// attemptStop bounds the end of the keeper.
	attemptStop = time.Second
)

// attemptKeeper keeps the records of the trader's own handshakes, for
// traderctl matrix.
type attemptKeeper struct {
	folder string
	build  func(ctx context.Context, gateway string) string
	log    *slog.Logger
	queue  chan broker.Link
	stop   context.CancelFunc
	done   chan struct{}
}

func newAttemptKeeper(where attemptFolder, life fx.Lifecycle, log *slog.Logger) *attemptKeeper {
	k := &attemptKeeper{
		folder: string(where), build: host.New().Build, log: log,
		queue: make(chan broker.Link, attemptQueue), done: make(chan struct{}),
	}
	life.Append(fx.StartStopHook(k.start, k.end))
	return k
}

// attemptFolder is the data folder that gets the records, "" for none.
type attemptFolder string

// start begins the goroutine that writes; it lives until end.
func (k *attemptKeeper) start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	go k.run(ctx)
}

// end returns when the goroutine has gone or ctx has. States that still wait
// are left out.
func (k *attemptKeeper) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, attemptStop)
	defer cancel()
	k.stop()
	select {
	case <-k.done:
	case <-ctx.Done():
		k.log.Warn("attempt_records_not_ended", "error", ctx.Err())
	}
}

// Link takes the newest state of the link. It does not block.
func (k *attemptKeeper) Link(l broker.Link) {
	if k == nil || k.folder == "" {
		return
	}
	select {
	case k.queue <- l:
	default:
	}
}

func (k *attemptKeeper) run(ctx context.Context) {
	defer close(k.done)
	var a diag.Attempts
	build := func(gateway string) string {
		ctx, cancel := context.WithTimeout(ctx, buildWithin)
		defer cancel()
		return k.build(ctx, gateway)
	}
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-k.queue:
			p, worth := a.Link(l, build, version(), time.Now())
			if !worth {
				continue
			}
			err := p.Append(k.folder)
			if err != nil && !failed { // a full disk is told once
				k.log.Warn("attempt_not_recorded", "error", err)
			}
			failed = err != nil
		}
	}
}
