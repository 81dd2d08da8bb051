package broker

import (
	"context"
	"fmt"
	"time"
)

// The rungs of the ladder, in order. The first five are the session's, the
// rest are steps that the desk gives to the supervisor.
const (
	RungTCP             = "tcp"
	RungVersion         = "version"
	RungStartAPI        = "start_api"
	RungManagedAccounts = "managed_accounts"
	RungNextValidID     = "next_valid_id"
	RungClock           = "clock"
	RungAccount         = "account"
	RungRecovered       = "recovered"
	RungData            = "data"
)

// Rungs lists all rungs in order.
func Rungs() []string {
	return []string{
		RungTCP, RungVersion, RungStartAPI, RungManagedAccounts, RungNextValidID,
		RungClock, RungAccount, RungRecovered, RungData,
	}
}

// Rung is one step of the ladder, reached or failed.
type Rung struct {
	Name string  `json:"name"`
	OK   bool    `json:"ok"`
	AtMS float64 `json:"at_ms"`          // since the attempt began, to the microsecond
	Note string  `json:"note,omitempty"` // such as "closed" for data outside the session
}

// Step is one rung after the handshake. The supervisor runs it with the
// deadline; an error fails the rung and the attempt.
type Step struct {
	Name     string
	Deadline time.Duration
	// Run returns a note for people, such as "closed", or an error.
	Run func(ctx context.Context, s Session) (note string, err error)
}

// LinkState is where the link to the venue stands. The table of its steps is in
// this file.
//
//	connecting ─ Dialled ─► handshaking ─ BothIDs ─► recovering ─ RungsDone ─► ready ◄─ Better ─┐
//	   ▲  │                      │                       │                      │ └─ Worse ─► degraded
//	   │  └─────── Failed ───────┴───────────────────────┘                      │                │
//	   └─ Retry ── waiting ◄───────────────────────────────────────────── Lost ─┴────────────────┘
//
// Wedged leads to needs_restart, Refuse to refused, Stop from anywhere to
// stopped.
type LinkState uint8

// The states. Only Ready trades; Degraded lets orders that reduce risk through.
const (
	Connecting LinkState = iota
	Handshaking
	Recovering
	Ready
	Degraded
	Waiting
	NeedsRestart
	Refused
	Stopped
	numLinkStates
)

var linkStateNames = [numLinkStates]string{
	"connecting", "handshaking", "recovering", "ready", "degraded", "waiting", "needs_restart", "refused", "stopped",
}

func (s LinkState) String() string {
	if s < numLinkStates {
		return linkStateNames[s]
	}
	return fmt.Sprintf("link(%d)", uint8(s))
}

// MarshalText makes a LinkState its name.
func (s LinkState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *LinkState) UnmarshalText(b []byte) error {
	for i, n := range linkStateNames {
		if n == string(b) {
			*s = LinkState(i)
			return nil
		}
	}
	return fmt.Errorf("broker: unknown link state %.40q", b)
}

// LinkSignal is something that happened to the link.
type LinkSignal uint8

// The signals.
const (
	Dialled   LinkSignal = iota // rung tcp reached
	BothIDs                     // rungs managed_accounts and next_valid_id reached
	RungsDone                   // all rungs reached
	Failed                      // this attempt failed; another may do better
	Wedged                      // enough attempts met a gateway that hangs
	Refuse                      // refused for good
	Lost                        // an established session ended
	Worse                       // no wanted symbol has data, or the gateway lost the venue
	Better                      // that is over
	Retry                       // the wait is over, or a person asked
	Stop                        // we are asked to stop
	numLinkSignals
)

var linkSignalNames = [numLinkSignals]string{
	"dialled", "both_ids", "rungs_done", "failed", "wedged", "refuse", "lost", "worse", "better", "retry", "stop",
}

func (s LinkSignal) String() string {
	if s < numLinkSignals {
		return linkSignalNames[s]
	}
	return fmt.Sprintf("signal(%d)", uint8(s))
}

type linkStep struct {
	from LinkState
	sig  LinkSignal
}

