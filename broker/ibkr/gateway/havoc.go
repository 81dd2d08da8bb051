package gateway

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// scene is where a rule fires.
type scene struct {
	conn    *conn   // whose event it was, nil for none
	flight  *flight // the message to the client, if it was one
	request []byte  // the message from the client, if it was one
	writes  bool    // it is the writer that asks: it does at once what direct says
	direct  []byte

	// What becomes of request.
	drop, twice bool
	hold        time.Duration
}

// act plays rules that fired for a session, or for none.
func (f *faults) act(list []fault.Firing, c *conn) { f.play(list, &scene{conn: c}) }

// play does what the rules that fired say. Called under the server's mutex.
func (f *faults) play(list []fault.Firing, sc *scene) {
	if len(list) == 0 || f.depth >= maxDepth {
		return
	}
	f.depth++
	defer func() { f.depth-- }()
	for _, fired := range list {
		f.log(fired)
		here := sc
		if sc.conn == nil && fired.Conn > 0 {
			here = &scene{conn: f.byNumber(fired.Conn)}
		}
		for _, a := range fired.Rule.What {
			if !f.toBytes(a, here, fired.Rand) && !f.toHandshake(a, here, fired.Rand) &&
				!f.toMessage(a, here, fired.Rand) && !f.toOrders(a, here) {
				f.toServer(a, here)
			}
		}
	}
}

// toBytes does what is done to the bytes of sessions.
func (f *faults) toBytes(a fault.Action, sc *scene, r *rand.Rand) bool {
	s := shape{n: a.N, wait: a.Wait, last: a.For}
	switch a.Verb {
	case fault.Silence:
		s.op = opSilence
	case fault.DelayAll:
		s.op = opDelay
	case fault.Drip:
		s.op = opDrip
	case fault.Join:
		s.op = opJoin
	case fault.SplitAll:
		s.op = opSplitAll
	case fault.Reset:
		s.op = opReset
	case fault.Close:
		s.op = opClose
	case fault.HalfClose:
		s.op = opHalfClose
	case fault.LongLength:
		s.op, s.bytes = opRaw, []byte{1, 0, 0, 0}
	case fault.ZeroLength:
		s.op, s.bytes = opRaw, []byte{0, 0, 0, 0}
	case fault.Frame:
		s.op, s.bytes = opRaw, wire.AppendFrame(nil, fault.Payload(a.Fields))
	case fault.Garbage:
		s.op = opRaw
	default:
		return false
	}
	for _, c := range f.sessions(sc.conn) {
		if a.Verb == fault.Garbage {
			s.bytes = noise(a.N, r)
		}
		if a.Verb == fault.Join {
			c.fault.join = max(a.Wait, 0)
			if a.Wait == 0 {
				c.fault.join = time.Second
			}
		}
		if sc.writes {
			sc.direct = s.append(sc.direct)
		} else {
			c.fault.shape(s)
		}
		if s.op == opReset || s.op == opClose {
			c.fault.w.hurry()
		}
	}
	return true
}

// toHandshake notes what is to be different in the handshake, and does what is
// done to the reading of sessions.
func (f *faults) toHandshake(a fault.Action, sc *scene, r *rand.Rand) bool {
	switch a.Verb {
	case fault.FrameFirst, fault.ZoneTime, fault.Redirect, fault.GarbageHello, fault.AccountList, fault.NextID, fault.IDs:
		if sc.conn != nil {
			sc.conn.fault.prepare(a, r)
		}
	case fault.Wedge:
		f.wedge(a, sc)
	case fault.StopReading:
		for _, c := range f.sessions(sc.conn) {
			c.fault.w.block(until(a.For))
		}
	case fault.KeepID:
		for _, c := range f.sessions(sc.conn) {
			c.fault.w.keepFor(a.For)
		}
	default:
		return false
	}
	return true
}

// prepare notes what is to be different in the handshake.
func (y *faulty) prepare(a fault.Action, r *rand.Rand) {
	switch a.Verb {
	case fault.FrameFirst:
		y.before = append(y.before, fault.Payload(a.Fields))
	case fault.ZoneTime:
		y.zone = a
	case fault.Redirect:
		y.redirect = a.Text
	case fault.GarbageHello:
		y.noise = noise(a.N, r)
	case fault.AccountList:
		y.accounts = a
	case fault.NextID:
		y.nextID = a
	case fault.IDs:
		y.ids = a
	}
}

// wedge hangs one connection, or the whole gateway.
func (f *faults) wedge(a fault.Action, sc *scene) {
	if sc.conn != nil && !sc.conn.fault.greeted {
		sc.conn.fault.w.hang(until(a.For))
		return
	}
	f.wedged = until(a.For)
	f.stun(a)
}

// stun makes the sessions there are silent and deaf.
func (f *faults) stun(a fault.Action) {
	for _, c := range f.sessions(nil) {
		c.fault.shape(shape{op: opSilence, last: a.For})
		c.fault.w.block(until(a.For))
	}
}

