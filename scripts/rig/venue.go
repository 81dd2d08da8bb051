package rig

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
	askWait  = 20 * time.Second // for all answers of one look
	observer = 77               // the client id of who looks; the trader's is 1
)

// Look is what the gateway tells another client.
type Look struct {
	Open      map[int64]wire.OpenOrder     // by permanent id
	Done      map[int64]string             // references of completed orders, by permanent id
	Execs     map[string]wire.ExecDetails  // by execution id
	Positions map[market.Symbol]market.Qty // not flat, by symbol
}

// refs are the permanent ids that each reference has at the venue.
func (l *Look) refs() map[string]map[int64]bool {
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
	for perm, o := range l.Open {
		add(o.OrderRef, perm)
	}
	for perm, ref := range l.Done {
		add(ref, perm)
	}
	for _, e := range l.Execs {
		add(e.OrderRef, e.PermID)
	}
	return all
}

// Ask makes one session of its own, asks for everything and closes it well.
func Ask(addr string) (*Look, error) {
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
	l := &Look{
		Open: map[int64]wire.OpenOrder{}, Done: map[int64]string{}, Execs: map[string]wire.ExecDetails{}, Positions: map[market.Symbol]market.Qty{},
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
func (l *Look) read(in *bufio.Reader, end int) error {
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
			l.Open[m.PermID] = m
		case wire.CompletedOrder:
			l.Done[m.Order.PermID] = m.Order.OrderRef
		case wire.ExecDetails:
			l.Execs[m.ExecID] = m
		case wire.Position:
			if !m.Position.IsZero() {
				l.Positions[market.Symbol(m.Contract.Symbol)] = m.Position
			}
		}
		if m.ID() == end {
			return nil
		}
	}
}

// Ledger is what the gateway wrote at its end.
type Ledger struct {
	Accounts []Account `json:"accounts"`
}

// Account is one account's books.
type Account struct {
	Account    string       `json:"account"`
	Cash       market.Money `json:"cash"`
	Executions []order.Fill `json:"executions"`
	Positions  []struct {
		Symbol market.Symbol `json:"symbol"`
		Qty    market.Qty    `json:"qty"`
	} `json:"positions"`
}

// ReadLedger reads it from the state folder of a gateway that has ended.
func ReadLedger(state string) (l Ledger, err error) {
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
