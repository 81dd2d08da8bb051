package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

// The venue's limits on questions for bars; protocol sheet, section 9. They are
// hard for bars of up to 30 seconds, which we do not ask for, and soft for the
// others: who passes them is answered slowly or by code 162. We keep them for
// all, each with what two messages may lose of their distance on the way. They
// count BID_ASK twice; we ask for trades only.
const (
	onTheWay = 50 * time.Millisecond
	// SameSpan is what must lie between two questions that are identical, and
	// behind a pacing violation before its contract is asked for again.
	SameSpan      = 15*time.Second + onTheWay
	contractSpan  = 2*time.Second + onTheWay
	maxOfContract = 5 // in contractSpan, for one contract
	questionSpan  = 10*time.Minute + onTheWay
	maxQuestions  = 60 // in questionSpan
	maxAtOnce     = 50
)

const (
	// keptAnswers bounds the answers that are kept for SameSpan.
	keptAnswers = 16
	// leastAnswer is what must be left of a deadline behind a wait, for the
	// answer.
	leastAnswer = time.Second
)

// Bars holds the questions for bars under the venue's limits. A question
// that is identical to one under way waits for that one; to one of the last 15
// seconds, it gets the answer of that one while no bar can have closed since,
// and is else held until it is no longer identical in the venue's eyes. It is
// safe for concurrent use.
type Bars struct {
	slots chan struct{} // capacity maxAtOnce: asked or waiting to be

	mu      sync.Mutex // guards what follows
	asked   []asked    // of the last questionSpan, oldest first, at most maxQuestions
	flights map[question]chan struct{}
	answers []answer                      // oldest first, at most keptAnswers
	blocked map[market.Contract]time.Time // until when, after a pacing violation
}

// question is what makes two questions identical.
type question struct {
	contract    market.Contract
	end         int64 // nanoseconds since 1970, 0 = now
	span, width time.Duration
	regular     bool
}

func questionOf(q broker.BarsQuery) question {
	k := question{contract: q.Contract, span: q.Span, width: q.Width, regular: q.RegularOnly}
	if !q.End.IsZero() {
		k.end = q.End.UnixNano()
	}
	return k
}

type asked struct {
	at time.Time
	question
}

type answer struct {
	asked
	market time.Time // when it came, zero = not known
	bars   []market.Bar
}

// NewBars returns the limits before anything was asked.
func NewBars() *Bars {
	return &Bars{
		slots: make(chan struct{}, maxAtOnce), flights: map[question]chan struct{}{}, blocked: map[market.Contract]time.Time{},
	}
}

// opBars is the request that the limits are about, for their errors.
const opBars = "reqHistoricalData"

// errBusy means that questions for bars are at the venue's limit.
func errBusy(wait time.Duration, why string) error {
	return &broker.Error{
		Op: opBars, Kind: broker.ErrPacing, RetryAfter: wait, Err: fmt.Errorf("not asked: %s; there is room in %v", why, wait.Round(time.Millisecond)),
		Advice: "ask again then; fewer symbols, or fewer strategies with a history of their own, ask less",
	}
}

// Do gets the answer to a question: from another that was identical, or by ask
// when the limits leave room by ctx's deadline. Market is the venue's time, zero
// when it is not known; gone is closed when the session of the question ends. A
// question that there is no room for fails with [broker.ErrPacing] and tells
// when there is; one whose caller gave up before, with [broker.ErrNoAnswer].
func (a *Bars) Do(ctx context.Context, gone <-chan struct{}, query broker.BarsQuery, market func() time.Time, ask func() ([]market.Bar, error)) ([]market.Bar, error) {
	q := questionOf(query)
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, errBusy(0, fmt.Sprintf("%d questions are under way (%v)", maxAtOnce, ctx.Err()))
	case <-gone:
		return nil, notAsked(errSessionOver)
	}
	for {
		next := a.enter(q, market())
		switch {
		case next.known:
			return next.bars, nil
		case next.flight != nil:
			if err := await(ctx, gone, next.flight); err != nil {
				return nil, notAsked(fmt.Errorf("the same question is under way: %w", err))
			}
			continue
		case next.wait == 0:
			bars, err := ask()
			a.over(q, market(), bars, err)
			return bars, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < next.wait+leastAnswer {
			return nil, errBusy(next.wait, next.why)
		}
		room := time.NewTimer(next.wait)
		err := await(ctx, gone, room.C)
		room.Stop()
		if err != nil {
			return nil, notAsked(fmt.Errorf("%s: %w", next.why, err))
		}
	}
}

