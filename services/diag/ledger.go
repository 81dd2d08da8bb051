package diag

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"robotrader/broker"
)

// A Bookkeeper takes a quick look at the journal of a data folder, without
// changing it. A journal that cannot be trusted is a [broker.ErrUntrusted], a
// folder without one an [fs.ErrNotExist].
type Bookkeeper func(ctx context.Context, folder string) (broker.LedgerLook, error)

func checkJournal(ctx context.Context, c *Check, q Question) {
	if q.Books == nil {
		c.skip("not looked at")
		return
	}
	l, err := q.Books(ctx, q.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.skip("there is none yet")
		return
	case errors.Is(err, broker.ErrUntrusted):
		c.found("%v", err)
		c.judge(VerdictFailed, "do not delete or copy over it: traderctl verify tells more, traderctl restore FILE puts a backup in its place and keeps this one aside")
		c.recognise(EntryRestore, "the journal is damaged or not whole, and a trader does not start with it")
		return
	case err != nil:
		c.found("%v", err)
		c.judge(VerdictWarning, "the journal could not be looked at: run this as the user whom the data folder belongs to, and look at the disk")
		return
	}
	c.found("%d rows, the newest looked at: good", l.Rows)
	if !l.Witness {
		c.found("there is no witness: a missing end would not be noticed")
		c.judge(VerdictWarning, "journal.witness belongs to journal.db: copy both or, better, use traderctl backup")
	}
	m := l.Mode
	if m == nil || m.Mode == broker.Active {
		return
	}
	c.found("mode %s since %s: %s", m.Mode, m.Since.Local().Format(time.DateTime), m.Reason)
	if l.Restored != "" {
		c.judge(VerdictWarning, "compare open orders, positions and the day's executions with the broker, then: traderctl resume")
		c.recognise(EntryRestore, fmt.Sprintf("the journal was restored from %s, and trading is halted until a person has compared", l.Restored))
		return
	}
	c.judge(VerdictWarning, "look why, then: traderctl resume")
}

// checkCalendar says whether the gateway is in its daily restart or waits for its
// weekly log-in by the calendar. Now is wall time.
func checkCalendar(c *Check, q Question, now time.Time) {
	if q.Calendar == nil {
		c.skip("not looked at")
		return
	}
	phase, until := q.Calendar(now)
	switch phase {
	case broker.RestartPhase:
		c.found("the gateway is expected to be down for its daily restart until %s", until.Local().Format(time.DateTime))
		c.judge(VerdictWarning, "wait until then; the trader comes back by itself")
		c.recognise(EntryRestart, "it is the time of the gateway's daily restart (broker.ibkr.restart_at)")
	case broker.LoginPhase:
		c.found("the gateway is expected to want its weekly log-in, until %s", until.Local().Format(time.DateTime))
		c.judge(VerdictWarning, "log in at the gateway, and confirm on your phone")
		c.recognise(EntryLogin, "it is the time of the weekly log-in (broker.ibkr.login_at)")
	default:
		c.found("neither the daily restart nor the weekly log-in is due")
	}
}
