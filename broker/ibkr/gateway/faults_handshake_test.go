package gateway

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"robotrader/broker/ibkr/wire"
)

// Each fault of the connection and the handshake, as a client sees its bytes.
func TestFaultsOfTheHandshake(t *testing.T) {
	type result struct {
		hello, got []byte // before and after START_API
		helloEnd   string
		end        string
	}
	shake := func(t *testing.T, script string, hello, got int) (r result) {
		p := dial(t, startFaulty(t, script, nil))
		p.offer()
		r.hello, r.helloEnd = p.raw(hello)
		if r.helloEnd == "open" {
			p.send(wire.StartAPI{ClientID: 3})
			r.got, r.end = p.raw(got)
		}
		return r
	}
	field := func(t *testing.T, b []byte, frame, field int) string {
		t.Helper()
		list := frames(t, b)
		if frame >= len(list) || field >= len(list[frame]) {
			t.Fatalf("no field %d of frame %d in %q", field, frame, list)
		}
		return list[frame][field]
	}
	for _, tt := range []struct {
		name, script string
		hello, got   int // bytes to wait for
		check        func(t *testing.T, r result)
	}{
		{"wedge", "on connection 1: wedge", 0, 0, func(t *testing.T, r result) {
			if len(r.hello)+len(r.got) > 0 || r.end != "open" {
				t.Errorf("%q, %s", r.hello, r.end)
			}
		}},
		{"wedge for a while", "on connection 1: wedge for 20ms", helloBytes, readyBytes, func(t *testing.T, r result) {
			if len(r.hello) != helloBytes || len(frames(t, r.got)) != 5 {
				t.Errorf("%q %q", r.hello, r.got)
			}
		}},
		{"close before hello", "on connection 1: close", toTheEnd, toTheEnd, func(t *testing.T, r result) {
			if r.helloEnd != "close" && r.helloEnd != "reset" || len(r.hello) > 0 {
				t.Errorf("%q %s", r.hello, r.helloEnd)
			}
		}},
		{"reset at a byte", "on byte 10 to client: reset", toTheEnd, toTheEnd, func(t *testing.T, r result) {
			if len(r.hello) != 10 || r.helloEnd != "reset" {
				t.Errorf("%q %s", r.hello, r.helloEnd)
			}
		}},
		{"reset at a byte of the client", "on byte 5 from client: reset", toTheEnd, toTheEnd, func(t *testing.T, r result) {
			if len(r.hello) != 0 || r.helloEnd != "reset" {
				t.Errorf("%q %s", r.hello, r.helloEnd)
			}
		}},
		{"reset inside the hello", "on the 1st hello to client: reset inside it at byte 7", toTheEnd, toTheEnd, func(t *testing.T, r result) {
			if len(r.hello) != 7 || r.helloEnd != "reset" {
				t.Errorf("%q %s", r.hello, r.helloEnd)
			}
		}},
		{"half close", "on the 1st hello to client: half close", toTheEnd, toTheEnd, func(t *testing.T, r result) {
			if len(r.hello) != 0 || r.helloEnd != "close" {
				t.Errorf("%q %s", r.hello, r.helloEnd)
			}
		}},
		{"garbage instead of hello", "on connection 1: garbage 40 bytes instead of hello", 40, 0, func(t *testing.T, r result) {
			if len(r.hello) != 40 || bytes.HasPrefix(r.hello[4:], []byte("200")) {
				t.Errorf("%q", r.hello)
			}
		}},
		{"oversize length", "on the 1st hello to client: oversize length", helloBytes, 0, func(t *testing.T, r result) {
			if len(r.hello) < 4 || binary.BigEndian.Uint32(r.hello) != 1<<24 {
				t.Errorf("%q", r.hello)
			}
		}},
		{"zero length", "on the 1st hello to client: zero length", helloBytes, 0, func(t *testing.T, r result) {
			if len(r.hello) < 4 || binary.BigEndian.Uint32(r.hello) != 0 {
				t.Errorf("%q", r.hello)
			}
		}},
		{"frame before hello", `on connection 1: frame "84|1|news of today" before hello`, helloBytes + 22, readyBytes, func(t *testing.T, r result) {
			if field(t, r.hello, 0, 2) != "news of today" || field(t, r.hello, 1, 0) != "200" {
				t.Errorf("%q", r.hello)
			}
		}},
		{"redirect", `on connection 1: redirect to "gw2:4001"`, 16, 0, func(t *testing.T, r result) {
			if field(t, r.hello, 0, 0) != "-1" || field(t, r.hello, 0, 1) != "gw2:4001" {
				t.Errorf("%q", r.hello)
			}
		}},
		{"time in GBK", "on connection 1: connection time gbk", 39, readyBytes, func(t *testing.T, r result) {
			if !strings.HasSuffix(field(t, r.hello, 0, 1), " \xd6\xd0\xb9\xfa\xb1\xea\xd7\xbc\xca\xb1\xbc\xe4") {
				t.Errorf("%q", r.hello)
			}
		}},
		{"time without zone", "on connection 1: connection time without zone", 26, readyBytes, func(t *testing.T, r result) {
			if len(field(t, r.hello, 0, 1)) != len("20260402 09:30:00") {
				t.Errorf("%q", r.hello)
			}
		}},
		{"time of any text", `on connection 1: connection time "tomorrow, perhaps"`, 26, readyBytes, func(t *testing.T, r result) {
			if field(t, r.hello, 0, 1) != "tomorrow, perhaps" {
				t.Errorf("%q", r.hello)
			}
		}},
		{"time of any bytes", `on connection 1: connection time hex ff00fe`, 12, readyBytes, func(t *testing.T, r result) {
			if !bytes.HasSuffix(r.hello, []byte("200\x00\xff\x00\xfe\x00")) {
				t.Errorf("%q", r.hello)
			}
		}},
		{"account list empty", "on connection 1: account list empty", helloBytes, readyBytes - 9, func(t *testing.T, r result) {
			if field(t, r.got, 0, 0) != "15" || field(t, r.got, 0, 2) != "" {
				t.Errorf("%q", r.got)
			}
		}},
		{"account list missing", "on connection 1: account list missing", helloBytes, readyBytes - 19, func(t *testing.T, r result) {
			if field(t, r.got, 0, 0) != "9" {
				t.Errorf("%q", r.got)
			}
		}},
		{"account list with trailing comma", "on connection 1: account list with trailing comma", helloBytes, readyBytes + 1, func(t *testing.T, r result) {
			if field(t, r.got, 0, 2) != "DU7654321," {
				t.Errorf("%q", r.got)
			}
		}},
		{"account list of any text", `on connection 1: account list "U1,U2"`, helloBytes, readyBytes - 4, func(t *testing.T, r result) {
			if field(t, r.got, 0, 2) != "U1,U2" {
				t.Errorf("%q", r.got)
			}
		}},
		{"next id missing", "on connection 1: next id missing", helloBytes, readyBytes - 10, func(t *testing.T, r result) {
			if field(t, r.got, 0, 0) != "15" || field(t, r.got, 1, 0) != "4" {
				t.Errorf("%q", r.got)
			}
		}},
		{"next id of any number", "on connection 1: next id 77", helloBytes, readyBytes + 1, func(t *testing.T, r result) {
			if field(t, r.got, 1, 2) != "77" {
				t.Errorf("%q", r.got)
			}
		}},
		{"next id late", "on connection 1: next id late by 50ms", helloBytes, readyBytes, func(t *testing.T, r result) {
			if list := frames(t, r.got); list[0][0] != "15" || list[len(list)-1][0] != "9" {
				t.Errorf("%q", r.got)
			}
		}},
		{"ids reversed", "on connection 1: ids reversed", helloBytes, readyBytes, func(t *testing.T, r result) {
			if field(t, r.got, 0, 0) != "9" || field(t, r.got, 1, 0) != "15" {
				t.Errorf("%q", r.got)
			}
		}},
		{"ids late", "on connection 1: ids late by 50ms", helloBytes, readyBytes, func(t *testing.T, r result) {
			list := frames(t, r.got)
			if n := len(list); n != 5 || list[n-2][0] != "15" || list[n-1][0] != "9" {
				t.Errorf("%q", r.got)
			}
		}},
		{"split every frame", "on connection 1: split every frame at byte 3", helloBytes, readyBytes, func(t *testing.T, r result) {
			if len(frames(t, r.hello)) != 1 || len(frames(t, r.got)) != 5 { // the pieces are counted below
				t.Errorf("%q %q", r.hello, r.got)
			}
		}},
		{"close at START_API", "on the 1st startApi from client: close", helloBytes, toTheEnd, func(t *testing.T, r result) {
			if len(r.got) != 0 || r.end != "close" {
				t.Errorf("%q %s", r.got, r.end)
			}
		}},
		{"error and close at START_API", "on the 1st startApi from client: error 326 \"taken\" then close", helloBytes, toTheEnd, func(t *testing.T, r result) {
			if field(t, r.got, 0, 2) != "326" || r.end != "close" {
				t.Errorf("%q %s", r.got, r.end)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t, shake(t, tt.script, tt.hello, tt.got))
		})
	}
}
