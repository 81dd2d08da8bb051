package desk

import (
	"fmt"
	"time"

	"robotrader/broker"
	"robotrader/services/event"
)

var noticeLevels = map[broker.NoticeKind]string{
	broker.NoticeInfo:      "info",
	broker.NoticeDataUp:    "info",
	broker.NoticeLinkUp:    "info",
	broker.NoticeCancelled: "info",
	broker.NoticeReject:    "error",
	broker.NoticeLinkDown:  "error",
	broker.NoticeSession:   "error",
	broker.NoticeSilent:    "error",
	broker.NoticeAnswers:   "info",
	broker.NoticeReadOnly:  "error",
	broker.NoticeCompeting: "error",
}

// readOnlyAPI is why no order goes out to a gateway that said 321.
const readOnlyAPI = "the gateway's API is read-only: it refuses every order (321); " +
	"in its settings, under API, untick Read-Only API, then reconnect"

// The account's stream is refused or taken over. Protocol sheet, section 8.
const (
	codeStreamReplaced = 2100
	codeStreamRefused  = 2101
)

// foldNotice takes in a venue's message: for people, and for what it says
// about an order, a symbol's data or the link.
func (d *Desk) foldNotice(h *held, n broker.Notice) {
	text := event.NoticeText{
		Level: "warning", Source: "gateway", Name: n.Kind.String(), Code: n.Code, Text: n.Text, Symbol: n.Symbol,
	}
	if level, ok := noticeLevels[n.Kind]; ok {
		text.Level = level
	}
	if n.OrderID != 0 {
		if e := d.books.Find(h.facts.ClientID, n.OrderID, 0, ""); e != nil {
			text.Ref, text.Symbol = e.Ref, e.Symbol
			t := d.begin()
			d.books.Noticed(t, e, n)
			d.follow(t)
		}
	}
	d.log.Info("gateway_notice", "kind", n.Kind.String(), "code", n.Code, "text", n.Text, "order", n.OrderID, "symbol", string(n.Symbol))
	d.out.notice(text)
	d.heed(h, n)
}

// heed does what a notice asks for. A code is a hint: what it says of data is
// held against the ticks.
func (d *Desk) heed(h *held, n broker.Notice) {
	switch n.Kind {
	case broker.NoticeSilent, broker.NoticeAnswers, broker.NoticeLinkDown, broker.NoticeLinkUp, broker.NoticeDataLost, broker.NoticeSession:
		d.troubled(func(t *trouble) { t.last = time.Now() })
	default:
	}
	switch n.Kind {
	case broker.NoticeSilent:
		d.troubled(func(t *trouble) { t.silent = n.Text })
	case broker.NoticeAnswers:
		d.troubled(func(t *trouble) { t.silent = "" })
	case broker.NoticeLinkDown:
		d.troubled(func(t *trouble) { t.down, t.lost = n.Text, t.lost+1 })
	case broker.NoticeLinkUp:
		h.ask(chore{recover: true, verify: true, ends: d.losses()})
	case broker.NoticeDataLost:
		d.floor.Forget()
		h.ask(chore{recover: true, subscribe: true, ends: d.losses()})
	case broker.NoticeDataUp:
		d.floor.Prove(time.Now(), d.cfg.DataDeadline, d.open, fmt.Sprintf("a data farm came back (%d)", n.Code), false)
	case broker.NoticeReadOnly:
		h.fixed.Store(true)
	case broker.NoticeCompeting:
		d.competed(n)
	case broker.NoticeRequest:
		if n.Symbol != "" && n.OrderID == 0 {
			d.blocked(n)
		}
	default: // for people only
	}
	if n.Code == codeStreamReplaced || n.Code == codeStreamRefused {
		d.stream.Broke(n.Code, n.Text, time.Now())
	}
}
