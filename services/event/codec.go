package event

import (
	"encoding/json"
	"time"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// AppendJSON appends v as encoding/json writes it, to the byte. What lies
// between a tick and its order is written without reflection: after some
// milliseconds of silence, which is how markets are, the caches have forgotten
// encoding/json, and it takes ten times what a benchmark in a loop says.
func AppendJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Ticks:
		if out, ok := appendTicks(dst, v); ok {
			return out, nil
		}
	case order.Intent:
		if out, ok := appendIntent(dst, &v); ok {
			return out, nil
		}
	case order.Decision:
		if out, ok := appendDecision(dst, &v); ok {
			return out, nil
		}
	case order.Order:
		if out, ok := appendOrder(dst, &v); ok {
			return out, nil
		}
	case Decided:
		if out, ok := appendDecided(dst, &v); ok {
			return out, nil
		}
	case OrderReply:
		if out, ok := appendReply(dst, &v); ok {
			return out, nil
		}
	case Desk:
		return AppendParts(dst, &v)
	case Run:
		return AppendParts(dst, &v)
	}
	return appendSlow(dst, v)
}

// ParseJSON is json.Unmarshal, with a short way for what AppendJSON writes by
// hand. Text that is laid out otherwise takes the long way, so any JSON of the
// right shape is read.
func ParseJSON(b []byte, v any) error {
	switch v := v.(type) {
	case *Ticks:
		if t, ok := parseTicks(b); ok {
			*v = t
			return nil
		}
	case *order.Intent:
		if in, ok := parseIntent(b); ok {
			*v = in
			return nil
		}
	}
	return json.Unmarshal(b, v)
}

func appendTicks(dst []byte, v Ticks) (_ []byte, ok bool) {
	dst = append(dst, `{"symbol":`...)
	if dst, ok = appendString(dst, string(v.Symbol)); !ok || v.Ticks == nil {
		return dst, false
	}
	dst = append(dst, `,"ticks":[`...)
	for i := range v.Ticks {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendTick(dst, &v.Ticks[i]); !ok {
			return dst, false
		}
	}
	dst = append(dst, `],"frames":`...)
	dst = appendUint(dst, v.Frames)
	return append(dst, '}'), true
}

func appendTick(dst []byte, t *TickData) (_ []byte, ok bool) {
	dst = append(dst, `{"kind":`...)
	if dst, ok = appendString(dst, t.Kind); !ok {
		return dst, false
	}
	dst = append(dst, `,"price":`...)
	if t.Price == nil {
		dst = append(dst, `null`...)
	} else {
		dst = appendText(dst, *t.Price)
	}
	dst = append(dst, `,"size":`...)
	if t.Size == nil {
		dst = append(dst, `null`...)
	} else {
		dst = appendText(dst, *t.Size)
	}
	dst = append(dst, `,"at":`...)
	if dst, ok = appendTime(dst, t.At); !ok {
		return dst, false
	}
	if t.Delayed {
		dst = append(dst, `,"delayed":true`...)
	}
	return append(dst, '}'), true
}

func parseTicks(b []byte) (v Ticks, ok bool) {
	s := scan{rest: b}
	s.expect(`{"symbol":`)
	v.Symbol = market.Symbol(s.string())
	s.expect(`,"ticks":[`)
	v.Ticks = make([]TickData, 0, 4)
	for more := !s.skip(`]`); more && !s.bad; more = s.skip(`,`) {
		v.Ticks = append(v.Ticks, s.tick())
	}
	if len(v.Ticks) > 0 {
		s.expect(`]`)
	}
	s.expect(`,"frames":`)
	v.Frames = s.uint()
	s.expect(`}`)
	return v, s.done()
}

func (s *scan) tick() (t TickData) {
	s.expect(`{"kind":`)
	t.Kind = kindName(s.string())
	s.expect(`,"price":`)
	if !s.skip(`null`) {
		t.Price = new(market.Price)
		s.text(t.Price)
	}
	s.expect(`,"size":`)
	if !s.skip(`null`) {
		t.Size = new(market.Qty)
		s.text(t.Size)
	}
	s.expect(`,"at":`)
	s.text(&t.At)
	t.Delayed = s.skip(`,"delayed":true`)
	s.expect(`}`)
	return t
}

// kindName returns a tick's kind without an allocation where it is a known
// one.
func kindName(b []byte) string {
	for k := market.TickBid; k <= market.TickHalted; k++ {
		if name := k.String(); name == string(b) {
			return name
		}
	}
	return string(b)
}

func parseIntent(b []byte) (in order.Intent, ok bool) {
	s := scan{rest: b}
	field := func(key string) string {
		s.expect(key)
		return string(s.string())
	}
	optional := func(key string) string {
		if !s.skip(key) {
			return ""
		}
		return string(s.string())
	}
	in.ID = field(`{"id":`)
	in.Action = order.Action(field(`,"action":`))
	in.Strategy = field(`,"strategy":`)
	in.Symbol = market.Symbol(field(`,"symbol":`))
	in.Side = order.Side(optional(`,"side":`))
	in.Type = order.Type(optional(`,"type":`))
	in.TIF = order.TIF(optional(`,"tif":`))
	s.expect(`,"qty":`)
	s.text(&in.Qty)
	if s.skip(`,"limit":`) {
		in.Limit = new(market.Price)
		s.text(in.Limit)
	}
	if s.skip(`,"stop":`) {
		in.Stop = new(market.Price)
		s.text(in.Stop)
	}
	in.OCA = optional(`,"oca":`)
	in.OutsideRTH = s.skip(`,"outside_rth":true`)
	in.Target = optional(`,"target":`)
	in.Reason = optional(`,"reason":`)
	s.expect(`,"at":`)
	s.text(&in.At)
	in.Trace = optional(`,"trace":`)
	s.expect(`}`)
	return in, s.done()
}

// ParseHead splits a payload that the bus wrote into its parts without reading
// the data; ok is false for one that is laid out otherwise. The parts lie in b.
func ParseHead(b []byte) (pub []byte, seq uint64, at time.Time, data []byte, ok bool) {
	s := scan{rest: b}
	s.expect(`{"pub":`)
	pub = s.string()
	s.expect(`,"seq":`)
	seq = s.uint()
	s.expect(`,"at":`)
	s.text(&at)
	s.expect(`,"data":`)
	n := len(s.rest) - 1
	if s.bad || n < 1 || s.rest[n] != '}' {
		return nil, 0, time.Time{}, nil, false
	}
	return pub, seq, at, s.rest[:n], true
}
