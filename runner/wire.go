package runner

import (
	"context"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Ready is the gate. AwaitReady returns when the link is ready, with a channel
// that is closed when that ends, or at once with an error when waiting is
// pointless or ctx has ended.
type Ready interface {
	AwaitReady(ctx context.Context) (lost <-chan struct{}, err error)
}

// Pace moves market time in a lock-step replay.
type Pace interface {
	// Next lets the next instant happen. io.EOF means that the replay is over.
	Next(ctx context.Context) (broker.Instant, error)
	// Settle returns when the gateway has handled the first written order
	// messages of the session, with the counts after that.
	Settle(ctx context.Context, written uint64) (broker.Instant, error)
}

// Heard is one message of the desk.
type Heard struct {
	At  time.Time // wall time of its publication
	Seq uint64    // its number on its subject, 0 = it has none
	// Data is an event.Ticks, order.Order, order.Fill, order.Position,
	// event.AccountValues, event.ModeChange, event.DataState, event.Counts or
	// Gap.
	Data any
}

// Gap tells that messages of the desk were lost: its state is to be read again.
type Gap struct{ Subject string }

// In is where the runner hears and asks. The bus satisfies it live.
type In interface {
	// Listen calls fn for every message of the desk in the order of their
	// publication, on one goroutine. The function that it returns ends that.
	Listen(fn func(Heard)) (stop func(context.Context) error, err error)
	Link(ctx context.Context) (broker.Link, error)
	Desk(ctx context.Context) (event.Desk, error)
	History(ctx context.Context, q event.HistoryQuery) (event.HistoryReply, error)
	Order(ctx context.Context, in order.Intent) (event.OrderReply, error)
}

// Out is where the runner tells what it does. The bus satisfies it live. None
// of its methods may wait for a reader.
type Out interface {
	Bar(b event.BarUpdate) error
	Strategy(s event.StrategyState) error
	Portfolio(p event.PortfolioState) error
	Notice(n event.NoticeText) error
	// Serve answers the question for the runner's state with fn, which is safe
	// for concurrent use.
	Serve(fn func() event.Run) (stop func(context.Context) error, err error)
}
