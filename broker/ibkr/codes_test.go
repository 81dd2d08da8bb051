package ibkr

import (
	"testing"

	"robotrader/broker"
)

// Every code of the protocol sheet's section 8 that a gateway sends has a row.
func TestCodesOfTheSheet(t *testing.T) {
	for _, n := range []int{
		100, 101, 102, 103, 104, 105, 110, 135, 136, 161, 162, 165, 366, 200, 201, 202, 300, 310, 316, 317, 320, 321, 322, 326, 327,
		354, 10186, 10168, 10089, 10090, 10091, 10167, 10197, 10182, 10225, 399, 404, 434, 460, 461, 492, 1100, 1101, 1102, 1300,
		2100, 2101, 2102, 2103, 2105, 2157, 2104, 2106, 2158, 2107, 2108, 2109, 2110, 2119, 2137, 2168, 2169, 10147, 10148, 10149, 10349, 10233,
	} {
		if row, ok := codes[n]; !ok || row.meaning == "" || row.source == "" {
			t.Errorf("code %d has no whole row: %+v", n, row)
		}
	}
}

// Section 8, last paragraph.
func TestWhatEndsARequest(t *testing.T) {
	for _, n := range []int{202, 316, 317, 399, 404, 492, 10089, 10090, 10091, 10167, 2100, 2150, 2199, 1100, 1101, 1102, 1300, 2110} {
		if lookup(n).ends {
			t.Errorf("code %d ends a request", n)
		}
	}
	for _, n := range []int{101, 162, 200, 321, 322, 354, 33333, 2200} {
		if !lookup(n).ends {
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
			if k := lookup(n).about(cancelled); k != broker.NoticeWarning {
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
