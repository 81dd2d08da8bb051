package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// orderFrame is one line of testdata/orders.hex.
type orderFrame struct {
	name    string
	client  bool
	version Version
	payload []byte
}

func (f orderFrame) decode() (Message, error) {
	if f.client {
		return DecodeClientStrict(f.version, f.payload)
	}
	return DecodeServerStrict(f.version, f.payload)
}

func orderFrames(t testing.TB) (out []orderFrame) {
	t.Helper()
	f, err := os.Open("testdata/orders.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if lines.Text() == "" || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		part := strings.Fields(lines.Text())
		if len(part) != 4 {
			t.Fatalf("testdata/orders.hex: %q is not direction, version, name, payload", lines.Text())
		}
		version, err := strconv.Atoi(part[1])
		if err != nil {
			t.Fatal(err)
		}
		payload, err := hex.DecodeString(part[3])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, orderFrame{part[2], part[0] == "client", Version(version), payload})
	}
	return out
}

// The frames in testdata are stated byte for byte, so a layout cannot change
// unnoticed in reader and writer at once.
func TestOrderFrames(t *testing.T) {
	frames := orderFrames(t)
	for _, f := range frames {
		m, err := f.decode()
		if err != nil {
			t.Errorf("%s at %d: %v", f.name, f.version, err)
			continue
		}
		b, err := m.Append(nil, f.version)
		if err != nil || !bytes.Equal(b, f.payload) {
			t.Errorf("%s at %d: written again %q, %v; want %q", f.name, f.version, b, err, f.payload)
		}
	}
	if len(frames) < 12 {
		t.Errorf("only %d frames", len(frames))
	}
}

// fuzzFamily feeds bytes to the decoders of one direction and some ids: no
// bytes make them panic, and what they read can be written, and reads the same.
func fuzzFamily(f *testing.F, client bool, ids ...int) {
	wanted := map[int]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for _, frame := range orderFrames(f) {
		if id, _ := PeekID(frame.payload); wanted[id] && frame.client == client {
			f.Add(int(frame.version), frame.payload)
		}
	}
	decode := DecodeServer
	if client {
		decode = DecodeClient
	}
	f.Fuzz(func(t *testing.T, version int, in []byte) {
		id, _ := PeekID(in)
		if !wanted[id] {
			return
		}
		m, err := decode(Version(version), in)
		if err != nil {
			return
		}
		// Not everything that can be read may be written: an incomplete cancel
		// loses what it had, and bytes that are no text become U+FFFD.
		b, err := m.Append(nil, Version(version))
		if err != nil {
			t.Fatalf("%q was read as %+v, which cannot be written: %v", in, m, err)
		}
		again, err := decode(Version(version), b)
		if err != nil {
			t.Fatalf("%q was written as %q, which cannot be read: %v", in, b, err)
		}
		if c, ok := m.(CancelOrder); ok && c.Incomplete {
			c.ExtOperator = ""
			m = c
		}
		if diff := cmp.Diff(m, again, exact); diff != "" {
			t.Fatalf("%q was written as %q: (-first +second)\n%s", in, b, diff)
		}
	})
}

func FuzzOrders(f *testing.F) {
	fuzzFamily(f, true, IDPlaceOrder, IDCancelOrder, IDReqOpenOrders, IDReqExecutions, IDReqAutoOpenOrders,
		IDReqAllOpenOrders, IDReqGlobalCancel, IDReqCompletedOrders)
}

func FuzzOpenOrder(f *testing.F) {
	fuzzFamily(f, false, IDOpenOrder, IDOrderStatus, IDOpenOrderEnd, IDOrderBound, IDCompletedOrdersEnd)
}

func FuzzExecutions(f *testing.F) {
	fuzzFamily(f, false, IDExecDetails, IDExecDetailsEnd, IDCommissionReport)
}
