package tape

import (
	"time"

	"robotrader/broker/market"
)

var (
	cent      = market.MustPrice("0.01")
	exchanges = [...]string{"Q", "N", "P", "K", "Z", "D"}
)

// gamma is the step of a [dice]'s state.
const gamma = 0x9e3779b97f4a7c15

// dice is a stream of hashed numbers.
type dice struct{ state uint64 }

func (d *dice) roll(n uint64) uint64 {
	d.state += gamma
	return mix(d.state) % n
}

// tick is an event of a made-up market, in its own units.
type tick struct {
	at    int64 // Unix nanoseconds
	kind  Kind
	cross Cross
	venue uint8 // of exchanges
	// Of the quote that stands: in cents, and in lots of a hundred shares. A
	// trade has it too.
	bid, spread      int64
	bidLots, askLots int64
	price, shares    int64 // of a trade, in cents
}

// maker makes the events of a minute, one by one: start it with a minute, then
// call next until it is false. Minutes in order are cheapest.
//
// A minute begins with a quote; quotes follow where the path goes, and trades
// at the newest of them. How many numbers an event takes from the dice is the
// same in next and in tally, which counts without looking at prices.
type maker struct {
	*model
	walk   walker
	plan   plan
	leg    leg
	ready  bool // leg is known
	traced bool // path is that of leg
	path   [knots + 1]int64

	dice    dice
	n, i    int64
	weight  int64 // of sizes
	slot    int64 // nanoseconds
	unit    int64 // of time, nanoseconds
	quote   tick  // the newest; its price when quoted is set
	place   int64 // of the newest quote in the minute, nanoseconds
	quoted  bool
	silent  bool // quotes are not told
	special [3]tick
	specials,
	told int
	last int64 // time of the newest event told
}

func newMaker(m *model) *maker { return &maker{model: m, walk: walker{noise: m.noise}} }

// start begins a minute.
func (k *maker) start(minute int64) {
	switch {
	case k.ready && minute == k.leg.minute:
	case k.ready && minute == k.leg.minute+1:
		k.leg, k.traced = k.walk.after(k.leg), false
	default:
		k.leg, k.traced = k.walk.leg(minute), false
	}
	k.ready = true
	if !k.plan.day.has(minute) {
		k.plan = k.model.plan(minute)
	}
	k.dice = dice{k.noise.hash(streamEvents, minute)}
	k.i, k.told, k.specials = 0, 0, 0
	k.n, k.weight = k.activity(&k.plan, minute, k.leg.vol)
	k.last = minute * int64(time.Minute)
	if k.n > 0 {
		k.unit = int64(time.Millisecond)
		if k.busy > 1 {
			k.unit = int64(time.Microsecond)
		}
		k.slot = int64(time.Minute) / k.unit / k.n
	}
	k.begin(minute)
}

// begin notes what happens at the first instant of a minute.
func (k *maker) begin(minute int64) {
	put := func(t tick) {
		t.at = minute * int64(time.Minute)
		k.special[k.specials] = t
		k.specials++
	}
	switch {
	case k.plan.halt == window{}:
	case minute == k.plan.halt.from:
		put(tick{kind: Halt})
	case minute == k.plan.halt.to:
		put(tick{kind: Resume})
	}
	if k.cfg.Sessions == NewYork && k.n > 0 && minute == k.plan.regular.from {
		d := dice{k.noise.hash(streamCrosses, minute)}
		quote := k.quoteAt(0, 1)
		quote.bidLots, quote.askLots = int64(1+d.roll(12)), int64(1+d.roll(12))
		if !k.silent {
			put(quote)
		}
		put(k.cross(&d, quote, OpeningCross))
	}
}

// cross is an auction's print at a quote.
func (k *maker) cross(d *dice, quote tick, which Cross) tick {
	t := quote
	t.kind, t.cross = Trade, which
	t.price = quote.bid + int64(d.roll(uint64(quote.spread+1)))
	t.shares = int64(1000+d.roll(4000)) * 100
	return t
}

// quoteAt is the quote of spread cents at a place of the minute.
func (k *maker) quoteAt(into, spread int64) tick {
	if !k.traced {
		k.walk.fill(k.leg, &k.path)
		k.traced = true
	}
	mid := scale(k.base, along(&k.path, time.Duration(into))-k.origin)
	return tick{kind: Quote, bid: bidOf(mid, spread), spread: spread}
}

// bidOf is the bid in cents of a quote around a price in 1e-4 dollars.
func bidOf(mid, spread int64) int64 { return (mid - spread*50 + 50) / 100 }

