package ibkr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Positions asks for all positions of the account. What is no stock has a name
// that nobody can order; see [broker.AccountSource]. The gateway goes on telling
// their changes, which come as events.
func (s *Session) Positions(ctx context.Context) ([]order.Position, error) {
	list := []order.Position{}
	err := s.askList(ctx, turnPositions, "reqPositions", wire.ReqPositions{}, func(m wire.Message) (bool, error) {
		p, ok := m.(wire.Position)
		if !ok {
			return ends[wire.PositionEnd](m)
		}
		if p.Account != s.facts.Account {
			return false, nil
		}
		got, err := position(p.Account, p.Contract, p.Position, p.AvgCost)
		if err != nil {
			return false, err // a list with a hole is no answer
		}
		i := slices.IndexFunc(list, func(q order.Position) bool { return q.ConID == got.ConID && q.Symbol == got.Symbol })
		if i >= 0 { // changed while the list was told
			list[i] = got
			return false, nil
		}
		list = append(list, got)
		return false, nil
	}, func() { list = []order.Position{} })
	if err != nil {
		return nil, err
	}
	return list, nil
}

// OpenOrders asks for the open orders of this client id. Each also comes as
// an event, with its status.
func (s *Session) OpenOrders(ctx context.Context) ([]broker.OrderReport, error) {
	return s.openOrders(ctx, "reqOpenOrders", wire.ReqOpenOrders{})
}

// AllOpenOrders asks for the open orders of the account by all clients, and by
// hand; see [broker.AllOrdersSource]. Each also comes as an event. Its answer ends
// with the message that ends the one for our own, so they take turns.
func (s *Session) AllOpenOrders(ctx context.Context) ([]broker.OrderReport, error) {
	return s.openOrders(ctx, "reqAllOpenOrders", wire.ReqAllOpenOrders{})
}

func (s *Session) openOrders(ctx context.Context, name string, question wire.Message) ([]broker.OrderReport, error) {
	list := []broker.OrderReport{}
	err := s.askList(ctx, turnOpenOrders, name, question, func(m wire.Message) (bool, error) {
		o, ok := m.(wire.OpenOrder)
		if !ok {
			return ends[wire.OpenOrderEnd](m)
		}
		r, err := orderReport(o)
		if errors.Is(err, errNotStock) {
			return false, nil // route tells of it
		}
		if err != nil {
			return false, err
		}
		same := func(q broker.OrderReport) bool {
			return q.Order.OrderID == r.Order.OrderID && q.Order.ClientID == r.Order.ClientID && q.Order.PermID == r.Order.PermID
		}
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i] = r
			return false, nil
		}
		list = append(list, r)
		return false, nil
	}, func() { list = []broker.OrderReport{} })
	if err != nil {
		return nil, err
	}
	return list, nil
}

// CompletedOrders asks for the account's orders of the day that are done, by
// whichever client and by hand; see [broker.CompletedSource]. Gateways take one such question at a time and are
// known to stay silent over a second (ib_insync #224); in read-only mode they
// refuse it (321) or say nothing. Protocol sheet, section 10.6.
func (s *Session) CompletedOrders(ctx context.Context) ([]broker.CompletedReport, error) {
	list := []broker.CompletedReport{}
	err := s.askList(ctx, turnCompleted, "reqCompletedOrders", wire.ReqCompletedOrders{}, func(m wire.Message) (bool, error) {
		o, ok := m.(wire.CompletedOrder)
		if !ok {
			return ends[wire.CompletedOrdersEnd](m)
		}
		if o.Order.Account != s.facts.Account {
			return false, nil
		}
		r, err := completedReport(o)
		if errors.Is(err, errNotStock) {
			return false, nil // it is nobody's who trades stocks
		}
		if err != nil {
			return false, err // a list with a hole is no answer
		}
		list = append(list, r)
		return false, nil
	}, func() { list = []broker.CompletedReport{} })
	if err != nil {
		return nil, err
	}
	return list, nil
}

// executionsTake collects the answer to reqExecutions.
type executionsTake struct {
	fills []broker.ExecutionReport
	costs []broker.CommissionReport
	ids   map[string]bool
}

func (t *executionsTake) take(m wire.Message) (bool, error) {
	switch m := m.(type) {
	case wire.ExecDetails:
		f, err := fill(m)
		if errors.Is(err, errNotStock) {
			return false, nil // route tells of it
		}
		if err != nil {
			return false, err
		}
		if !t.ids[f.ExecID] {
			t.ids[f.ExecID] = true
			t.fills = append(t.fills, broker.ExecutionReport{Fill: f})
		}
		return false, nil
	case wire.CommissionReport:
		if r, ok := commissionReport(m); ok && t.ids[r.ExecID] {
			t.costs = append(t.costs, r)
		}
		return false, nil
	}
	return ends[wire.ExecDetailsEnd](m)
}

