package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"

	"robotrader/services/event"
)

// answer is what a question gets: a message, or why it was not understood.
type answer[A any] struct {
	event.Message[A]
	Error string `json:"error,omitempty"`
}

// Reply answers a query with fn, which is called for one question after the
// other on one goroutine. The context ends when the subscription does; it
// carries no deadline of the asker. A second responder for a query of one
// instance is refused. Questions wait as [Keep] says; who asked one that is dropped
// there, or waits when the subscription ends, gets [ErrNobody]. They take the short
// way: nobody but the responder has a use for them.
func Reply[Q, A any](c *Conn, q event.Query[Q, A], fn func(ctx context.Context, question Q) A) (*Sub, error) {
	subject := event.Subject(c.server.instance, q.Name)
	s := c.newSub(subject, Keep)
	s.direct = newDirect(Keep)
	if who, ok := c.server.respond(s); !ok {
		return nil, fmt.Errorf("bus: reply to %s: %s answers it already", q.Name, who)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.release = func() {
		c.server.fallSilent(s)
		cancel()
	}
	err := c.serve(s, func(m parcel) {
		question, err := Decode[Q](m.raw)
		if err != nil {
			s.undecodable(m.subject, err)
			body, _ := json.Marshal(answer[struct{}]{Error: err.Error()})
			s.answer(m, body)
			return
		}
		body, err := event.AppendJSON(nil, fn(ctx, question.Data))
		if err != nil {
			s.undecodable(m.subject, err)
			return
		}
		s.answer(m, c.envelope(0, body))
	})
	if err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// answer hands an answer to who asked. It does not block: there is room for one,
// and there is one.
func (s *Sub) answer(m parcel, body []byte) {
	if len(body) > maxPayload {
		s.conn.server.log.Error("bus_answer_failed", slog.String("subject", s.subject), slog.Any("error", nats.ErrMaxPayload))
		return
	}
	m.answer <- body
}

// Ask asks a query and waits for its answer. The context must have a deadline
// ([ErrNoDeadline]). [ErrNobody] and [ErrNotUnderstood] say that nothing was
// done; after [ErrNoAnswer] the outcome is unknown.
func Ask[Q, A any](ctx context.Context, c *Conn, q event.Query[Q, A], question Q) (A, error) {
	var zero A
	fail := func(err error) (A, error) { return zero, fmt.Errorf("bus: ask %s: %w", q.Name, err) }
	if _, ok := ctx.Deadline(); !ok {
		return fail(ErrNoDeadline)
	}
	body, err := event.AppendJSON(nil, question)
	if err != nil {
		return fail(err)
	}
	raw, err := c.ask(ctx, event.Subject(c.server.instance, q.Name), c.envelope(0, body))
	if err != nil {
		return fail(err)
	}
	var a answer[A]
	if err := json.Unmarshal(raw, &a); err != nil {
		c.bad.Add(1)
		return fail(fmt.Errorf("%w: the answer %.80q: %w", ErrNotUnderstood, raw, err))
	}
	if a.Error != "" {
		return fail(fmt.Errorf("%w: %s", ErrNotUnderstood, a.Error))
	}
	return a.Data, nil
}

// ask puts a question into the responder's queue and waits for the answer.
func (c *Conn) ask(ctx context.Context, subject string, raw []byte) ([]byte, error) {
	select {
	case <-c.gone:
		return nil, ErrClosed
	default:
	}
	if len(raw) > maxPayload {
		return nil, nats.ErrMaxPayload
	}
	to := c.server.responder(subject)
	if to == nil {
		return nil, ErrNobody
	}
	answer := make(chan []byte, 1) // who answers after the deadline does not wait
	if _, waits := to.direct.put(parcel{subject: subject, pub: c.name, raw: raw, answer: answer}); !waits {
		return nil, fmt.Errorf("%w: its queue is full, or has ended", ErrNobody)
	}
	select {
	case raw, handled := <-answer:
		if !handled {
			return nil, fmt.Errorf("%w: it ended while the question waited", ErrNobody)
		}
		return raw, nil
	case <-c.gone:
		return nil, ErrClosed
	case <-ctx.Done():
	}
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	return nil, errors.Join(ErrNoAnswer, context.DeadlineExceeded)
}
