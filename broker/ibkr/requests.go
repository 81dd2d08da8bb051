package ibkr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
)

// request is one question that waits for its answer.
type request struct {
	name string
	// take gets every message that belongs to the request, on the reader's
	// goroutine and with the session locked. It returns true with the last one.
	take func(m wire.Message) (last bool, err error)
	// left is called, with the session locked, when the request is given up
	// before its last message came. May be nil.
	left  func()
	parts int           // of the answer, that came
	done  chan struct{} // closed when the answer is complete, or err is set
	over  bool
	err   error
}

// stage says how far a request came that was sent and is not answered.
func (r *request) stage() string {
	if r.parts == 0 {
		return "it was sent, and nothing came"
	}
	return fmt.Sprintf("it was sent, and the answer stopped behind message %d", r.parts)
}

// finish ends the request at once; the session is locked.
func (r *request) finish(err error) {
	if r.over {
		return
	}
	r.over, r.err = true, err
	close(r.done)
}

// unfit is the error of a message under a request's id that is no part of its
// answer. What it is part of, nobody knows: the request fails.
func unfit(m wire.Message) error { return fmt.Errorf("ibkr: a %T is no part of the answer", m) }

// ends takes the last part of an answer, which is of one type.
func ends[End wire.Message](m wire.Message) (last bool, err error) {
	if _, ok := m.(End); !ok {
		return false, unfit(m)
	}
	return true, nil
}

// ask sends a question and waits until take has seen the whole answer. Each
// question has its own deadline; what it got by then does not count.
func (s *Session) ask(ctx context.Context, key int, name string, msg wire.Message, take func(wire.Message) (bool, error)) error {
	return s.askLeaving(ctx, key, name, msg, take, nil)
}

func (s *Session) askLeaving(ctx context.Context, key int, name string, msg wire.Message, take func(wire.Message) (bool, error), left func()) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	frame, err := wire.AppendMessage(nil, msg, s.v)
	if err != nil {
		return &broker.Error{Op: name, Kind: broker.ErrRequest, Err: err, Advice: "report this: the request cannot be written"}
	}
	if err := ctx.Err(); err != nil {
		return notAsked(name, err)
	}
	r := &request{name: name, take: take, left: left, done: make(chan struct{})}
	s.mu.Lock()
	if s.err != nil {
		err := s.err
		s.mu.Unlock()
		return &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: err, Advice: "ask again on the next session"}
	}
	s.requests[key] = r
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.requests[key] == r {
			delete(s.requests, key)
		}
		s.mu.Unlock()
	}()
	if err := s.send(ctx, pace.DataLast, frame); err != nil {
		return &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: err, Advice: "ask again"}
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if !s.giveUp(key, r) { // it came at the last moment
		<-r.done
		return r.err
	}
	return &broker.Error{
		Op: name, Kind: broker.ErrNoAnswer, Err: fmt.Errorf("%s within %v: %w", r.stage(), time.Since(began).Round(time.Millisecond), ctx.Err()),
		Advice: "ask again; when it stays silent, look for a dialog that the gateway shows, or for read-only mode",
	}
}

// giveUp ends a request that was sent and not answered; false when it was.
func (s *Session) giveUp(key int, r *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.over {
		return false
	}
	r.over = true
	delete(s.requests, key)
	if r.left != nil {
		r.left()
	}
	return true
}

// notAsked is the error of a request whose caller had given up before it went
// out.
func notAsked(name string, err error) error {
	return &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: fmt.Errorf("not asked: %w", err), Advice: "ask again"}
}

// turn waits for the caller's turn at what has no request id, and returns how
// to end it.
func (s *Session) turn(ctx context.Context, turn int, name string) (end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	if err := ctx.Err(); err != nil { // select would choose at random
		return nil, notAsked(name, err)
	}
	select {
	case s.turns[turn] <- struct{}{}:
		return func() { <-s.turns[turn] }, nil
	case <-s.gone:
		err = s.ended()
	case <-ctx.Done():
		err = fmt.Errorf("another one is under way: %w", ctx.Err())
	}
	return nil, &broker.Error{Op: name, Kind: broker.ErrNoAnswer, Err: err, Advice: "ask again"}
}

// askList is ask for a list whose end names no request. The end of an answer
// that was given up must not pass for the end of the next one, which would be
// a part that reads as the whole: as many ends as are owed are skipped first.
// Take gets the parts, restart drops them.
func (s *Session) askList(ctx context.Context, turn int, name string, msg wire.Message, take func(wire.Message) (end bool, err error), restart func()) error {
	done, err := s.turn(ctx, turn, name)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	if time.Since(s.owedSince[turn]) > owedFor {
		s.owed[turn] = 0
	}
	s.mu.Unlock()
	skipped := false
	return s.askLeaving(ctx, turnKey(turn), name, msg, func(m wire.Message) (bool, error) {
		end, err := take(m)
		if err != nil || !end || s.owed[turn] == 0 {
			return end, err
		}
		s.owed[turn]--
		skipped = true
		restart()
		return false, nil
	}, func() {
		// Behind an end that was skipped in vain, the one that is owed is as old
		// as that one: or a single answer that got lost would spoil all to come.
		if !skipped {
			s.owedSince[turn] = time.Now()
		}
		s.owed[turn]++
	})
}

// owedFor is how long the end of an answer that was given up is waited for. A
// gateway that answers anything at all has then lost it.
const owedFor = time.Minute

