package event

import (
	"encoding/json"
	"strconv"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// AppendIntent is [AppendJSON] for what is at hand already: a value that goes
// through an interface is copied to the heap first.
func AppendIntent(dst []byte, in *order.Intent) ([]byte, error) {
	if out, ok := appendIntent(dst, in); ok {
		return out, nil
	}
	return appendSlow(dst, *in)
}

// AppendDecision is AppendIntent for a decision.
func AppendDecision(dst []byte, d *order.Decision) ([]byte, error) {
	if out, ok := appendDecision(dst, d); ok {
		return out, nil
	}
	return appendSlow(dst, *d)
}

// AppendOrder is AppendIntent for an order.
func AppendOrder(dst []byte, o *order.Order) ([]byte, error) {
	if out, ok := appendOrder(dst, o); ok {
		return out, nil
	}
	return appendSlow(dst, *o)
}

// appendSlow is the long way. It makes the copy that the short ways save.
//
//go:noinline
func appendSlow(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

// fields writes an object's fields one after the other. Once something cannot
// be written by hand it is bad and stays so: the caller takes the long way.
type fields struct {
	b   []byte
	bad bool
}

// The keys come with what stands before them, as in `,"symbol":`.

func (f *fields) text(key, value string) {
	f.b = append(f.b, key...)
	var ok bool
	if f.b, ok = appendString(f.b, value); !ok {
		f.bad = true
	}
}

// some is text for what is left out when it is empty.
func (f *fields) some(key, value string) {
	if value != "" {
		f.text(key, value)
	}
}

func (f *fields) int(key string, n int64) {
	f.b = strconv.AppendInt(append(f.b, key...), n, 10)
}

func (f *fields) qty(key string, q market.Qty) {
	f.b = appendText(append(f.b, key...), q)
}

// price writes null for what is unknown.
func (f *fields) price(key string, p *market.Price) {
	f.b = append(f.b, key...)
	if p == nil {
		f.b = append(f.b, `null`...)
		return
	}
	f.b = appendText(f.b, *p)
}

// somePrice is price for what is left out when it is unknown.
func (f *fields) somePrice(key string, p *market.Price) {
	if p != nil {
		f.price(key, p)
	}
}

func (f *fields) at(key string, t time.Time) {
	var ok bool
	if f.b, ok = appendTime(append(f.b, key...), t); !ok {
		f.bad = true
	}
}

// done ends the object.
func (f *fields) done() ([]byte, bool) { return append(f.b, '}'), !f.bad }

func appendIntent(dst []byte, in *order.Intent) ([]byte, bool) {
	f := fields{b: dst}
	f.text(`{"id":`, in.ID)
	f.text(`,"action":`, string(in.Action))
	f.text(`,"strategy":`, in.Strategy)
	f.text(`,"symbol":`, string(in.Symbol))
	f.some(`,"side":`, string(in.Side))
	f.some(`,"type":`, string(in.Type))
	f.some(`,"tif":`, string(in.TIF))
	f.qty(`,"qty":`, in.Qty)
	f.somePrice(`,"limit":`, in.Limit)
	f.somePrice(`,"stop":`, in.Stop)
	f.some(`,"oca":`, in.OCA)
	if in.OutsideRTH {
		f.b = append(f.b, `,"outside_rth":true`...)
	}
	f.some(`,"target":`, in.Target)
	f.some(`,"reason":`, in.Reason)
	f.at(`,"at":`, in.At)
	f.some(`,"trace":`, in.Trace)
	return f.done()
}

func appendDecision(dst []byte, d *order.Decision) ([]byte, bool) {
	f := fields{b: dst}
	f.text(`{"intent_id":`, d.IntentID)
	f.b = strconv.AppendBool(append(f.b, `,"allowed":`...), d.Allowed)
	f.some(`,"rule":`, d.Rule)
	f.some(`,"reason":`, d.Reason)
	f.at(`,"at":`, d.At)
	if !d.Saw.IsZero() {
		f.b = d.Saw.AppendJSON(append(f.b, `,"saw":`...))
	}
	return f.done()
}

func appendDecided(dst []byte, d *Decided) ([]byte, bool) {
	dst, ok := appendIntent(append(dst, `{"intent":`...), &d.Intent)
	if !ok {
		return dst, false
	}
	dst, ok = appendDecision(append(dst, `,"decision":`...), &d.Decision)
	return append(dst, '}'), ok
}

func appendOrder(dst []byte, o *order.Order) ([]byte, bool) {
	if o.Change != nil || o.Lost != nil { // a few orders have one, for a moment
		return dst, false
	}
	f := fields{b: dst}
	f.text(`{"ref":`, o.Ref)
	f.int(`,"order_id":`, o.OrderID)
	f.int(`,"perm_id":`, o.PermID)
	f.int(`,"client_id":`, int64(o.ClientID))
	f.text(`,"account":`, o.Account)
	f.text(`,"strategy":`, o.Strategy)
	f.text(`,"symbol":`, string(o.Symbol))
	f.text(`,"side":`, string(o.Side))
	f.text(`,"type":`, string(o.Type))
	f.text(`,"tif":`, string(o.TIF))
	f.qty(`,"qty":`, o.Qty)
	f.price(`,"limit":`, o.Limit)
	f.somePrice(`,"stop_price":`, o.StopPrice)
	f.some(`,"oca":`, o.OCA)
	if o.Extended {
		f.b = append(f.b, `,"extended":true`...)
	}
	f.text(`,"state":`, o.State.String())
	f.qty(`,"filled":`, o.Filled)
	f.price(`,"avg_price":`, o.AvgPrice)
	f.text(`,"reason":`, o.Reason)
	f.text(`,"note":`, o.Note)
	f.at(`,"created":`, o.Created)
	f.at(`,"updated":`, o.Updated)
	f.some(`,"trace":`, o.Trace)
	return f.done()
}

func appendReply(dst []byte, r *OrderReply) ([]byte, bool) {
	f := fields{b: dst}
	f.text(`{"intent_id":`, r.IntentID)
	f.text(`,"result":`, r.Result)
	f.some(`,"rule":`, r.Rule)
	f.some(`,"reason":`, r.Reason)
	if r.OrderID != 0 {
		f.int(`,"order_id":`, r.OrderID)
	}
	if r.Known {
		f.b = append(f.b, `,"known":true`...)
	}
	f.b = appendUint(append(f.b, `,"written":`...), r.Written)
	return f.done()
}
