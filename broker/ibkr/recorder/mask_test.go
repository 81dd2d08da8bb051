package recorder

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"robotrader/broker/ibkr/wire"
)

func TestMask(t *testing.T) {
	m := NewMasker("DU1234567", "JONES01", "12", "DU123", "")
	for _, tt := range []struct{ in, want string }{
		{"DU1234567", "DU*****67"},
		{"xDU1234567x", "xDU*****67x"},
		{"JONES01,DU1234567", "JO***01,DU*****67"},
		{"order of U7654321_1", "order of U*****21_1"},
		{"F99999 I123456 DF12345", "F***99 I****56 DF***45"},
		{"U1234 AU12345 U12345B", "U1234 AU12345 U12345B"}, // too short, or part of a word
		{"12 123 12", "** 123 **"},
		{"DU123", "*****"},
		{"DU*****67", "DU*****67"},
		{"", ""},
	} {
		if got := m.Text(tt.in); got != tt.want {
			t.Errorf("%q is shown as %q, want %q", tt.in, got, tt.want)
		}
	}
	var none *Masker
	if got := none.Text("DU1234567"); got != "DU1234567" {
		t.Errorf("without a masker: %q", got)
	}
	r := Record{Kind: In, Payload: []byte("DU1234567\x00")}
	if got := m.Record(r); string(r.Payload) != "DU1234567\x00" || string(got.Payload) != "DU*****67\x00" {
		t.Errorf("masked to %q, and left %q", got.Payload, r.Payload)
	}
}

// Ids that overlap each other and themselves, in a text of nothing else: none
// is left, and the lengths stay.
func TestMaskLeavesNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.StringMatching(`[AB1]{4,7}`), 1, 4).Draw(t, "ids")
		text := rapid.StringMatching(`[AB1*]{0,40}`).Draw(t, "text")
		got := NewMasker(ids...).Text(text)
		for _, id := range ids {
			if strings.Contains(got, id) {
				t.Fatalf("%s is left in %s", id, got)
			}
		}
		if len(got) != len(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// messages of both directions that carry texts.
var messages = []struct {
	client bool
	m      wire.Message
}{
	{false, wire.ErrMsg{}},
	{false, wire.OpenOrder{}},
	{false, wire.OrderStatus{}},
	{false, wire.AccountValue{}},
	{false, wire.PortfolioValue{}},
	{false, wire.AcctUpdateTime{}},
	{false, wire.ContractData{}},
	{false, wire.BondContractData{}},
	{false, wire.ExecDetails{}},
	{false, wire.NewsBulletin{}},
	{false, wire.ManagedAccts{}},
	{false, wire.HistoricalData{}},
	{false, wire.TickString{}},
	{false, wire.AcctDownloadEnd{}},
	{false, wire.CommissionReport{}},
	{false, wire.Position{}},
	{false, wire.AccountSummary{}},
	{false, wire.PositionMulti{}},
	{false, wire.AccountUpdateMulti{}},
	{false, wire.SoftDollarTiers{}},
	{false, wire.FamilyCodes{}},
	{false, wire.SymbolSamples{}},
	{false, wire.CompletedOrder{}},
	{false, wire.HistoricalSchedule{}},
	{false, wire.UserInfo{}},
	{true, wire.StartAPI{}},
	{true, wire.PlaceOrder{}},
	{true, wire.CancelOrder{}},
	{true, wire.ReqAccountUpdates{}},
	{true, wire.ReqExecutions{}},
	{true, wire.ReqContractDetails{}},
	{true, wire.ReqMktData{}},
	{true, wire.ReqHistoricalData{}},
	{true, wire.ReqAccountSummary{}},
	{true, wire.ReqPositionsMulti{}},
	{true, wire.ReqAccountUpdatesMulti{}},
	{true, wire.ReqPnL{}},
	{true, wire.ReqPnLSingle{}},
	{true, wire.ReqMatchingSymbols{}},
}

// texts returns the places of all texts in a message, deep ones too; with fill
// lists get a member and blocks are made, so that there are more.
func texts(v reflect.Value, fill bool) (all []reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		all = append(all, v)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, texts(v.Field(i), fill)...)
			}
		}
	case reflect.Pointer:
		if fill && v.IsNil() && v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem().PkgPath() == reflect.TypeFor[wire.Contract]().PkgPath() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if !v.IsNil() {
			all = append(all, texts(v.Elem(), fill)...)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(all, v)
		}
		if fill && v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			all = append(all, texts(v.Index(i), fill)...)
		}
	}
	return all
}

