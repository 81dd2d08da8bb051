package ibkr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

// This file says how a handshake failed: the rung, the one word of
// [broker.Failure], what happened in plain words, and what a person can do.

// failed makes the error of a rung that was not reached.
func (h *handshake) failed(rung string, failure broker.Failure, err error, advice string) *broker.Error {
	rungs := append(slices.Clone(h.rungs), broker.Rung{Name: rung, AtMS: h.ms(time.Now())})
	return &broker.Error{
		Op: "open " + h.address, Kind: broker.ErrGatewayDown, Rung: rung, Failure: failure,
		Advice: advice, Rungs: rungs, Facts: h.facts, Err: err,
	}
}

// undialled tells a port that refuses from a machine that cannot be reached.
func (h *handshake) undialled(ctx context.Context, err error) *broker.Error {
	var name *net.DNSError
	failure, advice := broker.Unreachable, "check that the machine of "+h.address+" is up and reachable"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		failure = broker.NobodyListens
		advice = "nothing listens at " + h.address + ": start IB Gateway or TWS and log in, tick 'Enable ActiveX and Socket Clients', and check the port"
	case errors.As(err, &name):
		advice = "check the host name in --gateway " + h.address
	case isTimeout(err) || errors.Is(err, errHandshakeOver):
		err = fmt.Errorf("no answer to the TCP connection within %v: %w", h.deadline.Sub(h.began), err)
		advice = "check that the machine of " + h.address + " is up, and that no firewall drops what we send"
	}
	return h.gaveUp(ctx, h.failed(broker.RungTCP, failure, err, advice))
}

// gaveUp takes the verdict back when it was we who gave up before the time was
// over: the gateway may be well.
func (h *handshake) gaveUp(ctx context.Context, fault *broker.Error) *broker.Error {
	if ctx.Err() != nil && time.Now().Before(h.deadline) {
		fault.Err = fmt.Errorf("%w: %w", context.Cause(ctx), fault.Err)
		fault.Failure = broker.NoFailure
	}
	return fault
}

// noVersion tells apart the ways in which the version does not come.
func (h *handshake) noVersion(err error) *broker.Error {
	const rung = broker.RungVersion
	switch {
	case isTimeout(err) && !h.gotBytes:
		return h.failed(rung, broker.NoReply, errors.New("connected, and not a byte came back"),
			"the gateway hangs, or shows a dialog that waits for a click: look at its window; if nothing helps, restart it by hand. Is it the API port?")
	case isTimeout(err):
		return h.failed(rung, broker.WrongProtocol, errors.New("connected, but no version came"),
			"check that this is the API port of IB Gateway or TWS")
	case errors.Is(err, errGarbage):
		return h.failed(rung, broker.WrongProtocol, err,
			"something else listens there: check that this is the API port of IB Gateway or TWS")
	case hungUp(err):
		err = errors.New("the gateway closed before its version reply")
	case wasReset(err):
		err = fmt.Errorf("the gateway reset the connection before its version reply: %w", err)
	}
	return h.failed(rung, broker.ClosedEarly, err, adviceTrusted)
}

// noIDs tells apart the ways in which the ids do not come.
func (h *handshake) noIDs(err error, empty bool) *broker.Error {
	none := len(h.facts.Accounts) == 0 && h.facts.NextOrderID == 0
	rung := broker.RungManagedAccounts
	if len(h.facts.Accounts) > 0 {
		rung = broker.RungNextValidID
	}
	if !isTimeout(err) {
		if none && !empty {
			rung = broker.RungStartAPI
		} else {
			h.started()
		}
		return h.closed(rung, err)
	}
	h.started()
	switch {
	case rung == broker.RungNextValidID:
		return h.failed(rung, broker.NoNextID, errors.New("the accounts came, the next order id did not"),
			"restart the gateway by hand; seen with gateways of 10.41 whose API settings were lost")
	case empty:
		return h.failed(rung, broker.NoAccounts, errors.New("the list of accounts stayed empty"),
			"finish the login in the gateway's window, and check that this user has an account")
	case none:
		return h.failed(rung, broker.NoIDs, errors.New("neither the accounts nor the next order id came"),
			"look at the gateway's window for a dialog that waits, and at its API settings")
	}
	return h.failed(rung, broker.NoAccounts, errors.New("the next order id came, the list of accounts did not"),
		"finish the login in the gateway's window; restart the gateway by hand if that does not help")
}