// listEnd takes the end of a list that names no request.
func (s *Session) listEnd(turn int, m wire.Message) {
	if s.answer(turnKey(turn), m) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed[turn] > 0 { // it came after all, and nobody waits
		s.owed[turn]--
	}
}

// answer gives a message to the request with that key; false when nobody
// waits for it. Late, doubled and foreign answers are counted, and never given
// to another request.
func (s *Session) answer(key int, m wire.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[key]
	if r == nil || r.over {
		if key >= 0 {
			s.strays.Add(1)
		}
		return false
	}
	r.parts++
	last, err := r.take(m)
	if err != nil {
		if r.left != nil {
			r.left() // the rest is still to come
		}
		err = &broker.Error{Op: r.name, Kind: broker.ErrRequest, Err: err, Advice: "ask again; if it stays, report it with the session's recording"}
	}
	if last || err != nil {
		s.answerLater(key, r, err)
	}
	return true
}

// answerLater ends a request when what this read brought is published; the
// session is locked.
func (s *Session) answerLater(key int, r *request, err error) {
	r.over, r.err = true, err
	s.answered = append(s.answered, r)
	delete(s.requests, key)
}

// reject fails the request with that key by the venue's error.
func (s *Session) reject(key int, m wire.ErrMsg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[key]
	if r == nil || r.over {
		return false
	}
	s.answerLater(key, r, &broker.Error{
		Op: r.name, Kind: broker.ErrRequest, Code: m.Code, Err: errors.New(m.Text), Advice: adviceFor(m.Code),
	})
	return true
}

// refusedTurn tells which question without an id a gateway in read-only mode
// refuses: its text names the request, from general knowledge.
func refusedTurn(text string) int {
	if strings.Contains(text, "reqCompletedOrders") {
		return turnCompleted
	}
	return turnOpenOrders
}

func adviceFor(n int) string {
	switch n {
	case 100:
		return "something else sends on this gateway, too: wait"
	case 162, 366:
		return "wait 15 seconds before asking for the same bars again"
	case 200:
		return "check symbol, exchange and currency"
	case 321:
		return "untick Read-Only API in the gateway's API settings, or name the account"
	case 354, 10186, 10168:
		return "subscribe to this market's data, or enable delayed data in the gateway"
	}
	return "look the code up in the venue's list of codes"
}

// errWriteStuck means that the gateway does not read what we send.
var errWriteStuck = errors.New("the gateway does not read")

// writeTimeout bounds one write: a gateway that reads takes microseconds.
const writeTimeout = 5 * time.Second

// send waits for room in the window and writes one frame. The error tells
// what is known: it satisfies [broker.ErrNotWritten] when no byte went out,
// [broker.ErrOutcomeUnknown] when some did. A failed write ends the session,
// because the rest of its frame is missing in the stream.
func (s *Session) send(ctx context.Context, prio pace.Priority, frame []byte) error {
	if err := s.admit(ctx, prio); err != nil {
		return err
	}
	return s.write(frame)
}

// admit is the first half of send: the wait for room in the window.
func (s *Session) admit(ctx context.Context, prio pace.Priority) error {
	if err := s.ended(); err != nil {
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	// In a lock-step replay wall time means nothing, and nobody counts.
	if !s.cfg.lockStep() {
		if err := s.budget.Sends.Take(ctx, s.gone, prio); err != nil {
			return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
		}
	}
	return nil
}

// write is the second half of send, for which there is room.
func (s *Session) write(frame []byte) error {
	s.out.Lock()
	defer s.out.Unlock()
	if err := s.ended(); err != nil { // while we waited
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	// The caller's context bounds the wait for room, not the write: half an
	// order helps nobody.
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		s.fail(err)
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	if err := s.noted(frame); err != nil {
		s.fail(err)
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	n, err := s.conn.Write(frame)
	if err == nil {
		s.framesOut.Add(1)
		return nil
	}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		err = fmt.Errorf("%w: %d of %d bytes in %v: %w", errWriteStuck, n, len(frame), writeTimeout, err)
	}
	s.fail(err)
	if n == 0 {
		return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
	}
	return fmt.Errorf("%w: %w", broker.ErrOutcomeUnknown, err)
}

// noted shows the tap a frame that is about to be written, and keeps it. It runs
// on the goroutine of whoever sends, whose process a panic in it must not end.
func (s *Session) noted(frame []byte) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(v)
		}
	}()
	s.tap.out(s.v, frame)
	s.says(frame[frameHeader:])
	return nil
}

// lastWait is how much longer than his own deadline a caller waits for room to
// tell that he waits no more: the window empties in a second, unless others go
// first.
const lastWait = 2 * time.Second

// sendLast tells the venue that nobody waits for something any more, also when
// ctx is over. It is no loss when it cannot: the session's end does the same.
func (s *Session) sendLast(ctx context.Context, m wire.Message) {
	frame, err := wire.AppendMessage(nil, m, s.v)
	if err == nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
		defer cancel()
		err = s.sendSoon(last, frame)
	}
	if err != nil && s.ended() == nil {
		s.log.Warn("request_not_cancelled", "message", fmt.Sprintf("%T", m), "error", err.Error())
	}
}

// fail ends the session for a fault of the socket; the reader closes it.
func (s *Session) fail(err error) { s.end(s.lossOf(err), mostClosing) }
