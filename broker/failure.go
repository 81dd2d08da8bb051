package broker

// Failure says in one word how an attempt or a session ended, so that people,
// alarms and the breaker tell apart what looks alike: a port on which nobody
// listens is not a gateway that hangs.
type Failure string

// The failures, in the order of the rungs. The text of each is the contract.
const (
	// NoFailure is none, or one that has not been told apart.
	NoFailure Failure = ""
	// NobodyListens means that the machine answered and the port is closed.
	NobodyListens Failure = "nobody_listens"
	// Unreachable means that no TCP connection came about for another reason:
	// a name without an address, no route, no answer in time.
	Unreachable Failure = "unreachable"
	// NoReply means that TCP connected and not a byte came: a gateway that
	// hangs, or shows a dialog that waits for a click.
	NoReply Failure = "no_reply"
	// ClosedEarly means that the gateway closed or reset before its version
	// reply: an address that it does not trust, or a gateway that is starting.
	ClosedEarly Failure = "closed_early"
	// WrongProtocol means that bytes came which are not the gateway's protocol,
	// or that no version was among them.
	WrongProtocol Failure = "wrong_protocol"
	// Redirected means that the gateway names another address.
	Redirected Failure = "redirected"
	// WrongVersion means a server version that we do not speak.
	WrongVersion Failure = "wrong_version"
	// ClosedAfterStart means that the gateway closed after START_API, before
	// both ids: a client id in use, or an address that it does not trust.
	ClosedAfterStart Failure = "closed_after_start"
	// ClientIDInUse is the same, and the gateway said so (326).
	ClientIDInUse Failure = "client_id_in_use"
	// NoIDs means that neither the accounts nor the next order id came.
	NoIDs Failure = "no_ids"
	// NoAccounts means that the list of accounts stayed empty, or did not come
	// while the next order id did: a login that is not finished.
	NoAccounts Failure = "no_accounts"
	// NoNextID means that the accounts came and the next order id did not.
	NoNextID Failure = "no_next_id"
	// StepFailed means that a rung after the handshake failed.
	StepFailed Failure = "step_failed"
	// Forbidden means that one of our own guards, or the venue, refuses the
	// session for good: a live account without --live, an unknown account.
	Forbidden Failure = "forbidden"
	// SessionLost means that an open session ended from the other side.
	SessionLost Failure = "session_lost"
	// GatewaySilent means that an open session was closed by us because the
	// gateway left two time requests unanswered.
	GatewaySilent Failure = "gateway_silent"
	// SessionBroken means that an open session could not go on: its framing was
	// lost, or our own code failed on it.
	SessionBroken Failure = "session_broken"
)

// Wedged reports whether the failure is that of a gateway that accepts and
// then hangs. It does not heal by itself, and every further attempt may leave
// one more dead socket in it: who sees several in a row stops asking.
func (f Failure) Wedged() bool { return f == NoReply || f == NoIDs || f == NoNextID }
