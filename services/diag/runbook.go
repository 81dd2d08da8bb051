package diag

import (
	"fmt"
	"strings"

	"robotrader/broker"
	"robotrader/services/host"
)

// Entry is a chapter of the runbook in README.md, by its heading there.
type Entry string

// The entries of the runbook.
const (
	EntryRestart   Entry = "Daily restart"
	EntryLogin     Entry = "Weekly login and second factor"
	EntryHangs     Entry = "The gateway hangs"
	EntryClientID  Entry = "Client id in use"
	EntryCompeting Entry = "Competing session"
	EntryDisk      Entry = "Disk full"
	EntryRestore   Entry = "Restore"
	EntryMoving    Entry = "Moving to another host"
	EntryClock     Entry = "Wrong clock"
	EntryService   Entry = "It does not start"
)

// Entries lists all entries, in the order of the runbook.
func Entries() []Entry {
	return []Entry{
		EntryRestart, EntryLogin, EntryHangs, EntryClientID, EntryCompeting, EntryDisk, EntryRestore, EntryMoving, EntryClock, EntryService,
	}
}

// Link is where the entry stands, as a link of the README.
func (e Entry) Link() string {
	return "README.md#" + strings.ReplaceAll(strings.ToLower(string(e)), " ", "-")
}

// Finding is a situation of the runbook that a check has recognised.
type Finding struct {
	Runbook Entry  `json:"runbook"`
	Link    string `json:"link"`
	Cause   string `json:"cause"` // plain words
	// Evidence and Advice are what the check found and advises.
	Evidence []string `json:"evidence"`
	Advice   []string `json:"advice"`
}

// recognise says that the check shows a situation of the runbook; once is
// enough for each.
func (c *Check) recognise(e Entry, cause string) {
	for _, f := range c.Findings {
		if f.Runbook == e {
			return
		}
	}
	c.Findings = append(c.Findings, Finding{Runbook: e, Link: e.Link(), Cause: cause})
}

// settle gives each finding what the whole check found and advises.
func (c *Check) settle() {
	for i := range c.Findings {
		c.Findings[i].Evidence, c.Findings[i].Advice = c.Found, c.Advice
	}
}

// recogniseFailure says which situation a handshake that failed shows.
func (c *Check) recogniseFailure(f broker.Failure) {
	switch {
	case f.Wedged():
		c.recognise(EntryHangs, "the gateway accepts connections and does not answer the handshake ("+string(f)+")")
	case f == broker.ClientIDInUse:
		c.recognise(EntryClientID, "another program is connected with this client id")
	case f == broker.ClosedAfterStart:
		c.recognise(EntryClientID, "the gateway closes after the client id is told: it is in use, or this machine is not trusted")
	case f == broker.NoAccounts:
		c.recognise(EntryLogin, "the gateway runs and is not logged in")
	case f == broker.NobodyListens:
		c.recognise(EntryRestart, "the gateway is down, or in its restart")
	}
}

// recogniseLink says which situation the link of a running trader is in, when
// it is not ready.
func (c *Check) recogniseLink(l broker.Link) {
	switch {
	case l.State == broker.NeedsRestart:
		c.recognise(EntryHangs, "the trader has stopped asking, because the gateway accepts connections and hangs")
	case l.Phase == broker.FactorPhase, l.Phase == broker.LoginPhase:
		c.recognise(EntryLogin, "the gateway waits for a person to log in")
	case l.Phase == broker.RestartPhase, l.Phase == broker.BeforePhase:
		c.recognise(EntryRestart, "the gateway restarts, as it does every day")
	default:
		c.recogniseFailure(l.Failure)
	}
}

// judgeOthers tells of traders of other data folders at the same gateway: two
// for one account do not know of each other's orders.
func judgeOthers(c *Check, s host.Sockets, t trader) {
	for _, side := range s.Clients {
		if side.Process != traderName || side.PID == t.pid || side.States[host.Established] == 0 {
			continue
		}
		c.found("process %d is a trader of another data folder, and connected to this gateway", side.PID)
		c.judge(VerdictWarning, fmt.Sprintf("if both trade one account, stop one of them: ps -fp %d shows which it is", side.PID))
		c.recognise(EntryMoving, "more than one trader is connected to this gateway")
	}
}
