package gateway

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// BenchmarkFanOut pushes ticks to 32 clients with 100 symbols each over
// loopback TCP, as fast as it can, and with a client that does not read. One
// operation is one tick that a reading client got. The CPU time is that of
// gateway and clients together, which share the processors.
func BenchmarkFanOut(b *testing.B) {
	for _, stalled := range []int{0, 1} {
		b.Run(fmt.Sprintf("%d stalled", stalled), func(b *testing.B) { fanOut(b, 32, 100, stalled) })
	}
}

func fanOut(b *testing.B, clients, symbols, stalled int) {
	src := &many{symbols: symbols}
	cfg := DefaultConfig()
	cfg.MaxRate, cfg.ConflateAbove = 0, 0 // every quote is counted
	s, err := New(cfg, src, quiet)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Stop(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	var got atomic.Int64
	var readers sync.WaitGroup
	for i := range clients {
		conn := subscribe(b, s, i, symbols)
		defer conn.Close()
		if i < stalled {
			continue
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			drain(conn, &got)
		}()
	}
	reading := int64(clients - stalled)
	settle(&got)
	for i := range stalled {
		conflate(s, i)
	}
	before, cpu := got.Load(), cpuTime()
	b.ResetTimer()
	events := int64(0)
	for events*reading < int64(b.N) {
		s.Inject(src.quote(int(events)))
		events++
	}
	for got.Load()-before < events*reading {
		runtime.Gosched()
	}
	b.StopTimer()
	used := cpuTime() - cpu
	b.ReportMetric(float64(events*reading)/b.Elapsed().Seconds(), "ticks/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(events*reading), "cpu-ns/tick")
	if err := s.Stop(b.Context()); err != nil {
		b.Error(err)
	}
	readers.Wait()
}

// conflate has the quotes of one client conflated.
func conflate(s *Server, id int) {
	s.lock()
	defer s.unlock()
	q := s.clients[id].conn.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.conflate = DefaultConfig().ConflateAbove
}

// many plays no events of its own, for any number of symbols.
type many struct {
	script
	symbols int
}

func (m *many) name(i int) market.Symbol {
	return market.Symbol(fmt.Sprintf("S%c%c", 'A'+i/26%26, 'A'+i%26))
}

func (m *many) Symbols() []market.Symbol {
	var list []market.Symbol
	for i := range m.symbols {
		list = append(list, m.name(i))
	}
	return list
}

// quote is the n-th: a new bid, which is one tick for each subscriber.
func (m *many) quote(n int) tape.Event {
	ev := quote(0, "187.24", "187.26")
	ev.Symbol = m.name(n % m.symbols)
	ev.Bid.Price = ev.Bid.Price.Sub(market.MustPrice("0.01").Times(int64(n / m.symbols % 1000)))
	return ev
}

// subscribe makes a client with a stream of each symbol.
func subscribe(b *testing.B, s *Server, id, symbols int) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	out, err := wire.Hello{Min: 100, Max: MaxVersion}.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	add := func(m wire.Message) {
		if out, err = wire.AppendMessage(out, m, MaxVersion); err != nil {
			b.Fatal(err)
		}
	}
	add(wire.StartAPI{ClientID: id})
	for i := range symbols {
		add(wire.ReqMktData{ReqID: i + 1, Contract: wire.ContractOf(market.USStock((&many{}).name(i)))})
	}
	if _, err := conn.Write(out); err != nil {
		b.Fatal(err)
	}
	return conn
}

// drain counts the ticks that come, by their message ids, until the end.
func drain(conn net.Conn, got *atomic.Int64) {
	in := make([]byte, 64<<10)
	have := 0
	for {
		n, err := conn.Read(in[have:])
		if err != nil {
			return
		}
		have += n
		rest, ticks := in[:have], int64(0)
		for len(rest) >= 4 {
			size := int(rest[0])<<24 | int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
			if len(rest) < 4+size {
				break
			}
			if id, ok := wire.PeekID(rest[4 : 4+size]); ok && id == wire.IDTickPrice {
				ticks++
			}
			rest = rest[4+size:]
		}
		have = copy(in, rest)
		got.Add(ticks)
	}
}

// settle waits until no more ticks come by themselves.
func settle(got *atomic.Int64) {
	for before := int64(-1); before != got.Load(); {
		before = got.Load()
		<-time.After(200 * time.Millisecond)
	}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