// notAsked is the error of a question whose caller had given up before it went
// out.
func notAsked(err error) error {
	return &broker.Error{Op: opBars, Kind: broker.ErrNoAnswer, Err: fmt.Errorf("not asked: %w", err), Advice: "ask again"}
}

// await waits for one of three ends.
func await[T any](ctx context.Context, gone <-chan struct{}, done <-chan T) error {
	select {
	case <-done:
		return nil
	case <-gone:
		return errSessionOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entry is what is to be done about a question: it is known, or somebody asks
// it, or there is a wait for room, or, without a wait, it is the caller's to ask.
type entry struct {
	known  bool
	bars   []market.Bar
	flight chan struct{}
	wait   time.Duration
	why    string
}

func (a *Bars) enter(q question, at time.Time) entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.forget(now)
	if flight := a.flights[q]; flight != nil {
		return entry{flight: flight}
	}
	for _, known := range slices.Backward(a.answers) {
		if known.question == q && known.holds(at) {
			return entry{known: true, bars: slices.Clone(known.bars)}
		}
	}
	if e := a.room(q, now); e.wait > 0 {
		return e
	}
	a.asked = append(a.asked, asked{now, q})
	a.flights[q] = make(chan struct{})
	return entry{}
}

// room tells how long a question has to wait, by the limit that has it wait
// longest.
func (a *Bars) room(q question, now time.Time) (e entry) {
	hold := func(until time.Time, why string) {
		if wait := until.Sub(now); wait > e.wait {
			e.wait, e.why = wait, why
		}
	}
	if n := len(a.asked); n >= maxQuestions {
		hold(a.asked[n-maxQuestions].at.Add(questionSpan), fmt.Sprintf("%d questions for bars were asked in 10 minutes", maxQuestions))
	}
	of := 0
	for _, was := range slices.Backward(a.asked) {
		if was.contract != q.contract {
			continue
		}
		if was.question == q {
			hold(was.at.Add(SameSpan), "the same was asked less than 15 seconds ago")
		}
		if of++; of == maxOfContract {
			hold(was.at.Add(contractSpan), fmt.Sprintf("%d questions for %s were asked in 2 seconds", maxOfContract, q.contract.Symbol))
		}
	}
	hold(a.blocked[q.contract], fmt.Sprintf("the venue said that %s was asked for too often (162)", q.contract.Symbol))
	return e
}

// holds reports whether an answer is still whole at a market time: its end is
// past, or no bar can have closed since it came.
func (k *answer) holds(at time.Time) bool {
	if k.market.IsZero() || at.IsZero() {
		return false
	}
	if k.end != 0 && k.end <= k.market.UnixNano() {
		return true
	}
	grain := min(k.width, time.Hour) // days begin on the hour
	return k.market.Truncate(grain).Equal(at.Truncate(grain))
}

// over ends a question that was asked.
func (a *Bars) over(q question, at time.Time, bars []market.Bar, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.flights[q])
	delete(a.flights, q)
	now := time.Now()
	i := len(a.asked) - 1
	for i >= 0 && a.asked[i].question != q {
		i--
	}
	switch {
	case i < 0: // ten minutes ago
	case err == nil:
		if len(a.answers) == keptAnswers {
			a.answers = slices.Delete(a.answers, 0, 1)
		}
		a.answers = append(a.answers, answer{a.asked[i], at, slices.Clone(bars)})
	case errors.Is(err, broker.ErrNotWritten):
		a.asked = slices.Delete(a.asked, i, i+1)
	}
	var e *broker.Error
	if errors.As(err, &e) && TooOften(e) {
		a.blocked[q.contract] = now.Add(SameSpan)
	}
}

// forget drops what no limit looks at any more.
func (a *Bars) forget(now time.Time) {
	for len(a.asked) > 0 && now.Sub(a.asked[0].at) >= questionSpan {
		a.asked = slices.Delete(a.asked, 0, 1)
	}
	a.answers = slices.DeleteFunc(a.answers, func(k answer) bool { return now.Sub(k.at) >= SameSpan })
	for c, until := range a.blocked {
		if !until.After(now) {
			delete(a.blocked, c)
		}
	}
}

// Use tells how many questions were asked in the last ten minutes, and how many
// may be.
func (a *Bars) Use() broker.Use {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(time.Now())
	return broker.Use{Used: len(a.asked), Limit: maxQuestions}
}

// TooOften tells a pacing violation from the other meanings of code 162.
func TooOften(e *broker.Error) bool {
	return e.Code == 162 && strings.Contains(strings.ToLower(e.Error()), "pacing")
}
