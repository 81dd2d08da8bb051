package desk

import (
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
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
}

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
		if e := d.books.byID[orderKey{h.facts.ClientID, n.OrderID}]; e != nil {
			text.Ref, text.Symbol = e.Ref, e.Symbol
			d.noticed(h, e, n)
		}
	}
	d.log.Info("gateway_notice", "kind", n.Kind.String(), "code", n.Code, "text", n.Text, "order", n.OrderID, "symbol", string(n.Symbol))
	d.out.notice(text)
	switch n.Kind {
	case broker.NoticeLinkDown:
		d.troubled(func(t *trouble) { t.down, t.lost = n.Text, t.lost+1 })
	case broker.NoticeLinkUp:
		h.ask(chore{ends: d.losses()})
	case broker.NoticeDataLost:
		h.ask(chore{ends: d.losses(), subscribe: true})
	case broker.NoticeRequest:
		if n.Symbol != "" && n.OrderID == 0 {
			d.blocked(n)
		}
	default: // for people only
	}
}

// noticed takes a message about an order.
func (d *Desk) noticed(h *held, e *entry, n broker.Notice) {
	e.sentAt, e.Note = time.Time{}, n.Text
	switch n.Kind {
	case broker.NoticeReject:
		d.step(e, order.Refused)
	case broker.NoticeNoCancel:
		d.step(e, order.CancelFail)
		// The cancel is over; how the order stands, the code does not tell. It
		// may work, have ended, or never have been there.
		h.ask(chore{})
	default:
		// A cancel's notice too: the status that comes with it is
		// authoritative.
		d.become(e, e.State)
	}
}
