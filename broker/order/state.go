package order

import "fmt"

// State is where an order stands.
//
//	intended ─ Written ─► sent ─ Acked ─► accepted ─ Working ─► working ─ Executed ─► partial ─ FilledUp ─► filled
//	     │                 │                  │                   │                    │
//	     └ NotWritten      └──── Silent ──► unknown ◄─────────────┘     any of them may be rejected, cancelled, inactive
//	         ▼
//	      dropped
//
// Every legal step is one entry of the table in this file.
type State uint8

// The states. Filled, Cancelled, Rejected and Dropped are ends, though an
// execution that comes late is still counted.
const (
	Intended   State = iota // durable in the journal, not written to the socket
	Sent                    // written; no answer yet: the outcome is unknown
	Accepted                // the venue knows it (ApiPending, PendingSubmit, PreSubmitted)
	Working                 // at the exchange (Submitted)
	Partial                 // working, with something filled
	Cancelling              // a cancel was written or acknowledged (PendingCancel)
	Inactive                // the venue holds it back (Inactive)
	Unknown                 // silence or a lost link after the write; only the broker can resolve it
	Filled
	Cancelled
	Rejected
	Dropped // not at the venue: refused by a latch after the intent, the session was gone, or proven absent
	numStates
)

var stateNames = [numStates]string{
	"intended", "sent", "accepted", "working", "partial", "cancelling", "inactive", "unknown",
	"filled", "cancelled", "rejected", "dropped",
}

func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText makes a State its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("order: unknown state %.40q", b)
}

// Final reports whether the order cannot fill any more as far as is known.
func (s State) Final() bool { return s >= Filled && s < numStates }

// Live reports whether the order may still fill: everything that was written
// and has not ended, the unknown included.
func (s State) Live() bool { return s != Intended && s < Filled }

// Signal is something that happened to an order.
type Signal uint8

// The signals.
const (
	Written    Signal = iota // the last byte went into the socket
	NotWritten               // it is certain that the venue never had it: nothing went into the socket, or it is proven absent
	Acked                    // openOrder or status: the venue knows it
	WorkingNow               // status Submitted
	Executed                 // an execution that leaves something
	FilledUp                 // executions reach the quantity
	CancelSent               // a cancel went into the socket, or PendingCancel came
	CancelFail               // the cancel was refused; the order stands
	CancelDone               // status Cancelled or ApiCancelled
	Refused                  // error 201 and its kind
	HeldBack                 // status Inactive
	Silent                   // no answer in time, or the link went down
	Listed                   // the venue shows it open, later than anything that says otherwise
	numSignals
)

var signalNames = [numSignals]string{
	"written", "not_written", "acked", "working_now", "executed", "filled_up", "cancel_sent",
	"cancel_fail", "cancel_done", "refused", "held_back", "silent", "listed",
}

func (s Signal) String() string {
	if s < numSignals {
		return signalNames[s]
	}
	return fmt.Sprintf("signal(%d)", uint8(s))
}

type step struct {
	from State
	sig  Signal
}

