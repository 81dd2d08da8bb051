package event_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"robotrader/services/event"
)

func TestSubject(t *testing.T) {
	for _, tt := range []struct {
		instance, topic string
		parts           []string
		want            string
	}{
		{"main", "link", nil, "trader.main.link"},
		{"main", event.Tick.Name, []string{"AAPL"}, "trader.main.desk.ticks.AAPL"},
		{"main", event.Tick.Name, []string{"BRK.B"}, "trader.main.desk.ticks.BRK_B"},
		{"main", event.Tick.Name, []string{"BRK B"}, "trader.main.desk.ticks.BRK_B"},
		{"main", event.Tick.Name, []string{"BF-B"}, "trader.main.desk.ticks.BF-B"},
		{"main", event.Tick.Name, []string{"*"}, "trader.main.desk.ticks._"},
		{"main", event.Tick.Name, []string{">"}, "trader.main.desk.ticks._"},
		{"main", event.Tick.Name, []string{""}, "trader.main.desk.ticks._"},
		{"main", event.Tick.Name, []string{"A\r\nPUB x"}, "trader.main.desk.ticks.A__PUB_x"},
		{"a.b", "link", nil, "trader.a_b.link"},
		{"", "link", nil, "trader._.link"},
		{"main", event.OrderRequest.Name, nil, "trader.main.order.request"},
	} {
		if got := event.Subject(tt.instance, tt.topic, tt.parts...); got != tt.want {
			t.Errorf("%q %q %q is %q, want %q", tt.instance, tt.topic, tt.parts, got, tt.want)
		}
	}
}

// TestSubjectIsOne: whatever a symbol or an instance is called, a subject is
// one subject of three words and one a part, never a pattern.
func TestSubjectIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instance, part := rapid.String().Draw(t, "instance"), rapid.String().Draw(t, "part")
		s := event.Subject(instance, "link", part)
		words := strings.Split(s, ".")
		if len(words) != 4 || words[0] != "trader" || words[2] != "link" || strings.ContainsAny(s, "*> \t\r\n") || strings.Contains(s, "..") || strings.HasSuffix(s, ".") {
			t.Fatalf("%q and %q make %q", instance, part, s)
		}
		if got := event.TopicOf(instance, event.Subject(instance, event.Tick.Name, part)); got != event.Tick.Name {
			t.Fatalf("topic of %q is %q", event.Subject(instance, event.Tick.Name, part), got)
		}
	})
}

func TestTopicOf(t *testing.T) {
	for subject, want := range map[string]string{
		"trader.main.link": "link", "trader.main.desk.order": "desk.order", "trader.main.desk.ticks.AAPL": "desk.ticks",
		"trader.other.link": "", "trader.mainly.link": "", "_INBOX.x": "",
	} {
		if got := event.TopicOf("main", subject); got != want {
			t.Errorf("topic of %s is %q, want %q", subject, got, want)
		}
	}
	if !event.HasSymbol(event.Tick.Name) || event.HasSymbol(event.Order.Name) {
		t.Error("only ticks carry their symbol in the subject")
	}
}
