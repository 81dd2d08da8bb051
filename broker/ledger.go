package broker

import "errors"

// LedgerLook is what a quick look at a journal shows.
type LedgerLook struct {
	Rows    int64 // in the chain; the newest of them were looked at
	Witness bool  // a witness is there, and agrees
	// Mode is the newest one that was latched, nil = none yet.
	Mode *ModeRecord
	// Restored is the name of the backup that it was restored from, while nobody
	// has let orders pass since; "" = it was not.
	Restored string
}

// ErrUntrusted means that a journal is damaged, cut short or was changed by
// somebody: a trader does not start with it.
var ErrUntrusted = errors.New("the journal cannot be trusted")
