package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
// instance is refused. Questions wait as [Keep] says; one that is dropped there
// gets no answer.
func Reply[Q, A any](c *Conn, q event.Query[Q, A], fn func(ctx context.Context, question Q) A) (*Sub, error) {
	subject := event.Subject(c.server.instance, q.Name)
	srv := c.server
	srv.mu.Lock()
	who, taken := srv.responders[subject]
	if !taken {
		srv.responders[subject] = c.name
	}
	srv.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("bus: reply to %s: %s answers it already", q.Name, who)
	}
	ctx, cancel := context.WithCancel(context.Background())
	release := func() {
		cancel()
		srv.mu.Lock()
		delete(srv.responders, subject)
		srv.mu.Unlock()
	}
	s, err := c.subscribe(subject, Keep, func(s *Sub, m *nats.Msg) {
		if m.Reply == "" {
			return // nobody to answer
		}
		question, err := Decode[Q](m.Data)
		if err != nil {
			s.undecodable(m, err)
			body, _ := json.Marshal(answer[struct{}]{Error: err.Error()})
			s.send(m.Reply, body)
			return
		}
		body, err := event.AppendJSON(nil, fn(ctx, question.Data))
		if err != nil {
			s.undecodable(m, err)
			return
		}
		s.send(m.Reply, c.envelope(0, body))
	})
	if err != nil {
		release()
		return nil, err
	}
	s.release = release
	return s, nil
}

func (s *Sub) send(subject string, body []byte) {
	if err := s.conn.pub.Publish(subject, body); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		s.conn.server.log.Error("bus_answer_failed", "subject", s.subject, "error", err)
	}
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
	m, err := c.pub.RequestWithContext(ctx, event.Subject(c.server.instance, q.Name), c.envelope(0, body))
	if err != nil {
		return fail(askErr(err))
	}
	var a answer[A]
	if err := json.Unmarshal(m.Data, &a); err != nil {
		c.bad.Add(1)
		return fail(fmt.Errorf("%w: the answer %.80q: %w", ErrNotUnderstood, m.Data, err))
	}
	if a.Error != "" {
		return fail(fmt.Errorf("%w: %s", ErrNotUnderstood, a.Error))
	}
	return a.Data, nil
}

// askErr gives an error of NATS the kind on which code branches.
func askErr(err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNobody
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return errors.Join(ErrNoAnswer, context.DeadlineExceeded)
	}
	return closedErr(err)
}