// Executions asks for the day's executions of the account by this client id.
// Naming the client id is what makes some gateways answer at all (ib_async
// #137). Commissions also come as events, some of them after this answer.
func (s *Session) Executions(ctx context.Context) ([]broker.ExecutionReport, []broker.CommissionReport, error) {
	id := s.ids.Next()
	t := &executionsTake{ids: map[string]bool{}}
	msg := wire.ReqExecutions{ReqID: id, ClientID: s.facts.ClientID, Account: s.facts.Account}
	if err := s.ask(ctx, id, "reqExecutions", msg, t.take); err != nil {
		return nil, nil, err
	}
	return t.fills, t.costs, nil
}

// AllExecutions asks for the day's executions of the account by all clients; see
// [broker.ForeignSource]. Gateways are known that answer it never (ib_async
// #137).
func (s *Session) AllExecutions(ctx context.Context) ([]broker.ExecutionReport, error) {
	id := s.ids.Next()
	t := &executionsTake{ids: map[string]bool{}}
	if err := s.ask(ctx, id, "reqExecutions", wire.ReqExecutions{ReqID: id, Account: s.facts.Account}, t.take); err != nil {
		return nil, err
	}
	return t.fills, nil
}

// answerExecutions shows a commission to every request for executions that is
// under way: commissions name no request.
func (s *Session) answerExecutions(m wire.CommissionReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.name == "reqExecutions" && !r.over {
			_, _ = r.take(m) // never the last part of an answer
		}
	}
}

// execution routes an execution: one that was asked for goes to who asked,
// and is an event when nobody waits for it any more.
func (s *Session) execution(m wire.ExecDetails) error {
	f, err := fill(m)
	if m.ReqID >= 0 && s.answer(m.ReqID, m) {
		return err
	}
	if err != nil {
		return err
	}
	s.event(broker.ExecutionReport{Fill: f})
	return nil
}

// accountTags are what Account asks for.
var accountTags = []string{
	"NetLiquidation", "TotalCashValue", "BuyingPower", "AvailableFunds", "ExcessLiquidity",
	"GrossPositionValue", "InitMarginReq", "MaintMarginReq", "EquityWithLoanValue", "AccountType", "Cushion",
}

const reqSummary = "reqAccountSummary"

// Account asks for the account's values, one who asks at a time: of three that
// ask at once the venue would refuse one (322).
func (s *Session) Account(ctx context.Context) ([]broker.AccountValue, error) {
	done, err := s.turn(ctx, turnSummary, reqSummary)
	if err != nil {
		return nil, err
	}
	defer done()
	id := s.ids.Next()
	list := []broker.AccountValue{}
	msg := wire.ReqAccountSummary{ReqID: id, Group: "All", Tags: strings.Join(accountTags, ",")}
	err = s.ask(ctx, id, reqSummary, msg, func(m wire.Message) (bool, error) {
		v, ok := m.(wire.AccountSummary)
		if !ok {
			return ends[wire.AccountSummaryEnd](m)
		}
		if v.Account == s.facts.Account {
			list = append(list, broker.AccountValue{Account: v.Account, Key: v.Tag, Value: v.Value, Currency: v.Currency})
		}
		return false, nil
	})
	// It is a subscription: end it, also when nothing came.
	s.sendLast(ctx, wire.CancelAccountSummary{ReqID: id})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &broker.Error{
			Op: reqSummary, Kind: broker.ErrNoAnswer,
			Err:    fmt.Errorf("the gateway told no value of account %s", s.facts.Account),
			Advice: "ask again; look at the account in the gateway's own window",
		}
	}
	return list, nil
}

// WatchAccount subscribes to the account's values and portfolio, whose changes
// come as events. A gateway has one such subscription a client.
func (s *Session) WatchAccount(ctx context.Context) error {
	const name = "reqAccountUpdates"
	frame, err := wire.AppendMessage(nil, wire.ReqAccountUpdates{Subscribe: true, Account: s.facts.Account}, s.v)
	if err == nil {
		err = s.sendSoon(ctx, frame)
	}
	if err != nil {
		return &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: err, Advice: "subscribe again"}
	}
	return nil
}

// position is the venue's word on a position in ours. What is no stock is held
// all the same: an account with an option left in it is not flat.
func position(account string, c wire.Contract, qty market.Qty, cost *market.Price) (order.Position, error) {
	m, err := stock(c)
	if errors.Is(err, errNotStock) {
		return order.Position{
			Account: account, Symbol: market.Spelled(c.Symbol).Other(c.ConID), ConID: c.ConID, Qty: qty, AvgCost: cost,
			SecType: fmt.Sprintf("%.12s", cmp.Or(c.SecType, "unknown")), Unmanaged: true,
		}, nil
	}
	if err != nil {
		return order.Position{}, fmt.Errorf("ibkr: position in %s: %w", account, err)
	}
	return order.Position{Account: account, Symbol: m.Symbol, ConID: c.ConID, Qty: qty, AvgCost: cost}, nil
}

// errNotStock means a contract that this program does not trade.
var errNotStock = errors.New("not a stock")

// stock returns the contract of a stock. An option on AAPL has the symbol
// AAPL, too, and must not pass for shares.
func stock(c wire.Contract) (market.Contract, error) {
	if c.SecType != "STK" {
		return market.Contract{}, fmt.Errorf("%.20q of %.20q (contract %d): %w", c.SecType, c.Symbol, c.ConID, errNotStock)
	}
	return c.Market()
}
