package desk

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/runner/risk"
)

// The world is one goroutine that plays everything around a desk, from a seed
// and in virtual time: the market and its exchange, the gateway with its
// faults, the link, a journal that loses what it has not synced, a strategy, a
// person, and crashes at every boundary between them. A failing seed is played
// again by
//
//	go test ./broker/desk -run 'TestWorld$' -world.seed=N -v
var (
	worldSeeds = flag.Int("world.seeds", 1000, "seeds that TestWorld plays")
	worldSeed  = flag.Uint64("world.seed", 0, "the one seed that TestWorld plays, 0 = world.seeds of them")
	worldTwice = flag.Int("world.twice", 40, "seeds that are played twice, to compare the lists of events")
	worldSteps = flag.Int("world.steps", 100, "steps of one seed")
	worldFirst = flag.Int("world.first", 1, "the first of the seeds that TestWorld plays")
	worldOn    = flag.Bool("world.on", false, "go on after a seed that failed, and tell of each what broke alone")
)

// worldLimits are what the gate of the world allows: so little that the
// strategy runs into every limit.
var worldLimits = func() risk.Config {
	c := risk.DefaultConfig()
	c.MaxOrderQty, c.MaxOrderNotional = market.Shares(80), market.MustMoney("6500")
	c.OrdersPerMinute, c.NotionalPerDay = 12, market.MustMoney("40000")
	c.MaxPositionNotional, c.MaxGrossNotional = market.MustMoney("9000"), market.MustMoney("14000")
	// These only make the world wait: a seed lasts some ten seconds.
	c.Off = []string{risk.RuleChurn, risk.RuleDuplicate, risk.RuleLosingStreak}
	return c
}()

// death is the panic that ends a life of the desk; its text is where.
type death string

// world holds all of it.
type world struct {
	ctx    context.Context
	dice   *rand.Rand
	steps  int
	fake   fake
	calm   bool // no more faults
	events strings.Builder
	broken string // the first check that failed

	began   time.Time
	desk    *Desk
	out     *worldOutlet
	journal *worldJournal
	venue   *worldVenue
	session *worldSession // nil without one
	held    *held
	ticks   holding
	rest    chore // that failed

	link    broker.LinkState
	dark    string // why the session is worth less
	retryAt time.Time
	judgeAt time.Time
	choreAt time.Time // when what failed is tried again
	lookAt  time.Time // when the books are held against the broker

	asked []order.Intent // by the strategy, all lives
	mode  broker.Mode    // that was acknowledged last
	sure  bool           // mode is what it must be after a crash, too

	sent   map[string]int64 // references that were written, with their number
	ids    map[int64]string // numbers that were used
	wrote  map[string]int   // orders and changes, by their intents: which of all it was
	liquid market.Hours     // of the regular sessions
	times  []time.Time      // market times of the entries that were written
	spent  market.Money     // its notional
	lives  int

	naked map[market.Symbol]time.Time // since when a position is not covered
	wrong map[market.Symbol]time.Time // since when a stop protects nothing
}

func newWorld(t *testing.T, seed uint64, steps int, f fake) *world {
	w := &world{
		ctx: t.Context(), dice: rand.New(rand.NewPCG(seed, 2718)), steps: steps, fake: f, began: time.Now(),
		mode: broker.Active, sure: true, sent: map[string]int64{}, ids: map[int64]string{}, wrote: map[string]int{},
		naked: map[market.Symbol]time.Time{}, wrong: map[market.Symbol]time.Time{},
	}
	w.journal = &worldJournal{memJournal: &memJournal{trace: &trace{}}, w: w}
	w.venue = newVenue(t, w)
	return w
}

// market is market time: a Thursday's regular session in New York.
func (w *world) market() time.Time { return day.Add(time.Since(w.began)) }

// chance is true in so many of a thousand cases.
func (w *world) chance(perMille int) bool { return w.dice.IntN(1000) < perMille }

// fault is chance as long as there are faults.
func (w *world) fault(perMille int) bool { return !w.calm && w.chance(perMille) }

