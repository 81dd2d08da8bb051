package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/floor"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// maxQuestions bounds the questions for bars that are under way at once.
const maxQuestions = 4

// stepData subscribes to every wanted symbol and waits until it is clear how
// each stands. When none of them has data or is outside its session, the
// session stands all the same, degraded: orders that work can be cancelled and
// positions closed, which a link that is made anew for ever could not do.
func (d *Desk) stepData(ctx context.Context, s broker.Session) (string, error) {
	list, _ := d.floor.Standing()
	if len(list) == 0 {
		return "no symbol wanted", nil
	}
	for _, st := range list {
		if err := d.subscribe(ctx, s, st.Symbol, first); err != nil {
			return "", err
		}
	}
	d.floor.NewDay(time.Now(), d.zone) // today's hours have just been told
	began := time.Now()
	for {
		list, changed := d.floor.Standing()
		if !floor.Waits(list) {
			return d.judged(list), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return "", ctx.Err() // the session ended, or we stop
			}
			for _, st := range list {
				if st.State == floor.Wanted {
					d.moved(st.Symbol, floor.Blocked, fmt.Sprintf("no tick within %v", time.Since(began).Round(time.Millisecond)))
				}
			}
			list, _ := d.floor.Standing()
			return d.judged(list), nil
		}
	}
}

// judged is the verdict as the rung's note; without any data the link is told.
func (d *Desk) judged(list []event.DataState) string {
	note, err := floor.Verdict(list)
	if err != nil {
		d.darken(err)
		return err.Error()
	}
	return note
}

// darken tells that no wanted symbol has data, unless one has by now.
func (d *Desk) darken(why error) {
	d.troubled(func(t *trouble) {
		list, _ := d.floor.Standing()
		if _, err := floor.Verdict(list); err != nil {
			t.dark = why.Error()
		}
	})
}

// moved sets a wanted symbol's data state and tells it.
func (d *Desk) moved(s market.Symbol, state, cause string) {
	if c, ok := d.floor.Move(s, state, cause, time.Now()); ok {
		d.out.data(c)
	}
}

// blocked takes the venue's word that a symbol's data request failed.
func (d *Desk) blocked(n broker.Notice) {
	d.refused(n.Symbol, fmt.Sprintf("%s (%d)", n.Text, n.Code))
	d.weigh()
}

// history answers a question for bars. It runs on the question's goroutine,
// not in the turn.
func (d *Desk) history(ctx context.Context, q event.HistoryQuery) event.HistoryReply {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.HistoryDeadline)
	defer cancel()
	bars, err := d.pastBars(ctx, q)
	if err != nil {
		return event.HistoryReply{Error: "desk: history of " + string(q.Symbol) + ": " + err.Error()}
	}
	return event.HistoryReply{Bars: bars}
}

func (d *Desk) pastBars(ctx context.Context, q event.HistoryQuery) ([]market.Bar, error) {
	select {
	case d.asking <- struct{}{}:
		defer func() { <-d.asking }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %d other questions: %w", maxQuestions, ctx.Err())
	}
	h := d.held.Load()
	if h == nil {
		return nil, errors.New("there is no session with the broker")
	}
	src, ok := h.session.(broker.HistorySource)
	if !ok {
		return nil, errors.New("this adapter has no history")
	}
	details := d.floor.Details(q.Symbol)
	if details == nil {
		return nil, errors.New("the symbol is not wanted, or the venue told nothing about it")
	}
	return src.Bars(ctx, broker.BarsQuery{
		Contract: details.Contract, End: q.End, Span: q.Span, Width: q.Width, RegularOnly: q.RegularOnly,
	})
}
