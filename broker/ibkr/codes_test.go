package ibkr

import (
	"testing"
	"testing/synctest"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
)

// Every code of the protocol sheet's section 8 that a gateway sends has a row.
func TestCodesOfTheSheet(t *testing.T) {
	for _, n := range []int{
		100, 101, 102, 103, 104, 105, 110, 135, 136, 161, 162, 165, 366, 200, 201, 202, 300, 310, 316, 317, 320, 321, 322, 326, 327,
		354, 10186, 10168, 10089, 10090, 10091, 10167, 10197, 10182, 10225, 399, 404, 434, 460, 461, 492, 1100, 1101, 1102, 1300,
		2100, 2101, 2102, 2103, 2105, 2157, 2104, 2106, 2158, 2107, 2108, 2109, 2110, 2119, 2137, 2168, 2169, 10147, 10148, 10149, 10349, 10233,
		501, 502, 503, 504, 505, 506, 507, 508, 579,
	} {
		if row, ok := codes[n]; !ok || row.meaning == "" || row.source == "" {
			t.Errorf("code %d has no whole row: %+v", n, row)
		}
	}
}

// Section 8, last paragraph.
func TestWhatEndsARequest(t *testing.T) {
	for _, n := range []int{202, 316, 317, 399, 404, 492, 10089, 10090, 10091, 10167, 2100, 2150, 2199, 1100, 1101, 1102, 1300, 2110} {
		if codes.lookup(n).ends {
			t.Errorf("code %d ends a request", n)
		}
	}
	for _, n := range []int{101, 162, 200, 321, 322, 354, 33333, 2200} {
		if !codes.lookup(n).ends {
			t.Errorf("code %d does not end a request", n)
		}
	}
}

// Fifteen orders were once given up for a code that meant nothing, and all of
// them filled (pysystemtrade #1580).
func TestNoUnknownCodeEndsAnOrder(t *testing.T) {
	for n := range 40000 {
		if _, known := codes[n]; known {
			continue
		}
		for _, cancelled := range []bool{false, true} {
			if k := codes.lookup(n).about(cancelled); k != broker.NoticeWarning {
				t.Fatalf("code %d of an order is a %v", n, k)
			}
		}
	}
	for n, row := range codes {
		if k := row.about(true); k == broker.NoticeReject && row.kind != broker.NoticeReject {
			t.Errorf("code %d after a cancel is a %v: the order stands", n, k)
		}
	}
}

func TestEveryCodeHasAKind(t *testing.T) {
	for n, row := range codes {
		if row.kind.String() == "unknown" {
			t.Errorf("code %d has no kind", n)
		}
	}
}

// A configuration may say what a code means that we do not know, or know
// better (field-lessons 2.18).
func TestCodesOfTheConfiguration(t *testing.T) {
	mine, err := codes.with(map[string]string{"10349": "reject", "33333": "info", "2103": "data_lost", "201": "warning"})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]code{
		10349: {broker.NoticeReject, true, codes[10349].meaning, "configuration"},
		33333: {broker.NoticeInfo, false, "code that is not in our table", "configuration"},
		2103:  {broker.NoticeDataLost, false, codes[2103].meaning, "configuration"},
		201:   {broker.NoticeWarning, false, codes[201].meaning, "configuration"},
		202:   codes[202],
	} {
		if got := mine.lookup(n); got != want {
			t.Errorf("code %d is %+v, want %+v", n, got, want)
		}
	}
	if codes.lookup(10349).kind != broker.NoticeInfo {
		t.Error("a configuration changed the table of all")
	}
	for _, bad := range []map[string]string{
		{"abc": "info"}, {"0": "info"}, {"-1": "info"}, {"100000": "info"}, {"10349": "fatal"}, {"10349": ""}, {"10349": "silent"}, {"10349": "read_only"},
	} {
		cfg := DefaultConfig()
		if cfg.Codes = bad; cfg.Validate() == nil {
			t.Errorf("codes %v are valid", bad)
		}
	}
}

func TestAConfiguredCodeIsHeeded(t *testing.T) {
	liveWith(t, func(c *Config) { c.Codes = map[string]string{"33333": "link_down"} }, func(p *peer) {
		p.send(wire.ErrMsg{RequestID: -1, Code: 33333, Text: "gone"})
	}, func(t *testing.T, s *Session) {
		if n := events(t, s, 1)[0].(broker.Notice); n.Kind != broker.NoticeLinkDown {
			t.Errorf("%+v", n)
		}
		synctest.Wait()
		if v := s.Health().Venue; v.State != broker.PartBroken || v.Code != 33333 {
			t.Errorf("venue %+v", v)
		}
	})
}
