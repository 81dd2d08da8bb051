package exchange

import (
	"strings"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// bytesOf reads choices from the fuzzer's bytes; after the last it reads 0.
type bytesOf []byte

func (b *bytesOf) next() int {
	if len(*b) == 0 {
		return 0
	}
	n := (*b)[0]
	*b = (*b)[1:]
	return int(n)
}

func pick[T any](b *bytesOf, from ...T) T { return from[b.next()%len(from)] }

var oddPrices = strings.Fields("0 -1 0.01 1 1.005 0.00000001 1000000000 1000000001 92233720368 -92233720368")

// price is an ordinary one nine times of ten, nil in between.
func (b *bytesOf) price() *market.Price {
	switch n := b.next(); {
	case n < 200:
		return market.MustPrice("0.01").Times(int64(80 + n%40)).Ptr()
	case n < 225:
		return nil
	default:
		return market.MustPrice(oddPrices[n%len(oddPrices)]).Ptr()
	}
}

func (b *bytesOf) qty() market.Qty {
	return pick(b, market.Shares(100), market.Shares(1), market.Shares(int64(b.next())), market.Qty{},
		market.Shares(-5), market.MustQty("0.5"), market.Shares(1_000_000), market.Shares(90_000_000_000))
}

func (b *bytesOf) time(now time.Time) time.Time {
	return pick(b, time.Time{}, time.Time{}, now, now.Add(-time.Hour), now.Add(time.Minute), now.AddDate(0, 0, 2), now.AddDate(9000, 0, 0))
}

func (b *bytesOf) request(x *Exchange, now time.Time) Request {
	r := Request{
		Account: pick(b, "", "DU7654321", "nobody"), Symbol: pick[market.Symbol](b, "AAPL", "AAPL", "IBM", "NONE"),
		Side: pick(b, order.Buy, order.Sell, order.Sell, "SSHORT"), Qty: b.qty(),
		Type: pick(b, order.Market, order.Limit, order.Stop, order.StopLimit, order.Trail, order.TrailLimit,
			order.MarketOnClose, order.LimitOnClose, order.MarketIfTouched, order.LimitIfTouched, "PEG MID"),
		TIF: pick(b, order.Day, order.GTC, order.IOC, order.FOK, order.OPG, order.GTD, ""),
	}
	n, _ := needsOf(r.Type)
	odd := b.next() > 240
	for _, p := range []struct {
		want bool
		to   **market.Price
	}{{n.limit, &r.Limit}, {n.stop, &r.Stop}, {n.trail, &r.TrailAmount}, {n.offset, &r.LimitOffset}, {false, &r.TrailStop}} {
		if p.want || odd {
			*p.to = b.price()
		}
	}
	if n.trail && b.next()%2 == 0 {
		r.TrailAmount, r.TrailPercent = nil, market.MustPercent(pick(b, "0", "5", "0.00000001", "99.99999999", "100", "-3")).Ptr()
	}
	flags := b.next()
	r.OutsideRTH, r.AllOrNone, r.Hold = flags&1 > 0, flags&2 > 0, flags&4 > 0
	if flags&8 > 0 {
		r.MinQty, r.DisplaySize = b.qty(), b.qty()
	}
	if flags&16 > 0 {
		r.GoodAfter, r.GoodTill = b.time(now), b.time(now)
	}
	if flags&32 > 0 {
		r.OCAGroup, r.OCAType = pick(b, "g", "h", strings.Repeat("x", 100)), OCAType(b.next()%5-1)
	}
	if flags&64 > 0 {
		r.Parent = x.permBase + int64(b.next()%20)
	}
	return r
}

// FuzzOrders gives any orders and changes of them, sensible or not, between the
// events of a market.
func FuzzOrders(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08 any text will do as a beginning \xff\xfe\xfd"))
	f.Add([]byte(strings.Repeat("\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x01\x00\x00\x64\x02\x60", 8)))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := bytesOf(in[:min(len(in), 2000)])
		x := newExchange(t, func(c *Config) { c.PartialFills = b.next()%2 == 1 }, "AAPL", "IBM")
		now := noon
		for len(b) > 0 {
			now = now.Add(pick(&b, 0, 0, 0, time.Second, time.Hour, 12*time.Hour))
			id := x.permBase + int64(b.next()%20)
			switch b.next() % 8 {
			case 0, 1, 2:
				x.Place(now, b.request(x, now))
			case 3:
				x.Modify(now, id, b.request(x, now))
			case 4:
				x.Cancel(now, id)
			case 5:
				x.Halt(now, "AAPL", b.next()%2 == 0)
			default:
				x.Apply(now, b.event(now))
			}
			checkSane(t, x)
		}
		checkBooks(t, x, "DU7654321")
	})
}

func (b *bytesOf) event(now time.Time) tape.Event {
	ev := tape.Event{At: now, Symbol: "AAPL", Kind: tape.Trade, Size: market.Shares(int64(b.next()))}
	level := func() tape.Level {
		return tape.Level{Price: market.MustPrice("0.01").Times(int64(80 + b.next()%40)), Size: market.Shares(int64(b.next())), Known: true}
	}
	ev.Price = level().Price
	if b.next()%2 == 0 {
		ev.Kind, ev.Bid, ev.Ask = tape.Quote, level(), level()
	}
	return ev
}

// checkSane compares the queues with the open orders.
func checkSane(t *testing.T, x *Exchange) {
	queued := 0
	for _, l := range x.listings {
		for _, q := range [][]*resting{l.buys, l.sells, l.up, l.down} {
			queued += len(q)
		}
		for _, o := range l.trails.list {
			if o.TrailNow == nil {
				queued++
			}
		}
	}
	placed := 0
	for id, o := range x.open {
		if id != o.PermID || o.Remaining().Sign() <= 0 || !o.State.Live() || (o.State == order.Accepted) != (o.Wait != WaitNone) {
			t.Fatalf("order %d is open: %+v", id, o.Order)
		}
		if o.place != nowhere {
			placed++
		}
	}
	if placed != queued {
		t.Fatalf("%d orders have a place, the queues hold %d", placed, queued)
	}
	for i, a := range x.alarms {
		if a.pos != i+1 {
			t.Fatalf("alarm %d thinks it is %d", i+1, a.pos)
		}
	}
}
