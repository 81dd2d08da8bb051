package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

const (
	// wantedTicks is the goal: ticks a second from the gateway's socket to the
	// strategy, with the sender on the same processors.
	wantedTicks = 100_000
	// mostLag is how long after the last tick was written the strategy may
	// still be counting: more says that a queue grew all the while.
	mostLag = shownEvery + 500*time.Millisecond
	// shownEvery is how often the trader brings what a strategy shows up to date.
	shownEvery = time.Second
	// ticksAnEvent is how many ticks the trader hears of a trade (trade and
	// volume) and of a quote (bid and ask).
	ticksAnEvent = 2
	sharesATrade = 100
	burstEvery   = 5 * time.Millisecond
	countWait    = 30 * time.Second
)

// pushed is what was sent and what came of it.
type pushed struct {
	events, trades int
	took           time.Duration // to write them
	lag            time.Duration // from the last one to the strategy's full count
	cpu            time.Duration // that the trader spent
	heard          count
}

// count is what the strategy "tick_count" shows.
type count struct {
	ticks, trades, shares uint64
	session               string // since when it stands
}

// lost says what is missing, "" when nothing is.
func (l pushed) lost(before count) string {
	if got := l.heard.trades - before.trades; got != uint64(l.trades) {
		return fmt.Sprintf("%d of %d trades", got, l.trades)
	}
	if got := l.heard.shares - before.shares; got != uint64(l.trades)*sharesATrade {
		return fmt.Sprintf("%d trades of %d shares, not of %d each", l.trades, got, sharesATrade)
	}
	return ""
}

func (l pushed) rate() float64 {
	return float64(l.events*ticksAnEvent) / (l.took + max(0, l.lag-shownEvery)).Seconds()
}

// throughput sends ticks at rising rates until the trader does not keep up.
func throughput(ctx context.Context, p plan) (s section, err error) {
	s.title = "throughput: socket to strategy, the sender on the same processors"
	v, err := newVenue()
	if err != nil {
		return s, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), stopWait)
		defer cancel()
		err = errors.Join(err, v.Stop(stopping))
	}()
	t, err := startTrader(p, "--broker", "ibkr", "--gateway", v.Addr().String(), "--strategy", "tick_count", "--headless", string(symbol))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return s, err
	}
	best, lost := 0.0, ""
	for rate := wantedTicks / 4; rate <= wantedTicks*8; rate *= 2 {
		l, before, err := v.push(ctx, t, rate, p.push)
		if err != nil {
			return s, err
		}
		if lost = l.lost(before); lost != "" && l.heard.session != before.session {
			// What the gateway does with a client that cannot take its trades.
			s.add(fmt.Sprintf("%d ticks/s asked", rate), "too many: the gateway closed the session, and the trader made another")
			lost = ""
			break
		}
		if lost != "" {
			s.add(fmt.Sprintf("%d ticks/s asked", rate), "LOST: "+lost+" came")
			break
		}
		s.add(fmt.Sprintf("%d ticks/s asked for %v", rate, p.push),
			fmt.Sprintf("%.0f/s, %d trades, none lost, last one counted %v after it was written; trader's CPU %.1f µs a tick",
				l.rate(), l.trades, l.lag.Round(time.Millisecond), float64(l.cpu.Microseconds())/float64(l.events*ticksAnEvent)))
		if l.lag > mostLag {
			break
		}
		best = max(best, l.rate())
	}
	s.judge("greatest rate kept up with", fmt.Sprintf("%.0f ticks/s", best), fmt.Sprintf("≥ %d, no trade lost", wantedTicks), best >= wantedTicks && lost == "")
	s.note("half of the events are trades, half quotes; a trade is two ticks (trade, volume), a quote two (bid, ask)")
	return s, nil
}

// push writes events at a rate for a while, and waits for the strategy's
// count.
func (v *venue) push(ctx context.Context, t *trader, rate int, d time.Duration) (l pushed, before count, err error) {
	if before, err = t.count(ctx); err != nil {
		return l, before, err
	}
	spent, err := t.cpu(ctx)
	if err != nil {
		return l, before, err
	}
	ticker := time.NewTicker(burstEvery)
	defer ticker.Stop()
	began := time.Now()
	for since := time.Duration(0); since < d; since = time.Since(began) {
		due := int(float64(rate/ticksAnEvent) * since.Seconds())
		for l.events < due {
			v.Inject(v.event(l.events))
			if l.events%2 == 0 {
				l.trades++
			}
			l.events++
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return l, before, ctx.Err()
		}
	}
	v.Inject(v.event(0)) // the count is shown with a trade
	l.trades, l.events = l.trades+1, l.events+1
	sent := time.Now()
	l.took = sent.Sub(began)
	for {
		if l.heard, err = t.count(ctx); err != nil {
			return l, before, err
		}
		l.lag = time.Since(sent)
		if l.lost(before) == "" || l.lag > countWait {
			now, err := t.cpu(ctx)
			l.cpu = now - spent
			return l, before, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return l, before, ctx.Err()
		}
	}
}

// event is the nth: trades and quotes in turns, each other than the one
// before.
func (v *venue) event(n int) tape.Event { return eventOf(symbol, n) }

func eventOf(symbol market.Symbol, n int) tape.Event {
	cent := market.MustPrice("0.01")
	price := market.MustPrice("187.25").Add(cent.Times(int64(n % 7)))
	if n%2 == 0 {
		return tape.Event{Symbol: symbol, Kind: tape.Trade, Price: price, Size: market.Shares(sharesATrade), Exchange: "Q"}
	}
	size := market.Shares(1_000_000)
	return tape.Event{
		Symbol: symbol, Kind: tape.Quote,
		Bid: tape.Level{Price: price.Sub(cent), Size: size, Known: true}, Ask: tape.Level{Price: price.Add(cent), Size: size, Known: true},
	}
}

// cpu is the processor time that the trader has spent.
func (t *trader) cpu(ctx context.Context) (time.Duration, error) {
	p, err := process.NewProcessWithContext(ctx, int32(t.cmd.Process.Pid))
	if err != nil {
		return 0, t.fault("processor time: %v", err)
	}
	times, err := p.TimesWithContext(ctx)
	if err != nil {
		return 0, t.fault("processor time: %v", err)
	}
	return time.Duration((times.User + times.System) * float64(time.Second)), nil
}

// count reads what the strategy has counted.
func (t *trader) count(ctx context.Context) (c count, err error) {
	ctx, cancel := context.WithTimeout(ctx, countWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+"/api/state", nil)
	if err != nil {
		return c, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, t.fault("state: %v", err)
	}
	defer resp.Body.Close()
	var state struct {
		Data struct {
			Link struct {
				Since string
			}
			Strategies []struct {
				Values map[string]string `json:"values"`
			} `json:"strategies"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		return c, t.fault("state: %v", err)
	}
	if len(state.Data.Strategies) != 1 {
		return c, t.fault("state: %d strategies, want 1", len(state.Data.Strategies))
	}
	c.session = state.Data.Link.Since
	values := state.Data.Strategies[0].Values
	if values["trades"] == "" {
		return c, nil // none yet
	}
	for _, v := range []struct {
		name string
		n    *uint64
	}{{"ticks", &c.ticks}, {"trades", &c.trades}, {"shares", &c.shares}} {
		if *v.n, err = strconv.ParseUint(values[v.name], 10, 64); err != nil {
			return c, t.fault("state: %s: %v", v.name, err)
		}
	}
	return c, nil
}
