package bus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robotrader/broker/order"
	"robotrader/services/event"
)

func TestAsk(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	ask := func(id string) (event.OrderReply, error) {
		return Ask(within(t, patience), run, event.OrderRequest, order.Intent{ID: id})
	}
	if _, err := ask("a"); !errors.Is(err, ErrNobody) {
		t.Errorf("without a responder: %v, want ErrNobody", err)
	}
	sub, err := Reply(desk, event.OrderRequest, func(_ context.Context, in order.Intent) event.OrderReply {
		return event.OrderReply{IntentID: in.ID, Result: event.Written, OrderID: 12}
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask("b")
	if err != nil || got.IntentID != "b" || got.OrderID != 12 {
		t.Errorf("answer %+v, %v", got, err)
	}
	if _, err := Ask(context.Background(), run, event.OrderRequest, order.Intent{}); !errors.Is(err, ErrNoDeadline) {
		t.Errorf("without a deadline: %v, want ErrNoDeadline", err)
	}
	other := connect(t, s, "other")
	again := func() (*Sub, error) {
		return Reply(other, event.OrderRequest, func(context.Context, order.Intent) event.OrderReply { return event.OrderReply{} })
	}
	if _, err := again(); err == nil || !strings.Contains(err.Error(), "desk answers it") {
		t.Errorf("second responder: %v", err)
	}
	if err := sub.Stop(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := ask("c"); !errors.Is(err, ErrNobody) {
		t.Errorf("after Stop: %v, want ErrNobody", err)
	}
	if _, err := again(); err != nil {
		t.Errorf("after Stop the place is free: %v", err)
	}
}

func TestAskWithoutAnswerIsUnknown(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	leave := make(chan struct{})
	if _, err := Reply(desk, event.DeskState, func(context.Context, event.Empty) event.Desk { <-leave; return event.Desk{} }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := Ask(ctx, run, event.DeskState, event.Empty{})
	if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNobody) {
		t.Errorf("no answer: %v", err)
	}
	close(leave)
}

func TestUndecodableIsCountedAndAnswered(t *testing.T) {
	s := start(t)
	desk, run := connect(t, s, "desk"), connect(t, s, "run")
	got := make(chan event.Message[order.Order], 1)
	if _, err := Subscribe(run, event.Order, Keep, func(m event.Message[order.Order]) { got <- m }); err != nil {
		t.Fatal(err)
	}
	raw := func(subject, body string) {
		if err := desk.pub.Publish(subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	subject := event.Subject(s.Instance(), event.Order.Name)
	for _, body := range []string{"", "{", `{"data":{"qty":1e400}}`, `{"data":{"state":"odd"}}`, `{"seq":-1}`} {
		raw(subject, body)
	}
	raw(subject, `{"pub":"py","data":{"ref":"r","qty":"2","filled":"0","state":"sent"}}`)
	if m := next(t, got, "the good one"); m.Data.Ref != "r" || m.Pub != "py" {
		t.Errorf("got %+v", m)
	}
	if n := run.Undecodable(); n != 5 {
		t.Errorf("%d counted, want 5", n)
	}
	if _, err := Reply(desk, event.OrderRequest, func(context.Context, order.Intent) event.OrderReply {
		t.Error("a bad question reached the handler")
		return event.OrderReply{}
	}); err != nil {
		t.Fatal(err)
	}
	odd := event.Query[map[string]string, event.OrderReply]{Name: event.OrderRequest.Name}
	_, err := Ask(within(t, patience), run, odd, map[string]string{"qty": "many"})
	if !errors.Is(err, ErrNotUnderstood) || errors.Is(err, ErrNoAnswer) {
		t.Errorf("bad question: %v, want ErrNotUnderstood at once", err)
	}
}
