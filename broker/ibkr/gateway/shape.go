package gateway

import (
	"encoding/binary"
	"errors"
	"time"

	"robotrader/broker/ibkr/wire"
)

// errReset ends a session that the script has reset.
var errReset = errors.New("the fault script resets the connection")

// reset ends the connection with RST. What was written gets a moment to be
// read before, because a kernel may drop what its program has not taken by then.
func (w *shaper) reset() error {
	t := time.NewTimer(splitGap)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.over.ch:
	}
	_ = w.SetLinger(0)
	w.closed = true
	_ = w.Close()
	return errReset
}

// obey does what a shape says.
func (w *shaper) obey(o shape) error {
	switch o.op {
	case opSilence:
		return w.silence(o)
	case opDelay:
		w.delay, w.delayEnd = o.wait, until(o.last)
	case opDrip:
		w.drip, w.dripWait, w.dripEnd = o.n, o.wait, until(o.last)
	case opJoin:
		w.join = o.n
	case opSplitAll:
		w.splitAll = o.n
	case opSplit:
		w.splitOne = o.n
	case opCut:
		w.cutAt = o.n
	case opRaw:
		if err := w.flush(); err != nil {
			return err
		}
		w.out = append(w.out, o.bytes...)
		return w.flush()
	case opFlush:
		return w.flush()
	case opReset:
		_ = w.flush()
		return w.reset()
	case opHalfClose, opClose:
		err := w.flush()
		w.closed = true
		_ = w.CloseWrite()
		if o.op == opClose {
			w.mu.Lock()
			w.ended = true
			w.mu.Unlock()
			_ = w.Conn.SetReadDeadline(time.Now())
		}
		return err
	}
	return nil
}

// silence writes nothing until its end. Who is hurried out of it leaves out
// what waited.
func (w *shaper) silence(o shape) error {
	if err := w.flush(); err != nil {
		return err
	}
	if !w.wait(until(o.last)) {
		w.deaf = true
	}
	return nil
}

// op is what a shape asks for.
type op byte

const (
	opSilence   op = iota + 1 // last
	opDelay                   // wait, last
	opDrip                    // n, wait, last
	opJoin                    // n
	opFlush                   // what opJoin holds
	opSplitAll                // n
	opSplit                   // n, of the next frame
	opCut                     // n, of the next frame
	opRaw                     // bytes
	opReset                   //
	opClose                   //
	opHalfClose               //
)

// shape is an instruction to the shaper, in the stream of frames.
type shape struct {
	op    op
	n     int
	wait  time.Duration
	last  time.Duration
	bytes []byte
}

// shapeMark begins a shape: no frame is that long.
const shapeMark = 0xfffffff0

const shapeHead = 4 + 4 + 1 + 3*8 // mark, length of the rest, op, three numbers

func (o shape) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, shapeMark)
	dst = binary.BigEndian.AppendUint32(dst, uint32(shapeHead-8+len(o.bytes)))
	dst = append(dst, byte(o.op))
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.n))
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.wait))
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.last))
	return append(dst, o.bytes...)
}

// parseShape returns the length of the whole frame or shape at the beginning
// of b, 0 when it has not come whole, and the shape if it is one.
func parseShape(b []byte) (o shape, n int, isShape bool) {
	if len(b) < 4 {
		return o, 0, false
	}
	head := binary.BigEndian.Uint32(b)
	if head <= wire.MaxFrame {
		if n = 4 + int(head); n > len(b) {
			n = 0
		}
		return o, n, false
	}
	if len(b) < shapeHead {
		return o, 0, true
	}
	n = 8 + int(binary.BigEndian.Uint32(b[4:]))
	if n > len(b) {
		return o, 0, true
	}
	number := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	return shape{
		op: op(b[8]), n: int(number(9)), wait: time.Duration(number(17)), last: time.Duration(number(25)), bytes: b[shapeHead:n],
	}, n, true
}
