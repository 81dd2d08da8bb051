package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Unit is what systemd tells of a service.
type Unit struct {
	Load     string // "loaded", "not-found", "masked", "bad-setting"
	Active   string // "active", "failed", "inactive", "activating"
	Sub      string // "running", "auto-restart"
	File     string // "enabled", "disabled", "masked"; "" without a file
	Result   string // how it ended last: "success", "exit-code", "start-limit-hit"
	Status   int    // with which exit code
	Restarts int    // that systemd made by itself
	Reload   bool   // the file has changed since systemd read it
}

// unitWithin bounds the question: systemctl waits for a manager that hangs.
const unitWithin = 3 * time.Second

// Unit asks systemd about a service. The error satisfies
// [errors.ErrUnsupported] where no systemd runs.
func (*Machine) Unit(ctx context.Context, name string) (Unit, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return Unit{}, fmt.Errorf("host: unit %s: %w: %w", name, errors.ErrUnsupported, err)
	}
	ctx, cancel := context.WithTimeout(ctx, unitWithin)
	defer cancel()
	c := exec.CommandContext(ctx, "systemctl", "show", name, "--no-pager",
		"--property=LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NRestarts,NeedDaemonReload")
	c.WaitDelay = time.Second
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return Unit{}, fmt.Errorf("host: unit %s: %w: %w", name, errors.ErrUnsupported, err)
	}
	if err != nil {
		return Unit{}, fmt.Errorf("host: unit %s: systemctl show: %w", name, err)
	}
	return parseUnit(string(out))
}

// parseUnit reads what systemctl show prints: KEY=VALUE, one a line, in any
// order; a key that an older systemd does not know is left out.
func parseUnit(text string) (u Unit, err error) {
	number := func(key, value string) int {
		n, e := strconv.Atoi(value)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("host: unit: %s is %.40q, not a number", key, value))
		}
		return n
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "LoadState":
			u.Load = value
		case "ActiveState":
			u.Active = value
		case "SubState":
			u.Sub = value
		case "UnitFileState":
			u.File = value
		case "Result":
			u.Result = value
		case "ExecMainStatus":
			u.Status = number(key, value)
		case "NRestarts":
			u.Restarts = number(key, value)
		case "NeedDaemonReload":
			u.Reload = value == "yes"
		}
	}
	if err == nil && u.Load == "" {
		err = fmt.Errorf("host: unit: no LoadState in %.80q", text)
	}
	return u, err
}
