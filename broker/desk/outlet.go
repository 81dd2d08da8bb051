package desk

import (
	"context"
	"errors"
	"log/slog"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// An outlet takes what the desk tells. It encodes before it returns and keeps
// nothing of what it is given, so that the desk may use its buffers again. It
// must keep the order of one caller's calls.
type outlet interface {
	// room reports whether those who listen keep up, so that ticks may be told.
	// Taken changes whenever one who does not has handled something.
	room() (room bool, taken uint64)
	ticks(event.Ticks)
	order(order.Order)
	fill(order.Fill)
	position(order.Position)
	account(event.AccountValues)
	decision(event.Decided)
	data(event.DataState)
	mode(event.ModeChange)
	notice(event.NoticeText)
	progress(event.Counts)
	health(event.HealthState)
	finding(broker.Finding)
	protection(event.Protection)
	limits(event.LimitState)
}

// busOutlet publishes on the bus.
type busOutlet struct {
	conn *bus.Conn
	log  *slog.Logger
}

func tell[T any](b busOutlet, t event.Topic[T], data T, parts ...string) {
	if err := bus.Publish(b.conn, t, data, parts...); err != nil && !errors.Is(err, bus.ErrClosed) {
		b.log.Error("desk_publish_failed", "topic", t.Name, "error", err)
	}
}

func (b busOutlet) room() (bool, uint64)          { return b.conn.Room() }
func (b busOutlet) ticks(v event.Ticks)           { tell(b, event.Tick, v, string(v.Symbol)) }
func (b busOutlet) position(v order.Position)     { tell(b, event.Position, v) }
func (b busOutlet) account(v event.AccountValues) { tell(b, event.Account, v) }
func (b busOutlet) decision(v event.Decided)      { tell(b, event.Decision, v) }
func (b busOutlet) mode(v event.ModeChange)       { tell(b, event.Mode, v) }
func (b busOutlet) notice(v event.NoticeText)     { tell(b, event.Notice, v) }
func (b busOutlet) progress(v event.Counts)       { tell(b, event.Progress, v) }

func (b busOutlet) health(v event.HealthState) { tell(b, event.Health, v) }
func (b busOutlet) finding(v broker.Finding)   { tell(b, event.Finding, v) }

func (b busOutlet) protection(v event.Protection) { tell(b, event.Protected, v) }
func (b busOutlet) limits(v event.LimitState)     { tell(b, event.Limits, v) }

// order publishes and logs: the log tells the life of every order.
func (b busOutlet) order(v order.Order) {
	tell(b, event.Order, v)
	b.log.Info("order", "ref", v.Ref, "trace", v.Trace, "order_id", v.OrderID, "symbol", string(v.Symbol), "side", string(v.Side),
		"qty", v.Qty.String(), "type", string(v.Type), "state", v.State.String(), "filled", v.Filled.String(), "note", v.Note)
}

// data publishes and logs, so that the log tells when prices stopped and why.
func (b busOutlet) data(v event.DataState) {
	tell(b, event.Data, v)
	b.log.Info("data_state", "symbol", string(v.Symbol), "state", v.State, "cause", v.Cause)
}

// fill publishes, and logs an execution when it is complete with its cost.
func (b busOutlet) fill(v order.Fill) {
	tell(b, event.Fill, v)
	if v.Commission != nil {
		b.log.Info("fill", "ref", v.Ref, "exec_id", v.ExecID, "symbol", string(v.Symbol), "side", string(v.Side),
			"qty", v.Qty.String(), "price", v.Price.String(), "commission", v.Commission.String(), "market_time", v.At)
	}
}

// answer begins to answer the desk's requests on the bus.
func (d *Desk) answer(conn *bus.Conn) error {
	orders, err := bus.Reply(conn, event.OrderRequest, d.request)
	if err != nil {
		return err
	}
	d.subs = append(d.subs, orders)
	state, err := bus.Reply(conn, event.DeskState, func(ctx context.Context, _ event.Empty) event.Desk { return d.State(ctx) })
	if err != nil {
		return err
	}
	d.subs = append(d.subs, state)
	history, err := bus.Reply(conn, event.HistoryRequest, d.history)
	if err != nil {
		return err
	}
	d.subs = append(d.subs, history)
	return nil
}

// warn tells people of something odd, in the log and on the bus.
func (d *Desk) warn(n event.NoticeText) {
	n.Source = "desk"
	if n.Level == "" {
		n.Level = "warning"
	}
	d.log.Warn(n.Name, "text", n.Text, "symbol", string(n.Symbol), "ref", n.Ref)
	d.out.notice(n)
}
