package feed

import (
	"fmt"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// counter is a session that encodes all that it is sent into one buffer, as a
// queue with room does, and counts it.
type counter struct {
	id     int
	buf    []byte
	frames int
}

func (p *counter) ClientID() int         { return p.id }
func (p *counter) Version() wire.Version { return 200 }

func (p *counter) Send(m wire.Message) {
	buf, err := wire.AppendMessage(p.buf[:0], m, 200)
	if err != nil {
		panic(err)
	}
	p.buf = buf
	p.frames++
}

func (p *counter) Fail(int64, int, string, ...any) { panic("a request failed") }

// crowd is a feed with that many sessions, each of which has all symbols.
func crowd(t testing.TB, sessions, symbols int) (*rig, []*counter) {
	u, err := tape.NewUniverse(tape.UniverseConfig{Synthetic: tape.SyntheticConfig{Start: thursday}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range symbols {
		if err := u.Add(ticker(i), thursday); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, u, nil)
	peers := make([]*counter, sessions)
	for i := range peers {
		peers[i] = &counter{id: i}
		r.f.Join(peers[i])
		for k := range symbols {
			r.f.Handle(peers[i], wire.ReqMktData{ReqID: k, Contract: stock(ticker(k))})
		}
	}
	return r, peers
}

func ticker(i int) market.Symbol { return market.Symbol(fmt.Sprintf("A%c%c", 'A'+i/26, 'A'+i%26)) }

func crowdEvents(symbols int) []tape.Event {
	var list []tape.Event
	for i := range 2 * symbols {
		at, price := thursday.Add(time.Duration(i)*time.Millisecond), penny.Times(18700+int64(i%50))
		ev := tape.Event{At: at, Symbol: ticker(i % symbols), Kind: tape.Trade, Price: price, Size: market.Shares(100), Exchange: "Q"}
		if i%3 > 0 {
			level := tape.Level{Price: price, Size: market.Shares(300), Known: true}
			ev = tape.Event{At: at, Symbol: ev.Symbol, Kind: tape.Quote, Bid: level, Ask: level}
		}
		list = append(list, ev)
	}
	return list
}

// BenchmarkPublish tells one event to 32 sessions that have 100 symbols each.
func BenchmarkPublish(b *testing.B) {
	for _, sessions := range []int{0, 1, 32} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			const symbols = 100
			r, peers := crowd(b, sessions, symbols)
			events := crowdEvents(symbols)
			before := 0
			for _, p := range peers {
				before += p.frames
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				ev := events[n%len(events)]
				r.v.X.Apply(ev.At, ev)
				r.f.Publish(ev)
				n++
			}
			frames := -before
			for _, p := range peers {
				frames += p.frames
			}
			b.ReportMetric(float64(frames)/float64(n), "frames/op")
			if frames > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
			}
		})
	}
}

// TestPublishAllocatesForNobody holds that one more subscriber costs no
// allocation.
func TestPublishAllocatesForNobody(t *testing.T) {
	const symbols = 3
	events := crowdEvents(symbols)
	cost := func(sessions int) float64 {
		r, _ := crowd(t, sessions, symbols)
		return testing.AllocsPerRun(20, func() {
			for _, ev := range events {
				r.v.X.Apply(ev.At, ev)
				r.f.Publish(ev)
			}
		})
	}
	one, many := cost(1), cost(21)
	if many > one {
		t.Errorf("%v allocations for one session, %v for 21", one, many)
	}
	if none := cost(0); none > one {
		t.Errorf("%v allocations for nobody", none)
	}
}
