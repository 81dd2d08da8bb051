package gateway

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// note is a frame of the queue's model.
type note struct {
	k class
	n uint32 // its number, in the order of put
}

const noteLen = 8

func (n note) grow(dst []byte) []byte {
	dst = append(dst, byte(n.k.place), byte(n.k.req), byte(n.k.tick), 0)
	return binary.BigEndian.AppendUint32(dst, n.n)
}

func readNotes(t *rapid.T, b []byte) []note {
	var list []note
	for ; len(b) >= noteLen; b = b[noteLen:] {
		k := class{place(b[0]), int(b[1]), wire.TickType(b[2])}
		list = append(list, note{k, binary.BigEndian.Uint32(b[4:])})
	}
	if len(b) != 0 {
		t.Fatalf("a part of a frame left the queue: % x", b)
	}
	return list
}

// taken checks what left a queue against what was put, both whole.
func taken(t *rapid.T, put, out []note) {
	newest, at := map[class]uint32{}, map[uint32]int{}
	for _, n := range put {
		if n.k.place == quoted {
			newest[n.k] = n.n
		}
	}
	told := map[class]uint32{}
	order := uint32(0) // of the frames that may not move
	for i, n := range out {
		at[n.n] = i
		if n.k.place == quoted {
			if told[n.k] >= n.n {
				t.Fatalf("quote %d was told after the newer %d", n.n, told[n.k])
			}
			told[n.k] = n.n
			continue
		}
		if n.n <= order {
			t.Fatalf("frame %d left after %d", n.n, order)
		}
		order = n.n
	}
	for k, n := range newest {
		if told[k] != n {
			t.Fatalf("of the quotes %v the newest is %d, and %d was told last", k, n, told[k])
		}
	}
	var before []uint32 // frames in order that were put already
	for _, n := range put {
		i, there := at[n.n]
		if n.k.place != quoted {
			if !there {
				t.Fatalf("frame %d was lost", n.n)
			}
			if n.k.place == edge {
				edgeHolds(t, out, n, i)
			}
			before = append(before, n.n)
			continue
		}
		if there && len(before) > 0 && at[before[len(before)-1]] > i {
			t.Fatalf("quote %d overtook frame %d", n.n, before[len(before)-1])
		}
	}
}

// edgeHolds checks that no quote that was put before an edge is told after it.
func edgeHolds(t *rapid.T, out []note, e note, at int) {
	for _, n := range out[at+1:] {
		if n.n < e.n {
			t.Fatalf("frame %d was told after the edge %d", n.n, e.n)
		}
	}
}

// Whatever is put, released and taken: frames keep their order and number,
// quotes may only be left out for newer ones or come later, and nothing else of
// a cause leaves before it is complete.
func TestQueueAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		conflate := rapid.SampledFrom([]int{0, 1, 5 * noteLen, 50 * noteLen}).Draw(t, "conflate")
		q := newQueue(1<<30, conflate)
		var put, out []note
		var batch []byte
		released, writing := 0, 0
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); what {
			case 0:
				q.release()
				released = len(put)
			case 1:
				batch, _ = q.take(batch)
				writing = len(batch)
				list := readNotes(t, batch)
				for _, f := range list {
					if int(f.n) > released && f.k.place != quoted { // a quote alone may go ahead of its cause
						t.Fatalf("frame %d left before its cause was complete, at %d", f.n, released)
					}
				}
				if conflate == 0 && len(out)+len(list) != released { // nothing may be left out
					t.Fatalf("%d frames have left of %d, and none may be left out", len(out)+len(list), released)
				}
				out = append(out, list...)
			case 2:
				if writing > 0 {
					q.wrote(writing)
					writing = 0
				}
			default:
				k := ordered
				switch {
				case what > 4:
					k = class{quoted, rapid.IntRange(1, 3).Draw(t, "req"), wire.TickType(rapid.IntRange(1, 2).Draw(t, "tick"))}
				case what == 4:
					k = class{place: edge}
				}
				f := note{k, uint32(len(put) + 1)}
				if !q.put(k, f.grow) {
					t.Fatal("refused below the bound")
				}
				put = append(put, f)
			}
		}
		q.end()
		batch, last := q.take(batch)
		if !last {
			t.Fatal("the end was not told")
		}
		taken(t, put, append(out, readNotes(t, batch)...))
	})
}

func TestQueueBound(t *testing.T) {
	q := newQueue(100, 0)
	frame := func(n int) func([]byte) []byte {
		return func(dst []byte) []byte { return append(dst, make([]byte, n)...) }
	}
	for i, tt := range []struct {
		bytes int
		fits  bool
	}{{1000, true}, {1, false}, {1, false}} {
		if got := q.put(ordered, frame(tt.bytes)); got != tt.fits {
			t.Errorf("put %d of %d bytes: %v", i, tt.bytes, got)
		}
	}
	q.release()
	if b, _ := q.take(nil); len(b) != 1000 {
		t.Errorf("%d bytes left", len(b))
	}
	if q.put(ordered, frame(1)) {
		t.Error("a queue that refused once takes more: the order would have a gap")
	}
}

func TestHeldQuotesAreBounded(t *testing.T) {
	q := newQueue(1<<20, 1)
	q.put(ordered, func(dst []byte) []byte { return append(dst, 1, 2) })
	for n := range uint32(100_000) {
		f := note{class{quoted, int(n % 100), wire.TickBid}, n}
		q.put(f.k, f.grow)
	}
	if got := cap(q.held.bytes); got > 100*noteLen*8 {
		t.Errorf("100 streams hold %d bytes", got)
	}
}