// next tells the next event of the minute.
func (k *maker) next(t *tick) bool {
	if k.told < k.specials {
		*t = k.special[k.told]
		k.told++
		return true
	}
	for k.i < k.n {
		i := k.i
		k.i++
		into := (i*k.slot + int64(k.dice.roll(uint64(k.slot)))) * k.unit
		if i > 0 && k.dice.roll(100) < 45 {
			k.price()
			k.trade(t)
			t.at = k.leg.minute*int64(time.Minute) + into
			k.last = t.at
			return true
		}
		k.spread()
		k.place, k.quoted = into, false
		if k.silent {
			continue
		}
		k.price()
		*t = k.quote
		t.at = k.leg.minute*int64(time.Minute) + into
		k.last = t.at
		return true
	}
	return k.end(t)
}

// end tells the closing print after the last event of a regular session.
func (k *maker) end(t *tick) bool {
	if k.cfg.Sessions != NewYork || k.i != k.n || k.n == 0 || k.leg.minute+1 != k.plan.regular.to {
		return false
	}
	k.i++
	k.price()
	d := dice{k.noise.hash(streamCrosses, k.leg.minute)}
	*t = k.cross(&d, k.quote, ClosingCross)
	t.at = max(k.last, (k.leg.minute+1)*int64(time.Minute)-int64(time.Millisecond))
	return true
}

// spread rolls a quote without its price.
func (k *maker) spread() {
	spread := int64(1)
	if k.dice.roll(100) < 30 {
		spread++
	}
	if k.leg.vol > wild && k.dice.roll(100) < 40 {
		spread++
	}
	k.quote = tick{kind: Quote, spread: spread, bidLots: int64(1 + k.dice.roll(12)), askLots: int64(1 + k.dice.roll(12))}
}

// wild is the volatility above which spreads may be wider.
const wild = 1500

// price gives the newest quote its price.
func (k *maker) price() {
	if !k.quoted {
		k.quote.bid, k.quoted = k.quoteAt(k.place, k.quote.spread).bid, true
	}
}

// trade is one at the bid, at the ask, or between them where there is room.
func (k *maker) trade(t *tick) {
	*t = k.quote
	t.kind, t.price = Trade, k.quote.bid
	switch {
	case k.quote.spread > 1 && k.dice.roll(100) < 15:
		t.price++
	case k.dice.roll(2) == 0:
		t.price += k.quote.spread
	}
	t.shares = 100
	switch r := k.dice.roll(100); {
	case r < 30:
		t.shares = int64(1 + k.dice.roll(99))
	case r < 60:
		t.shares = int64(2+k.dice.roll(8)) * 100
	}
	t.shares *= k.weight
	t.venue = uint8(k.dice.roll(uint64(len(exchanges))))
}

// tally counts the trades and shares of the minute, instead of next, without
// looking at prices: most minutes of a long bar do not make its high or low.
// It must not be asked for a minute with an auction.
func (k *maker) tally() (shares int64, trades int) {
	state, loud := k.dice.state, k.leg.vol > wild
	wide := false // the quote has room inside
	for i := range k.n {
		state += gamma // the time
		if i > 0 {
			state += gamma
			if mix(state)%100 < 45 {
				state += gamma
				if wide && mix(state)%100 >= 15 {
					state += gamma // which side
				}
				state += gamma
				size := int64(100)
				if r := mix(state) % 100; r < 60 {
					state += gamma
					if size = int64(1 + mix(state)%99); r >= 30 {
						size = int64(2+mix(state)%8) * 100
					}
				}
				shares += size
				trades++
				state += gamma // the exchange
				continue
			}
		}
		state += gamma
		wide = mix(state)%100 < 30
		if loud {
			state += gamma
			wide = mix(state)%100 < 40 || wide
		}
		state += gamma // both sizes
		state += gamma
	}
	k.i = k.n + 1
	return shares * k.weight, trades
}

// event writes a tick for the world.
func (m *model) event(t *tick) Event {
	ev := Event{At: time.Unix(0, t.at).UTC(), Symbol: m.cfg.Symbol, Kind: t.kind}
	switch t.kind {
	case Quote:
		ev.Bid = Level{cent.Times(t.bid), market.Shares(t.bidLots * 100), true}
		ev.Ask = Level{cent.Times(t.bid + t.spread), market.Shares(t.askLots * 100), true}
	case Trade:
		ev.Price, ev.Size, ev.Exchange, ev.Cross = cent.Times(t.price), market.Shares(t.shares), exchanges[t.venue], t.cross
	}
	return ev
}
