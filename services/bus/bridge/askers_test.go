package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// errorIn returns the error that an answer holds, "" for none.
func errorIn(t *testing.T, m *nats.Msg) string {
	t.Helper()
	var a struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		t.Fatal(err)
	}
	return a.Error
}

// A program that asks as fast as it can spends its own rate: another one is
// answered.
func TestWhoAsksTooOftenStarvesNoOther(t *testing.T) {
	r := listening(t, nil)
	flood, _ := r.guest(t, "flood")
	dip, _ := r.guest(t, "dip")
	raw, err := encode("x", event.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	subject := event.Subject("main", event.LinkState.Name)
	busy := make(chan struct{}, 1)
	inbox := flood.NewInbox()
	if _, err := flood.Subscribe(inbox, func(m *nats.Msg) {
		if strings.HasPrefix(errorIn(t, m), "busy: more than") {
			select {
			case busy <- struct{}{}:
			default:
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for range 50 * r.bridge.cfg.RequestsPerSecond {
		if err := flood.PublishRequest(subject, inbox, raw); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-busy:
	case <-time.After(10 * time.Second):
		t.Fatal("a flood is not refused")
	}
	m, err := dip.Request(subject, raw, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if said := errorIn(t, m); said != "" {
		t.Errorf("the other one is answered %q", said)
	}
}

// Nor does it take all places in a line that goes slowly.
func TestWhoAsksMuchLeavesPlacesToOthers(t *testing.T) {
	r := listening(t, nil)
	hold, began := make(chan struct{}), make(chan struct{}, 64)
	reply(t, r.desk, event.HistoryRequest, func(ctx context.Context, _ event.HistoryQuery) event.HistoryReply {
		began <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return event.HistoryReply{}
	})
	flood, _ := r.guest(t, "flood")
	dip, _ := r.guest(t, "dip")
	raw, err := encode("x", event.HistoryQuery{Symbol: "AAPL"})
	if err != nil {
		t.Fatal(err)
	}
	subject := event.Subject("main", event.HistoryRequest.Name)
	for range 2 * questionsMost {
		if err := flood.PublishRequest(subject, flood.NewInbox(), raw); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	if err := flood.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if m, err := flood.Request(subject, raw, 10*time.Second); err != nil || !strings.HasPrefix(errorIn(t, m), "busy:") {
		t.Errorf("who has all its places: %v, %v", m, err)
	}
	answers := make(chan *nats.Msg, 1)
	inbox := dip.NewInbox()
	if _, err := dip.Subscribe(inbox, func(m *nats.Msg) { answers <- m }); err != nil {
		t.Fatal(err)
	}
	if err := dip.PublishRequest(subject, inbox, raw); err != nil {
		t.Fatal(err)
	}
	if m, err := dip.Request(event.Subject("main", event.LinkState.Name), raw, 10*time.Second); err != nil { // it is in line by now, or refused
		t.Fatal(m, err)
	}
	close(hold)
	select {
	case m := <-answers:
		if said := errorIn(t, m); said != "" {
			t.Errorf("the other one is answered %q", said)
		}
	case <-time.After(10 * time.Second):
		t.Error("the other one gets no answer")
	}
}

// An order request is answered below its strategy's inbox alone, and a question
// below that of a user: nobody makes the trader write to another.
func TestAnswersGoToTheInboxOfWhoAsks(t *testing.T) {
	r := listening(t, nil)
	dip, _ := r.guest(t, "dip")
	watch, _ := r.guest(t, "watch")
	heard := make(chan *nats.Msg, 8)
	if _, err := watch.Subscribe("_INBOX.watch.>", func(m *nats.Msg) { heard <- m }); err != nil {
		t.Fatal(err)
	}
	if err := watch.FlushTimeout(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	raw, err := encode("dip", intent("dip", "1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, inbox := range []string{"_INBOX.watch.x", "_INBOX.watch", "_INBOX.dip", "_INBOX.dip.", "_INBOX.x.y", "_INBOX..x", "_INBOX.", "_INBOXdip.x", "trader.main.desk.order"} {
		if err := dip.PublishRequest(event.OrderFrom("main", "dip"), inbox, raw); err != nil {
			t.Fatal(err)
		}
	}
	for _, inbox := range []string{"_INBOX.nobody.x", "_INBOX.watch", "trader.main.desk.order"} {
		if err := dip.PublishRequest(event.Subject("main", event.DeskState.Name), inbox, raw); err != nil {
			t.Fatal(err)
		}
	}
	a, err := ask(t, dip, "main", "dip", intent("dip", "2")) // behind all of them
	if err != nil || a.Result != event.Written {
		t.Errorf("%+v, %v", a, err)
	}
	if got := r.asked(); len(got) != 1 || got[0].ID != "dip:2" {
		t.Errorf("the desk was asked %+v, want dip:2 alone", got)
	}
	if refused := r.bridge.Stats().Refused[ruleInbox]; refused == 0 {
		t.Error("nothing counts what could not be answered")
	}
	if _, err := watch.Request(event.Subject("main", event.LinkState.Name), raw, 5*time.Second); err != nil { // behind what the bridge wrote
		t.Error(err)
	}
	for len(heard) > 0 {
		if m := <-heard; strings.HasPrefix(m.Subject, "_INBOX.watch.x") {
			t.Errorf("another one hears %s: %s", m.Subject, m.Data)
		}
	}
}

// On a cluster the inbox tells who asks, as far as it has a word for it.
func TestAskerOfAnInbox(t *testing.T) {
	for _, tt := range []struct{ reply, listening, cluster string }{
		{"_INBOX.dip.x", "dip", "dip"},
		{"_INBOX.dip.x.y", "dip", "dip"},
		{"_INBOX.nobody.x", "", "nobody"},
		{"_INBOX.x", "", "x"},
		{"_INBOX.dip", "", "dip"},
		{"_INBOX.dip.", "", ""},
		{"_INBOX.", "", ""},
		{"_INBOX..x", "", ""},
		{"", "", ""},
		{"trader.main.desk.order", "", ""},
	} {
		d := newDoor(&Bridge{cfg: bus.DefaultConfig()})
		if got := d.asker(&nats.Msg{Reply: tt.reply}); got != tt.cluster {
			t.Errorf("on a cluster %q is %q's, want %q", tt.reply, got, tt.cluster)
		}
		d.bridge.server = &listener{users: []string{"dip", "watch"}}
		if got := d.asker(&nats.Msg{Reply: tt.reply}); got != tt.listening {
			t.Errorf("%q is %q's, want %q", tt.reply, got, tt.listening)
		}
	}
}

// The rates have a bound in number, whoever asks under however many names; and
// all together have one.
func TestRatesHaveABound(t *testing.T) {
	r := newRates(10)
	full := 0
	for i := range 10 * strategiesMax {
		if r.allow(fmt.Sprint("name", i)) != "" {
			full++
		}
	}
	if len(r.by) > strategiesMax || full < 8*strategiesMax {
		t.Errorf("%d rates, %d refused", len(r.by), full)
	}
	l := newTurns(4, 2)
	for _, tt := range []struct {
		name string
		want bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"c", true}, {"d", false}} {
		if why := l.join(asked{asker: tt.name}); (why == "") != tt.want {
			t.Errorf("%s: %q", tt.name, why)
		}
	}
	<-l.ch
	l.leave("a")
	if why := l.join(asked{asker: "a"}); why != "" {
		t.Error(why)
	}
	for range 2 {
		l.leave("a")
	}
	l.leave("b")
	l.leave("c")
	if len(l.by) != 0 {
		t.Errorf("a line that is left keeps %v", l.by)
	}
}
