package ibkr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// barSizes are the widths that the venue knows, in its words.
var barSizes = map[time.Duration]string{
	time.Minute: "1 min", 2 * time.Minute: "2 mins", 3 * time.Minute: "3 mins", 5 * time.Minute: "5 mins",
	10 * time.Minute: "10 mins", 15 * time.Minute: "15 mins", 20 * time.Minute: "20 mins", 30 * time.Minute: "30 mins",
	time.Hour: "1 hour", 2 * time.Hour: "2 hours", 3 * time.Hour: "3 hours", 4 * time.Hour: "4 hours", 8 * time.Hour: "8 hours",
	24 * time.Hour: "1 day",
}

const (
	day     = 24 * time.Hour
	maxSpan = 365 * day
)

// duration words how far back to look: seconds up to a day, then whole days,
// rounded up.
func duration(span time.Duration) (string, error) {
	switch {
	case span <= 0 || span > maxSpan:
		return "", fmt.Errorf("ibkr: span %v of bars is not above 0 and at most 365 days", span)
	case span <= day:
		return fmt.Sprintf("%d S", (span+time.Second-1)/time.Second), nil
	}
	return fmt.Sprintf("%d D", (span+day-1)/day), nil
}

const reqBars = "reqHistoricalData"

// Bars asks for closed bars of trades; see [broker.HistorySource]. Questions are
// held under the venue's limits, but of the built-in gateway, which has none
// and whose days may pass in a minute. Without a deadline of ctx, a wait for
// room is bounded by Config.RequestTimeout.
func (s *Session) Bars(ctx context.Context, q broker.BarsQuery) ([]market.Bar, error) {
	bad := func(err error) ([]market.Bar, error) {
		return nil, &broker.Error{Op: reqBars, Kind: broker.ErrRequest, Err: err, Advice: "correct the question"}
	}
	size, ok := barSizes[q.Width]
	if !ok {
		return bad(fmt.Errorf("ibkr: bars of %v: the venue has no such width", q.Width))
	}
	span, err := duration(q.Span)
	if err != nil {
		return bad(err)
	}
	msg := wire.ReqHistoricalData{
		Contract: wire.ContractOf(q.Contract), BarSize: size, Duration: span,
		RegularOnly: q.RegularOnly, WhatToShow: "TRADES", FormatDate: 2,
	}
	if !q.End.IsZero() {
		msg.EndDateTime = q.End.UTC().Format("20060102-15:04:05")
	}
	if s.cfg.Simulated {
		return s.askBars(ctx, msg, q)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.RequestTimeout)
		defer cancel()
	}
	return s.budget.Bars.Do(ctx, s.gone, q, s.venueNow, func() ([]market.Bar, error) {
		return s.askBars(ctx, msg, q)
	})
}

// venueNow is the venue's time, zero when it is not known.
func (s *Session) venueNow() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.Now(time.Now())
}

// askBars puts the question to the venue.
func (s *Session) askBars(ctx context.Context, msg wire.ReqHistoricalData, q broker.BarsQuery) ([]market.Bar, error) {
	msg.ReqID = s.ids.Next()
	var got []wire.Bar
	err := s.ask(ctx, msg.ReqID, reqBars, msg, func(m wire.Message) (bool, error) {
		h, ok := m.(wire.HistoricalData)
		if !ok {
			return false, unfit(m)
		}
		got = h.Bars
		return true, nil
	})
	var e *broker.Error
	switch {
	case err == nil:
		return s.closedBars(got, q)
	case noBars(err):
		return []market.Bar{}, nil
	case errors.As(err, &e) && pace.TooOften(e):
		e.Kind, e.RetryAfter = broker.ErrPacing, pace.SameSpan
	case errors.Is(err, broker.ErrNoAnswer) && !errors.Is(err, broker.ErrNotWritten) && s.ended() == nil:
		// Nobody waits any more: free its place among the venue's 50.
		s.sendLast(ctx, wire.CancelHistoricalData{ReqID: msg.ReqID})
	}
	return nil, err
}

// noBars tells "there are none", which the venue sends as an error, from a
// failed question.
func noBars(err error) bool {
	var e *broker.Error
	return errors.As(err, &e) && e.Code == 162 && e.Err != nil && strings.Contains(strings.ToLower(e.Err.Error()), "no data")
}

// closedBars converts bars, oldest first, without the one that is still open.
func (s *Session) closedBars(got []wire.Bar, q broker.BarsQuery) ([]market.Bar, error) {
	end := q.End
	if end.IsZero() {
		end = s.venueNow()
	}
	bars := make([]market.Bar, 0, len(got))
	for _, b := range got {
		start, err := wire.ParseTime(b.Date, venueZone)
		if err != nil {
			return nil, &broker.Error{Op: reqBars, Kind: broker.ErrRequest, Err: err, Advice: "report this: a bar without a time"}
		}
		if !end.IsZero() && start.Add(q.Width).After(end) {
			continue
		}
		bar := market.Bar{
			Start: start.UTC(), Open: b.Open, High: b.High, Low: b.Low, Close: b.Close, Trades: max(b.Trades, 0),
		}
		if b.Volume != nil {
			bar.Volume = *b.Volume
		}
		bars = append(bars, bar)
	}
	slices.SortStableFunc(bars, func(a, b market.Bar) int { return a.Start.Compare(b.Start) })
	return bars, nil
}
