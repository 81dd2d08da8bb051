package gateway

import "robotrader/broker/ibkr/wire"

// place says where a frame may stand among others.
type place uint8

const (
	inOrder place = iota // where it was put
	quoted               // later, and a newer one of its kind may take its place
	edge                 // where it was put, behind all quotes that were put before
)

// class is what the queue knows of a frame: its place and, of a quote, which
// quotes it takes the place of.
type class struct {
	place place
	req   int
	tick  wire.TickType
}

// ordered is the class of what is no quote.
var ordered = class{}

// classOf tells quotes apart: bid, ask and their sizes, delayed ones too. The
// frames around a stream are edges, because its request id may come to mean
// another symbol, or another kind of data, with them.
func classOf(m wire.Message) class {
	switch m := m.(type) {
	case wire.TickPrice:
		return priceClass(m.ReqID, m.Type)
	case *wire.TickPrice:
		return priceClass(m.ReqID, m.Type)
	case wire.TickSize:
		return sizeClass(m.ReqID, m.Type)
	case *wire.TickSize:
		return sizeClass(m.ReqID, m.Type)
	case wire.TickReqParams, wire.MarketDataType, wire.TickSnapshotEnd:
		return class{place: edge}
	}
	return ordered
}

func priceClass(req int, t wire.TickType) class {
	switch t {
	case wire.TickBid, wire.TickAsk, wire.TickDelayedBid, wire.TickDelayedAsk:
		return class{quoted, req, t}
	}
	return ordered
}

func sizeClass(req int, t wire.TickType) class {
	switch t {
	case wire.TickBidSize, wire.TickAskSize, wire.TickDelayedBidSize, wire.TickDelayedAskSize:
		return class{quoted, req, t}
	}
	return ordered
}

// held are quotes, the newest of each class, in the order in which those came.
// Its memory is bounded by the number of classes, which is a few for each
// stream of the session. The zero held is empty.
type held struct {
	at    map[class]int // index in list
	list  []heldFrame
	bytes []byte // the frames of list, in its order
}

// heldFrame is one quote; one that was replaced has no bytes.
type heldFrame struct {
	class    class
	from, to int
}

func (h *held) empty() bool { return len(h.list) == 0 }

// put takes a quote in, in place of an older one of its class.
func (h *held) put(k class, grow func(dst []byte) []byte) {
	from := len(h.bytes)
	h.bytes = grow(h.bytes)
	if len(h.bytes) == from {
		return // it could not be encoded
	}
	if h.at == nil {
		h.at = map[class]int{}
	}
	if old, ok := h.at[k]; ok {
		h.list[old].to = h.list[old].from
	}
	h.at[k] = len(h.list)
	h.list = append(h.list, heldFrame{k, from, len(h.bytes)})
	const slack = 64
	if len(h.list) > 2*len(h.at)+slack {
		h.compact()
	}
}

// compact closes the gaps of what was replaced.
func (h *held) compact() {
	list, bytes := h.list[:0], h.bytes[:0]
	for _, f := range h.list {
		if f.from == f.to {
			continue
		}
		from := len(bytes)
		bytes = append(bytes, h.bytes[f.from:f.to]...) // downwards: nothing unread is written over
		h.at[f.class] = len(list)
		list = append(list, heldFrame{f.class, from, len(bytes)})
	}
	h.list, h.bytes = list, bytes
}

// moveTo appends all quotes to dst and is empty then.
func (h *held) moveTo(dst []byte) []byte {
	if h.empty() {
		return dst
	}
	for _, f := range h.list {
		dst = append(dst, h.bytes[f.from:f.to]...)
	}
	clear(h.at)
	h.list, h.bytes = h.list[:0], h.bytes[:0]
	return dst
}