// say adds a line to the canonical list of events.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(&w.events, "%d ", time.Since(w.began).Microseconds())
	fmt.Fprintf(&w.events, format, args...)
	w.events.WriteByte('\n')
}

// fail notes a check that failed; the first one counts.
func (w *world) fail(check, format string, args ...any) {
	if w.broken == "" {
		w.broken = check + ": " + fmt.Sprintf(format, args...)
		w.say("BROKEN %s", w.broken)
	}
}

// run plays the world to its end and returns what broke, "" when nothing did.
func (w *world) run() string {
	w.boot()
	for n := 0; n < w.steps && w.broken == ""; n++ {
		w.alive(w.step)
		w.alive(w.checkStep)
	}
	w.calm = true
	for range 3 { // what the desk asks itself while all comes to rest, comes to rest too
		if w.broken == "" {
			w.alive(w.settle)
		}
	}
	w.venue.still = true // so that what the guard asks for has time to be there
	for range 2 {
		if w.broken == "" {
			w.alive(w.quieten)
		}
	}
	if w.broken == "" {
		w.checkStep()
		w.checkEnd()
	}
	w.say("end after %d lives, %d orders written, %d executions", w.lives, len(w.sent), len(w.venue.x.Fills()))
	return w.broken
}

// alive runs fn; a crash in it ends this life of the desk and begins the next.
func (w *world) alive(fn func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case death:
			w.say("crash %s", string(r))
			w.venue.hangUp()
			w.journal.crash()
			w.boot()
		default:
			panic(r)
		}
	}()
	fn()
}

// boot begins a life of the desk, as a process does. The desk's own goroutine
// is ended again: the world does what it does.
func (w *world) boot() {
	w.lives++
	gate, err := risk.New(worldLimits)
	if err != nil {
		panic(err)
	}
	var asked Gate = gate
	if fake := w.fakeGate(gate); fake != nil {
		asked = fake
	}
	cfg := DefaultConfig()
	cfg.DataDeadline = 100 * time.Millisecond // no tick comes while the desk waits for one here
	cfg.ReconcileEvery = 2 * time.Second      // a seed is short
	cfg.SettledAfter = 3 * time.Second
	w.out = &worldOutlet{recorder: &recorder{trace: &trace{}}, w: w}
	w.desk = newDesk(cfg, asked, w.journal, w.out, quiet)
	w.desk.hours = &floor.Hours{} // the hours are the venue's
	w.desk.SetLink(w)
	w.desk.Steps([]market.Symbol{worldSymbol})
	w.session, w.held, w.ticks, w.rest = nil, nil, holding{}, chore{}
	w.link, w.dark, w.retryAt = broker.Connecting, "", time.Now()
	w.desk.LinkChanged(broker.Link{State: w.link})
	if err := w.desk.Start(w.ctx); err != nil {
		w.fail("start", "%v", err)
		return
	}
	close(w.desk.stopped)
	<-w.desk.done
	w.say("start mode %s, %d orders", w.desk.mode.Load().Mode, len(w.desk.books.ByRef))
	w.checkBoot()
}

// Degrade is the desk's word on the link, as the supervisor hears it.
func (w *world) Degrade(cause, _ string) {
	w.dark = cause
	w.signal(broker.Worse)
}

// Recover takes it back.
func (w *world) Recover() {
	w.dark = ""
	w.signal(broker.Better)
}

func (w *world) signal(sig broker.LinkSignal) {
	after, ok := w.link.Next(sig)
	if !ok {
		return
	}
	w.link = after
	w.say("link %v", after)
	shown := after
	if w.fake == hastyLink && after == broker.Recovering {
		shown = broker.Ready
	}
	w.desk.LinkChanged(broker.Link{State: shown})
}

// busy reports whether the desk has the turn: events and questions wait then.
func (w *world) busy() bool { return len(w.desk.turn) == 1 }

