package ibkr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
)

const (
	// offerMin is far below what we accept: what a gateway does with a range
	// that begins above its own maximum is not known, and one report has it
	// hang. Section 1.3.
	offerMin = 100
	askAgain = time.Second // between requests for the accounts, while the list is empty
)

// handshake is one climb from the dial to both ids. It has one goroutine, the
// caller's.
type handshake struct {
	cfg      Config
	budget   *pace.Budget
	address  string
	began    time.Time
	deadline time.Time
	on       func(broker.Rung)
	rungs    []broker.Rung
	facts    broker.Facts
	conn     net.Conn
	sess     *Session
	sentAt   time.Time       // when START_API was written
	quit     <-chan struct{} // the caller's context
	gotBytes bool
	told     string // the newest error of the gateway
	code     int    // its code
	fatal    bool   // it refuses the session
}

// climb makes the handshake. On failure the connection is closed well.
func (h *handshake) climb(ctx context.Context) (*Session, error) {
	conn, err := h.dial(ctx)
	if err != nil {
		return nil, h.undialled(ctx, err)
	}
	h.conn = conn
	h.quit = ctx.Done()
	h.sess = newSession(h.cfg, h.cfg.logger(), conn, h.budget)
	h.sess.facts = h.facts
	h.sess.tap = tapping(h.cfg.Tap, h.address, h.cfg.ClientID, time.Now())
	h.reached(broker.RungTCP, time.Now(), "")
	stop := h.watch(ctx)
	fault := h.contained()
	stop()
	if fault != nil {
		fault = h.gaveUp(ctx, fault)
		h.sess.tap.end(fault)
		h.cfg.closeWell(conn, time.Until(h.deadline), nil)
		return nil, fault
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		h.sess.tap.end(err)
		h.cfg.closeWell(conn, time.Until(h.deadline), nil)
		return nil, h.failed(broker.RungNextValidID, broker.ClosedAfterStart, err, "try again")
	}
	return h.sess, nil
}

// watch makes the connection's waits end with ctx.
func (h *handshake) watch(ctx context.Context) (stop func()) {
	ran := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ran)
		_ = h.conn.SetDeadline(time.Unix(1, 0)) // a closed connection needs none
	})
	return func() {
		if !cancel() {
			<-ran
		}
	}
}

// contained is talk, whose panics fail the attempt and not the process.
func (h *handshake) contained() (fault *broker.Error) {
	defer func() {
		if v := recover(); v != nil {
			fault = h.failed(h.nextRung(), broker.SessionBroken, h.sess.panicked(v), adviceOurs)
		}
		if fault != nil && (fault.Failure == broker.SessionBroken || fault.Failure == broker.WrongProtocol) {
			fault.Frames = h.sess.lastFrames()
		}
	}()
	return h.talk()
}

// nextRung is the first of the handshake's that is not reached.
func (h *handshake) nextRung() string {
	for _, name := range broker.Rungs() {
		if !slices.ContainsFunc(h.rungs, func(r broker.Rung) bool { return r.Name == name }) {
			return name
		}
	}
	return broker.RungNextValidID
}

// write sends one frame.
func (h *handshake) write(frame []byte) error {
	h.sess.framesOut.Add(1)
	h.sess.tap.out(h.sess.v, frame)
	h.sess.says(frame[frameHeader:])
	_, err := h.conn.Write(frame)
	return err
}

// talk is everything after the dial.
func (h *handshake) talk() *broker.Error {
	if err := h.conn.SetDeadline(h.deadline); err != nil {
		return h.failed(broker.RungVersion, broker.ClosedEarly, err, "try again")
	}
	if fault := h.version(); fault != nil {
		return fault
	}
	frame, err := wire.AppendMessage(nil, wire.StartAPI{ClientID: h.cfg.ClientID}, h.sess.v)
	if err == nil {
		h.sess.budget.Sends.Stamp()
		err = h.write(frame)
	}
	h.sentAt = time.Now()
	if err != nil && !isTimeout(err) {
		return h.closed(broker.RungStartAPI, err)
	}
	if err != nil { // a gateway that does not even read
		return h.failed(broker.RungStartAPI, broker.NoIDs, fmt.Errorf("the gateway does not read: %w", err), "look at the gateway's window; restart it by hand if it hangs")
	}
	return h.ids()
}

// version says hello and reads the gateway's reply.
func (h *handshake) version() *broker.Error {
	hello, err := wire.Hello{Min: offerMin, Max: int(wire.MaxVersion)}.Append(nil)
	if err == nil {
		h.sess.tap.hello(hello)
		h.sess.says(hello)
		_, err = h.conn.Write(hello)
	}
	if err != nil {
		return h.noVersion(err)
	}
	for {
		payload, err := h.frame(h.deadline)
		if err != nil {
			return h.noVersion(err)
		}
		h.sess.heard.add(time.Now(), payload)
		reply, err := wire.ParseServerHello(payload)
		if err != nil {
			continue // something else came first: official clients skip it, too
		}
		return h.agreed(reply)
	}
}

