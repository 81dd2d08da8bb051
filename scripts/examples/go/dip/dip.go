package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// kept are the topics whose losses matter to this program.
var kept = []string{"link", "desk.order", "desk.fill", "desk.mode"}

// ended are the states in which an order cannot fill any more.
var ended = []string{"filled", "cancelled", "rejected", "dropped"}

// listed is how many orders, and fills, desk.get lists at most.
const listed = 500

// dip is the strategy's state. One goroutine uses it.
type dip struct {
	o   options
	ask *asker
	put func(func(*dip)) // hands an answer to that goroutine

	newest map[string]uint64 // by topic, that came
	told   map[string]uint64 // by topic, that the bus told of last
	life   string            // of the trader

	known, learning, again bool
	ready                  bool
	mode                   string
	orders                 map[string]ordered // our own, by ref
	fills                  map[string]filled  // and by exec_id
	open                   map[string]bool    // refs of orders that have not ended, as far as is known
	asking                 bool
	prices                 []float64
	market                 string // market time of the newest trade
	count, rounds          int
	done                   bool
}

func newDip(o options, a *asker, put func(func(*dip))) *dip {
	return &dip{
		o: o, ask: a, put: put, newest: map[string]uint64{}, told: map[string]uint64{},
		orders: map[string]ordered{}, fills: map[string]filled{}, open: map[string]bool{},
	}
}

// hear takes one message.
func (d *dip) hear(ctx context.Context, topic string, raw []byte) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		say("not_understood", map[string]any{"topic": topic, "why": err.Error()})
		return
	}
	if slices.Contains(kept, topic) && !d.counts(ctx, topic, m.Seq) {
		return
	}
	var err error
	switch {
	case topic == "bus":
		err = d.beat(ctx, m.Data)
	case topic == "link":
		var l link
		err = json.Unmarshal(m.Data, &l)
		d.ready = l.State == "ready"
	case topic == "desk.mode":
		var v struct {
			Mode string `json:"mode"`
		}
		err = json.Unmarshal(m.Data, &v)
		d.mode = v.Mode
	case topic == "desk.order":
		var v ordered
		err = json.Unmarshal(m.Data, &v)
		d.order(v)
	case topic == "desk.fill":
		var v filled
		err = json.Unmarshal(m.Data, &v)
		d.fill(v)
	default:
		err = d.ticks(ctx, m.Data)
	}
	if err != nil {
		say("not_understood", map[string]any{"topic": topic, "why": err.Error()})
	}
}

// counts reports whether a message is new. A number that is missing is a loss;
// one that was seen was written again, because nobody had confirmed it.
func (d *dip) counts(ctx context.Context, topic string, seq uint64) bool {
	before, seen := d.newest[topic]
	if seen && seq <= before {
		return false
	}
	if seen && seq > before+1 {
		d.lost(ctx, topic, before, seq)
	}
	d.newest[topic] = seq
	return true
}

