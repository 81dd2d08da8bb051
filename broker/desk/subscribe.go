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

// The ways to subscribe: for the first time in a session, and anew under
// another request id, because the venue lost the subscription or it is silent.
const (
	first = false
	anew  = true
)

// subscribe asks for one wanted symbol's contract and market. A symbol that
// the venue refuses is blocked; an error means that the session answers not.
func (d *Desk) subscribe(ctx context.Context, s broker.Session, sym market.Symbol, again bool) error {
	data, ok := s.(broker.MarketData)
	if !ok {
		return errors.New("this adapter has no market data")
	}
	if why := d.floor.Barred(sym); why != "" { // whatever this session tells of it
		d.moved(sym, floor.Blocked, why)
		return nil
	}
	contract, err := d.describe(ctx, s, sym)
	if err != nil || contract == nil {
		return err
	}
	state, cause := floor.Wanted, ""
	if !d.open(contract, d.floor.Now(time.Now())) {
		state, cause = floor.Closed, floor.CauseOutside
	} else if d.cfg.Progress {
		// Lock-step: the first tick waits for the trader, who waits for this.
		state, cause = floor.Closed, "market time stands until the trader runs"
	}
	// Before the subscription: a tick that comes with its answer counts.
	d.moved(sym, state, cause)
	d.floor.Begun(sym) // it is not asked for want of ticks
	return d.order(ctx, data, sym, contract.Contract, again)
}

// order writes the subscription.
func (d *Desk) order(ctx context.Context, data broker.MarketData, sym market.Symbol, c market.Contract, again bool) error {
	d.floor.Ordered(sym, time.Now(), d.cfg.DataDeadline)
	var err error
	switch r, ok := data.(broker.Resubscriber); {
	case again && ok:
		err = r.Resubscribe(ctx, c)
	case again:
		if err = data.Unsubscribe(ctx, sym); err == nil {
			err = data.Subscribe(ctx, c)
		}
	default:
		err = data.Subscribe(ctx, c)
	}
	if errors.Is(err, broker.ErrRequest) {
		d.refused(sym, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", sym, err)
	}
	return nil
}

// renew asks again for symbols whose streams are silent or were refused. What
// fails is asked again at its next turn, like what stays silent.
func (d *Desk) renew(ctx context.Context, h *held, list []market.Symbol) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DataDeadline)
	defer cancel()
	data, ok := h.session.(broker.MarketData)
	if !ok {
		return
	}
	for _, sym := range list {
		if ctx.Err() != nil {
			return // what was not asked for does not count as asked for in vain
		}
		if !d.floor.Starves(sym) {
			continue // it came back while this waited behind another chore
		}
		contract, err := d.floor.Details(sym), error(nil)
		if contract == nil { // it was refused, or the venue did not know it
			contract, err = d.describe(ctx, h.session, sym)
		}
		if err == nil && contract != nil {
			err = d.order(ctx, data, sym, contract.Contract, anew)
		}
		if err != nil && ctx.Err() == nil {
			d.warn(event.NoticeText{Name: "resubscribe_failed", Symbol: sym, Text: err.Error() + "; it is tried again"})
		}
	}
}

// describe asks for a symbol's contract and keeps what the venue tells. It is
// nil when the symbol is blocked for it; an error means that the session
// answers not.
func (d *Desk) describe(ctx context.Context, s broker.Session, sym market.Symbol) (*market.Details, error) {
	src, ok := s.(broker.ContractSource)
	if !ok {
		return nil, errors.New("this adapter has no contracts")
	}
	list, err := src.Details(ctx, market.USStock(sym))
	switch {
	case errors.Is(err, broker.ErrRequest):
		d.refused(sym, err.Error())
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("ask for the contract of %s: %w", sym, err)
	case len(list) != 1:
		d.refused(sym, fmt.Sprintf("%d contracts match %s, not one", len(list), sym))
		return nil, nil
	case list[0].Contract.Symbol != sym:
		d.refused(sym, fmt.Sprintf("asked for %s, the venue told of %s", sym, list[0].Contract.Symbol))
		return nil, nil
	}
	was := d.floor.Details(sym)
	if was != nil && was.Contract.ConID != list[0].Contract.ConID {
		d.barred(ctx, s, sym, was.Contract.ConID, list[0].Contract.ConID)
		return nil, nil
	}
	told, differs := d.hours.Agreed(list[0])
	for _, n := range differs {
		d.warn(n)
	}
	d.floor.Describe(sym, told)
	if was == nil {
		err = d.described(ctx, sym)
	}
	return &told, err
}

// described has the books hold what they have of a symbol against its contract,
// which has become known.
func (d *Desk) described(ctx context.Context, sym market.Symbol) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.give()
	t := d.begin()
	d.books.Described(t, sym)
	d.follow(t)
	return nil
}

// barred blocks a symbol whose contract is another one than before, for the rest
// of this process's life: what the books hold of it is of the contract before.
func (d *Desk) barred(ctx context.Context, s broker.Session, sym market.Symbol, was, is int64) {
	why := fmt.Sprintf("its contract is %d now and was %d: look at it, and start the trader again to trade the new one", is, was)
	d.floor.Bar(sym, why)
	if data, ok := s.(broker.MarketData); ok {
		if err := data.Unsubscribe(ctx, sym); err != nil {
			d.log.Warn("unsubscribe_failed", "symbol", string(sym), "error", err)
		}
	}
	d.moved(sym, floor.Blocked, why)
	d.warn(event.NoticeText{Level: "error", Name: "contract_changed", Symbol: sym, Text: string(sym) + " is blocked: " + why})
}

// refused blocks a symbol by the venue's word. It is asked again, since a
// person may have made a subscription or left another session.
func (d *Desk) refused(sym market.Symbol, why string) {
	d.floor.Refused(sym, time.Now())
	d.moved(sym, floor.Blocked, why)
}

// competed blocks what another session of this user takes: one symbol, or all
// that ticked or should when none is named.
func (d *Desk) competed(n broker.Notice) {
	list, _ := d.floor.Standing()
	for _, st := range list {
		if n.Symbol != "" && n.Symbol != st.Symbol || n.Symbol == "" && (st.State == floor.Closed || st.State == floor.Blocked) {
			continue
		}
		d.refused(st.Symbol, fmt.Sprintf("another session of this user takes the market data (%d): log out there, or give the trader a user name of its own", n.Code))
		d.floor.Competed(st.Symbol, time.Now())
	}
	d.weigh()
}

// readHours asks for the day's trading hours, and whether the contracts are
// still the ones that they were.
func (d *Desk) readHours(ctx context.Context, h *held) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.RecoveredDeadline)
	defer cancel()
	list, _ := d.floor.Standing()
	for _, st := range list {
		if d.floor.Details(st.Symbol) == nil {
			continue // it is asked for with its data
		}
		if _, err := d.describe(ctx, h.session, st.Symbol); err != nil {
			d.floor.HoursFailed()
			d.warn(event.NoticeText{
				Name: "hours_not_read", Symbol: st.Symbol,
				Text: fmt.Sprintf("the hours of the day did not come, those told before hold; asked again in %v: %v", floor.HoursAgain, err),
			})
			return
		}
	}
}
