package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestExecDetailsEndWithoutReqID(t *testing.T) {
	m, err := DecodeServerStrict(200, []byte("55\x001\x00"))
	if err != nil || m != Message(ExecDetailsEnd{ReqID: -1}) {
		t.Errorf("%+v, %v", m, err)
	}
}

const execution = "11|-1|1|265598|AAPL|STK||0.0|||IEX|USD|AAPL|NMS|0000e0d5.1.01.01|20260413 15:27:04 US/Eastern|DU1|IEX|BOT|1|257.95|389211034|94|0|1|257.95|||||2|0||"

func TestExecDetailsNumbers(t *testing.T) {
	fields := strings.Split(execution, "|")
	const shares, price, permID, avg = 19, 20, 21, 25
	read := func(at int, value string) (ExecDetails, error) {
		f := append([]string(nil), fields...)
		f[at] = value
		m, err := DecodeServerStrict(200, []byte(strings.Join(f, "\x00")))
		e, _ := m.(ExecDetails)
		return e, err
	}
	if e, err := read(permID, "389211034567890"); err != nil || e.PermID != 389211034567890 {
		t.Errorf("permId %d, %v", e.PermID, err)
	}
	if e, err := read(avg, "257.950000004999"); err != nil || e.AvgPrice == nil || e.AvgPrice.String() != "257.95" {
		t.Errorf("avgPrice %v, %v", e.AvgPrice, err)
	}
	// A fill that we do not see is worse than one with its ninth decimal cut.
	if e, err := read(price, "257.95000000000005"); err != nil || e.Price.String() != "257.95" {
		t.Errorf("price %v, %v", e.Price, err)
	}
	for _, bad := range []struct {
		at    int
		value string
		err   error
	}{{shares, "", ErrUnset}, {price, "", ErrUnset}, {price, "NaN", ErrUnset}, {shares, "2147483647", ErrUnset}} {
		if _, err := read(bad.at, bad.value); !errors.Is(err, bad.err) {
			t.Errorf("field %d = %q: %v, want %v", bad.at, bad.value, err, bad.err)
		}
	}
}

func TestCommissionReportUnset(t *testing.T) {
	raw := "59|1|0000e0d5.1.01.01|1.000345|USD|1.7976931348623157E308|1.7976931348623157E308||"
	m, err := DecodeServerStrict(200, []byte(strings.ReplaceAll(raw, "|", "\x00")))
	if err != nil {
		t.Fatal(err)
	}
	c := m.(CommissionReport)
	if c.Commission == nil || c.Commission.String() != "1.000345" || c.RealizedPNL != nil || c.Yield != "" || c.YieldRedemptionDate != nil {
		t.Errorf("%+v", c)
	}
	b, err := c.Append(nil, 200)
	if got := strings.ReplaceAll(string(b), "\x00", "|"); err != nil || got != raw {
		t.Errorf("written %s, %v", got, err)
	}
}
