package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 30 * time.Second

var (
	newYork = mustZone(tape.ZoneName)
	opening = time.Date(2026, 4, 2, 9, 30, 0, 0, newYork)
)

func mustZone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

// script is a tape of events that a test writes down, with a bar of history
// for each minute before its start.
type script struct {
	events []tape.Event
	played int
}

func (s *script) Next() (tape.Event, bool) {
	if s.played == len(s.events) {
		return tape.Event{}, false
	}
	s.played++
	return s.events[s.played-1], true
}

func (s *script) Start() time.Time         { return opening }
func (s *script) Symbols() []market.Symbol { return []market.Symbol{"AAPL"} }
func (s *script) Describe() string         { return "script" }

func (s *script) Hours(market.Symbol, time.Time) (tape.Hours, error) {
	span := market.Hours{{Open: opening.Add(-5*time.Hour - 30*time.Minute), Close: opening.Add(10*time.Hour + 30*time.Minute)}}
	liquid := market.Hours{{Open: opening, Close: opening.Add(6*time.Hour + 30*time.Minute)}}
	return tape.Hours{Trading: span, Liquid: liquid, Zone: newYork}, nil
}

func (s *script) History(symbol market.Symbol, end time.Time, span, width time.Duration, _ bool) ([]market.Bar, error) {
	if symbol != "AAPL" {
		return nil, tape.ErrNoSymbol
	}
	var bars []market.Bar
	for at := end.Add(-span); at.Before(end) && at.Before(opening); at = at.Add(width) {
		p := market.MustPrice("187.25")
		bars = append(bars, market.Bar{Start: at, Open: p, High: p, Low: p, Close: p, Volume: market.Shares(100), Trades: 1})
	}
	return bars, nil
}

func quote(after time.Duration, bid, ask string) tape.Event {
	side := func(s string) tape.Level {
		if s == "" {
			return tape.Level{}
		}
		return tape.Level{Price: market.MustPrice(s), Size: market.Shares(300), Known: true}
	}
	return tape.Event{At: opening.Add(after), Symbol: "AAPL", Kind: tape.Quote, Bid: side(bid), Ask: side(ask)}
}

func trade(after time.Duration, price string) tape.Event {
	return tape.Event{At: opening.Add(after), Symbol: "AAPL", Kind: tape.Trade, Price: market.MustPrice(price), Size: market.Shares(10)}
}

// day is a short one: three instants.
func shortDay() *script {
	return &script{events: []tape.Event{
		quote(0, "187.24", "187.26"),
		trade(0, "187.25"),
		quote(time.Second, "187.25", "187.27"),
		trade(2*time.Second, "187.30"),
	}}
}

var quiet = slog.New(slog.DiscardHandler)

// start runs a lock-step gateway on the script, or as change says.
func start(t *testing.T, src tape.Source, change func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Speed, cfg.Instance = 0, 1
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, src, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// peer is a client made of nothing but the codec.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	v    wire.Version
	seen []byte // every byte of the server after the hello
}

// dial connects without a word.
func dial(t *testing.T, s *Server) *peer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, in: bufio.NewReader(conn)}
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// hello offers versions up to top and returns the server's answer.
func (p *peer) hello(top int) wire.ServerHello {
	p.t.Helper()
	b, err := wire.Hello{Min: 100, Max: top}.Append(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
	payload, err := wire.ReadFrame(p.in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := wire.ParseServerHello(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.v = wire.Version(h.Version)
	return h
}

// join makes the whole handshake and returns the next order id.
func join(t *testing.T, s *Server, top, client int) (p *peer, next int64) {
	t.Helper()
	p = dial(t, s)
	p.hello(top)
	p.send(wire.StartAPI{ClientID: client})
	accounts := p.next().(wire.ManagedAccts)
	if got := strings.Join(accounts.Accounts(), " "); got != strings.Join(s.cfg.Accounts, " ") {
		t.Errorf("accounts %q", got)
	}
	next = p.next().(wire.NextValidID).OrderID
	for _, code := range []int{2104, 2106, 2158} {
		if m := p.next().(wire.ErrMsg); m.Code != code || m.RequestID != -1 {
			t.Errorf("got %+v, want notice %d", m, code)
		}
	}
	return p, next
}

func (p *peer) send(m wire.Message) {
	p.t.Helper()
	b, err := wire.AppendMessage(nil, m, p.v)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
}

// read returns the next message, every field of it understood.
func (p *peer) read() (wire.Message, error) {
	payload, err := wire.ReadFrame(p.in, nil)
	if err != nil {
		return nil, err
	}
	p.seen = wire.AppendFrame(p.seen, payload)
	return wire.DecodeServerStrict(p.v, payload)
}

func (p *peer) next() wire.Message {
	p.t.Helper()
	m, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// sync returns all that came before the answer to one more question.
func (p *peer) sync() []wire.Message {
	p.t.Helper()
	p.send(wire.ReqIDs{Num: 1})
	var list []wire.Message
	for {
		m := p.next()
		if _, ok := m.(wire.NextValidID); ok {
			return list
		}
		list = append(list, m)
	}
}

// closed reads to the end and returns what came before it.
func (p *peer) closed() []wire.Message {
	p.t.Helper()
	var list []wire.Message
	for {
		m, err := p.read()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			p.t.Fatal("the gateway did not close the connection")
		case err != nil:
			return list
		}
		list = append(list, m)
	}
}

// leave says goodbye and waits for the other side's.
func (p *peer) leave() {
	p.t.Helper()
	if err := p.conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, p.in); err != nil {
		p.t.Fatal(err)
	}
	_ = p.conn.Close()
}

func aapl() wire.Contract { return wire.ContractOf(market.USStock("AAPL")) }

func marketOrder(id int64, side order.Side, qty int64) wire.PlaceOrder {
	m := wire.NewPlaceOrder(id, aapl())
	q := market.Shares(qty)
	m.Action, m.TotalQuantity, m.OrderType, m.TIF, m.OrderRef = string(side), &q, "MKT", "DAY", "r-1"
	return m
}

func limitOrder(id int64, side order.Side, qty int64, limit string) wire.PlaceOrder {
	m := marketOrder(id, side, qty)
	m.OrderType = "LMT"
	m.LmtPrice = market.MustPrice(limit).Ptr()
	return m
}

// names lists messages in short form.
func names(list []wire.Message) []string {
	out := make([]string, 0, len(list))
	for _, m := range list {
		name := wire.Name(m.ID())
		switch m := m.(type) {
		case wire.OpenOrder:
			name += " " + m.Status
		case wire.OrderStatus:
			name += " " + m.Status
		case wire.ErrMsg:
			name += " " + itoa(m.Code)
		case wire.TickPrice:
			name += " " + itoa(int(m.Type)) + " " + m.Price.String()
		case wire.TickString:
			name += " " + itoa(int(m.Type))
		case wire.TickSize:
			name += " " + itoa(int(m.Type)) + " " + m.Size.String()
		}
		out = append(out, name)
	}
	return out
}
