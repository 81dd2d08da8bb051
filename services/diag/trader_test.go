package diag

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/services/host"
)

// Two addresses are two gateways only where no doubt is left.
func TestSurelyAnother(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:4002", "127.0.0.1:4002", false},
		{"127.0.0.1:4002", "127.0.0.1:4001", true},
		{"localhost:4002", "127.0.0.1:4002", false},
		{"192.0.2.1:4002", "192.0.2.2:4002", true},
		{"192.0.2.1:4002", "[::ffff:192.0.2.1]:4002", false},
		{"192.0.2.1:4002", "gateway.lan:4002", false},
		{"192.0.2.1:4002", "127.0.0.1:4002", false}, // the machine's own address
		{"0.0.0.0:4002", "127.0.0.1:4002", false},
		{"garbage", "127.0.0.1:4002", false},
	} {
		if got := surelyAnother(tt.a, tt.b); got != tt.want || surelyAnother(tt.b, tt.a) != tt.want {
			t.Errorf("%s and %s: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

// blind is a machine that does not know who holds a lock, as where the file
// system's number differs in the kernel's table.
type blind struct{ machine }

func (blind) LockHolder(context.Context, string) (int, error) { return 0, nil }

// A trader that runs is found although one of its signs is missing, and its
// client id is left alone.
func TestTraderIsFound(t *testing.T) {
	d := Doctor{Host: machine{host.New()}}
	unseen := Doctor{Host: blind{machine{host.New()}}}
	write := func(dir string, p Place) string {
		b, err := json.Marshal(p)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "trader.json"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	held := folder(t)
	running(t, held, nil)
	asked := folder(t)
	running(t, asked, linkAt(broker.Ready, "127.0.0.1:4002"))
	for _, tt := range []struct {
		name string
		d    Doctor
		dir  string
		runs bool
		says string
	}{
		{"starts or stops", d, write(held, Place{PID: os.Getpid(), HTTP: freeAddress(t)}), true, "starting or stopping"},
		{"its lock cannot be seen", unseen, asked, true, "ready since"},
		{"it was killed", unseen, write(folder(t), Place{PID: os.Getpid(), HTTP: freeAddress(t)}), false, "left over"},
		{"it was killed, and its number is free", unseen, write(folder(t), Place{PID: 1 << 30, HTTP: "127.0.0.1:1"}), false, "no trader runs"},
		{"never one", d, folder(t), false, "no trader runs"},
	} {
		c, got := tt.d.trader(t.Context(), Question{Folder: tt.dir})
		if got.runs != tt.runs || !strings.Contains(strings.Join(c.Found, "\n"), tt.says) {
			t.Errorf("%s: %+v %q", tt.name, got, c.Found)
		}
	}
}

// A handshake that does not end, as when its record goes to a disk that hangs,
// is a failed check and no end of the doctor.
func TestHandshakeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := Doctor{Host: told{}, Prober: hanging(release)}
		r := d.Examine(t.Context(), Question{Gateway: "127.0.0.1:4002", ClientID: 1, SpareID: 9999, Timeout: time.Second, Folder: t.TempDir(), TryIDs: true})
		close(release)
		synctest.Wait() // what was left to itself ends, too
		i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == "handshake" })
		if i < 0 || r.Checks[i].Verdict != VerdictFailed || r.Exit != 1 {
			t.Errorf("%+v", r)
		}
	})
}

type hanging chan struct{}

func (h hanging) Probe(context.Context, string, int, time.Duration) (broker.Facts, []broker.Rung, error) {
	<-h
	return broker.Facts{}, nil, nil
}
