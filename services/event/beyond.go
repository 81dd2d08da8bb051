package event

import "time"

// The states of the bridge between this process and the programs outside.
const (
	BusConnecting = "connecting" // there was no connection yet
	BusUp         = "up"         // programs outside hear and are answered
	BusLost       = "lost"       // there was a connection, and there is none
	BusClaimed    = "claimed"    // another trader answers on this bus; this one does not
	BusStopped    = "stopped"    // the trader stops in order
)

// AccountsInstance is the second word of the subjects on which traders claim
// accounts, whatever their instances; no trader may be called so.
const AccountsInstance = "accounts"

// BusState tells programs outside how the bridge stands. It is published there
// once a second, and on the trader's own bus when it changes.
type BusState struct {
	State string    `json:"state"` // one of the above
	Since time.Time `json:"since"` // wall time
	Cause string    `json:"cause"` // plain words, "" when up
	// Life tells apart the processes of a trader: with a new one all numbers begin
	// anew, and what was known before is to be asked for again.
	Life    string `json:"life"`
	Account string `json:"account"` // that the trader trades, "" = not known yet
	// Newest holds, for each subject that never drops but the notices, of which
	// each publisher numbers its own, the number of the newest message that was
	// written. Who has not seen it when the next state comes has
	// lost what lies between, and asks desk.get.
	Newest map[string]uint64 `json:"newest"`
	// Dropped counts messages of such subjects that found no room while the bus
	// was away.
	Dropped uint64 `json:"dropped"`
}

// Holder is who claims to answer on a bus, for an instance or an account. It is
// both question and answer: every contender answers with itself.
type Holder struct {
	ID       string    `json:"id"`       // of the process's life
	Instance string    `json:"instance"` // of its subjects
	Account  string    `json:"account"`  // "" when the claim is for the instance
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Since    time.Time `json:"since"` // wall time of the claim
	// Held says that it answers already; otherwise it wants to.
	Held bool `json:"held"`
}

// Before reports whether the holder goes before another: who answers already
// goes before who wants to, then the older claim, then the smaller id. Of two
// processes both judge alike.
func (h Holder) Before(o Holder) bool {
	if h.Held != o.Held {
		return h.Held
	}
	if !h.Since.Equal(o.Since) {
		return h.Since.Before(o.Since)
	}
	return h.ID < o.ID
}

// OrderFrom is the subject on which the strategy of that name, in a program
// outside, asks for orders: its permissions name it, so that it cannot ask for
// another.
func OrderFrom(instance, strategy string) string {
	return Subject(instance, OrderRequest.Name, strategy)
}

// ClaimOf is the subject of a claim: for an instance, or when account is not
// empty for the account, which is the same whatever the instance.
func ClaimOf(instance, account string) string {
	if account != "" {
		return Subject(AccountsInstance, Claim.Name, account)
	}
	return Subject(instance, Claim.Name)
}
