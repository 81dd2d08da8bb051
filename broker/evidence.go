package broker

import (
	"fmt"
	"time"
)

// Evidence is what the kernel of this machine tells about who listens at a
// gateway's address. It is read from tables, never by connecting: a connection
// that opens and does not speak is what makes a gateway hang.
type Evidence struct {
	// Readable is false where the kernel cannot tell: the gateway is on another
	// machine, behind a forwarder, in another network namespace, or the platform
	// has no such tables. Why says which; the other fields then mean nothing.
	Readable bool   `json:"readable"`
	Why      string `json:"why,omitempty"`
	// Late is set where Readable is false only because the tables were not read
	// in time, as on a machine that is busy: the next look may tell.
	Late bool `json:"late,omitempty"`

	Listening bool   `json:"listening"`
	Inode     uint64 `json:"inode,omitempty"` // of the listening socket
	UID       uint64 `json:"uid"`             // its owner
	// Queue is how many connections wait to be accepted: above 0 for long means
	// that the process does not take them.
	Queue uint64 `json:"queue"`
	// CloseWait counts the connections of the listener whose other side has
	// closed and which it has not: the mark of a gateway that hangs.
	CloseWait int `json:"close_wait"`

	// PID is the process behind the listening socket, 0 where it cannot be seen;
	// Process is its name, and Started when it began.
	PID     int       `json:"pid,omitempty"`
	Process string    `json:"process,omitempty"`
	Started time.Time `json:"started,omitzero"`
}

// Differs reports whether the gateway is another one than in before, so that
// one more attempt has a point, and says in words why. What cannot be read says
// nothing: it never differs.
func (e Evidence) Differs(before Evidence) (why string, differs bool) {
	switch {
	case !e.Readable || !before.Readable:
		return "", false
	case !e.Listening && before.Listening:
		return "", false // gone is half of "gone and back"
	case e.Listening && !before.Listening:
		return "the port is open again", true
	case !e.Listening:
		return "", false
	case e.Inode != before.Inode || e.UID != before.UID:
		return fmt.Sprintf("the port is listened on anew (socket %d, was %d)", e.Inode, before.Inode), true
	case e.PID != 0 && before.PID != 0 && (e.PID != before.PID || !e.Started.Equal(before.Started)):
		return fmt.Sprintf("the gateway's process is another one (%d, was %d)", e.PID, before.PID), true
	}
	return "", false
}