// step lets some time pass and something happen.
func (w *world) step() {
	time.Sleep(time.Duration(w.dice.IntN(100_000)) * time.Microsecond)
	w.tend()
	switch n := w.dice.IntN(1000); {
	case n < 4:
		panic(death("between two steps"))
	case n < 12:
		w.venue.cut("the connection breaks")
	case n < 15:
		w.venue.restart()
	case n < 22, n < 150 && !w.venue.up:
		w.venue.outage()
	case n < 26, n < 60 && w.mode != broker.Active:
		w.person()
	case n < 64:
		w.venue.correct()
	case n < 70:
		w.venue.byHand()
	case n < 92:
		w.journal.commit()
	default:
		w.inside()
	}
}

// inside is what may also happen while the desk waits for an answer.
func (w *world) inside() {
	switch n := w.dice.IntN(100); {
	case w.calm || n < 30:
		w.venue.deliver()
	case n < 60:
		w.venue.tick()
	case n < 80:
		w.venue.take()
	default:
		w.ask()
	}
}

// tend does what the programs around the desk do by the clock.
func (w *world) tend() {
	if w.session != nil && w.session.cut {
		w.end(broker.Lost)
	}
	w.venue.overdue()
	if now := time.Now(); !now.Before(w.judgeAt) {
		w.judgeAt = now.Add(500 * time.Millisecond)
		w.desk.turn <- struct{}{}
		w.desk.judge(now)
		w.desk.protect(now)
		w.desk.give()
		w.enforce()
	}
	if w.held != nil {
		w.doChores()
	}
	if w.held == nil && !time.Now().Before(w.retryAt) {
		w.climb()
	}
}

// doChores does what the desk wants to have asked, as [Desk.doChores] does.
func (w *world) doChores() {
	now, due := time.Now(), false
	select {
	case c := <-w.held.chores:
		w.rest, due = w.rest.with(c), true
	default:
		due = !w.rest.empty() && !now.Before(w.choreAt)
	}
	if !now.Before(w.lookAt) {
		w.rest.look, due = true, true
	}
	if !due {
		return
	}
	if w.rest.look {
		w.lookAt = now.Add(w.desk.cfg.ReconcileEvery)
	}
	if soon := now.Add(lookSoonAfter); w.rest.soon && soon.Before(w.lookAt) {
		w.lookAt = soon
	}
	w.rest.soon = false
	h := w.held
	w.rest = w.desk.doChore(w.ctx, h, w.rest)
	w.choreAt = time.Now().Add(choreRetry)
}

// enforce carries out what the mode asks for, as [Desk.enforce] does.
func (w *world) enforce() {
	h, m := w.held, w.desk.mode.Load()
	if h == nil || w.session.cut || m.Mode == broker.Active {
		return
	}
	w.desk.sweep(w.ctx, h)
	if m.Flatten {
		w.desk.flatten(w.ctx, h)
	}
	w.desk.tellMode(w.ctx)
}

// climb opens a session and climbs its rungs, as the supervisor does.
func (w *world) climb() {
	w.signal(broker.Retry)
	w.signal(broker.Dialled)
	w.signal(broker.BothIDs)
	w.dark, w.rest = "", chore{}
	w.session = w.venue.open()
	w.held = &held{session: w.session, trader: w.session, facts: w.session.facts, chores: make(chan chore, 1)}
	w.desk.held.Store(w.held)
	d := w.desk
	w.lookAt = time.Now().Add(d.cfg.ReconcileEvery)
	for _, step := range []broker.Step{
		{Name: broker.RungClock, Run: d.stepClock},
		{Name: broker.RungAccount, Run: d.stepAccount},
		{Name: broker.RungRecovered, Run: d.recover},
		{Name: broker.RungData, Run: d.stepData},
	} {
		ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
		note, err := step.Run(ctx, w.session)
		cancel()
		w.say("rung %s: %s %v", step.Name, note, err)
		if err != nil || w.session.cut {
			w.end(broker.Failed)
			return
		}
	}
	w.signal(broker.RungsDone)
	if w.dark != "" {
		w.signal(broker.Worse)
	}
}

