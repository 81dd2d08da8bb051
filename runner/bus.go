package runner

import (
	"context"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// Bus is [In] and [Out] over a bus connection.
type Bus struct{ conn *bus.Conn }

var (
	_ In  = Bus{}
	_ Out = Bus{}
)

// OverBus returns In and Out over the connection, which stays its owner's.
func OverBus(conn *bus.Conn) Bus { return Bus{conn} }

// Listen implements [In]. The subscription is paced: the desk holds ticks back
// while a strategy is behind. Only a strategy that hangs for long loses
// messages; the gap makes the runner ask the desk for its state again.
func (b Bus) Listen(fn func(Heard)) (func(context.Context) error, error) {
	sub, err := bus.SubscribeAll(b.conn, "desk", bus.Paced, func(topic string, raw []byte) { hear(topic, raw, fn) })
	if err != nil {
		return nil, err
	}
	sub.OnGap(func(g bus.Gap) { fn(Heard{Data: Gap{Subject: g.Subject}}) })
	return sub.Stop, nil
}

func hear(topic string, raw []byte, fn func(Heard)) {
	switch topic {
	case event.Tick.Name:
		pass[event.Ticks](raw, fn)
	case event.Progress.Name:
		pass[event.Counts](raw, fn)
	case event.Order.Name:
		pass[order.Order](raw, fn)
	case event.Fill.Name:
		pass[order.Fill](raw, fn)
	case event.Position.Name:
		pass[order.Position](raw, fn)
	case event.Account.Name:
		pass[event.AccountValues](raw, fn)
	case event.Mode.Name:
		pass[event.ModeChange](raw, fn)
	case event.Data.Name:
		pass[event.DataState](raw, fn)
	}
}

// pass hands a message on. One that does not decode is as good as lost, so it
// is told as a gap.
func pass[T any](raw []byte, fn func(Heard)) {
	m, err := bus.Decode[T](raw)
	if err != nil {
		fn(Heard{Data: Gap{Subject: err.Error()}})
		return
	}
	fn(Heard{At: m.At, Seq: m.Seq, Data: m.Data})
}

// Link implements [In].
func (b Bus) Link(ctx context.Context) (broker.Link, error) {
	return bus.Ask(ctx, b.conn, event.LinkState, event.Empty{})
}

// Desk implements [In].
func (b Bus) Desk(ctx context.Context) (event.Desk, error) {
	return bus.Ask(ctx, b.conn, event.DeskState, event.Empty{})
}

// History implements [In].
func (b Bus) History(ctx context.Context, q event.HistoryQuery) (event.HistoryReply, error) {
	return bus.Ask(ctx, b.conn, event.HistoryRequest, q)
}

// Order implements [In].
func (b Bus) Order(ctx context.Context, in order.Intent) (event.OrderReply, error) {
	return bus.Ask(ctx, b.conn, event.OrderRequest, in)
}

// Bar implements [Out].
func (b Bus) Bar(u event.BarUpdate) error { return bus.Publish(b.conn, event.Bar, u) }

// Strategy implements [Out].
func (b Bus) Strategy(s event.StrategyState) error { return bus.Publish(b.conn, event.Strategy, s) }

// Portfolio implements [Out].
func (b Bus) Portfolio(p event.PortfolioState) error { return bus.Publish(b.conn, event.Portfolio, p) }

// Notice implements [Out].
func (b Bus) Notice(n event.NoticeText) error { return bus.Publish(b.conn, event.Notice, n) }

// Serve implements [Out].
func (b Bus) Serve(fn func() event.Run) (func(context.Context) error, error) {
	sub, err := bus.Reply(b.conn, event.RunState, func(context.Context, event.Empty) event.Run { return fn() })
	if err != nil {
		return nil, err
	}
	return sub.Stop, nil
}
