package runner

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// hear takes one message of the desk from the bus.
func (r *Runner) hear(m Heard) {
	if r.parts.Pace != nil {
		r.inbox.put(m)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := m.Data.(event.Ticks); ok {
		r.cause = cause{symbol: t.Symbol, seq: m.Seq, told: m.At, heard: time.Now()}
		r.foldTicks(t)
		r.cause = cause{}
		return
	}
	r.foldReport(m.Data)
}

// foldReport takes in anything but ticks.
func (r *Runner) foldReport(data any) {
	switch d := data.(type) {
	case event.Counts:
		r.counts = d
	case order.Fill:
		r.foldFill(d)
	case order.Order:
		if h := r.host(d.Symbol); h != nil {
			h.orders.Order(d)
		}
	case event.AccountValues:
		r.foldValues(d.Values)
	case order.Position:
		if h := r.host(d.Symbol); h != nil {
			h.toldQty, h.toldAt = &d.Qty, time.Now()
		}
	case event.DataState:
		// A session begins: its hours may be ones that were not told yet.
		r.stale = r.stale || r.parts.Pace == nil && d.State == opening
	case Gap:
		r.log.Warn("runner_gap", slog.String("subject", d.Subject))
		r.stale = true
	}
}

// opening is the state of a symbol's data when its session has opened, or when
// it is asked for anew.
const opening = "wanted"

// foldFill takes in an execution. Before the baseline there is nothing to add
// it to, and the baseline holds it.
func (r *Runner) foldFill(f order.Fill) {
	if r.book == nil {
		return
	}
	more, corrects := r.book.Corrects(f)
	fresh, err := r.book.Fill(f)
	if err != nil {
		r.log.Error("runner_bad_fill", slog.Any("error", err))
		r.notice(event.NoticeText{Level: "error", Name: "bad_fill", Text: err.Error(), Symbol: f.Symbol, Ref: f.Ref})
		return
	}
	r.changed = true
	h := r.host(f.Symbol)
	switch {
	case h == nil:
	case fresh && !f.Qty.IsZero():
		h.fill(f)
	case corrects:
		h.orders.Correct(f.Ref, more)
	}
}

func (r *Runner) host(s market.Symbol) *host {
	for _, h := range r.hosts { // few
		if h.symbol == s {
			return h
		}
	}
	return nil
}

// foldTicks takes in the ticks of one read, live.
func (r *Runner) foldTicks(d event.Ticks) {
	h := r.host(d.Symbol)
	if h == nil {
		return
	}
	wall := r.cause.heard
	for _, t := range d.Ticks {
		tick, ok := tickOf(d.Symbol, t)
		if !ok {
			continue
		}
		r.clock = r.clock.Advance(tick.At, wall)
		if tick.At.IsZero() {
			tick.At = r.now()
		}
		h.tick(tick, tick.At)
	}
}

func tickKind(name string) (market.TickKind, bool) {
	for k := market.TickBid; k <= market.TickHalted; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// tickOf reads a tick from the words of the bus; ok is false for a kind that
// this version does not know.
func tickOf(s market.Symbol, d event.TickData) (t market.Tick, ok bool) {
	kind, ok := tickKind(d.Kind)
	if !ok {
		return market.Tick{}, false
	}
	t = market.Tick{Symbol: s, Kind: kind, At: d.At, Delayed: d.Delayed}
	t.Known = d.Price != nil
	if kind == market.TickVolume || kind == market.TickHalted {
		t.Known = d.Size != nil
	}
	if d.Price != nil {
		t.Price = *d.Price
	}
	if d.Size != nil {
		t.Size = *d.Size
	}
	return t, true
}

// ask sends one intent and waits for the desk's answer. Silence means that the
// outcome is unknown: asking again with the same id is harmless and is done
// once; after that the order stays outstanding until the desk tells.
func (r *Runner) ask(h *host, in order.Intent) {
	began := time.Now()
	var err error
	for try := range 2 {
		var reply event.OrderReply
		reply, err = ask(r.ctx, r.cfg.AskTimeout, "order "+in.ID,
			func(ctx context.Context) (event.OrderReply, error) { return r.parts.In.Order(ctx, in) })
		if err == nil && reply.Result == event.Unknown && reply.Rule == "busy" {
			err = errors.New(reply.Reason) // no answer to what was asked
			continue
		}
		if err == nil {
			r.answered(h, in, reply)
			r.traced(in, reply, began)
			return
		}
		if try == 0 && (errors.Is(err, bus.ErrNobody) || errors.Is(err, bus.ErrNotUnderstood)) { // nothing was done; of the first try that tells nothing
			r.answered(h, in, event.OrderReply{IntentID: in.ID, Result: event.Refused, Rule: "desk", Reason: err.Error()})
			return
		}
		if r.ctx.Err() != nil {
			return
		}
	}
	h.state.Detail = "the outcome of order " + in.ID + " is unknown"
	r.notice(event.NoticeText{
		Level: "error", Name: "order_outcome_unknown", Symbol: h.symbol, Ref: in.ID,
		Text: "the desk did not answer twice, so the order counts as outstanding: " + err.Error(),
	})
}

func (r *Runner) answered(h *host, in order.Intent, reply event.OrderReply) {
	reply.IntentID = in.ID
	h.orders.Answer(reply)
	r.written = max(r.written, reply.Written)
	if reply.Result == event.Written {
		h.refusedBy = ""
		return
	}
	h.state.Detail = reply.Result + " by " + reply.Rule + ": " + reply.Reason
	if h.refusedBy == reply.Rule+reply.Result {
		return // told already
	}
	h.refusedBy = reply.Rule + reply.Result
	r.log.Info("order_"+reply.Result, slog.String("intent", in.ID), slog.String("symbol", string(h.symbol)),
		slog.String("rule", reply.Rule), slog.String("reason", reply.Reason))
}
