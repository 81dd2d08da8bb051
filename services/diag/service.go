package diag

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"robotrader/services/host"
)

// UnitName is the service that install.sh makes.
const UnitName = "robotrader.service"

// checkUnit looks at the service of systemd that runs the trader, where there is
// one: a trader that a person starts needs none.
func (d Doctor) checkUnit(ctx context.Context, c *Check) {
	u, err := d.Host.Unit(ctx, UnitName)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		c.skip("no systemd runs here")
		return
	case err != nil:
		c.found("%v", err)
		c.judge(VerdictWarning)
		return
	case u.Load == "not-found":
		c.skip("there is no %s", UnitName)
		return
	}
	c.found("%s: %s (%s), unit file %s, ended last with %s %d, started again %d times", UnitName, u.Active, u.Sub, u.File, u.Result, u.Status, u.Restarts)
	if u.Load != "loaded" {
		c.judge(VerdictFailed, "look at it: systemd-analyze verify "+UnitName+"; a new install.sh writes the file anew")
		c.recognise(EntryService, "systemd cannot read the unit ("+u.Load+")")
	}
	if u.Reload {
		c.judge(VerdictWarning, "the unit file was changed after systemd read it: systemctl daemon-reload")
		c.recognise(EntryService, "systemd works with an older unit file")
	}
	if strings.HasPrefix(u.File, "masked") || u.File == "disabled" {
		c.judge(VerdictWarning, "the trader does not come back with the machine: systemctl enable "+UnitName)
		c.recognise(EntryService, "the unit file is "+u.File)
	}
	if u.Active == "failed" {
		c.judge(VerdictFailed, afterFailure(u))
		c.recognise(EntryService, "the service has failed and is not started again")
	}
	if u.Active == "activating" && u.Sub == "auto-restart" {
		c.judge(VerdictWarning, "it ended and is about to be started again; journalctl -u robotrader says why")
		c.recognise(EntryService, "the service ends and is started again")
	}
}

// afterFailure says what a person does about a service that stays down.
func afterFailure(u host.Unit) string {
	const again = "then systemctl reset-failed robotrader and systemctl start robotrader"
	switch {
	case u.Status == 2, u.Status == 3, u.Status == 4:
		what := map[int]string{2: "its command line is wrong", 3: "its configuration has faults", 4: "the account is refused for good"}[u.Status]
		return fmt.Sprintf("%s (exit %d): journalctl -u robotrader names each fault; mend it, %s", what, u.Status, again)
	case u.Result == "start-limit-hit":
		return "it ended six times in half an hour: journalctl -u robotrader says why; mend that, " + again
	case u.Result == "watchdog":
		return "a loop of it stopped turning and systemd ended it: keep what traderctl bundle packs, " + again
	case u.Result == "oom-kill":
		return "it took more than the memory it may have: keep what traderctl bundle packs, " + again
	}
	return "journalctl -u robotrader says why; mend that, " + again
}