// end ends the session on our side.
func (w *world) end(sig broker.LinkSignal) {
	w.venue.hangUp()
	h := w.held
	w.session, w.held = nil, nil
	w.desk.held.Store(nil)
	w.desk.forget()
	w.desk.folded(batch{from: h, ended: make(chan struct{})})
	w.desk.forget()
	w.retryAt = time.Now().Add(time.Duration(w.dice.IntN(2000)) * time.Millisecond)
	w.signal(sig)
}

// settle lets all that is under way come to its end: everything is delivered,
// and a new session asks for everything.
func (w *world) settle() {
	v := w.venue
	v.up, v.stuck = true, nil
	v.takeAll()
	if w.session == nil || !w.session.cut {
		v.deliverAll()
	}
	if w.held != nil {
		w.end(broker.Lost)
	}
	w.climb()
	w.quieten()
	if err := w.journal.Sync(w.ctx); err != nil {
		w.fail("journal", "%v", err)
	}
	if w.link != broker.Ready {
		w.fail("ready", "the link is %v (%s) though all is well", w.link, w.dark)
	}
}

// quieten lets some seconds pass in which all answers come.
func (w *world) quieten() {
	v := w.venue
	for range 8 {
		v.takeAll()
		v.deliverAll()
		v.tick()
		w.doChores()
		time.Sleep(1100 * time.Millisecond)
		w.desk.turn <- struct{}{}
		w.desk.judge(time.Now())
		w.desk.protect(time.Now())
		w.desk.give()
		w.enforce()
	}
	v.takeAll()
	v.deliverAll()
}

// play plays one seed in a bubble and returns its events and what broke.
func playWorld(t *testing.T, seed uint64, f fake) (events, broken string, w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed, *worldSteps, f)
		broken = w.run()
		events = w.events.String()
	})
	return events, broken, w
}

// TestWorld plays the seeds.
func TestWorld(t *testing.T) {
	if *worldSeed != 0 {
		events, broken, _ := playWorld(t, *worldSeed, nothingBroken)
		t.Log("\n" + events)
		if broken != "" {
			t.Errorf("seed %d: %s", *worldSeed, broken)
		}
		return
	}
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		t.Run(fmt.Sprintf("part-%d", first), func(t *testing.T) {
			t.Parallel()
			lives, orders, fills := 0, 0, 0
			for n := first; n < *worldSeeds && (*worldOn || !t.Failed()); n += workers {
				seed := *worldFirst + n
				events, broken, w := playWorld(t, uint64(seed), nothingBroken)
				if broken != "" && *worldOn {
					t.Errorf("seed %d: %s", seed, broken)
				} else if broken != "" {
					t.Errorf("%s\n%s\nplay it again: go test ./broker/desk -run 'TestWorld$' -world.seed=%d -world.steps=%d -v",
						lastLines(events, 30), broken, seed, *worldSteps)
				}
				lives, orders, fills = lives+w.lives, orders+len(w.sent), fills+len(w.venue.x.Fills())
			}
			t.Logf("%d lives, %d orders written, %d executions", lives, orders, fills)
			if !t.Failed() && (orders < *worldSeeds/workers || fills == 0) {
				t.Errorf("%d orders and %d executions: next to nothing was tried", orders, fills)
			}
		})
	}
}

// The same seed gives the same events, byte for byte: without that, a failing
// seed could not be played again.
func TestWorldSameSeedSameEvents(t *testing.T) {
	for n := range *worldTwice {
		seed := uint64(n + 1)
		once, _, _ := playWorld(t, seed, nothingBroken)
		again, _, _ := playWorld(t, seed, nothingBroken)
		if once == again {
			continue
		}
		a, b := strings.Split(once, "\n"), strings.Split(again, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("seed %d: event %d is\n%s\nand the second time\n%s", seed, i, a[i], b[i])
			}
		}
		t.Fatalf("seed %d: %d events, and the second time %d", seed, len(a), len(b))
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
