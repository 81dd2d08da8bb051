package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// The bounds of what comes in.
const (
	ordersMost    = 64               // order requests that wait, of all strategies
	oneStrategy   = 8                // and of one
	strategiesMax = 64               // programs with a rate of their own; as many for questions
	questionsMost = 16               // questions that wait, and as many for bars
	questionsEach = 4                // of one program, with those that are being answered
	barsEach      = 2                // and for bars
	questionsAll  = 4                // times the rate of one is that of the questions of all
	questioners   = 2                // goroutines that answer them; one more is for bars
	requestBytes  = 16 << 10         // of one request or question
	waitMost      = 2 * time.Second  // in line; what waited longer is refused
	orderWithin   = 6 * time.Second  // for the desk, whose own deadline is 5 s
	historyWithin = 31 * time.Second // for bars, whose own deadline is 30 s
	pendingMost   = 8192             // requests in a subscription's own queue; what is over gets no answer
	pendingBytes  = 16 << 20
)

// The rules by which the door itself refuses.
const (
	ruleBusy     = "busy"     // too many or too often: ask again later, with the same id
	ruleLate     = "late"     // the request is too old, or from the future
	ruleStrategy = "strategy" // the name is not the subject's, or of this process
	ruleForeign  = "foreign"  // id, target or group is not the strategy's own
	ruleClaim    = "claim"    // it is being made out who answers
	ruleClosed   = "closed"   // no program outside may ask for orders
	ruleInbox    = "inbox"    // the inbox for the answer is not the strategy's: it gets none
)

// stopping is why no request passes at the end.
const stopping = "the trader stops; nothing was done"

// door takes requests from outside, and hands on what may pass.
type door struct {
	bridge *Bridge
	line   *turns // order requests
	asks   *turns // questions
	bars   *turns // and those for bars, which may take half a minute each
	orderly,
	curious *rates // of order requests, and of questions
	all   *rate.Limiter // of all questions
	tally tally

	mu   sync.Mutex // guards subs
	subs []*nats.Subscription
}

// asked is a request in line.
type asked struct {
	msg   *nats.Msg
	topic string // of a question
	asker string // the strategy of an order request; of a question as its inbox has it
	came  time.Time
}

func newDoor(b *Bridge) *door {
	n := b.cfg.RequestsPerSecond
	return &door{
		bridge: b, line: newTurns(ordersMost, oneStrategy), asks: newTurns(questionsMost, questionsEach), bars: newTurns(questionsMost, barsEach),
		orderly: newRates(n), curious: newRates(n), all: limiter(questionsAll * n),
	}
}

// answerers is the queue group of who answers: of two, one gets each request.
const answerers = "desk"

// open begins to hear requests. It may be called when it does already.
func (d *door) open(nc *nats.Conn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.subs) > 0 {
		return nil
	}
	in := d.bridge.cfg.Instance
	add := func(subject string, fn nats.MsgHandler) error {
		s, err := nc.QueueSubscribe(subject, answerers, fn)
		if err != nil {
			return fmt.Errorf("listen to %s: %w", subject, err)
		}
		d.subs = append(d.subs, s)
		return s.SetPendingLimits(pendingMost, pendingBytes)
	}
	// Where the strategies are known each has a queue of its own here, so that a
	// flood drowns no other.
	names := []string{"*"}
	if s := d.bridge.server; s != nil {
		names = s.strategies
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, add(event.Subject(in, event.OrderRequest.Name)+"."+name, d.order))
	}
	for _, topic := range questions {
		errs = append(errs, add(event.Subject(in, topic), func(m *nats.Msg) { d.question(topic, m) }))
	}
	return errors.Join(errs...)
}

// close hears no more requests. What waits in line is refused as it comes.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.subs {
		_ = s.Unsubscribe() // fails only when it is gone already
	}
	d.subs = nil
}

// order takes an order request. It runs on the subscription's goroutine and
// waits for nothing but the network.
func (d *door) order(m *nats.Msg) {
	a := asked{msg: m, asker: m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], came: time.Now()}
	if who := d.asker(m); who == "" || d.bridge.server != nil && who != a.asker {
		d.tally.refuse(ruleInbox) // nobody could hear what became of it
		d.bridge.log.Debug("bus_order_refused", slog.String("strategy", a.asker), slog.String("rule", ruleInbox), slog.String("inbox", fmt.Sprintf("%.80q", m.Reply)))
		return
	}
	if rule, reason := d.admit(a); rule != "" {
		d.refuse(a, "", event.Refused, rule, reason)
	}
}

