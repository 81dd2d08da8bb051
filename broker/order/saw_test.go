package order

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/market"
)

func TestSawIsAnObjectOfStrings(t *testing.T) {
	var s Saw
	s.Text("link", "ready")
	s.Price("bid", market.MustPrice("187.24"))
	s.Qty("position", market.Shares(-3))
	s.Money("notional", market.MustMoney("1872.5"))
	s.Int("losing_streak", 4)
	s.Span("quote_age", 1500*time.Microsecond)
	s.Bool("reduction", true)
	const want = `{"link":"ready","bid":"187.24","position":"-3","notional":"1872.5","losing_streak":"4","quote_age":"1.5ms","reduction":"true"}`
	if b, err := json.Marshal(s); err != nil || string(b) != want {
		t.Errorf("%s, %v, want\n%s", b, err, want)
	}
	if text, ok := s.Get("notional"); !ok || text != "1872.5" {
		t.Errorf("notional %q, %v", text, ok)
	}
	if text, ok := s.Get("notion"); ok {
		t.Errorf("half a name has %q", text)
	}
	for name, texts := range map[string]map[string]bool{
		"reduction": {"true": true, "false": false, "tru": false, "true!": false}, "position": {"-3": true}, "link": {"ready": true},
		"ready": {"bid": false}, "edu": {"": false},
	} {
		for text, want := range texts {
			if s.Is(name, text) != want {
				t.Errorf("%s is %q: %v", name, text, !want)
			}
		}
	}
	if tricky := SawOf("a", `"own":"true"`); tricky.Is("own", "true") {
		t.Error("a text passes for a name")
	}
}

func TestSawOfNothingIsLeftOut(t *testing.T) {
	b, err := json.Marshal(Decision{})
	if want := `{"intent_id":"","allowed":false,"at":"0001-01-01T00:00:00Z"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	for _, in := range []string{"{}", "null"} {
		var s Saw
		if err := json.Unmarshal([]byte(in), &s); err != nil || !s.IsZero() || s.Map() != nil {
			t.Errorf("%s: %v, %v", in, s.Map(), err)
		}
	}
}

// A row that an older version stored has its names in the order of the
// alphabet; whatever is no object of strings is refused, as it was by a map.
func TestSawReadsWhatAMapDid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "m")
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var s Saw
		if err := json.Unmarshal(b, &s); err != nil || !maps.Equal(s.Map(), m) {
			t.Fatalf("%s was read as %v, %v", b, s.Map(), err)
		}
		if back, err := json.Marshal(s); err != nil || string(back) != string(b) {
			t.Fatalf("%s became %s, %v", b, back, err)
		}
	})
	for _, bad := range []string{`{"a":1}`, `{"a":{}}`, `["a"]`, `"a"`, `{"a"`, `7`} {
		var s Saw
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was read as %v", bad, s.Map())
		}
	}
	var s Saw
	if err := json.Unmarshal([]byte(` {"a":"1", "b":"2","a":"3"}`), &s); err != nil || !s.Equal(SawOf("a", "3", "b", "2")) {
		t.Errorf("a name that comes twice: %v, %v", s.Map(), err)
	}
}
