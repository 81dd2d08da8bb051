package host

import (
	"strings"
	"testing"
)

func TestParseUnit(t *testing.T) {
	// Printed by systemd 252.
	const shown = "Result=exit-code\nNRestarts=2\nExecMainStatus=3\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\nNeedDaemonReload=yes\n"
	want := Unit{Load: "loaded", Active: "failed", Sub: "failed", File: "enabled", Result: "exit-code", Status: 3, Restarts: 2, Reload: true}
	if got, err := parseUnit(shown); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for text, says := range map[string]string{
		"":                                       "no LoadState",
		"Failed to connect to bus":               "no LoadState",
		"LoadState=loaded\nExecMainStatus=three": `"three", not a number`,
	} {
		if _, err := parseUnit(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
}
