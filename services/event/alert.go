package event

import "time"

// AlertState tells whom the trader tells of troubles, and of which. It is
// published while it changes, once a second at most, and every two seconds in
// between. No field holds a secret: a target is known by its service and host.
type AlertState struct {
	Targets []AlertTarget `json:"targets"`
	On      []AlertOn     `json:"on"`     // troubles, oldest first, at most 64 a kind
	Sent    []AlertSent   `json:"sent"`   // the newest messages, at most 20, oldest first
	Counts  []AlertCount  `json:"counts"` // by kind, in this process's life
}

// AlertTarget is one place to which alerts go.
type AlertTarget struct {
	Name      string    `json:"name"`  // its service, such as "ntfy", with a number where there are several
	Where     string    `json:"where"` // its host
	State     string    `json:"state"` // untried, working, failing
	Cause     string    `json:"cause"` // why it fails, or failed last
	Since     time.Time `json:"since"` // wall time, of the state
	Delivered uint64    `json:"delivered"`
	Lost      uint64    `json:"lost"`
	Waiting   int       `json:"waiting"`
}

// AlertOn is a trouble that is on.
type AlertOn struct {
	Kind   string    `json:"kind"`
	Key    string    `json:"key,omitempty"` // tells apart several of a kind
	Title  string    `json:"title"`
	Cause  string    `json:"cause"`
	Advice string    `json:"advice"`
	Since  time.Time `json:"since"`            // wall time
	Untold bool      `json:"untold,omitempty"` // nobody was told yet: held back
}

// AlertSent is a message that left for the targets.
type AlertSent struct {
	At     time.Time `json:"at"` // wall time
	Kind   string    `json:"kind"`
	Title  string    `json:"title"`
	Text   string    `json:"text"`
	Urgent bool      `json:"urgent"`
}

// AlertCount counts what became of one kind's messages.
type AlertCount struct {
	Kind      string `json:"kind"`
	Said      uint64 `json:"said"`      // messages that left for the targets
	Held      uint64 `json:"held"`      // news held back by the night or the hour's budget, and summed up
	Delivered uint64 `json:"delivered"` // to a target, each counted
	Failed    uint64 `json:"failed"`    // not delivered to a target, each counted
}
