package desk

import (
	"context"
	"log/slog"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// stages are when an allowed order was decided about, stored and written, wall
// time. A zero one was not reached.
type stages struct{ began, decided, stored, written time.Time }

// timed logs the stages of an order that was placed, and tells who counts them.
// It is called behind the write, so that no byte waits for it.
func (d *Desk) timed(in order.Intent, reply event.OrderReply, s stages) {
	if s.written.IsZero() {
		return
	}
	t := broker.Timing{Trace: in.Trace, Ref: in.ID, Gate: s.decided.Sub(s.began), Journal: s.stored.Sub(s.decided), Wire: s.written.Sub(s.stored)}
	if d.figures.timed != nil {
		d.figures.timed(t)
	}
	if in.Trace == "" {
		return
	}
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "order_trace",
		slog.String("stage", "written"), slog.String("trace", t.Trace), slog.String("ref", t.Ref), slog.Int64("order_id", reply.OrderID),
		slog.String("result", reply.Result), slog.Duration("gate_took", t.Gate), slog.Duration("journal_took", t.Journal), slog.Duration("wire_took", t.Wire))
}

// traceFill logs an execution, and then its commission, of an order that has a
// trace.
func (d *Desk) traceFill(f *order.Fill) {
	e := d.books.ByRef[f.Ref]
	if e == nil || e.Trace == "" {
		return
	}
	stage := "executed"
	if f.Commission != nil {
		stage = "commission"
	}
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "order_trace",
		slog.String("stage", stage), slog.String("trace", e.Trace), slog.String("ref", f.Ref), slog.String("exec_id", f.ExecID), slog.Time("market_time", f.At))
}
