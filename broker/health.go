package broker

import (
	"time"

	"robotrader/broker/market"
)

// Vital is a session that tells its signs of life. It is an optional power,
// found by assertion. Health does not block and asks the venue nothing.
type Vital interface {
	Health() Health
}

// Health is how a session stands at one instant. Times are wall time; nil is
// "not yet", which is not "long ago".
type Health struct {
	LastFrame   *time.Time `json:"last_frame"`    // the newest frame of the gateway, of any kind
	LastAnswer  *time.Time `json:"last_answer"`   // the newest answer to a time request
	RoundTripMS *float64   `json:"round_trip_ms"` // of that request
	Missed      int        `json:"missed"`        // time requests in a row that went unanswered

	// Venue is the gateway's own link to the broker, by its word (1100, 1102,
	// 2110), and Farms what it said of each of its servers.
	Venue Part   `json:"venue"`
	Farms []Part `json:"farms"`

	// ReadOnlyAPI is when the gateway said that its API is read-only (321), and
	// Competing when it said that another session of this user takes the market
	// data (10197); nil = it did not, or that is over.
	ReadOnlyAPI *time.Time `json:"read_only_api"`
	Competing   *time.Time `json:"competing"`

	Pacing Pacing `json:"pacing"`
	// Lines are the market-data subscriptions held, of the limit.
	Lines Use `json:"lines"`
	// History are the questions for bars of the last ten minutes, of the limit.
	History Use `json:"history"`

	FramesIn  uint64 `json:"frames_in"`
	FramesOut uint64 `json:"frames_out"`
	Undecoded int    `json:"undecoded"` // frames that were skipped
	// Strays are answers and ticks that named nothing that we asked for, or
	// another contract than that: late, doubled or foreign ones. None was used. A
	// few behind the end of a subscription are normal.
	Strays uint64 `json:"strays"`
}

// Part is one of the things whose health is separate.
type Part struct {
	Name string `json:"name"` // such as "usfarm"; "venue" for the broker's servers
	// Kind is one of venue, market, history, contracts, account; "" = not told.
	Kind string `json:"kind"`
	// State is one of ok, idle, connecting, broken; "" = not told.
	State string    `json:"state"`
	Code  int       `json:"code"` // of the message that said so
	Text  string    `json:"text"`
	Since time.Time `json:"since"` // wall time
}

// The states of a part.
const (
	PartOK         = "ok"
	PartIdle       = "idle" // sleeps until it is asked
	PartConnecting = "connecting"
	PartBroken     = "broken"
)

// Use is how much of a limit is taken.
type Use struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// Pacing is how the messages to the venue are held under its limit.
type Pacing struct {
	Limit    int `json:"limit"`    // messages in any one second, now
	Reserved int `json:"reserved"` // of them, those that only cancels may use
	Sent     int `json:"sent"`     // in the last second
	Waiting  int `json:"waiting"`  // messages that wait for room
	// Waited counts the messages that had to wait, WaitedMS is for how long in
	// all, and LongestMS the longest wait.
	Waited    uint64  `json:"waited"`
	WaitedMS  float64 `json:"waited_ms"`
	LongestMS float64 `json:"longest_ms"`
	Refused   uint64  `json:"refused"` // found the queue full
	// HalvedUntil is until when the limit is halved, because the venue said that
	// we send too much (100); nil = it is not.
	HalvedUntil *time.Time `json:"halved_until"`
}

// Freshness tells of one wanted symbol's market data.
type Freshness struct {
	Symbol market.Symbol `json:"symbol"`
	// State is one of wanted (asked for, nothing came), live, delayed, stale (it
	// came, and stopped in session), closed (outside its session), blocked (the
	// venue refused it), lost (no session).
	State string     `json:"state"`
	Cause string     `json:"cause"`
	Since time.Time  `json:"since"` // wall time
	Last  *time.Time `json:"last"`  // wall time of the newest tick
	// Asked counts the subscriptions made for it in this process's life.
	Asked int `json:"asked"`
}
