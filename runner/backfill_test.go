package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/runner/strategy"
	"robotrader/services/event"
)

// tape is a market whose every bar is known: three trades a minute while it is
// open. Minutes count from day.
type tape struct{ closed func(minute int) bool }

var tradesAt = [...]time.Duration{10 * time.Second, 30 * time.Second, 50 * time.Second}

func (tape) price(minute, nth int) market.Price { return px(fmt.Sprint(1000 + 10*minute + nth)) }

// bar is a minute's bar by its first n trades.
func (m tape) bar(minute, n int) (b market.Bar) {
	b.Start = day.Add(time.Duration(minute) * time.Minute)
	for i := range n {
		b = b.Merge(m.price(minute, i), market.Shares(100))
	}
	return b
}

// bars are those that a venue tells at a market time, the forming one too.
func (m tape) bars(from, now time.Time) (list []market.Bar) {
	for minute := int(from.Sub(day) / time.Minute); ; minute++ {
		start := day.Add(time.Duration(minute) * time.Minute)
		if !start.Before(now) {
			return list
		}
		n := 0
		for _, at := range tradesAt {
			if !start.Add(at).After(now) {
				n++
			}
		}
		if n > 0 && !m.closed(minute) {
			list = append(list, m.bar(minute, n))
		}
	}
}

// The ways in which a venue answers for bars. They never end a gap short more
// often in a row than the runner asks again.
const (
	answersWell = iota
	answersLate
	answersInPart
	answersTwice
	answersAnyhow // out of order, with older ones
	answersNot
	answersNothing // not before the runner has given up
	numAnswers
)

// gappy is a venue for bars with a mind of its own.
type gappy struct {
	tape
	hours market.Hours
	began time.Time // wall time of day
	mu    sync.Mutex
	plan  []int // the ways of the answers to come; well, when it is used up
	short int   // answers in part since the newest whole one
	rnd   *rand.Rand
}

func (g *gappy) now() time.Time { return day.Add(time.Since(g.began)) }

func (g *gappy) way() (way int, late time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.plan) > 0 {
		way, g.plan = g.plan[0], g.plan[1:]
	}
	if way == answersInPart {
		if g.short++; g.short >= shortTries {
			way = answersWell
		}
	}
	if way != answersInPart && way != answersNot && way != answersNothing { // those close no gap
		g.short = 0
	}
	return way, time.Duration(g.rnd.IntN(19000)) * time.Millisecond
}

func (g *gappy) answer(ctx context.Context, q event.HistoryQuery) (event.HistoryReply, error) {
	way, late := g.way()
	bars := g.bars(g.now().Add(-q.Span), g.now())
	switch way {
	case answersLate:
		if pause(ctx, late); ctx.Err() != nil {
			return event.HistoryReply{}, ctx.Err()
		}
	case answersInPart:
		bars = bars[:len(bars)*2/3]
	case answersTwice:
		bars = append(slices.Clone(bars), bars...)
	case answersAnyhow:
		bars = append(g.bars(day.Add(-20*time.Minute), g.now()), bars...)
		rand.New(rand.NewPCG(uint64(len(bars)), 1)).Shuffle(len(bars), func(i, j int) {
			if !bars[i].Start.Equal(bars[j].Start) {
				bars[i], bars[j] = bars[j], bars[i]
			}
		})
	case answersNot:
		return event.HistoryReply{Error: "pacing violation"}, nil
	case answersNothing:
		<-ctx.Done()
		return event.HistoryReply{}, ctx.Err()
	}
	return event.HistoryReply{Bars: bars}, nil
}

// TestEachBarOnceOverOutages is field-lessons §2.9: whatever outages there are, also across a close of
// the market, and however the venue answers, the strategy is given every bar of
// the market once, in order, whole, and none that was still forming.
func TestEachBarOnceOverOutages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		minutes := rapid.IntRange(20, 60).Draw(rt, "minutes")
		shut := rapid.IntRange(5, minutes).Draw(rt, "closes")
		night := rapid.IntRange(1, 15).Draw(rt, "closed for")
		outages := rapid.SliceOfN(rapid.IntRange(0, minutes*12-1), 1, 12).Draw(rt, "flips") // in steps of five seconds
		plan := rapid.SliceOfN(rapid.IntRange(0, numAnswers-1), 0, 25).Draw(rt, "answers")
		g := &gappy{
			tape: tape{func(m int) bool { return m >= shut && m < shut+night }},
			hours: market.Hours{
				{Open: day.Add(-time.Hour), Close: day.Add(time.Duration(shut) * time.Minute)},
				{Open: day.Add(time.Duration(shut+night) * time.Minute), Close: day.Add(8 * time.Hour)},
			},
			rnd: rand.New(rand.NewPCG(1, 2)),
		}
		if err := trial(t, g, minutes, outages, plan); err != nil {
			rt.Fatal(err)
		}
	})
}