var nextLink = map[linkStep]LinkState{
	{Connecting, Dialled}: Handshaking,
	{Connecting, Failed}:  Waiting,
	{Connecting, Refuse}:  Refused,
	{Connecting, Stop}:    Stopped,

	{Handshaking, BothIDs}: Recovering,
	{Handshaking, Failed}:  Waiting,
	{Handshaking, Wedged}:  NeedsRestart,
	{Handshaking, Refuse}:  Refused,
	{Handshaking, Stop}:    Stopped,

	{Recovering, RungsDone}: Ready,
	{Recovering, Failed}:    Waiting,
	{Recovering, Lost}:      Waiting,
	{Recovering, Refuse}:    Refused,
	{Recovering, Stop}:      Stopped,

	{Ready, Lost}:   Waiting,
	{Ready, Worse}:  Degraded,
	{Ready, Refuse}: Refused,
	{Ready, Stop}:   Stopped,

	{Degraded, Lost}:   Waiting,
	{Degraded, Better}: Ready,
	{Degraded, Refuse}: Refused,
	{Degraded, Stop}:   Stopped,

	{Waiting, Retry}:  Connecting,
	{Waiting, Wedged}: NeedsRestart,
	{Waiting, Refuse}: Refused,
	{Waiting, Stop}:   Stopped,

	{NeedsRestart, Retry}: Connecting,
	{NeedsRestart, Stop}:  Stopped,

	{Refused, Retry}: Connecting, // only a person's
	{Refused, Stop}:  Stopped,

	{Stopped, Stop}: Stopped,
}

// Next returns the state after sig; ok is false when the step is not legal,
// and the state is then unchanged.
func (s LinkState) Next(sig LinkSignal) (after LinkState, ok bool) {
	after, ok = nextLink[linkStep{s, sig}]
	if !ok {
		return s, false
	}
	return after, true
}

// Trades reports whether new risk may be taken in this state.
func (s LinkState) Trades() bool { return s == Ready }

// Link is the whole truth about the link at one instant.
type Link struct {
	State     LinkState  `json:"state"`
	Rung      string     `json:"rung"` // the newest rung reached, or the one that failed
	Rungs     []Rung     `json:"rungs"`
	Since     time.Time  `json:"since"`      // wall time
	DownSince *time.Time `json:"down_since"` // wall time, since when no session is ready or degraded, over all attempts; nil while one is
	Cause     string     `json:"cause"`      // plain words
	Advice    string     `json:"advice"`
	Attempt   int        `json:"attempt"`    // counted from the last ready, the first is 1
	NextRetry *time.Time `json:"next_retry"` // wall time, nil when none is planned
	Adapter   string     `json:"adapter"`
	Facts     Facts      `json:"facts"` // of the session, or what the last attempt established

	// Failure is how the newest attempt or session ended, "" before a first
	// failure and since the link is ready.
	Failure Failure `json:"failure"`
	// Phase is what the gateway is in by its calendar or by the evidence, "" =
	// nothing special; Until is when that should be over, nil = not known.
	Phase Phase      `json:"phase"`
	Until *time.Time `json:"until"`
	// Breaker tells why attempts are held back.
	Breaker Breaker `json:"breaker"`
	// Sessions counts the sessions that became ready in this process's life.
	Sessions int `json:"sessions"`
	// Warnings are lasting ones, in plain words, such as a handshake that was
	// slow or an abrupt close that is switched on. At most 8.
	Warnings []string `json:"warnings"`
}

// Overdue reports whether the gateway waits at now, wall time, for a person to
// log in for longer than it should. The link is published when that begins.
func (l Link) Overdue(now time.Time) bool {
	return l.Phase == FactorPhase && l.Until != nil && !now.Before(*l.Until)
}

// Phase is what a gateway goes through by its calendar: a state, not an error.
type Phase string

// The phases.
const (
	NoPhase      Phase = ""
	BeforePhase  Phase = "restart_soon"  // the daily restart is near: entries wait
	RestartPhase Phase = "daily_restart" // it is expected to be down now
	LoginPhase   Phase = "weekly_login"  // it is down and wants its weekly login
	FactorPhase  Phase = "second_factor" // it runs and waits for a person's log-in or second factor
)

// Breaker is how far the link is held back from trying.
type Breaker struct {
	// State is closed (attempts are made), or open (none is made before the
	// evidence changes, a person asks, or a wait is over).
	State string `json:"state"`
	// Wedged counts the attempts in a row that met a gateway which accepts and
	// hangs; Limit is at how many it opens.
	Wedged int `json:"wedged"`
	Limit  int `json:"limit"`
	// Tries counts the attempts made since it opened, of MaxTries. They are made
	// only where no evidence can be read.
	Tries    int `json:"tries"`
	MaxTries int `json:"max_tries"`
	// Since is when it opened, and Hung when the newest attempt hung that Wedged
	// counts: wall time, nil for never. They outlive a run of the program.
	Since *time.Time `json:"since"`
	Hung  *time.Time `json:"hung"`
	// Evidence is what is known of the listener since it opened, nil while it is
	// closed.
	Evidence *Evidence `json:"evidence"`
}

// The states of a breaker.
const (
	BreakerClosed = "closed"
	BreakerOpen   = "open"
)
