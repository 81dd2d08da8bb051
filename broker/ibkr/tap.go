package ibkr

import (
	"time"

	"robotrader/broker/ibkr/wire"
)

// Tap sees every frame of every session, both ways, such as to record them. It
// is called on the session's reader and on those who send, with locks held: it
// must not block, and it keeps nothing of payload after it returns.
type Tap interface {
	// Begin tells of a connection that was just made, and returns the number
	// that stands for it in the calls that follow.
	Begin(gateway string, clientID int, at time.Time) (session uint64)
	// Frame tells of one payload, without its length prefix, in the order of the
	// socket. What came in one read has one time; out is told before it is
	// written, so that no answer stands before its question. Before both sides
	// agreed on a version v is 0: out is then the client's whole hello, and in
	// what came before or as the server's.
	Frame(session uint64, out bool, v wire.Version, at time.Time, payload []byte)
	// End tells that no more frames follow, and why, in words.
	End(session uint64, at time.Time, why string)
}

// tapped is one session's place at a tap. The zero value has none.
type tapped struct {
	tap     Tap
	session uint64
}

func tapping(t Tap, gateway string, clientID int, at time.Time) tapped {
	if t == nil {
		return tapped{}
	}
	return tapped{t, t.Begin(gateway, clientID, at)}
}

func (t tapped) in(v wire.Version, at time.Time, payload []byte) {
	if t.tap != nil {
		t.tap.Frame(t.session, false, v, at, payload)
	}
}

// out tells of a whole frame, length prefix and payload, that is about to be
// written.
func (t tapped) out(v wire.Version, frame []byte) {
	if t.tap != nil {
		t.tap.Frame(t.session, true, v, time.Now(), frame[frameHeader:])
	}
}

// hello tells of the client's first words, which are no frame.
func (t tapped) hello(words []byte) {
	if t.tap != nil {
		t.tap.Frame(t.session, true, 0, time.Now(), words)
	}
}

func (t tapped) end(why error) {
	if t.tap != nil {
		t.tap.End(t.session, time.Now(), why.Error())
	}
}
