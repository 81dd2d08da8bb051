package wire

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
)

func TestHello(t *testing.T) {
	// Section 1.2, its example.
	got, err := Hello{Min: 100, Max: 200}.Append(nil)
	if want := "4150490000000009763130302e2e323030"; err != nil || hex.EncodeToString(got) != want {
		t.Fatalf("got %x, %v, want %s", got, err, want)
	}
	for _, h := range []Hello{{100, 200, ""}, {176, 176, ""}, {100, 200, "+PACEAPI"}, {1, 999999999, "a b"}} {
		b, err := h.Append(nil)
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		for n := range b {
			if got, _, err := ParseHello(b[:n]); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%q: got %+v, %v, want ErrIncomplete", b[:n], got, err)
			}
		}
		got, n, err := ParseHello(append(b, "71\x00"...))
		if err != nil || got != h || n != len(b) {
			t.Errorf("%q: got %+v, %d, %v, want %+v, %d", b, got, n, err, h, len(b))
		}
	}
	for _, h := range []Hello{{}, {200, 100, ""}, {-1, 5, ""}, {100, 200, "é"}} {
		if b, err := h.Append(nil); err == nil || len(b) > 0 {
			t.Errorf("%+v: got %q without an error", h, b)
		}
	}
}

func TestParseHelloVariants(t *testing.T) {
	frame := func(s string) []byte { return AppendFrame([]byte("API\x00"), []byte(s)) }
	for _, tt := range []struct {
		in   []byte
		want Hello
	}{
		{frame("v200"), Hello{200, 200, ""}}, // official Java and C++ when min equals max
		{frame("v100..200\x00"), Hello{100, 200, ""}},
		{frame("v100..200 +PACEAPI"), Hello{100, 200, "+PACEAPI"}},
	} {
		if got, n, err := ParseHello(tt.in); err != nil || got != tt.want || n != len(tt.in) {
			t.Errorf("%q: got %+v, %d, %v, want %+v", tt.in, got, n, err, tt.want)
		}
	}
	for _, in := range [][]byte{
		[]byte("G"), []byte("GET / HTTP/1.1"), []byte("AP_"), []byte("API1"),
		[]byte("API\x00\x00\x00\x00\x00"), []byte("API\x00\x00\x10\x00\x00"), []byte("API\x00v100"),
		frame("v100.200"), frame("100..200"), frame("v"), frame("v..200"), frame("v100.."), frame("v200..100"),
		frame("v-1..200"), frame("v100..2x0"), frame("v9999999999..99999999999"), frame("v100..200 \x80"), frame("v0..0"),
	} {
		if got, _, err := ParseHello(in); !errors.Is(err, ErrBadHello) {
			t.Errorf("%q: got %+v, %v, want ErrBadHello", in, got, err)
		}
	}
}

func TestServerHello(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want ServerHello
	}{
		{"200\x0020260405 23:49:26 CET\x00", ServerHello{200, "20260405 23:49:26 CET"}},
		{"176\x00\x00", ServerHello{176, ""}},
		{"176\x0020260405 23:49:26 \xd6\xd0\xb9\xfa\x00", ServerHello{176, "20260405 23:49:26 \uFFFDй\uFFFD"}}, // GBK
		{"-1\x00gw2:4001\x00", ServerHello{-1, "gw2:4001"}},
	} {
		got, err := ParseServerHello([]byte(tt.in))
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	if target, ok := (ServerHello{-1, "gw2:4001"}).Redirect(); !ok || target != "gw2:4001" {
		t.Errorf("redirect: got %q, %v", target, ok)
	}
	if _, ok := (ServerHello{200, "x"}).Redirect(); ok {
		t.Error("a version is no redirect")
	}
	for _, in := range []string{
		"", "200", "200\x00", "200\x00no end", "x\x00y\x00", "\x00y\x00",
		"4\x00-1\x002104\x00ok\x00\x00", "99999999999\x00y\x00", "HTTP/1.1 400",
	} {
		if got, err := ParseServerHello([]byte(in)); !errors.Is(err, ErrNotHello) {
			t.Errorf("%q: got %+v, %v, want ErrNotHello", in, got, err)
		}
	}
	if b, err := (ServerHello{200, "a\x00b"}).Append(nil); !errors.Is(err, ErrText) {
		t.Errorf("NUL: got %q, %v", b, err)
	}
}

func TestManagedAccounts(t *testing.T) {
	for _, tt := range []struct {
		list string
		want []string
	}{
		{"DU1", []string{"DU1"}},
		{"DU1,DU2,", []string{"DU1", "DU2"}},
		{" DU1 ,,DU2", []string{"DU1", "DU2"}},
		{"", nil}, // unknown, not "no accounts"
		{",", nil},
	} {
		if got := (ManagedAccts{tt.list}).Accounts(); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.list, got, tt.want)
		}
	}
}