// admit puts a request in line, or says why not.
func (d *door) admit(a asked) (rule, reason string) {
	if d.bridge.parts.Closed != "" {
		return ruleClosed, d.bridge.parts.Closed
	}
	if d.bridge.refuses.Load() {
		return ruleClosed, stopping
	}
	if !d.bridge.serving.Load() {
		return ruleClaim, "the trader makes out who answers on this bus; ask again in a second, with the same id"
	}
	if len(a.msg.Data) > requestBytes {
		return "invalid", fmt.Sprintf("%d bytes are more than an order request has (%d)", len(a.msg.Data), requestBytes)
	}
	if !nameOK(a.asker) || slices.Contains(d.bridge.parts.Reserved, a.asker) {
		return ruleStrategy, fmt.Sprintf("%.40q is no name for a strategy outside: 1 to 20 letters, digits, dashes and underscores, and none of this trader's own (%s)",
			a.asker, strings.Join(d.bridge.parts.Reserved, ", "))
	}
	busy := d.orderly.allow(a.asker)
	if busy == "" {
		busy = d.line.join(a)
	}
	if busy != "" {
		return ruleBusy, busy + "; ask again later, with the same id"
	}
	return "", ""
}

// orders is the goroutine that takes one request after the other to the desk.
func (d *door) orders(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-d.line.ch:
			d.line.leave(a.asker)
			d.hand(ctx, a)
		}
	}
}

// hand takes one request to the desk, and its answer back.
func (d *door) hand(ctx context.Context, a asked) {
	m, err := bus.Decode[order.Intent](a.msg.Data)
	if err != nil {
		d.refuse(a, "", event.Invalid, "invalid", err.Error())
		return
	}
	if rule, reason := d.check(a, m); rule != "" {
		d.refuse(a, m.Data.ID, event.Refused, rule, reason)
		return
	}
	d.tally.hand()
	ctx, cancel := context.WithTimeout(ctx, orderWithin)
	defer cancel()
	reply, err := bus.Ask(ctx, d.bridge.parts.Conn, event.OrderRequest, m.Data)
	switch {
	case errors.Is(err, bus.ErrNobody), errors.Is(err, bus.ErrNotUnderstood):
		d.refuse(a, m.Data.ID, event.Refused, "desk", "the desk does not take requests: "+err.Error())
	case err != nil:
		d.refuse(a, m.Data.ID, event.Unknown, "", "the desk has not answered; ask again with the same id: "+err.Error())
	default:
		answerWith(d, a.msg, reply)
	}
}

// check holds a request to its subject and to the clock.
func (d *door) check(a asked, m event.Message[order.Intent]) (rule, reason string) {
	now, most := time.Now(), d.bridge.cfg.MaxRequestAge
	in, own := m.Data, a.asker+":"
	switch {
	case d.bridge.refuses.Load():
		return ruleClosed, stopping
	case !d.bridge.serving.Load():
		return ruleClaim, "the trader makes out who answers on this bus; ask again in a second, with the same id"
	case m.At.IsZero() || m.At.Before(now.Add(-most)) || m.At.After(now.Add(most)):
		return ruleLate, fmt.Sprintf("the envelope's at is %s and this machine's clock %s, more than %v apart; set the clocks, and ask again with a new id if it is still wanted",
			m.At.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano), most)
	case now.Sub(a.came) > waitMost:
		return ruleBusy, fmt.Sprintf("it waited in line for more than %v; ask again with the same id", waitMost)
	case in.Strategy != a.asker:
		return ruleStrategy, fmt.Sprintf("the intent's strategy is %.40q, and the subject's %q", in.Strategy, a.asker)
	case !strings.HasPrefix(in.ID, own) || in.Target != "" && !strings.HasPrefix(in.Target, own) || in.OCA != "" && !strings.HasPrefix(in.OCA, own):
		return ruleForeign, fmt.Sprintf("id, target and oca of a program outside begin with its name and a colon, %q; this id is %.60q, target %.60q, oca %.60q", own, in.ID, in.Target, in.OCA)
	}
	return "", ""
}

func (d *door) refuse(a asked, id, result, rule, reason string) {
	d.tally.refuse(rule)
	if id == "" && rule != ruleBusy { // as far as it can be read; a flood is not
		var m event.Message[struct {
			ID string `json:"id"`
		}]
		if len(a.msg.Data) <= requestBytes && json.Unmarshal(a.msg.Data, &m) == nil && len(m.Data.ID) <= 40 {
			id = m.Data.ID
		}
	}
	if rule != ruleBusy {
		d.bridge.log.Debug("bus_order_refused", slog.String("strategy", a.asker), slog.String("id", id), slog.String("rule", rule), slog.String("reason", reason))
	}
	answerWith(d, a.msg, event.OrderReply{IntentID: id, Result: result, Rule: rule, Reason: reason})
}

