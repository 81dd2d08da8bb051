package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	_ "time/tzdata" // market hours on machines without a zone database

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

const symbol market.Symbol = "AAPL"

// silence is a market in which nothing happens by itself: one quote, deep
// enough for every order of a run.
type silence struct {
	*tape.Synthetic
	symbol market.Symbol
	told   int
}

func newSilence() (*silence, error) { return newSilenceOf(symbol) }

func newSilenceOf(s market.Symbol) (*silence, error) {
	src, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: s, Start: time.Now()})
	return &silence{Synthetic: src, symbol: s}, err
}

// Next tells the quote, and after it something far away: a tape that ends
// would be told to people.
func (s *silence) Next() (tape.Event, bool) {
	level := func(price string) tape.Level {
		return tape.Level{Price: market.MustPrice(price), Size: market.Shares(1_000_000), Known: true}
	}
	ev := tape.Event{At: s.Start(), Symbol: s.symbol, Kind: tape.Quote, Bid: level("187.24"), Ask: level("187.26")}
	if s.told++; s.told > 1 {
		ev.At = ev.At.Add(10_000 * time.Hour)
	}
	return ev, true
}

// venue is the simulated gateway with a clock on both ways of its sockets.
type venue struct {
	*gateway.Server
	base   time.Time
	sent   atomic.Int64   // when the armed tick's bytes went to the socket, since base
	armed  atomic.Bool    // the next tick is to be timed
	orders chan time.Time // arrivals
	seen   atomic.Int64   // orders that arrived in all

	count int64 // ticks written; the measuring goroutine's

	mu          sync.Mutex // guards what follows
	tick, order []byte     // the newest of each, as they were on the wire
}

func newVenue() (*venue, error) {
	quiet, err := newSilence()
	if err != nil {
		return nil, err
	}
	v := &venue{base: time.Now(), orders: make(chan time.Time, 16)}
	cfg := gateway.DefaultConfig()
	cfg.MaxRate = 0 // the rate is this program's
	cfg.OnOrder = func(received time.Time, _ int) {
		v.seen.Add(1)
		select {
		case v.orders <- received:
		default: // nobody waits for so many: the count tells
		}
	}
	if v.Server, err = gateway.New(cfg, quiet, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return v, v.Serve(clocked{l, v})
}

// clocked gives its connections the venue's clock.
type clocked struct {
	net.Listener
	v *venue
}

func (l clocked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is no TCP connection", c), c.Close())
	}
	return &clockedConn{tcp, l.v}, nil
}

type clockedConn struct {
	*net.TCPConn
	v *venue
}

// Write stamps the armed tick just before its bytes go to the socket.
func (c *clockedConn) Write(b []byte) (int, error) {
	if c.v.armed.Load() && messageID(b) == wire.IDTickString && c.v.armed.CompareAndSwap(true, false) {
		c.v.keep(&c.v.tick, b)
		c.v.sent.Store(int64(time.Since(c.v.base)))
	}
	return c.TCPConn.Write(b)
}

// Read keeps what an order looks like.
func (c *clockedConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if messageID(b[:n]) == wire.IDPlaceOrder {
		c.v.keep(&c.v.order, b[:n])
	}
	return n, err
}

func (v *venue) keep(dst *[]byte, b []byte) {
	v.mu.Lock()
	*dst = append((*dst)[:0], b...)
	v.mu.Unlock()
}

// frames returns a tick and an order as they were on the wire.
func (v *venue) frames() (tick, order []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return bytes.Clone(v.tick), bytes.Clone(v.order)
}

// messageID is the id of the first message of b, -1 when there is none.
func messageID(b []byte) int {
	const header = 4
	if len(b) <= header {
		return -1
	}
	id, ok := wire.PeekID(b[header:])
	if !ok {
		return -1
	}
	return id
}

// errNoOrder means that a tick was not answered.
var errNoOrder = errors.New("no order came")

// poke writes one trade tick.
func (v *venue) poke() {
	price := market.MustPrice("187.25")
	if v.count++; v.count%2 == 0 {
		price = market.MustPrice("187.24")
	}
	v.armed.Store(true)
	v.Inject(tape.Event{Symbol: symbol, Kind: tape.Trade, Price: price, Size: market.Shares(100), Exchange: "Q"})
}

// trade writes one trade tick and returns how long after it the order came.
func (v *venue) trade(ctx context.Context) (time.Duration, error) {
	select {
	case <-v.orders:
		return 0, fmt.Errorf("after %d ticks an order came that none of them asked for", v.count)
	default:
	}
	v.poke()
	timeout := time.NewTimer(laneWait)
	defer timeout.Stop()
	select {
	case at := <-v.orders:
		return at.Sub(v.base) - time.Duration(v.sent.Load()), nil
	case <-timeout.C:
		return 0, fmt.Errorf("tick %d: %w within %v", v.count, errNoOrder, laneWait)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
