package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"robotrader/scripts/rig"
	"robotrader/services/host"
)

// symbols are traded by the trader's own strategy; the strategy outside has the
// last one.
var symbols = []string{"AAPL", "MSFT", "SPY"}

// config is the trader's. What is off is there to stop such a load.
const config = `broker:
  ibkr:
    speed: %v
bus:
  listen: %s
  users_file: %s
risk:
  off: [notional_per_day, session, duplicate_intent, churn_cooldown, daily_loss, drawdown, losing_streak]
desk:
  settled_after: 10s # the gateway is gatewaysim, which has its orders as soon as it serves
`

// Waits of the end: for a link that is in the middle of something, and for
// sockets that close.
const (
	calmWait = time.Minute
	leftWait = 10 * time.Second
)

// lane is a gateway, a trader in one life or many, and what is seen of them.
type lane struct {
	plan
	name      string
	dir       string
	seed      uint64
	restarted bool

	gateway   *rig.Gateway
	dip       *rig.Process // the strategy outside
	http, bus string
	clients   clients
	machine   *host.Machine
	began     time.Time
	trader    *rig.Trader // of the present life
	life      int
	trial     trial
}

// run plays the lane to its end; what is judged is in l.trial.
func (l *lane) run(ctx context.Context) (err error) {
	if err := l.open(ctx); err != nil {
		return err
	}
	defer l.kill()
	dice := rand.New(rand.NewPCG(l.seed, 3)) //nolint:gosec // no secret
	watched, leave := context.WithCancel(ctx)
	defer leave()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer leave()
	wg.Go(func() { l.clients.stay(watched) })
	passing, last := context.WithDeadline(ctx, l.began.Add(l.wall()-l.gap()/3))
	defer last()
	wg.Go(func() { l.clients.pass(passing, l.seed) })

	end := l.began.Add(l.wall())
	look := time.NewTicker(l.grain())
	defer look.Stop()
	next := l.began.Add(l.gap() * 3 / 2) // in the middle between two interruptions
	for time.Now().Before(end) || l.quick && !l.settled(end) {
		select {
		case <-look.C:
		case <-l.trader.Ended:
			return fmt.Errorf("%w; see %s", rig.ErrEnded, l.trader.Log)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.sample(ctx); err != nil {
			return err
		}
		if l.restarted && time.Now().After(next) && next.Before(end.Add(-l.gap())) {
			if err := l.restart(ctx, l.life%2 == 1, time.Duration(dice.IntN(1500))*time.Millisecond); err != nil {
				return fmt.Errorf("life %d: %w", l.life, err)
			}
			next = next.Add(l.gap())
		}
	}
	return l.rest(ctx)
}

// settled reports whether a quick run has enough calm looks from after its end, in
// which nothing is interrupted and nobody passes; a busy machine may have none
// before. It waits for half a minute at most.
func (l *lane) settled(end time.Time) bool {
	const enough = 6
	past := end.Sub(l.began).Hours() * l.speed
	return len(after(l.trial.calm(), past)) >= enough || time.Now().After(end.Add(30*time.Second))
}

// grain is the time between two samples.
func (l *lane) grain() time.Duration {
	if l.quick {
		return 300 * time.Millisecond
	}
	return 2 * time.Second
}

func (l *lane) calmFor() time.Duration {
	if l.quick {
		return calmForQuick
	}
	return calmFor
}

// open makes the folder and starts all programs.
func (l *lane) open(ctx context.Context) (err error) {
	l.dir = filepath.Join(l.folder, l.name)
	if err := os.Mkdir(l.dir, 0o700); err != nil {
		return err
	}
	l.machine = host.New()
	if l.http, err = rig.FreePort(); err != nil {
		return err
	}
	if l.bus, err = rig.FreePort(); err != nil {
		return err
	}
	l.clients.addr, l.clients.quick = l.http, l.quick
	const secret = "soak-of-gatewaysim"
	for name, text := range map[string]string{
		"faults": l.script(l.seed, l.restarted), "password": secret + "\n", "users": "dip strategy " + secret + "\n",
		"trader.yaml": fmt.Sprintf(config, l.speed, l.bus, filepath.Join(l.dir, "users")),
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	l.gateway, err = rig.StartGateway(ctx, l.bin, l.dir, "--speed", strconv.FormatFloat(l.speed, 'g', -1, 64), "--seed", strconv.FormatUint(l.seed%1000, 10),
		"--symbols", symbols[0]+","+symbols[1]+","+symbols[2], "--sessions", l.sessions, "--start", l.start(), "--partial-fills",
		"--faults", filepath.Join(l.dir, "faults"))
	if err != nil {
		return err
	}
	l.began = time.Now()
	if err = l.begin(ctx); err == nil {
		l.dip, err = rig.Start(filepath.Join(l.dir, "dip.log"), nil, filepath.Join(l.bin, "dip"), "--server", "nats://"+l.bus,
			"--password-file", filepath.Join(l.dir, "password"), "--window", strconv.Itoa(l.load.window), "--dip", l.load.dip, "--gain", l.load.dip, symbols[2])
	}
	if err != nil {
		l.kill()
	}
	return err
}

// kill ends what still runs.
func (l *lane) kill() {
	if l.dip != nil {
		l.dip.Kill()
	}
	if l.trader != nil {
		l.trader.Kill()
	}
	l.gateway.Kill()
}

// begin starts a life of the trader and waits until it is ready. The strategy is
// the one of the plan, if none is given.
func (l *lane) begin(ctx context.Context, strategy ...string) (err error) {
	if len(strategy) == 0 {
		strategy = []string{"--set", "fast=" + strconv.Itoa(l.load.fast), "--set", "slow=" + strconv.Itoa(2*l.load.fast)}
	}
	args := slices.Concat([]string{"--config", filepath.Join(l.dir, "trader.yaml")}, strategy, symbols)
	if l.trader, err = rig.StartTrader(filepath.Join(l.bin, "start_trader"), l.dir, l.http, l.gateway.Addr, nil, args...); err != nil {
		return err
	}
	took, err := l.trader.Ready(ctx)
	l.trial.readies = append(l.trial.readies, took)
	return err
}

// restart ends the trader, in order or by force, starts it again after a while,
// and holds what it found against the gateway.
func (l *lane) restart(ctx context.Context, force bool, after time.Duration) error {
	if force {
		l.trader.Kill()
		l.trial.kills++
	} else if err := l.trader.Stop(); err != nil {
		return err
	} else {
		l.trial.stops++
	}
	rig.Pause(ctx, after)
	l.life++
	if err := l.begin(ctx); err != nil {
		return err
	}
	return rig.CheckFound(ctx, l.trader, l.gateway.Addr)
}

// sample looks once. What cannot be looked at for a moment, on a busy machine, is
// left out; a trader that never can is found by the number of samples.
func (l *lane) sample(ctx context.Context) error {
	hour := time.Since(l.began).Hours() * l.speed
	passing := l.clients.passing.Load()
	s, err := look(ctx, l.machine, l.trader, l.gateway.Addr, l.calmFor())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		l.trial.missed++
		l.trial.miss = err
		return nil
	}
	s.hour, s.life, s.lag = hour, l.life, l.clients.worst()
	s.calm = s.calm && passing == 0 && l.clients.passing.Load() == 0
	l.trial.samples = append(l.trial.samples, s)
	return nil
}

// rest lets all come to rest, ends it in order, and reads the books.
func (l *lane) rest(ctx context.Context) (err error) {
	t := &l.trial
	if err := rig.Await(ctx, calmWait, func() error { return l.trader.Get(ctx, "/readyz", nil) }); err != nil {
		return fmt.Errorf("ready at the end: %w", err)
	}
	if err := l.dip.Stop(); err != nil {
		return err
	}
	// What was sent in the moment of the stop is for the next life to find; in the
	// last one nobody asks for anything, so that all comes to rest.
	if err := l.trader.Stop(); err != nil {
		return err
	}
	if err := l.begin(ctx, "--strategy", "tick_count"); err != nil {
		return err
	}
	t.books = append(t.books, rig.CheckFound(ctx, l.trader, l.gateway.Addr))
	if err := l.trader.Stop(); err != nil {
		return err
	}
	if err := l.left(ctx); err != nil {
		return err
	}
	v, err := rig.Ask(l.gateway.Addr)
	if err != nil {
		return err
	}
	if err := l.gateway.Stop(); err != nil {
		return err
	}
	s, err := rig.ReadJournal(ctx, l.trader.Data)
	if err != nil {
		return err
	}
	ledger, err := rig.ReadLedger(l.gateway.State)
	if err != nil {
		return err
	}
	t.duplicates = rig.CheckSent(v, s)
	t.books = append(t.books, rig.CheckLedger(ledger, s))
	t.early = rig.CheckReady(s)
	t.executions = len(s.Fills)
	for _, r := range s.List {
		switch {
		case r.Decision.Allowed && r.Order != nil:
			t.orders++
		case !r.Decision.Allowed:
			t.refused[r.Decision.Rule]++
		}
	}
	t.findings, t.modes = s.Findings, s.Modes
	t.passed, t.stalled, t.cut, t.gaps = l.clients.passed.Load(), l.clients.stalled.Load(), l.clients.cut.Load(), l.clients.gaps
	return nil
}

// left looks which sockets stay at the gateway's port after the trader has gone.
// One in TIME_WAIT is over, and belongs to the kernel alone.
func (l *lane) left(ctx context.Context) error {
	var why error
	_ = rig.Await(ctx, leftWait, func() error { // what is left then is judged
		all, err := l.machine.Sockets(ctx, l.gateway.Addr)
		if why = err; err != nil {
			return err
		}
		l.trial.left = host.States{}
		for _, side := range []host.States{sum(all.Gateway, 0), sum(all.Clients, l.trader.Cmd.Process.Pid)} {
			for state, n := range side {
				if state != host.TimeWait {
					l.trial.left[state] += n
				}
			}
		}
		if len(l.trial.left) > 0 {
			return fmt.Errorf("sockets are left: %v", l.trial.left)
		}
		return nil
	})
	return why
}