// A connection that comes back at the close tears a bar in which nobody trades.
// The symbol once fell behind for it again and again, with longer waits each
// time, and missed the next open.
func TestABarAfterTheCloseHoldsUpNothing(t *testing.T) {
	const minutes, night = 20, 15
	opens := day.Add((minutes + night) * time.Minute)
	g := &gappy{
		tape:  tape{func(m int) bool { return m >= minutes && m < minutes+night }},
		hours: market.Hours{{Open: day.Add(-time.Hour), Close: day.Add(minutes * time.Minute)}, {Open: opens, Close: day.Add(8 * time.Hour)}},
		rnd:   rand.New(rand.NewPCG(1, 2)),
	}
	if err := trial(t, g, minutes, []int{1, 2, 0}, []int{answersWell, answersNot, answersNot}); err != nil {
		t.Error(err)
	}
}

// trial plays a market with outages and then twenty minutes without.
func trial(t *testing.T, g *gappy, minutes int, flips, plan []int) (err error) {
	synctest.Test(t, func(t *testing.T) {
		var seen []market.Bar
		s := &script{need: 1, onBar: func(c strategy.Context, b market.Bar) {
			if b.Start.Add(time.Minute).After(c.Now()) {
				err = errors.Join(err, fmt.Errorf("the bar of %s was given at %s, before its end", b.Start, c.Now()))
			}
			seen = append(seen, b)
		}}
		v, gate := newVenue(), newGate()
		g.began = time.Now()
		v.speed, v.past = 1, g.answer
		v.desk.Details["AAPL"] = market.Details{Liquid: g.hours}
		r, out := begin(t, v, gate, nil, s.kind())
		defer end(t, r)
		x := &rig{t: t, v: v, g: gate, r: r, out: out}
		gate.open()
		synctest.Wait()
		g.mu.Lock()
		g.plan = plan // after the warm-up
		g.mu.Unlock()
		up := true
		flip := func() {
			v.mu.Lock()
			v.desk.Market = g.now()
			v.mu.Unlock()
			if up = !up; up {
				gate.open()
			} else {
				gate.lose()
			}
		}
		for step := range (minutes + 20) * 12 {
			if slices.Contains(flips, step) || step == minutes*12 && !up {
				flip()
			}
			x.sleep(5 * time.Second)
			at := time.Duration(step+1) * 5 * time.Second
			minute := int(at / time.Minute)
			if nth := slices.Index(tradesAt[:], at%time.Minute); up && nth >= 0 && !g.closed(minute) {
				x.tell(event.Ticks{Symbol: "AAPL", Ticks: []event.TickData{{
					Kind: "trade", Price: g.price(minute, nth).Ptr(), Size: market.Shares(100).Ptr(), At: day.Add(at),
				}}})
			}
		}
		err = errors.Join(err, g.judge(seen, minutes), missing(out))
	})
	return err
}

func missing(out *told) error {
	if n := out.noticed("bars_missing"); n > 0 {
		return fmt.Errorf("told %d times that bars are missing, though the venue had them", n)
	}
	return nil
}

// judge holds what the strategy saw against the market, from the first bar of
// the day to the last minute of the outages. The day's first minute has no bar
// before it, so nothing is whole before a first one was given.
func (g *gappy) judge(seen []market.Bar, minutes int) error {
	next := 0
	if len(seen) > 0 {
		next = int(seen[0].Start.Sub(day) / time.Minute)
	}
	for _, b := range seen {
		for next >= 0 && g.closed(next) {
			next++
		}
		if want := g.bar(next, len(tradesAt)); b != want {
			return fmt.Errorf("minute %d: got %s (%v %v %v), want %s (%v %v %v)", next,
				b.Start.Format("15:04"), b.Open, b.Close, b.Volume, want.Start.Format("15:04"), want.Open, want.Close, want.Volume)
		}
		next++
	}
	if next < minutes+15 {
		return fmt.Errorf("only %d of %d minutes came", next, minutes+20)
	}
	return nil
}
