package feed

import (
	"hash/fnv"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// maxRows bounds the rows of a side: more are not made.
const maxRows = 20

// depth is a subscription to the book of orders behind the best quote. All but
// the best row is made up: a row each tick, of sizes that symbol and price
// decide, so that a price that stays keeps its size. One that asks for smart
// depth is told the exchange of each row, message 13; another is not, message
// 12.
type depth struct {
	client *client
	book   *book
	req    int
	rows   int
	smart  bool
	told   [2][]row // asks and bids, as the client has them
}

// row is one row of a side.
type row struct {
	price market.Price
	size  market.Qty
}

const (
	asks = iota // as on the wire: 0 ask, 1 bid
	bids
)

func (c *client) reqMktDepth(m wire.ReqMktDepth) {
	b, ok := c.find(m.ReqID, m.Contract)
	if !ok {
		return
	}
	switch {
	case m.Rows < 1:
		c.invalid(m.ReqID, "bX", "number of rows %d is not above 0", m.Rows)
		return
	case c.depths[m.ReqID] != nil:
		c.Fail(int64(m.ReqID), venue.DuplicateTicker, "Duplicate ticker id")
		return
	case len(c.depths) >= c.f.cfg.Books:
		c.Fail(int64(m.ReqID), venue.MaxBooks, "Max number (%d) of market depth requests has been reached", c.f.cfg.Books)
		return
	case !c.permitted(m.ReqID, venue.NotSubscribed, "Deep book data need their own subscription.", b):
		return
	}
	d := &depth{client: c, book: b, req: m.ReqID, rows: min(m.Rows, maxRows), smart: m.Smart}
	c.depths[m.ReqID] = d
	b.depths = append(b.depths, d)
	d.follow()
}

func (c *client) cancelMktDepth(m wire.CancelMktDepth) {
	d := c.depths[m.ReqID]
	if d == nil {
		c.Fail(int64(m.ReqID), venue.NoBook, "Can't find the subscribed market depth with tickerId:%d", m.ReqID)
		return
	}
	d.end()
}

func (d *depth) end() {
	delete(d.client.depths, d.req)
	d.book.depths = without(d.book.depths, d)
}

// reset tells the client to forget the book, and tells it anew.
func (d *depth) reset() {
	d.client.Fail(int64(d.req), venue.BookReset, "Market depth data has been RESET. Please empty deep book contents before applying any new entries.")
	d.told = [2][]row{}
	d.follow()
}

// follow tells what makes the client's book the one that is there now.
func (d *depth) follow() {
	if d.client.f.competing {
		return
	}
	var room [maxRows]row
	d.move(asks, d.book.side(room[:0], asks, d.rows))
	d.move(bids, d.book.side(room[:0], bids, d.rows))
}

// side appends the rows of a side, best first, none when there is no quote.
// There are none at prices of 0 and below.
func (b *book) side(to []row, side, rows int) []row {
	best, step := b.ask, b.details.MinTick
	if side == bids {
		best, step = b.bid, step.Neg()
	}
	if !best.Known {
		return to
	}
	to = append(to, row{best.Price, best.Size})
	price := best.Price
	for len(to) < rows && !step.IsZero() {
		if price = price.Add(step); price.Sign() <= 0 {
			break
		}
		to = append(to, row{price, b.sizeAt(price)})
	}
	return to
}

// sizeAt is the made-up size at a price.
func (b *book) sizeAt(price market.Price) market.Qty {
	var room [64]byte
	t, _ := price.AppendText(append(room[:0], b.symbol...))
	h := fnv.New32a()
	h.Write(t)
	return market.Shares(100 * int64(1+h.Sum32()%20))
}

// move tells the operations that lead from the rows told to those wanted: rows
// that the best price left behind are deleted, rows before the old best one
// are inserted (the book never has more rows than asked for), and then what is
// different is updated.
func (d *depth) move(side int, want []row) {
	told := d.told[side]
	if n := index(told, want); n > 0 { // the best moved away over n rows
		for range n {
			d.send(side, 0, wire.DepthDelete, told[0])
			told = append(told[:0], told[1:]...)
		}
	} else if n := index(want, told); n > 0 { // n rows came before the best
		for i := range n {
			if len(told) >= d.rows {
				last := len(told) - 1
				d.send(side, last, wire.DepthDelete, told[last])
				told = told[:last]
			}
			d.send(side, i, wire.DepthInsert, want[i])
			told = append(told, row{})
			copy(told[i+1:], told[i:])
			told[i] = want[i]
		}
	}
	for i := range want {
		switch {
		case i == len(told):
			d.send(side, i, wire.DepthInsert, want[i])
			told = append(told, want[i])
		case told[i] != want[i]:
			d.send(side, i, wire.DepthUpdate, want[i])
			told[i] = want[i]
		}
	}
	for i := len(told) - 1; i >= len(want); i-- {
		d.send(side, i, wire.DepthDelete, told[i])
		told = told[:i]
	}
	d.told[side] = told
}

// index returns the row of list whose price the best row of other has, or -1.
func index(list, other []row) int {
	if len(other) == 0 {
		return -1
	}
	for i := range list {
		if list[i].price == other[0].price {
			return i
		}
	}
	return -1
}

func (d *depth) send(side, i int, op wire.DepthOperation, r row) {
	if op == wire.DepthDelete {
		r = row{}
	}
	if !d.smart {
		d.client.Send(wire.MarketDepth{ReqID: d.req, Row: i, Operation: op, Bid: side == bids, Price: r.price, Size: r.size})
		return
	}
	d.client.Send(wire.MarketDepthL2{
		ReqID: d.req, Row: i, MarketMaker: components[i%len(components)].Exchange, Operation: op,
		Bid: side == bids, Price: r.price, Size: r.size, Smart: true,
	})
}