// next is the whole machine. A step that is not here is not legal; the caller
// keeps the state and raises it.
var next = map[step]State{
	{Intended, Written}:    Sent,
	{Intended, NotWritten}: Dropped,
	{Intended, Silent}:     Unknown, // died between intent and write: nobody knows

	{Sent, Acked}:      Accepted,
	{Sent, WorkingNow}: Working,
	{Sent, Executed}:   Partial, // reports come in any order
	{Sent, FilledUp}:   Filled,
	{Sent, CancelSent}: Cancelling,
	{Sent, CancelFail}: Sent,
	{Sent, CancelDone}: Cancelled,
	{Sent, Refused}:    Rejected,
	{Sent, HeldBack}:   Inactive,
	{Sent, Silent}:     Unknown,
	{Sent, Listed}:     Accepted, // the status with it says more

	{Accepted, Acked}:      Accepted, // duplicates are normal
	{Accepted, WorkingNow}: Working,
	{Accepted, Executed}:   Partial,
	{Accepted, FilledUp}:   Filled,
	{Accepted, CancelSent}: Cancelling,
	{Accepted, CancelFail}: Accepted,
	{Accepted, CancelDone}: Cancelled,
	{Accepted, Refused}:    Rejected,
	{Accepted, HeldBack}:   Inactive,
	{Accepted, Silent}:     Unknown,
	{Accepted, Listed}:     Accepted,

	{Working, Acked}:      Working, // an openOrder that was overtaken
	{Working, WorkingNow}: Working,
	{Working, Executed}:   Partial,
	{Working, FilledUp}:   Filled,
	{Working, CancelSent}: Cancelling,
	{Working, CancelFail}: Working,
	{Working, CancelDone}: Cancelled,
	{Working, Refused}:    Rejected, // venues reject working orders, too
	{Working, HeldBack}:   Inactive,
	{Working, Silent}:     Unknown,
	{Working, Listed}:     Working,

	{Partial, Acked}:      Partial,
	{Partial, WorkingNow}: Partial,
	{Partial, Executed}:   Partial,
	{Partial, FilledUp}:   Filled,
	{Partial, CancelSent}: Cancelling,
	{Partial, CancelFail}: Partial,
	{Partial, CancelDone}: Cancelled, // the rest of it
	{Partial, Refused}:    Rejected,
	{Partial, HeldBack}:   Inactive,
	{Partial, Silent}:     Unknown,
	{Partial, Listed}:     Partial,

	{Cancelling, Acked}:      Cancelling,
	{Cancelling, WorkingNow}: Cancelling, // written before the venue saw the cancel
	{Cancelling, Executed}:   Cancelling, // a fill that crosses the cancel
	{Cancelling, FilledUp}:   Filled,     // the fill won
	{Cancelling, CancelSent}: Cancelling,
	{Cancelling, CancelFail}: Accepted, // the next status says more
	{Cancelling, CancelDone}: Cancelled,
	{Cancelling, Refused}:    Rejected,
	{Cancelling, HeldBack}:   Inactive,
	{Cancelling, Silent}:     Unknown,
	{Cancelling, Listed}:     Accepted, // the cancel was lost

	{Inactive, Acked}:      Accepted, // held back for a while, as with a locate
	{Inactive, WorkingNow}: Working,
	{Inactive, Executed}:   Partial,
	{Inactive, FilledUp}:   Filled,
	{Inactive, CancelSent}: Cancelling,
	{Inactive, CancelFail}: Inactive,
	{Inactive, CancelDone}: Cancelled,
	{Inactive, Refused}:    Rejected,
	{Inactive, HeldBack}:   Inactive,
	{Inactive, Silent}:     Unknown,
	{Inactive, Listed}:     Inactive,

	{Unknown, Acked}:      Accepted,
	{Unknown, WorkingNow}: Working,
	{Unknown, Executed}:   Partial,
	{Unknown, FilledUp}:   Filled,
	{Unknown, CancelSent}: Cancelling,
	{Unknown, CancelFail}: Unknown,
	{Unknown, CancelDone}: Cancelled,
	{Unknown, Refused}:    Rejected,
	{Unknown, HeldBack}:   Inactive,
	{Unknown, Silent}:     Unknown,
	{Unknown, Listed}:     Accepted,
	// Proven absent: open orders, completed orders and executions were answered
	// in full, long after the write and twice, and hold nothing of it.
	{Unknown, NotWritten}: Dropped,

	{Filled, Acked}:      Filled, // late duplicates change nothing
	{Filled, WorkingNow}: Filled,
	{Filled, Executed}:   Filled,
	{Filled, FilledUp}:   Filled,
	{Filled, CancelSent}: Filled,
	{Filled, CancelFail}: Filled, // "cannot be cancelled, state: Filled"
	{Filled, CancelDone}: Filled, // seen live: a status overtaken by the fill
	{Filled, HeldBack}:   Filled,
	{Filled, Silent}:     Filled,
	{Filled, Listed}:     Accepted, // a change that was not known of has made it larger

	{Cancelled, Acked}:      Cancelled,
	{Cancelled, WorkingNow}: Cancelled,
	{Cancelled, Executed}:   Cancelled, // a fill that crossed the cancel: counted, the rest stays cancelled
	{Cancelled, FilledUp}:   Filled,    // cancelled → filled happens
	{Cancelled, CancelSent}: Cancelled,
	{Cancelled, CancelFail}: Cancelled,
	{Cancelled, CancelDone}: Cancelled,
	{Cancelled, Refused}:    Cancelled, // 202 and 201 both come for some cancels
	{Cancelled, HeldBack}:   Cancelled,
	{Cancelled, Silent}:     Cancelled,
	{Cancelled, Listed}:     Accepted,

	{Rejected, Acked}:      Rejected,
	{Rejected, WorkingNow}: Working, // 201 for a modification: the order itself works on
	{Rejected, Executed}:   Partial,
	{Rejected, FilledUp}:   Filled,
	{Rejected, CancelSent}: Rejected,
	{Rejected, CancelFail}: Rejected,
	{Rejected, CancelDone}: Rejected,
	{Rejected, Refused}:    Rejected,
	{Rejected, HeldBack}:   Rejected, // status Inactive follows error 201
	{Rejected, Silent}:     Rejected,
	{Rejected, Listed}:     Accepted,

	// The venue knows an order that we held for never written, or for proven
	// absent: it is right about its own orders.
	{Dropped, Acked}:      Accepted,
	{Dropped, WorkingNow}: Working,
	{Dropped, Executed}:   Partial,
	{Dropped, FilledUp}:   Filled,
	{Dropped, CancelDone}: Cancelled,
	{Dropped, Refused}:    Rejected,
	{Dropped, HeldBack}:   Inactive,
	{Dropped, Listed}:     Accepted,
}

// Next returns the state after sig; ok is false when the step is not legal,
// and the state is then unchanged.
func (s State) Next(sig Signal) (after State, ok bool) {
	after, ok = next[step{s, sig}]
	if !ok {
		return s, false
	}
	return after, true
}
