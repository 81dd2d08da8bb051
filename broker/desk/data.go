package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/services/event"
)

// maxQuestions bounds the questions for bars that are under way at once.
const maxQuestions = 4

// lookForData is how often the venue is asked again while no wanted symbol has
// data. Wall time.
const lookForData = time.Minute

// stepData subscribes to every wanted symbol and waits until it is clear how
// each stands. When none of them has data or is outside its session, the
// session stands all the same, degraded: orders that work can be cancelled and
// positions closed, which a link that is made anew for ever could not do.
func (d *Desk) stepData(ctx context.Context, s broker.Session) (string, error) {
	list, _ := d.floor.standing()
	if len(list) == 0 {
		return "no symbol wanted", nil
	}
	for _, st := range list {
		if err := d.subscribe(ctx, s, st.Symbol); err != nil {
			return "", err
		}
	}
	began := time.Now()
	for {
		list, changed := d.floor.standing()
		if !waits(list) {
			return d.judged(list), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return "", ctx.Err() // the session ended, or we stop
			}
			for _, st := range list {
				if st.State == dataWanted {
					d.moved(st.Symbol, dataBlocked, fmt.Sprintf("no tick within %v", time.Since(began).Round(time.Millisecond)))
				}
			}
			list, _ := d.floor.standing()
			return d.judged(list), nil
		}
	}
}

// judged is the verdict as the rung's note; without any data the link is told.
func (d *Desk) judged(list []event.DataState) string {
	note, err := verdict(list)
	if err != nil {
		d.darken(err)
		return err.Error()
	}
	return note
}

// darken tells that no wanted symbol has data, unless one has by now.
func (d *Desk) darken(why error) {
	d.troubled(func(t *trouble) {
		list, _ := d.floor.standing()
		if _, err := verdict(list); err != nil {
			t.dark, t.since = why.Error(), time.Now()
		}
	})
}

// lookAgainForData has the venue asked again when no wanted symbol has had data
// for a while: a person may have made a subscription or left another session.
// It is called in the turn.
func (d *Desk) lookAgainForData(wall time.Time) {
	h := d.held.Load()
	if s := d.linkState(); h == nil || s != broker.Ready && s != broker.Degraded {
		return
	}
	t := &d.trouble
	t.mu.Lock()
	due := t.dark != "" && t.down == "" && wall.Sub(t.since) >= lookForData
	if due {
		t.since = wall
	}
	t.mu.Unlock()
	if due {
		h.ask(chore{subscribe: true})
	}
}

func waits(list []event.DataState) bool {
	for _, st := range list {
		if st.State == dataWanted {
			return true
		}
	}
	return false
}

// verdict tells how the rung ends: by the symbols that have data or need none
// now.
func verdict(list []event.DataState) (string, error) {
	var closed, bad []string
	good := 0
	for _, st := range list {
		switch st.State {
		case dataLive, dataDelayed:
			good++
		case dataClosed:
			good++
			closed = append(closed, string(st.Symbol))
		default:
			bad = append(bad, fmt.Sprintf("%s %s: %s", st.Symbol, st.State, st.Cause))
		}
	}
	if good == 0 {
		return "", errors.New("no wanted symbol has data: " + strings.Join(bad, "; "))
	}
	switch {
	case len(bad) > 0:
		return strings.Join(bad, "; "), nil
	case len(closed) == len(list):
		return dataClosed, nil
	case len(closed) > 0:
		return dataClosed + ": " + strings.Join(closed, ", "), nil
	}
	return "", nil
}

// subscribe asks for one wanted symbol's contract and market. A symbol that
// the venue refuses is blocked; an error means that the session answers not.
func (d *Desk) subscribe(ctx context.Context, s broker.Session, sym market.Symbol) error {
	src, ok1 := s.(broker.ContractSource)
	data, ok2 := s.(broker.MarketData)
	if !ok1 || !ok2 {
		return errors.New("this adapter has no contracts or no market data")
	}
	details, err := src.Details(ctx, market.USStock(sym))
	switch {
	case errors.Is(err, broker.ErrRequest):
		d.moved(sym, dataBlocked, err.Error())
		return nil
	case err != nil:
		return fmt.Errorf("ask for the contract of %s: %w", sym, err)
	case len(details) != 1:
		d.moved(sym, dataBlocked, fmt.Sprintf("%d contracts match %s, not one", len(details), sym))
		return nil
	}
	contract := d.agreed(details[0])
	d.floor.describe(sym, contract)
	state, cause := dataWanted, ""
	if in, known := contract.Liquid.Contains(d.floor.now()); known && !in {
		state, cause = dataClosed, "outside its regular session"
	} else if d.cfg.Progress {
		// Lock-step: the first tick waits for the trader, who waits for this.
		state, cause = dataClosed, "market time stands until the trader runs"
	}
	// Before the subscription: a tick that comes with its answer counts.
	d.moved(sym, state, cause)
	err = data.Subscribe(ctx, contract.Contract)
	if errors.Is(err, broker.ErrRequest) {
		d.moved(sym, dataBlocked, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", sym, err)
	}
	return nil
}

// moved sets a wanted symbol's data state and tells it.
func (d *Desk) moved(s market.Symbol, state, cause string) {
	if c, ok := d.floor.move(s, state, cause); ok {
		d.out.data(c)
	}
}

// blocked takes the venue's word that a symbol's data request failed.
func (d *Desk) blocked(n broker.Notice) {
	c, ok := d.floor.move(n.Symbol, dataBlocked, fmt.Sprintf("%s (%d)", n.Text, n.Code))
	if !ok {
		return
	}
	d.out.data(c)
	list, _ := d.floor.standing()
	if _, err := verdict(list); err != nil && !waits(list) {
		d.darken(err)
	}
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
	details := d.floor.details(q.Symbol)
	if details == nil {
		return nil, errors.New("the symbol is not wanted, or the venue told nothing about it")
	}
	return src.Bars(ctx, broker.BarsQuery{
		Contract: details.Contract, End: q.End, Span: q.Span, Width: q.Width, RegularOnly: q.RegularOnly,
	})
}
