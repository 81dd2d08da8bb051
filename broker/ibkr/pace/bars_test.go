package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker"
	"robotrader/broker/market"
)

// asker plays those who ask for bars: each question that reaches the venue is
// counted, and answered after a while.
type asker struct {
	*Bars
	takes time.Duration
	fails error

	mu    sync.Mutex // guards what follows
	sent  []asked
	under int // at once
	most  int
}

func newAsker() *asker { return &asker{Bars: NewBars()} }

// about is one of many questions about a symbol; number 0 asks for bars till now.
func about(symbol string, n int) broker.BarsQuery {
	q := broker.BarsQuery{Contract: market.USStock(market.Symbol(symbol)), Span: time.Hour, Width: time.Minute}
	if n != 0 {
		q.End = time.Unix(0, int64(n))
	}
	return q
}

// put asks with a deadline, and returns how long it took.
func (a *asker) put(q broker.BarsQuery, deadline time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	_, err := a.Do(ctx, nil, q, time.Now, func() ([]market.Bar, error) {
		a.mu.Lock()
		a.sent = append(a.sent, asked{time.Now(), questionOf(q)})
		a.under++
		a.most = max(a.most, a.under)
		a.mu.Unlock()
		time.Sleep(a.takes)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.under--
		return []market.Bar{{Trades: len(a.sent)}}, a.fails
	})
	return time.Since(began), err
}

// kept returns which of the venue's limits what was sent broke.
func (a *asker) kept() error {
	for i, q := range a.sent {
		contract, all := 0, 0
		for _, was := range a.sent[:i+1] {
			age := q.at.Sub(was.at)
			if was.question == q.question && age > 0 && age < 15*time.Second {
				return fmt.Errorf("the same again after %v", age)
			}
			if was.contract == q.contract && age < 2*time.Second {
				contract++
			}
			if age < 10*time.Minute {
				all++
			}
		}
		if contract >= 6 || all > 60 {
			return fmt.Errorf("question %d is number %d of its contract in 2 s and %d in 10 minutes", i, contract, all)
		}
	}
	if a.most > 50 {
		return fmt.Errorf("%d at once", a.most)
	}
	return nil
}

