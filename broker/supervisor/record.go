package supervisor

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"robotrader/broker"
)

// Record tells of one attempt, or of the end of one session that was ready:
// every rung's time, and what was seen and what was not. It is for the log that
// is read when nobody remembers.
type Record struct {
	Began   time.Time // wall time of the attempt's or the session's begin
	Elapsed time.Duration
	Total   int // the attempt's number in this process's life
	// Session is true for the end of a session that was ready.
	Session bool
	// Link is where the link stands after it: rungs, facts, failure, phase,
	// breaker and warnings.
	Link broker.Link
	Err  error // nil when the attempt made the link ready
	// Evidence is what the kernel told after it, nil when it was not asked.
	Evidence *broker.Evidence
}

// notSeen stands for what did not come.
const notSeen = "not seen"

// Name returns the record's name in a log.
func (r Record) Name() string {
	if r.Session {
		return "session_end"
	}
	return "attempt"
}

// Outcome returns "ready", the failure's word, "asked" when a person ended the
// session, "stopped" when we stop, or "failed" when nobody told it apart.
func (r Record) Outcome() string {
	switch {
	case r.Err == nil:
		return "ready"
	case r.Link.State == broker.Stopped:
		return "stopped"
	case r.Link.Failure != broker.NoFailure:
		return string(r.Link.Failure)
	case r.Err == errReconnect:
		return "asked"
	}
	return "failed"
}

// Level returns how loud the record is: what is expected is not a warning.
func (r Record) Level() slog.Level {
	switch r.Link.Phase {
	case broker.RestartPhase, broker.LoginPhase, broker.FactorPhase:
		return slog.LevelInfo
	}
	if r.Err == nil || r.Err == errReconnect || r.Link.State == broker.Stopped {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// Attrs returns the record's text. Every key is always there.
func (r Record) Attrs() []slog.Attr {
	l := r.Link
	attrs := []slog.Attr{
		slog.Time("began", r.Began), slog.Int("attempt", l.Attempt), slog.Int("total", r.Total), slog.Int("session", l.Sessions),
		slog.String("adapter", l.Adapter), slog.String("gateway", l.Facts.Gateway), slog.Int("client_id", l.Facts.ClientID),
		slog.String("outcome", r.Outcome()), slog.String("state", l.State.String()), slog.Float64("elapsed_ms", ms(r.Elapsed)),
		{Key: "rungs", Value: slog.GroupValue(rungs(l.Rungs)...)},
		{Key: "seen", Value: slog.GroupValue(r.seen()...)},
	}
	text, advice := "", ""
	if r.Err != nil {
		text, advice = r.Err.Error(), l.Advice
	}
	attrs = append(attrs, slog.String("error", text), slog.String("advice", advice),
		slog.Any("breaker", l.Breaker), slog.String("phase", string(l.Phase)))
	if r.Evidence != nil {
		attrs = append(attrs, slog.Any("evidence", *r.Evidence))
	} else {
		attrs = append(attrs, slog.String("evidence", "not asked"))
	}
	return append(attrs, slog.Any("warnings", append([]string{}, l.Warnings...)))
}

// rungs returns all rungs in order, those not reached among them.
func rungs(reached []broker.Rung) []slog.Attr {
	var list []slog.Attr
	for _, name := range broker.Rungs() {
		i := slices.IndexFunc(reached, func(r broker.Rung) bool { return r.Name == name })
		if i < 0 {
			list = append(list, slog.String(name, notSeen))
			continue
		}
		r := reached[i]
		one := []any{slog.Bool("ok", r.OK), slog.Float64("at_ms", r.AtMS)}
		if r.Note != "" {
			one = append(one, slog.String("note", r.Note))
		}
		list = append(list, slog.Group(name, one...))
	}
	return list
}

// briefly returns the rungs that were reached or failed, a word each.
func briefly(reached []broker.Rung) []slog.Attr {
	list := make([]slog.Attr, 0, len(reached))
	for _, r := range reached {
		text := fmt.Sprintf("%.3fms", r.AtMS)
		if r.Note != "" {
			text += " " + r.Note
		}
		if !r.OK {
			text = "failed after " + text
		}
		list = append(list, slog.String(r.Name, text))
	}
	return list
}

// seen returns what came from the gateway and what did not.
func (r Record) seen() []slog.Attr {
	f := r.Link.Facts
	either := func(name string, there bool, value any) slog.Attr {
		if !there {
			value = notSeen
		}
		return slog.Any(name, value)
	}
	bytes := "not told"
	switch {
	case f.ServerVersion != 0:
		bytes = "yes"
	default:
		switch r.Link.Failure {
		case broker.NobodyListens, broker.Unreachable, broker.NoReply:
			bytes = "no"
		case broker.WrongProtocol, broker.Redirected, broker.WrongVersion:
			bytes = "yes"
		}
	}
	return []slog.Attr{
		slog.String("bytes", bytes),
		either("server_version", f.ServerVersion != 0, f.ServerVersion),
		either("connection_time", f.ConnectionTime != "", f.ConnectionTime),
		either("accounts", len(f.Accounts) > 0, len(f.Accounts)), // how many: the log is for others' eyes, too
		either("next_order_id", f.NextOrderID > 0, f.NextOrderID),
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
