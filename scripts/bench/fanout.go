package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// The goal for the simulated gateway: so many clients with so many symbols
// each, and so many ticks a second that all of them get together, with a
// client that does not read slowing nobody.
const (
	fanClients  = 32
	fanSymbols  = 100
	wantedFan   = 20_000
	fanVersion  = 200
	fanDeadline = 20 * time.Second
)

// listener is one of the clients. It counts and keeps nothing.
type listener struct {
	conn   net.Conn
	ticks  atomic.Int64 // market-data frames
	trades atomic.Int64
	err    error // set when it has ended
}

// subscribe makes a session with all symbols; the answers are read later.
func subscribe(addr string, id int, symbols []market.Symbol) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	var errs []error
	out, err := wire.Hello{Min: 100, Max: fanVersion}.Append(nil)
	errs = append(errs, err)
	if _, err := conn.Write(out); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	out, err = wire.AppendMessage(nil, wire.StartAPI{ClientID: id}, fanVersion)
	errs = append(errs, err)
	if _, err := conn.Write(out); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	in := bufio.NewReader(conn)
	for ready := false; !ready; { // nothing may be asked before the id is there
		frame, err := wire.ReadFrame(in, nil)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		got, _ := wire.PeekID(frame)
		ready = got == wire.IDNextValidID
	}
	out = out[:0]
	for i, s := range symbols {
		out, err = wire.AppendMessage(out, wire.ReqMktData{ReqID: i + 1, Contract: wire.ContractOf(market.USStock(s))}, fanVersion)
		errs = append(errs, err)
	}
	_, err = conn.Write(out)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// listen counts until the connection ends.
func (l *listener) listen() {
	in := bufio.NewReaderSize(l.conn, 64<<10)
	var frame []byte
	for {
		if frame, l.err = wire.ReadFrame(in, frame); l.err != nil {
			return
		}
		switch id, _ := wire.PeekID(frame); id {
		case wire.IDTickPrice:
			var m wire.TickPrice
			if l.err = m.Decode(fanVersion, frame); l.err != nil {
				return
			}
			l.ticks.Add(1)
			if m.Type == wire.TickLast {
				l.trades.Add(1)
			}
		case wire.IDTickSize, wire.IDTickString, wire.IDTickGeneric:
			l.ticks.Add(1)
		}
	}
}

// hall is a gateway with its listeners, in this process: what is measured is
// all of it.
type hall struct {
	s         *gateway.Server
	symbols   []market.Symbol
	listeners []*listener
	stalled   net.Conn // a client that does not read, nil without one
	wg        sync.WaitGroup
	events    int
	trades    int64 // written since the listeners came
}

func openHall(stalled bool) (h *hall, err error) {
	h = &hall{}
	var sources []tape.Source
	for i := range fanSymbols {
		s := market.Symbol(fmt.Sprintf("S%02d", i))
		src, err := newSilenceOf(s)
		if err != nil {
			return nil, err
		}
		h.symbols, sources = append(h.symbols, s), append(sources, src)
	}
	src, err := tape.Merge(sources...)
	if err != nil {
		return nil, err
	}
	cfg := gateway.DefaultConfig()
	cfg.MaxRate = 0 // a hundred requests at once are this program's
	if h.s, err = gateway.New(cfg, src, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if err := h.s.Start(); err != nil {
		return nil, err
	}
	for i := range fanClients {
		conn, err := subscribe(h.s.Addr().String(), i+1, h.symbols)
		if err != nil {
			return nil, errors.Join(err, h.close())
		}
		if stalled && i == 0 {
			h.stalled = conn
			continue
		}
		l := &listener{conn: conn}
		h.listeners = append(h.listeners, l)
		h.wg.Add(1)
		go func() { // ends with the connection, which close ends
			defer h.wg.Done()
			l.listen()
		}()
	}
	return h, nil
}

func (h *hall) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	for _, l := range h.listeners {
		_ = l.conn.Close() // it only reads
	}
	if h.stalled != nil {
		_ = h.stalled.Close()
	}
	h.wg.Wait()
	return h.s.Stop(ctx)
}

// settled waits until every listener has counted all trades.
func (h *hall) settled(ctx context.Context) error {
	deadline := time.Now().Add(fanDeadline)
	for {
		behind := 0
		for _, l := range h.listeners {
			if l.trades.Load() < h.trades {
				behind++
			}
		}
		if behind == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d listeners did not get all of %d trades within %v", behind, len(h.listeners), h.trades, fanDeadline)
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fanned is what a run gave.
type fanned struct {
	rate float64       // ticks a second, all listeners together
	cpu  time.Duration // of this process, a tick
	lag  time.Duration // from the last event to the last listener's count
}

// push plays so many events a second over all symbols for a while.
func (h *hall) push(ctx context.Context, perSecond int, d time.Duration) (f fanned, err error) {
	if err := h.settled(ctx); err != nil {
		return f, err
	}
	before, spent := h.heard(), processTime()
	ticker := time.NewTicker(burstEvery)
	defer ticker.Stop()
	began, first := time.Now(), h.events
	for since := time.Duration(0); since < d; since = time.Since(began) {
		for due := int(float64(perSecond) * since.Seconds()); h.events-first < due; h.events++ {
			ev := eventOf(h.symbols[h.events%len(h.symbols)], h.events/len(h.symbols))
			if ev.Kind == tape.Trade {
				h.trades++
			}
			h.s.Inject(ev)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
	sent := time.Now()
	if err := h.settled(ctx); err != nil {
		return f, err
	}
	f.lag = time.Since(sent)
	ticks := h.heard() - before
	f.rate = float64(ticks) / time.Since(began).Seconds()
	f.cpu = (processTime() - spent) / time.Duration(max(ticks, 1))
	return f, nil
}

func (h *hall) heard() (n int64) {
	for _, l := range h.listeners {
		n += l.ticks.Load()
	}
	return n
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fanout measures the simulated gateway under many clients, first all of them
// reading and then one of them not, in turns in one run.
func fanout(ctx context.Context, p plan) (s section, err error) {
	s.title = fmt.Sprintf("simulated gateway: %d clients with %d symbols each, in one process with them", fanClients, fanSymbols)
	ok, best := true, 0.0
	for _, events := range []int{500, 5_000, 20_000} {
		for _, stalled := range []bool{false, true} {
			f, err := fanOnce(ctx, events, stalled, p.push)
			if err != nil {
				return s, err
			}
			who := fmt.Sprintf("%d events/s, all read", events)
			if stalled {
				who = fmt.Sprintf("%d events/s, one does not read", events)
			}
			s.add(who, fmt.Sprintf("%.0f ticks/s in all, %.2f µs CPU a tick, last trade counted after %v, none lost",
				f.rate, float64(f.cpu.Nanoseconds())/1000, f.lag.Round(time.Millisecond)))
			if f.lag < time.Second {
				best = max(best, f.rate)
			} else if events == 500 {
				ok = false
			}
		}
	}
	s.judge("ticks a second in all", fmt.Sprintf("%.0f", best), fmt.Sprintf("≥ %d, no trade lost", wantedFan), ok && best >= wantedFan)
	return s, nil
}

func fanOnce(ctx context.Context, events int, stalled bool, d time.Duration) (f fanned, err error) {
	h, err := openHall(stalled)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	return h.push(ctx, events, d)
}