// What 31 clients get while one does not read is what they would
// have got without it, by count.
func TestAStalledClientTakesNothingFromOthers(t *testing.T) {
	const others, trades = 31, 3000
	s := start(t, &script{}, func(c *Config) { c.Speed, c.MaxRate = 1, 0 })
	stalled, _ := join(t, s, MaxVersion, 99)
	stalled.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	stalled.sync()
	peers := make([]*peer, others)
	for i := range peers {
		peers[i], _ = join(t, s, MaxVersion, i)
		peers[i].send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
		peers[i].sync()
	}
	counts := make(chan int, others)
	for _, p := range peers {
		go func() {
			n := 0
			for n < trades {
				payload, err := wire.ReadFrame(p.in, nil)
				if err != nil {
					break
				}
				if m, err := wire.DecodeServer(p.v, payload); err == nil {
					if tick, ok := m.(wire.TickPrice); ok && tick.Type == wire.TickLast {
						n++
					}
				}
			}
			counts <- n
		}()
	}
	for i := range trades {
		s.Inject(quote(0, "187.24", "187.26"))
		s.Inject(trade(0, []string{"187.25", "187.26"}[i%2]))
	}
	for range peers {
		if n := <-counts; n != trades {
			t.Errorf("a client got %d of %d trades", n, trades)
		}
	}
	s.lock()
	c := s.clients[99]
	s.unlock()
	if c == nil {
		t.Fatal("the stalled client was cut off before its queue was full")
	}
	// It is slow, not gone: when it reads, all its trades are there, and the
	// newest quote came last.
	n := 0
	for n < trades {
		m, err := stalled.read()
		if err != nil {
			t.Fatalf("after %d trades: %v", n, err)
		}
		if tick, ok := m.(wire.TickPrice); ok && tick.Type == wire.TickLast {
			n++
		}
	}
}

// A client that reads nothing while quotes come keeps its session, and what it
// then gets is little, and ends with the newest quote.
func TestQuotesOfAStalledClientAreConflated(t *testing.T) {
	s := start(t, &script{}, func(c *Config) { c.Speed = 1 })
	p, _ := join(t, s, MaxVersion, 1)
	p.send(wire.ReqMktData{ReqID: 1, Contract: aapl()})
	p.sync()
	const quotes = 100_000 // some 4 MB, many times what the sockets hold
	for i := range quotes {
		bid := market.MustPrice("100").Add(market.MustPrice("0.01").Times(int64(i % 5000)))
		s.Inject(quote(0, bid.String(), "187.26"))
	}
	s.Inject(quote(0, "150", "151"))
	// The work above is the machine's, not the gateway's answer.
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, m := range p.sync() {
		tick, ok := m.(wire.TickPrice)
		if !ok {
			continue
		}
		got++
		if tick.Type == wire.TickBid && tick.Price.String() == "150" {
			if got > quotes/2 {
				t.Errorf("%d quotes were kept for a client that did not read", got)
			}
			return
		}
	}
	// The newest may have been held back behind the answer.
	for {
		m := p.next()
		if tick, ok := m.(wire.TickPrice); ok && tick.Type == wire.TickBid && tick.Price.String() == "150" {
			return
		}
	}
}

func TestWriterHasADeadlineForEachPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		q := newQueue(1<<20, 0)
		q.put(ordered, func(dst []byte) []byte { return append(dst, make([]byte, 3*maxWrite)...) })
		q.end()
		done := make(chan error, 1)
		go func() { done <- q.writeTo(near, 50*time.Millisecond) }()
		if n, err := io.ReadFull(far, make([]byte, maxWrite)); err != nil {
			t.Fatal(n, err)
		}
		var timeout net.Error
		if err := <-done; !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
		_ = near.Close()
	})
}

// TestAClientThatLeftIsNotWaitedForLong has a client read on slowly after its
// session has ended: its writer ends with the one deadline of all that is left.
func TestAClientThatLeftIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		q := newQueue(1<<30, 0)
		q.put(ordered, func(dst []byte) []byte { return append(dst, make([]byte, 100*maxWrite)...) })
		begun := time.Now()
		q.end()
		done := make(chan error, 1)
		go func() { done <- q.writeTo(near, 30*time.Second) }()
		read := make(chan struct{})
		go func() {
			defer close(read)
			for buf := make([]byte, maxWrite); ; time.Sleep(20 * time.Second) {
				if _, err := io.ReadFull(far, buf); err != nil {
					return
				}
			}
		}()
		var timeout net.Error
		if err := <-done; !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("the writer ended after %v, want 30s", took)
		}
		_ = near.Close()
		<-read
	})
}

func BenchmarkSend(b *testing.B) {
	s, err := New(lockStep(), shortDay(), quiet)
	if err != nil {
		b.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	for _, held := range []bool{false, true} {
		name := "in order"
		if held {
			name = "held back"
		}
		b.Run(name, func(b *testing.B) {
			c := newConn(s, near)
			c.version = MaxVersion
			if held {
				c.queue.conflate = 1
				c.queue.put(ordered, func(dst []byte) []byte { return append(dst, 1, 2) })
			}
			var batch []byte
			m := &wire.TickPrice{ReqID: 7, Type: wire.TickBid, Price: market.MustPrice("187.25"), Size: market.Shares(300)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.ReqID = i % 100
				c.Send(m)
				if i%1000 == 999 && !held {
					c.queue.release()
					batch, _ = c.queue.take(batch)
				}
			}
		})
	}
}
