package runner

import (
	"log/slog"
	"strconv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// cause is what the runner handles right now: the message of ticks that leads
// to whatever is asked for meanwhile. Its zero value is none, as when the
// market's clock alone closes a bar, or an execution comes.
type cause struct {
	symbol market.Symbol
	seq    uint64    // of the message on its subject
	told   time.Time // wall time of its publication
	heard  time.Time // wall time
}

// trace names a cause in this run: run.SYMBOL.number, the number being that of
// the message of ticks on the bus. It is made only when an order is asked for,
// not for each tick, and has at most 40 characters, as an order reference.
func (c cause) trace(run string) string {
	if c.seq == 0 {
		return ""
	}
	b := make([]byte, 0, 40)
	b = appendWord(b, run, 8)
	if len(b) > 0 {
		b = append(b, '.')
	}
	b = appendWord(b, string(c.symbol), 10)
	return string(strconv.AppendUint(append(b, '.'), c.seq, 10))
}

// appendWord appends the first letters and digits of s, at most as many as most
// says.
func appendWord(b []byte, s string, most int) []byte {
	for i := 0; i < len(s) && most > 0; i++ {
		if c := s[i]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b = append(b, c)
			most--
		}
	}
	return b
}

// traced logs that an order was asked for and answered, behind it. How long the
// strategy took is counted from when the ticks were heard.
func (r *Runner) traced(in order.Intent, reply event.OrderReply, asked time.Time) {
	if in.Trace == "" || reply.Result != event.Written {
		return // of refusals the first of each rule is logged
	}
	attrs := []slog.Attr{
		slog.String("stage", "asked"), slog.String("trace", in.Trace), slog.String("ref", in.ID),
		slog.String("symbol", string(in.Symbol)), slog.String("strategy", in.Strategy), slog.String("reason", in.Reason),
	}
	if c := r.cause; !c.told.IsZero() {
		attrs = append(attrs, slog.Time("tick_published", c.told), slog.Duration("strategy_took", asked.Sub(c.heard)))
	}
	attrs = append(attrs, slog.Duration("answer_took", time.Since(asked)))
	r.log.LogAttrs(r.ctx, slog.LevelInfo, "order_trace", attrs...)
}