// closed words the end of a connection, or its refusal, before both ids. Only
// the gateway's own word (326) says that the client id is taken: a plain close
// may mean that, or an address that is not trusted. Section 1.6.
func (h *handshake) closed(rung string, err error) *broker.Error {
	failure, advice := broker.ClosedAfterStart, adviceClosed(h.cfg.ClientID)
	switch {
	case h.sess.parting != nil:
		fault := h.failed(rung, failure, h.sess.parting.Err, h.sess.parting.Advice)
		fault.Code = h.sess.parting.Code
		return fault
	case h.fatal:
		failure, advice = broker.ClientIDInUse, adviceClientID(h.cfg.ClientID)
	case errors.Is(err, errGarbage):
		failure, advice = broker.WrongProtocol, "try again; if it comes again, something between us and the gateway garbles what it sends"
	case hungUp(err):
		err = errors.New("the gateway closed the connection, and did not say why")
	case wasReset(err):
		err = fmt.Errorf("the gateway reset the connection, and did not say why: %w", err)
	}
	if h.told != "" && !h.fatal {
		err = fmt.Errorf("%w, after it said %q (%d)", err, h.told, h.code)
	}
	fault := h.failed(rung, failure, err, advice)
	fault.Code = h.code
	return fault
}

// errHandshakeOver is why a dial ends when the handshake's time is over.
var errHandshakeOver = errors.New("the handshake's time is over")

// hungUp reports whether the other side closed, in a socket's words or a pipe's.
func hungUp(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) }

// wasReset reports whether the other side ended abruptly.
func wasReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

const adviceOurs = "wait: the connection is made anew; report this with the log's session_panic and its frames"

const adviceTrusted = "in the gateway's API settings: add this machine to the Trusted IPs (single addresses, no ranges), " +
	"or untick 'Allow connections from localhost only'; and see that the gateway is logged in"

func adviceClosed(clientID int) string {
	return fmt.Sprintf("the client id %d may be taken, or this machine is not trusted: wait, end the other program, or look at the API settings; "+
		"never change the client id in passing, it owns the orders", clientID)
}

func adviceClientID(clientID int) string {
	return fmt.Sprintf("client id %d is in use: end the other program that uses it, or wait until the gateway has freed it; "+
		"it is tried again, and never with another id, which would not own the orders", clientID)
}

// adviceVersion is for a version that we do not speak.
func adviceVersion(version, most int) string {
	if version > most {
		return "report this: the gateway answers above what was offered"
	}
	return "install IB Gateway or TWS 10.19 or newer"
}

// lossOf words the end of the socket.
func (s *Session) lossOf(err error) *broker.Error {
	var known *broker.Error
	if errors.As(err, &known) {
		return known
	}
	e := &broker.Error{
		Op: "session with " + s.facts.Gateway, Kind: broker.ErrGatewayDown, Failure: broker.SessionLost, Facts: s.facts, Err: err,
		Advice: "wait: a new session is opened; if it lasts, look at the gateway's window or log",
	}
	switch {
	case hungUp(err):
		e.Err = errors.New("the gateway closed the connection")
		e.Advice = "wait: gateways close when they restart or log out; if it lasts, log in to the gateway"
	case errors.Is(err, errWriteStuck), errors.Is(err, errSilent):
		e.Failure = broker.GatewaySilent
		e.Advice = "wait: a new session is opened; look at the gateway's window for a dialog that waits, and restart it by hand when it hangs"
	case wasReset(err):
		e.Err = fmt.Errorf("the gateway reset the connection: %w", err)
		e.Advice = "wait: gateways reset when they restart; if it lasts, log in to the gateway"
	case errors.Is(err, errPanic):
		e.Failure = broker.SessionBroken
		e.Advice = adviceOurs
	case errors.Is(err, errGarbage):
		e.Failure = broker.SessionBroken
		e.Advice = "wait: the connection is made anew; if it comes again, something between us and the gateway garbles it"
	}
	return e
}

// movedTo is the end of a session whose gateway listens on another port from
// now on (1300). That port is told and never dialled: it may be another
// gateway's by now, and only a person knows.
func (s *Session) movedTo(m wire.ErrMsg) *broker.Error {
	e := &broker.Error{
		Op: "session with " + s.facts.Gateway, Kind: broker.ErrGatewayDown, Failure: broker.SessionLost, Code: m.Code, Facts: s.facts,
		Err:    fmt.Errorf("the gateway's API port was changed: %.200q", m.Text),
		Advice: "set --gateway to the gateway's new port and start again: no other port is dialled in silence",
	}
	if port, ok := portIn(m.Text); ok {
		host, _, _ := net.SplitHostPort(s.facts.Gateway) // the handshake dialled it
		e.Advice = fmt.Sprintf("set --gateway %s and start again, if that is your gateway: no other port is dialled in silence", net.JoinHostPort(host, port))
	}
	return e
}

// portIn finds the last number in a text that may be a port.
func portIn(text string) (port string, ok bool) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	for _, w := range slices.Backward(words) {
		if n, err := strconv.ParseUint(w, 10, 16); err == nil && n > 0 {
			return w, true
		}
	}
	return "", false
}
