package broker

import (
	"strings"
	"testing"
	"time"
)

func TestFramesArePrintedMasked(t *testing.T) {
	f := Frame{Out: true, At: time.Date(2026, 4, 5, 21, 49, 26, 350000, time.UTC), Size: 700, Bytes: []byte("15\x001\x00DU7654321,U1234567,\x00\xd6\n")}
	const want = `out 21:49:26.000350 700 bytes: 15|1|DU*****21,U*****67,|\xd6\x0a…`
	if got := f.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := (Frame{}).String(); !strings.HasPrefix(got, "in  ") || strings.Contains(got, "…") {
		t.Errorf("an empty frame: %q", got)
	}
}

func TestMaskAccounts(t *testing.T) {
	for in, want := range map[string]string{
		"DU7654321":                  "DU*****21",
		"1518189976.1/DU1234567/100": "1518189976.1/DU*****67/100",
		"U12345 and F9876543":        "U***45 and F*****43",
		"AAPL USD 187.25 U123":       "AAPL USD 187.25 U123", // too short to be one
		"":                           "",
	} {
		if got := MaskAccounts(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
