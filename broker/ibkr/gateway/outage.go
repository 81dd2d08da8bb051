package gateway

import (
	"strings"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// toServer does what happens to the whole gateway.
func (f *faults) toServer(a fault.Action, sc *scene) {
	switch a.Verb {
	case fault.Refuse:
		f.door.shut(until(a.For))
	case fault.Restart:
		f.restart(a)
	case fault.Freeze:
		f.frozen.Store(until(a.For).UnixNano())
	case fault.HalfDead:
		if a.Word == "reversed" {
			f.stun(a)
		} else {
			f.wedged = until(a.For)
		}
	case fault.Code:
		f.tellCode(a, sc)
	case fault.Farm:
		f.turnFarm(a, sc)
	case fault.Halt:
		f.soon(sc, func() { f.halt(a) })
	}
}

// restart resets all sessions and closes the port for a while. Orders and
// positions are the venue's, and stay.
func (f *faults) restart(a fault.Action) {
	f.door.shut(until(a.For))
	for _, c := range f.sessions(nil) {
		c.fault.shape(shape{op: opReset})
		c.fault.w.hurry()
	}
	f.wedged, f.offline = time.Time{}, false
	clear(f.farmsDown)
	f.s.blotter.Forget(int64(a.N))
}

// halt stops trading in a symbol for a span of market time.
func (f *faults) halt(a fault.Action) {
	f.s.apply(tape.Event{At: f.marketNow(), Symbol: a.Symbol, Kind: tape.Halt})
	wait := a.For
	if speed := f.s.cfg.Speed; speed > 0 {
		wait = time.Duration(float64(wait) / speed)
	}
	f.later(wait, func() {
		f.s.apply(tape.Event{At: f.marketNow(), Symbol: a.Symbol, Kind: tape.Resume})
	})
}

// The codes that mean more than their text. Section 8.
const (
	lostVenue     = 1100
	backDataLost  = 1101
	backDataKept  = 1102
	portReset     = 1300
	brokenToVenue = 2110
)

// tellCode writes an errMsg to whom it is for, and does what it means.
func (f *faults) tellCode(a fault.Action, sc *scene) {
	text := a.Text
	if text == "" {
		text = fault.CodeText(a.N)
	}
	var to []*conn
	for _, c := range f.sessions(sc.conn) {
		if c.fault.greeted && (a.Client == nil || c.client != nil && c.client.id == *a.Client) {
			to = append(to, c)
		}
	}
	if a.Client != nil && sc.conn != nil { // it may be for another session
		if cl := f.s.clients[*a.Client]; cl != nil && cl.conn != nil {
			to = []*conn{cl.conn}
		}
	}
	meant := to
	if sc.conn == nil && a.Client == nil {
		meant = f.sessions(nil)
	}
	switch a.N {
	case lostVenue, brokenToVenue:
		f.offline = f.offline || sc.conn == nil && a.Client == nil
		f.cutOff(meant, true)
	case backDataLost, backDataKept:
		f.offline = false
		f.cutOff(meant, false)
		if a.N == backDataLost {
			f.soon(sc, func() { f.forgetStreams(meant) })
		}
	}
	for _, c := range to {
		f.says(c, a.N, text)
		if a.N == portReset {
			c.fault.shape(shape{op: opClose})
			c.fault.w.hurry()
		}
	}
}

// says writes an errMsg that fires nothing.
func (f *faults) says(c *conn, code int, text string) {
	was := f.own
	f.own = true
	c.Fail(venue.NoID, code, "%s", text)
	f.own = was
}

// cutOff notes for sessions whether the gateway has lost the venue: who is not
// told so goes on to hear of the market.
func (f *faults) cutOff(list []*conn, off bool) {
	for _, c := range list {
		c.fault.offline = off
	}
}

// forgetStreams ends all subscriptions of sessions without a word.
func (f *faults) forgetStreams(list []*conn) {
	for _, c := range list {
		if c.client == nil || !f.s.has(c) {
			continue
		}
		f.s.feed.Leave(c)
		f.s.ledger.Leave(c)
		f.s.feed.Join(c)
		f.s.ledger.Join(c)
	}
}

// forgetLines ends all subscriptions to market data without a word.
func (f *faults) forgetLines() {
	for _, c := range f.sessions(nil) {
		if c.client != nil {
			f.s.feed.Leave(c)
			f.s.feed.Join(c)
		}
	}
}

// kindOf is what a farm serves, by its name.
func kindOf(farm string) fault.FarmKind {
	switch {
	case strings.Contains(farm, "hmds"):
		return fault.PastData
	case strings.HasPrefix(farm, "secdef"):
		return fault.Definitions
	}
	return fault.MarketData
}

// maxFarms bounds the farms that are down at one time, which the script's
// lines do already.
const maxFarms = fault.MaxRules

// turnFarm breaks a farm, or brings it back, and tells everyone.
func (f *faults) turnFarm(a fault.Action, sc *scene) {
	kind := kindOf(a.Text)
	codes := fault.Farms(kind)
	code := codes.OK
	switch a.Word {
	case "down":
		code = codes.Broken
		seq := f.farmsDown[a.Text].seq + 1
		if len(f.farmsDown) < maxFarms {
			f.farmsDown[a.Text] = farmOutage{kind, seq}
		}
		if a.For > 0 {
			f.later(a.For, func() {
				if f.farmsDown[a.Text].seq == seq {
					f.turnFarm(fault.Action{Verb: fault.Farm, Text: a.Text, Word: "up"}, &scene{})
				}
			})
		}
	case "idle":
		code = codes.Idle
	case "up without streams":
		if kind == fault.MarketData {
			f.soon(sc, f.forgetLines)
		}
		delete(f.farmsDown, a.Text)
	default:
		delete(f.farmsDown, a.Text)
	}
	text, _, _ := strings.Cut(fault.CodeText(code), ":")
	if codes.Idle == code && code != codes.OK {
		text = strings.TrimSuffix(fault.CodeText(code), usual(kind)) + a.Text
	} else {
		text += ":" + a.Text
	}
	for _, c := range f.sessions(nil) {
		if c.ready {
			f.says(c, code, text)
		}
	}
}

// usual is the farm that the texts name.
func usual(kind fault.FarmKind) string {
	if kind == fault.PastData {
		return "ushmds"
	}
	return "usfarm"
}

// isDown reports whether a farm of a kind is down.
func (f *faults) isDown(kind fault.FarmKind) bool {
	for _, out := range f.farmsDown {
		if out.kind == kind {
			return true
		}
	}
	return false
}

// lacks reports whether the gateway has no such message to tell now: market
// data while it has lost the venue, or their farm.
func (y *faulty) lacks(id int) bool {
	f := y.f
	if !y.offline && len(f.farmsDown) == 0 {
		return false
	}
	switch id {
	case wire.IDTickPrice, wire.IDTickSize, wire.IDTickGeneric, wire.IDTickString, 12, 13, 50, 99: // depth, real-time bars, tick by tick
		return y.offline || f.isDown(fault.MarketData)
	case wire.IDHistoricalDataUpdate:
		return y.offline || f.isDown(fault.PastData)
	}
	return false
}

// deafTo reports whether a request gets no answer now: one for past data while
// their farm is down.
func (y *faulty) deafTo(id int) bool {
	f := y.f
	switch id {
	case wire.IDReqHistoricalData, 87, 88, 96: // head timestamp, histogram, historical ticks
		return y.offline || f.isDown(fault.PastData)
	case wire.IDReqContractDetails, 81: // matching symbols
		return f.isDown(fault.Definitions)
	}
	return false
}

func zeroPrice() *market.Price { return new(market.Price) }
