package ibkr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

func said(code int, text string) wire.ErrMsg {
	return wire.ErrMsg{RequestID: -1, Code: code, Text: text}
}

// Sheet section 8: every farm is told by itself, by the name behind its text.
func TestHealthOfTheFarms(t *testing.T) {
	liveWith(t, patient, func(p *peer) {
		p.send(
			said(2104, "Market data farm connection is OK:usfarm"),
			said(2106, "HMDS data farm connection is OK:ushmds"),
			said(2158, "Sec-def data farm connection is OK:secdefnj"),
			said(2119, "Market data farm is connecting:usfarm.nj"),
		)
		time.Sleep(time.Minute)
		p.send(
			said(2103, "Market data farm connection is broken:usfarm"),
			said(2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds"),
			said(2106, "HMDS data farm connection is OK:euhmds"),
			said(2105, "HMDS data farm connection is broken:fundfarm"),
			said(2157, "Sec-def data farm connection is broken:secdefnj"),
			said(2108, "Market data farm connection is inactive but should be available upon demand.usfarm.nj"),
		)
	}, func(t *testing.T, s *Session) {
		began := time.Now().UTC()
		if h := s.Health(); h.Farms == nil || h.Venue.State != "" || h.Venue.Name != "venue" {
			t.Errorf("before any word: %+v", h)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var got []string
		for _, f := range s.Health().Farms {
			got = append(got, fmt.Sprintf("%s %s %s %d %v", f.Kind, f.Name, f.State, f.Code, f.Since.Sub(began)))
		}
		want := []string{
			"contracts secdefnj broken 2157 1m0s",
			"history euhmds ok 2106 1m0s",
			"history fundfarm broken 2105 1m0s",
			"history ushmds idle 2107 1m0s",
			"market usfarm broken 2103 1m0s",
			"market usfarm.nj idle 2108 1m0s",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFarmsAreBounded(t *testing.T) {
	var v vital
	for i := range 200 {
		v.farm(broker.Part{Kind: "market", Name: "same", State: broker.PartOK})
		v.farm(broker.Part{Kind: "market", Name: fmt.Sprint(i), State: broker.PartOK})
	}
	if len(v.farms) != mostFarms || v.farms[farmKey{"market", "same"}] == nil || v.farms[farmKey{"market", "199"}] == nil {
		t.Errorf("%d farms are kept", len(v.farms))
	}
	if name := farmName("a farm:" + strings.Repeat("x", 1000)); len(name) != 60 {
		t.Errorf("a name of %d bytes is kept", len(name))
	}
}

func TestHealthOfTheVenue(t *testing.T) {
	liveWith(t, patient, func(p *peer) {
		for _, m := range []wire.ErrMsg{said(1100, "lost"), said(2110, "broken"), said(1102, "restored"), said(1100, "again"), said(1101, "data lost")} {
			p.send(m)
			time.Sleep(time.Minute)
		}
	}, func(t *testing.T, s *Session) {
		began := time.Now().UTC()
		for i, want := range []string{"broken 1100 0s", "broken 2110 0s", "ok 1102 2m0s", "broken 1100 3m0s", "ok 1101 4m0s"} {
			synctest.Wait()
			v := s.Health().Venue
			if got := fmt.Sprintf("%s %d %v", v.State, v.Code, v.Since.Sub(began)); got != want {
				t.Errorf("word %d: %s, want %s", i, got, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Sheet section 1.6: the refusal comes under the order's id, or under none.
func TestReadOnlyAPIIsToldOnce(t *testing.T) {
	const text = "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
	live(t, func(p *peer) {
		p.send(said(321, "Error validating request: account code is required"))
		time.Sleep(time.Second)
		p.send(said(321, text), wire.ErrMsg{RequestID: 1001, Code: 321, Text: text})
	}, func(t *testing.T, s *Session) {
		synctest.Wait()
		if s.Health().ReadOnlyAPI != nil {
			t.Error("a missing account passes for a read-only API")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if at := s.Health().ReadOnlyAPI; at == nil || !at.Equal(time.Now()) {
			t.Errorf("read-only since %v", at)
		}
		var kinds []broker.NoticeKind
		for _, e := range events(t, s, 4) {
			kinds = append(kinds, e.(broker.Notice).Kind)
		}
		if diff := cmp.Diff([]broker.NoticeKind{broker.NoticeWarning, broker.NoticeReadOnly, broker.NoticeWarning, broker.NoticeReject}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// field-lessons 2.21: a session that competes for the data is told, and until
// the data comes again.
func TestACompetingSession(t *testing.T) {
	liveWith(t, patient, func(p *peer) {
		p.next()
		p.send(wire.ErrMsg{RequestID: 1 << 30, Code: 10197, Text: "No market data during competing live session"})
		time.Sleep(time.Minute)
		p.send(price("-1", 0, wire.TickBid)) // no data
		time.Sleep(time.Minute)
		p.send(price("187.25", 1, wire.TickBid))
	}, func(t *testing.T, s *Session) {
		if err := s.Subscribe(t.Context(), market.USStock("AAPL")); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		n := events(t, s, 1)[0].(broker.Notice)
		if n.Kind != broker.NoticeCompeting || n.Symbol != "AAPL" || n.Code != 10197 {
			t.Errorf("notice %+v", n)
		}
		time.Sleep(90 * time.Second)
		if at := s.Health().Competing; at == nil || !at.Equal(since) {
			t.Errorf("competing since %v", at)
		}
		time.Sleep(time.Minute)
		if at := s.Health().Competing; at != nil {
			t.Errorf("the data is back, and it competes since %v", at)
		}
	})
}

func TestHealthCountsFrames(t *testing.T) {
	live(t, func(p *peer) {
		p.next()
		p.raw(wire.AppendFrame(nil, []byte("11\x00not an execution\x00")))
		p.send(wire.OrderStatus{OrderID: 1, Status: "Filled"}, wire.OrderStatus{OrderID: 1, Status: "Filled"})
	}, func(t *testing.T, s *Session) {
		synctest.Wait()
		before := s.Health()
		if before.LastFrame == nil || before.LastAnswer != nil || before.RoundTripMS != nil {
			t.Errorf("health of a new session %+v", before)
		}
		time.Sleep(time.Second)
		if err := s.Cancel(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h := s.Health()
		if h.FramesIn-before.FramesIn != 3 || h.FramesOut-before.FramesOut != 1 || h.Undecoded != 1 || !h.LastFrame.Equal(time.Now()) {
			t.Errorf("before %+v, after %+v", before, h)
		}
	})
}

// Sheet section 8: 1300 tells that the port was changed. The session ends and
// says so; no other port is dialled.
func TestAChangedPortEndsTheSession(t *testing.T) {
	for text, want := range map[string]string{
		"TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port - 4009": ":4009",
		"The port has been changed": "new port",
	} {
		synctest.Test(t, func(t *testing.T) {
			closed := make(chan struct{})
			cfg := dialled(t, func(p *peer) {
				p.welcome()
				p.send(said(1300, text))
				p.drain()
				close(closed)
			})
			dials, dial := 0, cfg.Dial
			cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) { dials++; return dial(ctx, address) }
			s, err := New(cfg).Open(t.Context(), broker.OpenConfig{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := events(t, s.(*Session), 1)[0].(broker.Notice); n.Kind != broker.NoticeSession || n.Text != text {
				t.Errorf("notice %+v", n)
			}
			_, err = s.Events(t.Context())
			var e *broker.Error
			if !errors.As(err, &e) || e.Failure != broker.SessionLost || e.Code != 1300 || !strings.Contains(e.Advice, want) || !strings.Contains(err.Error(), text) {
				t.Errorf("ended with %v, advice %q", err, e.Advice)
			}
			<-closed
			time.Sleep(time.Hour)
			if dials != 1 {
				t.Errorf("dialled %d times", dials)
			}
		})
	}
}