func (h *handshake) agreed(reply wire.ServerHello) *broker.Error {
	if target, ok := reply.Redirect(); ok {
		return h.failed(broker.RungVersion, broker.Redirected, fmt.Errorf("the gateway redirects to %.80q", target),
			fmt.Sprintf("connect to %.80q instead: set --gateway", target))
	}
	h.facts.ServerVersion, h.facts.ConnectionTime = reply.Version, reply.Time
	h.sess.v = wire.Version(reply.Version)
	if !h.sess.v.Supported() {
		fault := h.failed(broker.RungVersion, broker.WrongVersion,
			fmt.Errorf("server version %d is not between %d and %d", reply.Version, wire.MinVersion, wire.MaxVersion),
			adviceVersion(reply.Version, int(wire.MaxVersion)))
		fault.Kind = broker.ErrRefused
		return fault
	}
	h.reached(broker.RungVersion, time.Now(), "")
	return nil
}

// ids reads until both the accounts and the next order id are known. Whatever
// else comes is kept for Events. Nothing is sent, because gateways close on
// early requests, but for the accounts when the list came empty.
func (h *handshake) ids() *broker.Error {
	empty := false
	var again time.Time
	for {
		until := h.deadline
		if empty && again.Before(until) {
			until = again
		}
		payload, err := h.frame(until)
		now := time.Now()
		if isTimeout(err) && empty && now.Before(h.deadline) && !now.Before(again) {
			if err = h.askAccounts(); err == nil {
				again = now.Add(askAgain)
				continue
			}
		}
		if err != nil {
			return h.noIDs(err, empty)
		}
		h.take(payload, now)
		if len(h.sess.batch.Events) > maxPending { // nobody can fetch them yet
			return h.noIDs(fmt.Errorf("%w: %d messages and not both ids", errGarbage, maxPending), empty)
		}
		if h.fatal || h.sess.parting != nil {
			return h.noIDs(errors.New(h.told), empty)
		}
		if asked, _ := wire.PeekID(payload); asked == wire.IDManagedAccts && len(h.facts.Accounts) == 0 && !empty {
			empty, again = true, now.Add(askAgain)
		}
		if len(h.facts.Accounts) > 0 && h.facts.NextOrderID > 0 {
			return nil
		}
	}
}

func (h *handshake) askAccounts() error {
	frame, err := wire.AppendMessage(nil, wire.ReqManagedAccts{}, h.sess.v)
	if err != nil {
		return err
	}
	if err := h.conn.SetWriteDeadline(h.deadline); err != nil {
		return err
	}
	return h.write(frame)
}

// take looks for the ids and hands everything on to the session. A frame that
// does not decode is told by the session and otherwise skipped.
func (h *handshake) take(payload []byte, now time.Time) {
	id, _ := wire.PeekID(payload)
	if id == wire.IDManagedAccts || id == wire.IDNextValidID || id == wire.IDErrMsg {
		m, err := wire.DecodeServer(h.sess.v, payload)
		if err == nil {
			h.learn(m, now)
		}
	}
	h.sess.readAt = now
	h.sess.dispatch(payload)
}

func (h *handshake) learn(m wire.Message, now time.Time) {
	early := h.facts.NextOrderID > 0
	switch m := m.(type) {
	case wire.ManagedAccts:
		list := m.Accounts()
		if len(list) == 0 || len(h.facts.Accounts) > 0 {
			return
		}
		h.facts.Accounts = list
		h.started()
		h.reached(broker.RungManagedAccounts, now, "")
		if early {
			h.reached(broker.RungNextValidID, now, "came first")
		}
	case wire.NextValidID:
		if m.OrderID <= 0 || early {
			return
		}
		h.facts.NextOrderID = m.OrderID
		h.started()
		if len(h.facts.Accounts) > 0 {
			h.reached(broker.RungNextValidID, now, "")
		}
	case wire.ErrMsg:
		row := h.sess.codes.lookup(m.Code)
		if row.kind != broker.NoticeInfo && row.kind != broker.NoticeDataUp && row.kind != broker.NoticeDataDown {
			h.told, h.code = m.Text, m.Code
		}
		h.fatal = m.Code == 326
	}
}

// started tells that START_API was taken: its rung is reached when the first
// id comes, or the socket stays open to the end, and was written before.
func (h *handshake) started() {
	if !slices.ContainsFunc(h.rungs, func(r broker.Rung) bool { return r.Name == broker.RungStartAPI }) {
		h.reached(broker.RungStartAPI, h.sentAt, "")
	}
}

// frame returns the next whole frame.
func (h *handshake) frame(until time.Time) ([]byte, error) {
	for {
		payload, err := h.sess.in.next()
		if payload != nil {
			h.sess.tap.in(h.sess.v, time.Now(), payload)
		}
		if err != nil || payload != nil {
			return payload, err
		}
		if err := h.conn.SetReadDeadline(until); err != nil {
			return nil, err
		}
		select {
		case <-h.quit: // watch's deadline may have been before ours
			return nil, os.ErrDeadlineExceeded // as a read under it says
		default:
		}
		n, err := h.sess.in.fill()
		h.gotBytes = h.gotBytes || n > 0
		if err != nil {
			return nil, err
		}
	}
}

func (h *handshake) reached(name string, at time.Time, note string) {
	h.add(broker.Rung{Name: name, OK: true, AtMS: h.ms(at), Note: note})
}

func (h *handshake) add(r broker.Rung) {
	h.rungs = append(h.rungs, r)
	if h.on != nil {
		h.on(r)
	}
}

func (h *handshake) ms(at time.Time) float64 { return float64(at.Sub(h.began).Microseconds()) / 1000 }