// toMessage does what is done to the message that made the rule fire.
func (f *faults) toMessage(a fault.Action, sc *scene, r *rand.Rand) bool {
	fl := sc.flight
	switch a.Verb {
	case fault.Drop, fault.Duplicate, fault.Hold, fault.Truncate, fault.AddFields, fault.Change,
		fault.GarbageInside, fault.SplitIt, fault.ResetInside:
	default:
		return false
	}
	if fl == nil { // from the client
		switch a.Verb {
		case fault.Drop:
			sc.drop = true
		case fault.Duplicate:
			sc.twice, sc.hold = true, max(sc.hold, a.Wait)
		case fault.Hold:
			sc.hold = max(sc.hold, a.Wait)
		}
		return true
	}
	switch a.Verb {
	case fault.Drop:
		fl.drop = true
	case fault.Duplicate:
		fl.copies = append(fl.copies, a.Wait)
	case fault.Hold:
		fl.hold = max(fl.hold, a.Wait)
	case fault.SplitIt:
		fl.shapes = append(fl.shapes, shape{op: opSplit, n: a.N})
	case fault.ResetInside:
		fl.shapes = append(fl.shapes, shape{op: opCut, n: a.N})
	default:
		payload := fault.Rewrite(fl.frame[4:], a, r)
		fl.frame = wire.AppendFrame(nil, payload)
	}
	return true
}

// toOrders does what happens to orders and executions.
func (f *faults) toOrders(a fault.Action, sc *scene) bool {
	switch a.Verb {
	case fault.FillFirst:
		if o, ok := f.cancelled(sc); ok {
			f.fill(o)
		}
	case fault.FillLate:
		if o, ok := f.cancelled(sc); ok {
			sc.drop = true
			f.tellCancelled(sc.conn, o)
			f.later(a.Wait, func() { f.fill(o) })
		}
	case fault.Correct, fault.Bust:
		f.correct(a, sc)
	case fault.IDsBack:
		f.s.blotter.Forget(int64(a.N))
	default:
		return false
	}
	return true
}

// cancelled finds the open order that the client's message is to cancel.
func (f *faults) cancelled(sc *scene) (o order.Order, ok bool) {
	if sc.conn == nil || sc.conn.client == nil {
		return o, false
	}
	m, err := wire.DecodeClient(sc.conn.version, sc.request)
	if err != nil {
		return o, false
	}
	ask, ok := m.(wire.CancelOrder)
	if !ok {
		return o, false
	}
	for _, o := range f.s.v.X.Open() {
		if o.ClientID == sc.conn.client.id && o.OrderID == ask.OrderID {
			return o.Order, true
		}
	}
	return o, false
}

// fill lets a trade happen that fills an order, at its limit: the market sees
// it, and it fills whatever else it reaches. An order without a limit is left
// to the market.
func (f *faults) fill(o order.Order) {
	if o.Limit == nil {
		return
	}
	f.s.apply(tape.Event{At: f.marketNow(), Symbol: o.Symbol, Kind: tape.Trade, Price: *o.Limit, Size: o.Remaining()})
}

// marketNow is market time, never before what the exchange has seen.
func (f *faults) marketNow() time.Time {
	at := f.s.v.At
	if f.s.cfg.Speed > 0 {
		if now := f.s.v.Now(); now.After(at) {
			at = now
		}
	}
	return at
}

// tellCancelled tells a client that its order has ended, which is not so.
func (f *faults) tellCancelled(c *conn, o order.Order) {
	filled, left := o.Filled, o.Remaining()
	m := wire.OrderStatus{
		OrderID: o.OrderID, Status: "Cancelled", Filled: &filled, Remaining: &left, PermID: o.PermID, ClientID: o.ClientID,
	}
	m.AvgFillPrice, m.LastFillPrice, m.MktCapPrice = zeroPrice(), zeroPrice(), zeroPrice()
	if o.AvgPrice != nil {
		m.AvgFillPrice = o.AvgPrice
	}
	c.Send(m)
	c.Fail(o.OrderID, venue.Cancelled, "Order Canceled - reason:")
}

// correct has the exchange correct an execution that was told, or take it back.
func (f *faults) correct(a fault.Action, sc *scene) {
	if sc.flight == nil {
		return
	}
	m, ok := sc.flight.msg.(wire.ExecDetails)
	if !ok || m.ReqID >= 0 {
		return
	}
	f.later(a.Wait, func() {
		x, at := f.s.v.X, f.marketNow()
		f.s.moveTo(at)
		var reports []exchange.Report
		var err error
		if a.Verb == fault.Bust {
			reports, err = x.Bust(f.s.v.At, m.ExecID)
		} else {
			reports, err = x.Correct(f.s.v.At, m.ExecID, m.Price.Add(a.Price), m.Shares)
		}
		if err != nil {
			f.s.log.Warn("fault_not_done", "what", strings.TrimSpace(a.Verb.String()), "error", err)
			return
		}
		f.own = true // else the correction could fire its own rule
		f.s.blotter.Report(slices.Clone(reports))
		f.own = false
	})
}