func put(place reflect.Value, text string) {
	if place.Kind() == reflect.String {
		place.SetString(text)
		return
	}
	place.SetBytes([]byte(text))
}

// No account of the gateway's survives masking, in any field of any message
// that our encoders write, and what is masked still decodes.
func TestNoAccountSurvives(t *testing.T) {
	tried, encoded := 0, 0
	for _, one := range messages {
		before := encoded
		rapid.Check(t, func(t *rapid.T) {
			accounts := rapid.SliceOfNDistinct(rapid.StringMatching(`(DU|DF|U|F|I|[A-Z]{3,5})[0-9]{3,8}`), 1, 3, rapid.ID[string]).Draw(t, "accounts")
			r, ok := laden(t, one.m, accounts)
			tried++
			if !ok {
				return
			}
			encoded++
			if r.Kind = In; one.client {
				r.Kind = Out
			}
			survives(t, r, accounts)
		})
		if encoded == before {
			t.Errorf("no %T was encoded: this proves nothing of it", one.m)
		}
	}
	t.Logf("%d messages encoded, of %d tried", encoded, tried)
	if encoded < tried/2 {
		t.Error("that proves too little")
	}
}

// laden encodes a message with accounts in its texts, in all of them or, since
// some have to be words of their own, in one; not ok when the encoder refuses.
func laden(t *rapid.T, of wire.Message, accounts []string) (r Record, ok bool) {
	place := reflect.New(reflect.TypeOf(of)).Elem()
	all := texts(place, rapid.Bool().Draw(t, "fill"))
	if len(all) == 0 {
		return r, false // a list, and none in it
	}
	if rapid.Bool().Draw(t, "one") {
		i := rapid.IntRange(0, len(all)-1).Draw(t, "text")
		all = all[i : i+1]
	}
	for _, p := range all {
		before := rapid.SampledFrom([]string{"", "x", "account ", ",", "7"}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "y", ";", ".AAPL", "89"}).Draw(t, "after")
		put(p, before+rapid.SampledFrom(accounts).Draw(t, "account")+after)
	}
	v := wire.Version(rapid.IntRange(int(wire.MinVersion), int(wire.MaxVersion)).Draw(t, "version"))
	payload, err := place.Interface().(wire.Message).Append(nil, v)
	return Record{Session: 1, At: noon, Version: v, Payload: payload}, err == nil
}

// survives fails the test when an account does.
func survives(t *rapid.T, r Record, accounts []string) {
	shown := NewMasker(accounts...).Record(r)
	if len(shown.Payload) != len(r.Payload) || bytes.Count(shown.Payload, []byte{0}) != bytes.Count(r.Payload, []byte{0}) {
		t.Fatalf("%q became %q", r.Payload, shown.Payload)
	}
	for _, a := range accounts {
		if bytes.Contains(shown.Payload, []byte(a)) {
			t.Fatalf("%s is left in %q", a, shown.Payload)
		}
	}
	if _, err := Decode(r); err != nil {
		t.Fatalf("our own message does not decode: %v", err)
	}
	back, err := Decode(shown)
	if err != nil {
		t.Fatalf("what is masked does not decode: %v: %q", err, shown.Payload)
	}
	copied := reflect.New(reflect.TypeOf(back)).Elem()
	copied.Set(reflect.ValueOf(back))
	for _, p := range texts(copied, false) {
		text := p.String()
		if p.Kind() != reflect.String {
			text = string(p.Bytes())
		}
		for _, a := range accounts {
			if strings.Contains(text, a) {
				t.Fatalf("%s is left in %q", a, text)
			}
		}
	}
}