func TestErrMsgAbout(t *testing.T) {
	for id, want := range map[int64]bool{-1: false, 2147483647: false, 0: true, 42: true} {
		if _, ok := (ErrMsg{RequestID: id}).About(); ok != want {
			t.Errorf("id %d: about a request: %v, want %v", id, ok, want)
		}
	}
}

func TestUnknownMessages(t *testing.T) {
	m, err := DecodeServer(200, []byte("777\x00a\x00\xff\x00\x00rest"))
	if err != nil {
		t.Fatal(err)
	}
	u, ok := m.(Unknown)
	if want := []string{"a", "\uFFFD", "", "rest"}; !ok || u.ID() != 777 || !slices.Equal(u.Fields, want) {
		t.Errorf("got %#v, want id 777 and %q", m, want)
	}
	many := append([]byte("777\x00"), make([]byte, 1_000_000)...)
	if m, err = DecodeClient(200, many); err != nil || len(m.(Unknown).Fields) != maxUnknownFields {
		t.Errorf("a million fields: %v, %d kept", err, len(m.(Unknown).Fields))
	}
	for _, in := range []string{"", "\x00", "x\x00", "-1\x00", "1", "1234567890\x00"} {
		var fe *FieldError
		if m, err := DecodeServer(200, []byte(in)); !errors.As(err, &fe) || fe.Field != "id" {
			t.Errorf("%q: got %v, %v, want a FieldError about id", in, m, err)
		}
	}
	for _, v := range []Version{0, 175, 201} {
		if _, err := DecodeServer(v, []byte("9\x001\x001\x00")); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v, want ErrVersion", v, err)
		}
		if _, err := (NextValidID{1}).Append(nil, v); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v, want ErrVersion", v, err)
		}
	}
}

func TestLeftover(t *testing.T) {
	long := []byte("9\x001\x007\x00new\x00")
	if m, err := DecodeServer(200, long); err != nil || m != (NextValidID{7}) {
		t.Errorf("a trailing field must be ignored: got %v, %v", m, err)
	}
	if m, err := DecodeServerStrict(200, long); !errors.Is(err, ErrLeftover) {
		t.Errorf("strict: got %v, %v, want ErrLeftover", m, err)
	}
	if m, err := DecodeClientStrict(200, []byte("49\x001\x00x\x00")); !errors.Is(err, ErrLeftover) {
		t.Errorf("strict: got %v, %v, want ErrLeftover", m, err)
	}
}

func TestPeekID(t *testing.T) {
	for in, want := range map[string]int{"1\x006\x00": 1, "109\x00": 109, "0\x00": 0, "1": -1, "": -1, "x\x00": -1, "-5\x00": -1, "1234567890\x00": -1} {
		got, ok := PeekID([]byte(in))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, ok, want)
		}
	}
}

func TestFieldErrorNames(t *testing.T) {
	_, err := DecodeServer(200, []byte("1\x006\x001001\x0068\x00255.4x\x00200\x000\x00"))
	want := `wire: tickPrice: field price: value "255.4x": not an exact decimal`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = ReqContractDetails{Contract: Contract{Symbol: "A\x7f"}}.Append(nil, 200)
	want = `wire: reqContractDetails: field symbol: value "A\x7f": text holds a character that the wire cannot carry`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = ReqTimeInMillis{}.Append(nil, 196)
	if !errors.Is(err, ErrVersion) {
		t.Errorf("got %v, want ErrVersion", err)
	}
}

func TestTextIsChecked(t *testing.T) {
	for _, m := range []Message{
		ReqMktData{Contract: Contract{Symbol: "Ä"}},
		ReqMktData{Generic: "\x00"},
		ReqHistoricalData{BarSize: "1\x01min"},
		ReqAccountUpdates{Account: "\x7f"},
		ErrMsg{Text: "a\x00b"},
		AccountSummary{Account: "a\x00b"},
		TickString{Text: []byte("a\x00b")},
	} {
		if b, err := m.Append([]byte("x"), 200); !errors.Is(err, ErrText) || string(b) != "x" {
			t.Errorf("%#v: got %q, %v, want ErrText and what was there", m, b, err)
		}
	}
	if m, err := DecodeClient(200, []byte("6\x002\x001\x00\xc3\xa4\x00")); !errors.Is(err, ErrText) {
		t.Errorf("got %v, %v, want ErrText", m, err)
	}
}