// questions are what outside may ask besides.
var questions = []string{event.LinkState.Name, event.DeskState.Name, event.RunState.Name, event.HistoryRequest.Name}

// question puts a question in line, on the subscription's goroutine.
func (d *door) question(topic string, m *nats.Msg) {
	a := asked{msg: m, topic: topic, asker: d.asker(m), came: time.Now()}
	switch {
	case a.asker == "":
		d.bridge.log.Debug("bus_question_refused", slog.String("topic", topic), slog.String("rule", ruleInbox), slog.String("inbox", fmt.Sprintf("%.80q", m.Reply)))
	case !d.bridge.serving.Load():
		d.cannot(m, "the trader makes out who answers on this bus; ask again in a second")
	case len(m.Data) > requestBytes:
		d.cannot(m, fmt.Sprintf("%d bytes are more than a question has (%d)", len(m.Data), requestBytes))
	default:
		if busy := d.queue(a); busy != "" {
			d.cannot(m, "busy: "+busy+"; ask again later")
		}
	}
}

// queue puts a question in its line, or returns why not. What one asks too often
// costs nothing of the rate of all.
func (d *door) queue(a asked) (busy string) {
	if busy := d.curious.allow(a.asker); busy != "" {
		return busy
	}
	if !d.all.Allow() {
		return fmt.Sprintf("more than %d questions a second, of all programs", questionsAll*d.bridge.cfg.RequestsPerSecond)
	}
	if a.topic == event.HistoryRequest.Name {
		return d.bars.join(a)
	}
	return d.asks.join(a)
}

// questions is a goroutine that answers those of one line. Who asked does not
// wait any more for one that waited longer than its answer may take.
func (d *door) questions(ctx context.Context, line *turns, most time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-line.ch:
			d.reply(ctx, a, most)
			line.leave(a.asker)
		}
	}
}

// reply answers one question.
func (d *door) reply(ctx context.Context, a asked, most time.Duration) {
	if time.Since(a.came) > most {
		d.cannot(a.msg, fmt.Sprintf("busy: it waited in line for more than %v; ask again later", most))
		return
	}
	switch a.topic {
	case event.LinkState.Name:
		passOn(ctx, d, a.msg, event.LinkState, askWithin)
	case event.DeskState.Name:
		passOn(ctx, d, a.msg, event.DeskState, askWithin)
	case event.RunState.Name:
		passOn(ctx, d, a.msg, event.RunState, askWithin)
	case event.HistoryRequest.Name:
		passOn(ctx, d, a.msg, event.HistoryRequest, historyWithin)
	}
}

// passOn asks the trader's own bus what was asked outside.
func passOn[Q, A any](ctx context.Context, d *door, m *nats.Msg, q event.Query[Q, A], within time.Duration) {
	question, err := bus.Decode[Q](m.Data)
	if err != nil {
		d.cannot(m, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	a, err := bus.Ask(ctx, d.bridge.parts.Conn, q, question.Data)
	if err != nil {
		d.cannot(m, err.Error())
		return
	}
	answerWith(d, m, a)
}

// encode writes an envelope without a number, as answers have it.
func encode[T any](pub string, data T) ([]byte, error) {
	return event.AppendParts(nil, &event.Message[T]{Pub: pub, At: time.Now().UTC(), Data: data})
}

// answerWith answers a request.
func answerWith[A any](d *door, m *nats.Msg, a A) {
	raw, err := encode("desk", a)
	if err == nil && int64(len(raw)) > d.bridge.pub.MaxPayload() {
		d.cannot(m, fmt.Sprintf("the answer has %d bytes, and the bus takes %d a message; raise max_payload in its configuration", len(raw), d.bridge.pub.MaxPayload()))
		return
	}
	d.send(m, raw, err)
}

// cannot answers that a question was not answered.
func (d *door) cannot(m *nats.Msg, why string) {
	raw, err := json.Marshal(map[string]string{"error": why})
	d.send(m, raw, err)
}

func (d *door) send(m *nats.Msg, raw []byte, err error) {
	if err == nil {
		err = d.bridge.pub.Publish(m.Reply, raw)
	}
	if err != nil {
		d.bridge.log.Warn("bus_answer_failed", slog.String("subject", m.Subject), slog.Any("error", err))
	}
}

// nameMost keeps room for the rest of an intent's id, which has 40 characters.
const nameMost = 20

// nameOK reports whether s can name a strategy outside: it is a word of a
// subject, and the beginning of ids.
func nameOK(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && (i == 0 || c != '-' && c != '_') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= nameMost
}
