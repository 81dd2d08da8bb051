package journal

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// The kinds of error on which code branches.
var (
	// ErrClosed means that the journal is closed.
	ErrClosed = errors.New("journal: closed")
	// ErrLocked means that another program holds the file's lock; later may do.
	ErrLocked = errors.New("locked by another program")
	// ErrFull means that the disk is full.
	ErrFull = errors.New("disk full")
	// ErrReadOnly means that the file, its folder or its disk cannot be written.
	ErrReadOnly = errors.New("not writable")
	// ErrCorrupt means that the file is damaged, or no journal at all.
	ErrCorrupt = errors.New("damaged")
	// ErrDisk means that the disk failed.
	ErrDisk = errors.New("disk error")
	// ErrLost means that rows are missing which the journal had said to be
	// durable: its end is cut off, or an older file took its place.
	ErrLost = errors.New("rows are missing")
	// ErrTampered means that the file is not the one that the witness beside it
	// speaks of, or that the witness is damaged or gone.
	ErrTampered = errors.New("not the journal that its witness speaks of")
)

// errWrite marks a write that failed before anything was acknowledged, and may
// succeed later.
var errWrite = errors.New("a write failed")

// Extended codes of a disk error of which the transaction was rolled back.
const (
	ioWrite   = codeIO | 3<<8
	ioShmSize = codeIO | 19<<8
)

// SQLite's primary result codes, https://sqlite.org/rescode.html.
const (
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeConstraint = 19
	codeNotADB     = 26
)

// primary returns the primary result code of an error, 0 when it has none.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// mendFile is what a person can do about a file that is not what it should be.
// The program moves nothing away by itself: it may hold what the broker cannot
// tell again.
const mendFile = "nothing was changed: restore a backup with traderctl restore FILE, which keeps this file under another name; the broker tells the open orders again"

// failed names the file, what was tried, and the mend.
func failed(path, op string, err error) error {
	if err == nil {
		return nil
	}
	var kind error
	mend := ""
	e, _ := errors.AsType[*sqlite.Error](err)
	switch primary(err) {
	case codeBusy, codeLocked:
		kind, mend = ErrLocked, "close the program that has it open for writing"
	case codeFull:
		kind, mend = ErrFull, "free some space; the journal goes on by itself"
	case codeReadOnly, codeCantOpen:
		kind, mend = ErrReadOnly, "check owner and permissions of the file and its folder, and that the disk is mounted for writing"
	case codeCorrupt, codeNotADB:
		kind, mend = ErrCorrupt, mendFile
	case codeIO:
		kind, mend = ErrDisk, "check the disk and the system's log, then start again"
		if e.Code() == ioWrite || e.Code() == ioShmSize {
			kind, mend = fmt.Errorf("%w: %w", ErrDisk, errWrite), "check the disk, its space and quota; the journal goes on by itself"
		}
	default:
		if errors.Is(err, ErrLost) || errors.Is(err, ErrTampered) || errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("journal %s: %s: %w; %s", path, op, err, mendFile)
		}
		if mend = mendSystem(err); mend == "" {
			return fmt.Errorf("journal %s: %s: %w", path, op, err)
		}
		return fmt.Errorf("journal %s: %s: %w; %s", path, op, err, mend)
	}
	return fmt.Errorf("journal %s: %s: %w: %w; %s", path, op, kind, err, mend)
}

// mendSystem is what a person can do about an error of the system that has its
// kind from [ofDisk], "" when it has none.
func mendSystem(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return "free some space; the journal goes on by itself"
	case errors.Is(err, ErrReadOnly):
		return "check owner and permissions of the file and its folder, and that the disk is mounted for writing"
	case errors.Is(err, ErrDisk) && errors.Is(err, errWrite):
		return "check the disk; the journal goes on by itself"
	case errors.Is(err, ErrDisk):
		return "check the disk and the system's log, then start again"
	}
	return ""
}
