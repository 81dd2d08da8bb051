package wire

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// frameFiles are the files of testdata.
var frameFiles = []string{
	"session.hex", "login.hex", "ticks.hex", "tick_by_tick.hex", "bars.hex", "real_time.hex", "depth.hex",
	"contract.hex", "lookup.hex", "account.hex", "profit.hex", "orders.hex", "completed.hex",
}

// frame is one line of a file of testdata.
type frame struct {
	name    string
	client  bool
	version Version
	payload []byte
}

func (f frame) decode() (Message, error) {
	if f.client {
		return DecodeClientStrict(f.version, f.payload)
	}
	return DecodeServerStrict(f.version, f.payload)
}

// frames reads a file of testdata: frames that we wrote by hand.
func frames(t testing.TB, file string) (out []frame) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		var f frame
		var direction string
		if _, err := fmt.Sscanf(line, "%s %d %s %x", &direction, &f.version, &f.name, &f.payload); err != nil {
			t.Fatalf("testdata/%s: %q: %v", file, line, err)
		}
		f.client = direction == "client"
		out = append(out, f)
	}
	return out
}

// TestFrames reads each frame to its last field, writes it again and wants the
// same bytes: a layout cannot change in reader and writer at once. Each message
// of both tables has a frame.
func TestFrames(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range frameFiles {
		for _, f := range frames(t, file) {
			m, err := f.decode()
			if err != nil {
				t.Errorf("%s: %s at %d: %v", file, f.name, f.version, err)
				continue
			}
			known := "server " + Name(m.ID())
			if f.client {
				known = "client " + ClientName(m.ID())
			}
			seen[known] = true
			if !strings.HasSuffix(known, " "+f.name) {
				t.Errorf("%s: %s at %d was read as %T", file, f.name, f.version, m)
			}
			if b, err := m.Append(nil, f.version); err != nil || !bytes.Equal(b, f.payload) {
				t.Errorf("%s: %s at %d: written again %q, %v; want %q", file, f.name, f.version, b, err, f.payload)
			}
			truncations(t, f)
		}
	}
	for _, name := range tableNames() {
		if !seen[name] {
			t.Errorf("no frame of %s", name)
		}
	}
}

// truncations cuts a frame everywhere: it must not panic, nor be read as
// complete, but for those messages that may come short.
func truncations(t *testing.T, f frame) {
	t.Helper()
	switch f.name {
	case "historicalDataEnd", "execDetailsEnd", "cancelOrder":
		return
	}
	for n := range f.payload {
		cut := frame{f.name, f.client, f.version, f.payload[:n]}
		if m, err := cut.decode(); err == nil {
			t.Errorf("%s at %d cut after %d of %d bytes was read as %+v", f.name, f.version, n, len(f.payload), m)
		}
	}
}
