package desk

import (
	"robotrader/broker/order"
	"robotrader/services/event"
)

// worldOutlet takes what the desk tells into the canonical list.
type worldOutlet struct {
	*recorder
	w *world
}

func (o *worldOutlet) order(v order.Order) {
	o.w.say("order %s %d %v %v/%v %q", v.Ref, v.OrderID, v.State, v.Filled, v.Qty, v.Note)
}

func (o *worldOutlet) fill(v order.Fill) {
	o.w.say("fill %s %s %s %v at %v cost %v", v.ExecID, v.Ref, v.Side, v.Qty, v.Price, v.Commission)
}

func (o *worldOutlet) position(v order.Position) { o.w.say("position %s %v", v.Symbol, v.Qty) }

func (o *worldOutlet) mode(v event.ModeChange) { o.w.say("mode %s: %s", v.Mode, v.Reason) }

func (o *worldOutlet) notice(v event.NoticeText) {
	o.w.say("notice %s %d %s", v.Name, v.Code, v.Text)
	for _, sym := range worldSymbols {
		if held := o.w.venue.held(sym); v.Name == "flat" && o.w.venue.unheard(sym).Less(held.Abs()) {
			o.w.fail("flat_told", "the account is called flat, and %v %s are held", held, sym)
		}
	}
}
