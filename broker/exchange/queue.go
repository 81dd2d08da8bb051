package exchange

import (
	"cmp"
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/order"
)

// place is in which queues of its listing an order is.
type place uint8

const (
	nowhere place = iota
	inBook        // buys or sells, and fresh
	atStop        // up or down, and trails
)

// insert puts an order into a queue, and remove takes it out. What the queue is
// sorted by must not change between them.
func insert(queue *[]*resting, o *resting, by func(a, b *resting) int) {
	i, _ := slices.BinarySearchFunc(*queue, o, by)
	*queue = slices.Insert(*queue, i, o)
}

func remove(queue *[]*resting, o *resting, by func(a, b *resting) int) {
	if i, ok := slices.BinarySearchFunc(*queue, o, by); ok {
		*queue = slices.Delete(*queue, i, i+1)
	}
}

// bySeq orders orders by when they took their places.
func bySeq(a, b *resting) int { return cmp.Compare(a.seq, b.seq) }

// priority orders the orders of one side: market orders first, then the better
// limit, then the earlier.
func priority(a, b *resting) int {
	switch {
	case a.Limit == nil && b.Limit != nil:
		return -1
	case a.Limit != nil && b.Limit == nil:
		return 1
	case a.Limit != nil && *a.Limit != *b.Limit:
		c := a.Limit.Cmp(*b.Limit)
		if a.Side == order.Buy {
			return -c
		}
		return c
	}
	return bySeq(a, b)
}

func (l *listing) side(s order.Side) *[]*resting {
	if s == order.Buy {
		return &l.buys
	}
	return &l.sells
}

// rest puts an order among those that work, by price and then time.
func (x *Exchange) rest(now time.Time, o *resting, l *listing) {
	o.born = x.instant
	l.queue(o)
	x.schedule(now, o)
}

func (l *listing) queue(o *resting) {
	o.place = inBook
	insert(l.side(o.Side), o, priority)
	if o.fresh {
		insert(&l.fresh, o, bySeq)
	}
}

// lift takes an order out of the queues.
func (x *Exchange) lift(o *resting, l *listing) {
	switch o.place {
	case inBook:
		remove(l.side(o.Side), o, priority)
		if o.fresh {
			remove(&l.fresh, o, bySeq)
		}
	case atStop:
		l.disarm(o)
	}
	o.place = nowhere
}

// drop takes an order that has ended out of everything.
func (x *Exchange) drop(o *resting) {
	x.lift(o, x.listings[o.Symbol])
	x.alarms.off(&o.alarm)
	delete(x.open, o.PermID)
	if o.Parent != 0 {
		forget(x.children, o.Parent, o)
	}
	x.leave(o)
}

// forget takes an order off a list in a map, and an empty list off the map.
func forget[K comparable](lists map[K][]*resting, key K, o *resting) {
	list := lists[key]
	if i := slices.Index(list, o); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(lists, key)
		return
	}
	lists[key] = list
}

// opposite is what is shown on the side that an order takes from.
func (l *listing) opposite(side order.Side) *tape.Level {
	if side == order.Buy {
		return &l.ask
	}
	return &l.bid
}
