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
	strategiesMax = 64               // strategies with a rate of their own
	questionsMost = 16               // questions that wait, and as many for bars
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
)

// door takes requests from outside, and hands on what may pass.
type door struct {
	bridge *Bridge
	line   chan asked // order requests
	asks   chan asked // questions
	bars   chan asked // and those for bars, which may take half a minute each
	ask    *rate.Limiter
	tally  tally

	mu      sync.Mutex // guards what follows
	subs    []*nats.Subscription
	rates   map[string]*rate.Limiter // by strategy
	waiting map[string]int           // order requests in line, by strategy
}

// asked is a request in line.
type asked struct {
	msg      *nats.Msg
	topic    string // of a question
	strategy string // of an order request
	came     time.Time
}

func newDoor(b *Bridge) *door {
	return &door{
		bridge: b, line: make(chan asked, ordersMost), asks: make(chan asked, questionsMost), bars: make(chan asked, questionsMost),
		ask: b.limiter(), rates: map[string]*rate.Limiter{}, waiting: map[string]int{},
	}
}

func (b *Bridge) limiter() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(b.cfg.RequestsPerSecond), 2*b.cfg.RequestsPerSecond)
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
	a := asked{msg: m, strategy: m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], came: time.Now()}
	if !answerable(m) {
		return // nobody could hear what became of it
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
	if !d.bridge.serving.Load() {
		return ruleClaim, "the trader makes out who answers on this bus; ask again in a second, with the same id"
	}
	if len(a.msg.Data) > requestBytes {
		return "invalid", fmt.Sprintf("%d bytes are more than an order request has (%d)", len(a.msg.Data), requestBytes)
	}
	if !nameOK(a.strategy) || slices.Contains(d.bridge.parts.Reserved, a.strategy) {
		return ruleStrategy, fmt.Sprintf("%.40q is no name for a strategy outside: 1 to 20 letters, digits, dashes and underscores, and none of this trader's own (%s)",
			a.strategy, strings.Join(d.bridge.parts.Reserved, ", "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.rates[a.strategy]
	if l == nil {
		if d.forget(); len(d.rates) >= strategiesMax {
			return ruleBusy, fmt.Sprintf("%d strategies ask already; ask again later, with the same id", strategiesMax)
		}
		l = d.bridge.limiter()
		d.rates[a.strategy] = l
	}
	if !l.Allow() {
		return ruleBusy, fmt.Sprintf("more than %d requests a second; ask again later, with the same id", d.bridge.cfg.RequestsPerSecond)
	}
	if d.waiting[a.strategy] >= oneStrategy {
		return ruleBusy, fmt.Sprintf("%d requests of this strategy wait already; ask again later, with the same id", oneStrategy)
	}
	select {
	case d.line <- a:
		d.waiting[a.strategy]++
		return "", ""
	default:
		return ruleBusy, fmt.Sprintf("%d requests wait already; ask again later, with the same id", ordersMost)
	}
}

// forget makes room for other strategies when there is none: one whose rate is
// full again and of which nothing waits is as one that never asked. The caller
// holds mu.
func (d *door) forget() {
	if len(d.rates) < strategiesMax {
		return
	}
	for name, l := range d.rates {
		if d.waiting[name] == 0 && l.Tokens() >= float64(l.Burst()) {
			delete(d.rates, name)
			delete(d.waiting, name)
		}
	}
}

// orders is the goroutine that takes one request after the other to the desk.
func (d *door) orders(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-d.line:
			d.mu.Lock()
			d.waiting[a.strategy]--
			d.mu.Unlock()
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
	in, own := m.Data, a.strategy+":"
	switch {
	case !d.bridge.serving.Load():
		return ruleClaim, "the trader makes out who answers on this bus; ask again in a second, with the same id"
	case m.At.IsZero() || m.At.Before(now.Add(-most)) || m.At.After(now.Add(most)):
		return ruleLate, fmt.Sprintf("the envelope's at is %s and this machine's clock %s, more than %v apart; set the clocks, and ask again with a new id if it is still wanted",
			m.At.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano), most)
	case now.Sub(a.came) > waitMost:
		return ruleBusy, fmt.Sprintf("it waited in line for more than %v; ask again with the same id", waitMost)
	case in.Strategy != a.strategy:
		return ruleStrategy, fmt.Sprintf("the intent's strategy is %.40q, and the subject's %q", in.Strategy, a.strategy)
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
		d.bridge.log.Debug("bus_order_refused", slog.String("strategy", a.strategy), slog.String("id", id), slog.String("rule", rule), slog.String("reason", reason))
	}
	answerWith(d, a.msg, event.OrderReply{IntentID: id, Result: result, Rule: rule, Reason: reason})
}

// questions are what outside may ask besides.
var questions = []string{event.LinkState.Name, event.DeskState.Name, event.RunState.Name, event.HistoryRequest.Name}

// question puts a question in line, on the subscription's goroutine.
func (d *door) question(topic string, m *nats.Msg) {
	switch {
	case !answerable(m):
	case !d.bridge.serving.Load():
		d.cannot(m, "the trader makes out who answers on this bus; ask again in a second")
	case len(m.Data) > requestBytes:
		d.cannot(m, fmt.Sprintf("%d bytes are more than a question has (%d)", len(m.Data), requestBytes))
	case !d.ask.Allow():
		d.cannot(m, fmt.Sprintf("busy: more than %d questions a second; ask again later", d.bridge.cfg.RequestsPerSecond))
	default:
		line := d.asks
		if topic == event.HistoryRequest.Name {
			line = d.bars
		}
		select {
		case line <- asked{msg: m, topic: topic, came: time.Now()}:
		default:
			d.cannot(m, fmt.Sprintf("busy: %d questions wait already; ask again later", questionsMost))
		}
	}
}

// questions is a goroutine that answers those of one line. Who asked does not
// wait any more for one that waited longer than its answer may take.
func (d *door) questions(ctx context.Context, line <-chan asked, most time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-line:
			if time.Since(a.came) > most {
				d.cannot(a.msg, fmt.Sprintf("busy: it waited in line for more than %v; ask again later", most))
				continue
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

// answerable reports whether a request has an inbox to answer to. Another
// subject would make the bridge say there what its asker may not.
func answerable(m *nats.Msg) bool { return strings.HasPrefix(m.Reply, nats.InboxPrefix) }

// encode writes an envelope without a number, as answers have it.
func encode[T any](pub string, data T) ([]byte, error) {
	return json.Marshal(event.Message[T]{Pub: pub, At: time.Now().UTC(), Data: data})
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