// Whatever is asked, when, and with what luck: the venue's limits hold, and who
// gets no answer in time is told how long to wait.
func TestTheLimitsOnHistoryHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct{ gap, symbol, end, patience int }
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.SampledFrom([]int{0, 0, 0, 10, 300, 2000, 20000}).Draw(rt, "gap, ms"),
				rapid.IntRange(0, 3).Draw(rt, "symbol"), rapid.IntRange(0, 9).Draw(rt, "end"),
				rapid.SampledFrom([]int{100, 5000, 30000, 900000}).Draw(rt, "patience, ms"),
			}
		}), 20, 150).Draw(rt, "steps")
		takes := rapid.SampledFrom([]int{0, 50, 3000}).Draw(rt, "answer, ms")
		fails := rapid.SampledFrom([]error{
			nil, errors.New("no answer"), broker.ErrNotWritten,
			&broker.Error{Kind: broker.ErrPacing, Code: 162, Err: errors.New("Historical data request pacing violation")},
		}).Draw(rt, "error")
		var err error
		synctest.Test(t, func(*testing.T) {
			a := newAsker()
			a.takes, a.fails = time.Duration(takes)*time.Millisecond, fails
			var all sync.WaitGroup
			var mu sync.Mutex
			for _, s := range steps {
				time.Sleep(time.Duration(s.gap) * time.Millisecond)
				all.Go(func() {
					patience := time.Duration(s.patience) * time.Millisecond
					took, bad := a.put(about(string(rune('A'+s.symbol)), s.end), patience)
					mu.Lock()
					defer mu.Unlock()
					var e *broker.Error
					switch {
					case took > patience+a.takes:
						err = fmt.Errorf("took %v of %v", took, patience)
					case errors.Is(bad, broker.ErrPacing) && !errors.Is(bad, fails) && (!errors.As(bad, &e) || e.RetryAfter <= 0):
						err = fmt.Errorf("how long to wait is not told: %w", bad)
					}
				})
			}
			all.Wait()
			if fails != broker.ErrNotWritten { // those never reached the venue
				err = errors.Join(err, a.kept())
			}
			if len(a.flights) != 0 || len(a.slots) != 0 || len(a.asked) > maxQuestions || len(a.answers) > keptAnswers {
				err = errors.Join(err, fmt.Errorf("left behind: %d flights, %d slots", len(a.flights), len(a.slots)))
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestTheSameQuestionForBars(t *testing.T) {
	now := about("AAPL", 0)
	past := about("AAPL", 1)
	for name, tt := range map[string]struct {
		q         broker.BarsQuery
		began     time.Duration // into a minute
		after     time.Duration
		fails     error
		patience  time.Duration
		sent      int
		took      time.Duration
		retry     time.Duration
		otherwise error
	}{
		"of the past, answered":               {q: past, after: 14 * time.Second, patience: time.Second, sent: 1},
		"till now, no bar closed since":       {q: now, after: 14 * time.Second, patience: time.Second, sent: 1},
		"till now, a bar closed, no time":     {q: now, began: 50 * time.Second, after: 11 * time.Second, patience: time.Second, sent: 1, retry: 4*time.Second + onTheWay, otherwise: broker.ErrPacing},
		"till now, a bar closed, time enough": {q: now, began: 50 * time.Second, after: 11 * time.Second, patience: 10 * time.Second, sent: 2, took: 4*time.Second + onTheWay},
		"till now, long ago":                  {q: now, after: 16 * time.Second, patience: time.Second, sent: 2},
		"it failed, no time":                  {q: past, after: 10 * time.Second, fails: errors.New("x"), patience: 5 * time.Second, sent: 1, retry: 5*time.Second + onTheWay, otherwise: broker.ErrPacing},
		"it failed, time enough":              {q: past, after: 10 * time.Second, fails: errors.New("x"), patience: 30 * time.Second, sent: 2, took: 5*time.Second + onTheWay},
		"it was never written":                {q: past, fails: fmt.Errorf("x: %w", broker.ErrNotWritten), patience: time.Second, sent: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(tt.began)
				a := newAsker()
				a.fails = tt.fails
				_, _ = a.put(tt.q, time.Minute)
				time.Sleep(tt.after)
				a.fails = nil
				took, err := a.put(tt.q, tt.patience)
				var e *broker.Error
				if !errors.Is(err, tt.otherwise) || tt.otherwise == nil && err != nil || errors.As(err, &e) && e.RetryAfter != tt.retry {
					t.Errorf("%v, want %v and %v to wait", err, tt.otherwise, tt.retry)
				}
				if len(a.sent) != tt.sent || took != tt.took {
					t.Errorf("asked %d times, the last took %v, want %d and %v", len(a.sent), took, tt.sent, tt.took)
				}
			})
		})
	}
}

// Two strategies that begin with the same history ask once.
func TestTheSameQuestionAtOnceIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsker()
		a.takes = 3 * time.Second
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if took, err := a.put(about("AAPL", 1), 10*time.Second); err != nil || took != a.takes {
					t.Errorf("after %v: %v", took, err)
				}
			})
		}
		all.Wait()
		if len(a.sent) != 1 || a.Use() != (broker.Use{Used: 1, Limit: 60}) {
			t.Errorf("asked %d times, %+v", len(a.sent), a.Use())
		}
	})
}

func TestLimitsOfQuestionsForBars(t *testing.T) {
	for name, tt := range map[string]struct {
		before int // questions, all different
		of     func(i int) broker.BarsQuery
		wait   time.Duration
	}{
		"5 of a contract in 2 s":   {5, func(i int) broker.BarsQuery { return about("AAPL", i) }, contractSpan},
		"4 of a contract in 2 s":   {4, func(i int) broker.BarsQuery { return about("AAPL", i) }, 0},
		"5 of others":              {5, func(i int) broker.BarsQuery { return about(fmt.Sprintf("A%d", i), 1) }, 0},
		"60 in ten minutes":        {60, func(i int) broker.BarsQuery { return about(fmt.Sprintf("A%d", i%20), i) }, questionSpan},
		"all but 60 in 10 minutes": {59, func(i int) broker.BarsQuery { return about(fmt.Sprintf("A%d", i%20), i) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAsker()
				for i := range tt.before {
					if _, err := a.put(tt.of(i), time.Minute); err != nil {
						t.Fatal(err)
					}
				}
				if tt.wait > 0 {
					_, err := a.put(about("AAPL", 1000), leastAnswer/2+time.Second)
					var e *broker.Error
					if !errors.Is(err, broker.ErrPacing) || !errors.As(err, &e) || e.RetryAfter != tt.wait {
						t.Errorf("without time to wait: %v", err)
					}
				}
				if took, err := a.put(about("AAPL", 1000), time.Hour); err != nil || took != tt.wait {
					t.Errorf("waited %v, want %v; %v", took, tt.wait, err)
				}
			})
		})
	}
}
