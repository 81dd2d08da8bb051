package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"robotrader/broker"
)

func TestBackupVerifyRestore(t *testing.T) {
	dir := journalOf(t, broker.Record{Mode: &broker.ModeRecord{Mode: broker.Halted, Reason: "a person"}})
	to := filepath.Join(t.TempDir(), "backup.db")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"verify", "--data", dir}, 0, "is good: 1 rows"},
		{[]string{"verify", "--data", dir, "--json"}, 0, `"witness":true`},
		{[]string{"backup", to, "--data", dir}, 0, "1 rows, verified"},
		{[]string{"backup", to, "--data", dir}, 1, "name a new file"},
		{[]string{"restore", to, "--data", dir}, 0, "trading is halted"},
		{[]string{"verify", "--data", dir}, 0, "is good: 2 rows"},
		{[]string{"restore", filepath.Join(dir, "token"), "--data", dir}, 1, "token"},
		{[]string{"restore"}, 2, "accepts 1 arg"},
	} {
		out, errs, code := told(t, tt.args...)
		if code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%q: code %d, %s%s", tt.args, code, out, errs)
		}
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if got, err := lock.TryLock(); !got || err != nil {
		t.Fatal(got, err)
	}
	defer lock.Unlock()
	if _, errs, code := told(t, "restore", to, "--data", dir); code != 1 || !strings.Contains(errs, "stop it first") {
		t.Errorf("a restore under a running trader: %d, %s", code, errs)
	}
	if err := os.Truncate(filepath.Join(dir, "journal.db"), 8192); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := told(t, "verify", "--data", dir); code != 1 || !strings.Contains(errs, "traderctl restore") {
		t.Errorf("a cut journal: %d, %s", code, errs)
	}
}
