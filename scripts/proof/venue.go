package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

const (
	askWait   = 20 * time.Second // for all answers of one look
	startCash = "1000000"
	observer  = 77 // the client id of who looks; the trader's is 1
)

// look is what the gateway tells another client.
type look struct {
	open      map[int64]wire.OpenOrder     // by permanent id
	done      map[int64]string             // references of completed orders, by permanent id
	execs     map[string]wire.ExecDetails  // by execution id
	positions map[market.Symbol]market.Qty // not flat, by symbol
}

// refs are the permanent ids that each reference has at the venue.
func (l *look) refs() map[string]map[int64]bool {
	all := map[string]map[int64]bool{}
	add := func(ref string, perm int64) {
		if ref == "" {
			return
		}
		if all[ref] == nil {
			all[ref] = map[int64]bool{}
		}
		all[ref][perm] = true
	}
	for perm, o := range l.open {
		add(o.OrderRef, perm)
	}
	for perm, ref := range l.done {
		add(ref, perm)
	}
	for _, e := range l.execs {
		add(e.OrderRef, e.PermID)
	}
	return all
}

// ask makes one session of its own, asks for everything and closes it well.
func ask(addr string) (*look, error) {
	conn, err := net.DialTimeout("tcp", addr, askWait)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // all that was asked for is read
	if err := conn.SetDeadline(time.Now().Add(askWait)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	hello, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	if _, err := wire.ReadFrame(in, nil); err != nil {
		return nil, fmt.Errorf("version: %w", err)
	}
	if err := send(conn, wire.StartAPI{ClientID: observer}); err != nil {
		return nil, err
	}
	l := &look{
		open: map[int64]wire.OpenOrder{}, done: map[int64]string{}, execs: map[string]wire.ExecDetails{}, positions: map[market.Symbol]market.Qty{},
	}
	days := 7
	for _, q := range []struct {
		what wire.Message
		end  int
	}{
		{nil, wire.NextValidID{}.ID()},
		{wire.ReqCompletedOrders{}, wire.CompletedOrdersEnd{}.ID()},
		{wire.ReqAllOpenOrders{}, wire.OpenOrderEnd{}.ID()},
		{wire.ReqExecutions{ReqID: 1, LastNDays: &days}, wire.ExecDetailsEnd{}.ID()},
		{wire.ReqPositions{}, wire.PositionEnd{}.ID()},
	} {
		if q.what != nil {
			if err := send(conn, q.what); err != nil {
				return nil, err
			}
		}
		if err := l.read(in, q.end); err != nil {
			return nil, fmt.Errorf("%T: %w", q.what, err)
		}
	}
	return l, nil
}

func send(conn net.Conn, m wire.Message) error {
	b, err := wire.AppendMessage(nil, m, 200)
	if err == nil {
		_, err = conn.Write(b)
	}
	return err
}

// read takes messages in up to and including the one that ends an answer.
func (l *look) read(in *bufio.Reader, end int) error {
	for {
		payload, err := wire.ReadFrame(in, nil)
		if err != nil {
			return err
		}
		m, err := wire.DecodeServer(200, payload)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case wire.OpenOrder:
			l.open[m.PermID] = m
		case wire.CompletedOrder:
			l.done[m.Order.PermID] = m.Order.OrderRef
		case wire.ExecDetails:
			l.execs[m.ExecID] = m
		case wire.Position:
			if !m.Position.IsZero() {
				l.positions[market.Symbol(m.Contract.Symbol)] = m.Position
			}
		}
		if m.ID() == end {
			return nil
		}
	}
}

// ledger is what the gateway wrote at its end.
type ledger struct {
	Accounts []struct {
		Account    string       `json:"account"`
		Cash       market.Money `json:"cash"`
		Executions []order.Fill `json:"executions"`
		Positions  []struct {
			Symbol market.Symbol `json:"symbol"`
			Qty    market.Qty    `json:"qty"`
		} `json:"positions"`
	} `json:"accounts"`
}

func readLedger(state string) (l ledger, err error) {
	b, err := os.ReadFile(filepath.Join(state, "sim-ledger.json"))
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, err
	}
	if len(l.Accounts) != 1 {
		return l, fmt.Errorf("%d accounts in the ledger, want 1", len(l.Accounts))
	}
	return l, nil
}
