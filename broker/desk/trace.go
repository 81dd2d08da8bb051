package desk

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
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

// maxTrace is what an intent's trace may have, letters.
const maxTrace = 40

// cause is the trace of what the desk itself asks for about a symbol: that of the
// order whose execution was the newest, or the execution's own id where its order
// has none, as one made elsewhere; where no execution is known, as of a position
// that a recovery told, the symbol and the wall time. The caller has the turn.
func (d *Desk) cause(s market.Symbol, wall time.Time) string {
	for _, f := range slices.Backward(d.books.Fills) {
		if f.Symbol != s {
			continue
		}
		if e := d.books.ByRef[f.Ref]; e != nil && e.Trace != "" {
			return e.Trace
		}
		return traceOf("fill.", f.ExecID)
	}
	return traceOf("held.", string(s)+"."+strconv.FormatInt(wall.Unix(), 36))
}

// causedByMode is the trace of what follows from the mode: when it was latched.
func causedByMode(m *broker.ModeRecord) string {
	return traceOf("mode.", strconv.FormatInt(m.Since.UnixMilli(), 36))
}

// traceOf makes a trace, without what none may hold.
func traceOf(kind, id string) string {
	id = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '.', r == ':', r == '-':
			return r
		}
		return '-'
	}, id)
	return kind + id[:min(len(id), maxTrace-len(kind))]
}

// traceOwn logs that the desk itself asked for something, and was answered.
func (d *Desk) traceOwn(in order.Intent, reply event.OrderReply) {
	if reply.Result != event.Written {
		return // it is tried again, and told when that is in vain
	}
	ref := in.ID
	if in.Target != "" {
		ref = in.Target
	}
	d.log.LogAttrs(context.Background(), slog.LevelInfo, "order_trace",
		slog.String("stage", "asked"), slog.String("trace", in.Trace), slog.String("ref", ref), slog.String("symbol", string(in.Symbol)),
		slog.String("strategy", in.Strategy), slog.String("action", string(in.Action)), slog.String("reason", in.Reason))
}
