package broker

import "time"

// JournalFailure is why the journal takes nothing at the moment. As long as it
// lasts no entry is sent; cancels, and what the venue tells, go on.
type JournalFailure struct {
	// Kind is full, read_only, locked, disk (it fails), damaged, lost (rows
	// are missing), tampered (not the journal that its witness speaks of), or
	// other.
	Kind  string    `json:"kind"`
	Since time.Time `json:"since"` // wall time
	// Cause names the file, what was tried, and what came of it.
	Cause string `json:"cause"`
	// Advice is what a person can do.
	Advice string `json:"advice"`
	// Mends says that the journal goes on by itself once the cause is gone;
	// without it the program has to be started again.
	Mends bool `json:"mends"`
}

// JournalFailureKinds lists the kinds.
func JournalFailureKinds() []string {
	return []string{"full", "read_only", "locked", "disk", "damaged", "lost", "tampered", "other"}
}