// beat holds what the trader has written against what came until now.
func (d *dip) beat(ctx context.Context, raw []byte) error {
	var s struct {
		Life   string            `json:"life"`
		Newest map[string]uint64 `json:"newest"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	for topic, number := range d.told {
		if before := d.newest[topic]; slices.Contains(kept, topic) && number > before {
			d.newest[topic] = number
			d.lost(ctx, topic, before, number)
		}
	}
	d.told = s.Newest
	if s.Life != d.life { // the trader was started anew: its numbers are, too
		d.life, d.told = s.Life, nil
		d.newest = map[string]uint64{}
		maps.Copy(d.newest, s.Newest) // what was written before is not lost
		d.learn(ctx)
	}
	return nil
}

func (d *dip) lost(ctx context.Context, topic string, before, number uint64) {
	say("lost", map[string]any{"topic": topic, "before": before, "number": number})
	d.learn(ctx)
}

// learn asks link and desk for their state, and again until they answer.
func (d *dip) learn(ctx context.Context) {
	d.known = false
	if d.learning {
		d.again = true
		return
	}
	d.learning = true
	go func() { // ends within its deadlines
		l, err := ask[link](ctx, d.ask, "link.get", struct{}{}, 3*time.Second)
		var k desk
		if err == nil {
			k, err = ask[desk](ctx, d.ask, "desk.get", struct{}{}, 3*time.Second)
		}
		if err != nil {
			say("not_known", map[string]any{"why": err.Error()})
			t := time.NewTimer(time.Second)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
		d.put(func(d *dip) { d.learnt(ctx, l, k, err) })
	}()
}

func (d *dip) learnt(ctx context.Context, l link, k desk, err error) {
	again := d.again || err != nil
	d.learning, d.again = false, false
	if err == nil {
		d.ready, d.mode = l.State == "ready", k.Mode.Mode
		there := map[string]bool{}
		for _, o := range k.Orders {
			// The answer may have been made before an end that we have heard of.
			if !slices.Contains(ended, d.orders[o.Ref].State) {
				d.order(o)
			}
			there[o.Ref] = true
		}
		for _, f := range k.Fills {
			d.fill(f)
		}
		if len(k.Orders) < listed && !d.asking { // what is not in the whole list is not there
			for ref := range d.open {
				if !there[ref] {
					delete(d.open, ref)
				}
			}
		}
	}
	if again {
		d.learn(ctx)
		return
	}
	d.known = true
	say("known", map[string]any{"ready": d.ready, "mode": d.mode, "position": d.position()})
}

func (d *dip) own(ref string) bool { return strings.HasPrefix(ref, d.o.user+":") }

func (d *dip) order(o ordered) {
	if !d.own(o.Ref) {
		return
	}
	d.orders[o.Ref] = o
	if !slices.Contains(ended, o.State) {
		d.open[o.Ref] = true
	}
}

func (d *dip) fill(f filled) {
	if _, seen := d.fills[f.ExecID]; seen || !d.own(f.Ref) || f.Symbol != d.o.symbol {
		return // an execution is told again with its commission
	}
	d.fills[f.ExecID] = f
	say("fill", map[string]any{"ref": f.Ref, "side": f.Side, "qty": f.Qty, "price": f.Price})
}

// decimal reads an exact number. One that does not read is no number of the
// trader's.
func decimal(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// sum adds executions up: of one order, their quantities, or of all, signed.
func (d *dip) sum(ref string) *big.Rat {
	all := new(big.Rat)
	for _, f := range d.fills {
		switch {
		case ref != "" && f.Ref != ref:
		case ref == "" && f.Side == "SELL":
			all.Sub(all, decimal(f.Qty))
		default:
			all.Add(all, decimal(f.Qty))
		}
	}
	return all
}

func (d *dip) position() string { return text(d.sum("")) }

// text writes a number as the bus has it.
func text(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(8), "0")
}

// over reports whether an order has ended and its executions are here, too:
// they come apart.
func (d *dip) over(ref string) bool {
	o, known := d.orders[ref]
	return known && slices.Contains(ended, o.State) && d.sum(ref).Cmp(decimal(o.Filled)) == 0
}

func (d *dip) ticks(ctx context.Context, raw []byte) error {
	var v struct {
		Ticks []struct {
			Kind  string   `json:"kind"`
			Price *float64 `json:"price,string"`
			At    string   `json:"at"`
		} `json:"ticks"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	for _, t := range v.Ticks {
		if t.Kind != "trade" || t.Price == nil {
			continue
		}
		d.market = t.At
		d.prices = append(d.prices, *t.Price)
	}
	if n := len(d.prices) - d.o.window; n >= 0 {
		d.prices = slices.Delete(d.prices, 0, n)
		d.decide(ctx)
	}
	return nil
}

// decide asks for an order when the newest price is far enough from the mean.
func (d *dip) decide(ctx context.Context) {
	for ref := range d.open {
		if d.over(ref) {
			delete(d.open, ref)
		}
	}
	if d.asking || len(d.open) > 0 || !d.known || !d.ready || d.mode == "halted" || d.market == "" {
		return
	}
	mean := 0.0
	for _, p := range d.prices {
		mean += p / float64(len(d.prices))
	}
	price, held := d.prices[len(d.prices)-1], d.sum("")
	switch {
	case held.Sign() <= 0 && d.o.rounds > 0 && d.rounds >= d.o.rounds:
		d.done = true
	case held.Sign() <= 0 && d.mode == "active" && price <= mean*(1-d.o.dip/100):
		d.want(ctx, "BUY", d.o.qty, fmt.Sprintf("%v is below the mean %.4f", price, mean))
	case held.Sign() > 0 && price >= mean*(1+d.o.gain/100):
		d.want(ctx, "SELL", text(held), fmt.Sprintf("%v is above the mean %.4f", price, mean))
	}
}

// want asks for a market order.
func (d *dip) want(ctx context.Context, side, qty, why string) {
	at, err := time.Parse(time.RFC3339Nano, d.market)
	if err != nil {
		say("not_understood", map[string]any{"topic": "desk.ticks", "why": err.Error()})
		return
	}
	d.count++
	in := intent{
		ID: fmt.Sprintf("%s:%s-%03d-%d", d.o.user, at.Format("060102150405"), at.Nanosecond()/1e6, d.count%1000), Action: "place", Strategy: d.o.user,
		Symbol: d.o.symbol, Side: side, Type: "MKT", TIF: "DAY", Qty: qty, Reason: why, At: d.market,
	}
	d.asking, d.open[in.ID] = true, true
	go func() { // ends within the deadlines of its questions
		r := d.ask.order(ctx, in)
		if r.Result == "refused" { // it does not change within a tick
			t := time.NewTimer(time.Second)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
		d.put(func(d *dip) { d.answered(ctx, in, r) })
	}()
}

func (d *dip) answered(ctx context.Context, in intent, r reply) {
	d.asking = false
	say("asked", map[string]any{"ref": in.ID, "side": in.Side, "result": r.Result, "rule": r.Rule, "reason": r.Reason})
	switch r.Result {
	case "written":
		if in.Side == "SELL" {
			d.rounds++
		}
	case "unknown":
		d.learn(ctx) // the desk's state tells
	default:
		delete(d.open, in.ID)
	}
}
