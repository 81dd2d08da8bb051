package wire

import (
	"testing"

	"robotrader/broker/market"
)

var tickFrames = [][]byte{
	[]byte("1\x006\x001001\x001\x00255.45\x00200\x000\x00"),
	[]byte("2\x006\x001001\x000\x00200\x00"),
	[]byte("1\x006\x001001\x002\x00255.47\x00300\x000\x00"),
	[]byte("46\x006\x001001\x0045\x001775425766\x00"),
	[]byte("1\x006\x001001\x004\x001.2E-1\x00100\x000\x00"), // as Java prints what is small
}

// ticks is what a session keeps to decode into.
type ticks struct {
	price TickPrice
	size  TickSize
	text  TickString
}

func (k *ticks) decode(v Version, payload []byte) error {
	switch id, _ := PeekID(payload); id {
	case IDTickPrice:
		return k.price.Decode(v, payload)
	case IDTickSize:
		return k.size.Decode(v, payload)
	default:
		return k.text.Decode(v, payload)
	}
}

func TestTickDecodeDoesNotAllocate(t *testing.T) {
	var k ticks
	if n := testing.AllocsPerRun(1000, func() {
		for _, f := range tickFrames {
			if err := k.decode(200, f); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d ticks, want 0", n, len(tickFrames))
	}
	if err := k.price.Decode(200, tickFrames[1]); err == nil {
		t.Error("a tickSize was read as a tickPrice")
	}
	if err := k.size.Decode(175, tickFrames[1]); err == nil {
		t.Error("version 175 was accepted")
	}
	if s, ok := k.text.Epoch(); !ok || s != 1775425766 {
		t.Errorf("got %d, %v", s, ok)
	}
}

// TestTickByTickDecodeDoesNotAllocate shows the same for tick-by-tick data, as
// long as the exchange stays the same.
func TestTickByTickDecodeDoesNotAllocate(t *testing.T) {
	trade := []byte("99\x001\x001\x001775136600\x00255.45\x00100\x003\x00NASDAQ\x00 FT\x00")
	quote := []byte("99\x001\x003\x001775136600\x00255.44\x00255.46\x00200\x00300\x001\x00")
	var k, q TickByTick
	if err := k.Decode(200, trade); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if k.Decode(200, trade) != nil || q.Decode(200, quote) != nil {
			t.Fatal("not decoded")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a trade and a quote, want 0", n)
	}
	for _, in := range [][]byte{trade, quote} { // whatever was there before
		want, err := DecodeServerStrict(200, in)
		if err != nil || k.Decode(200, in) != nil || k != want {
			t.Errorf("%q: %+v, want %+v, %v", in, k, want, err)
		}
	}
}

// TestTickAppendDoesNotAllocate shows that a server writes ticks into its
// queue's memory.
func TestTickAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 512)
	price := TickPrice{ReqID: 1001, Type: TickBid, Price: market.MustPrice("255.45"), Size: market.Shares(200)}
	size := TickSize{ReqID: 1001, Type: TickBidSize, Size: market.Shares(200)}
	trade := TickByTick{ReqID: 1, Kind: TBTLast, Time: 1775136600, Price: price.Price, Size: price.Size, Exchange: "NASDAQ"}
	if n := testing.AllocsPerRun(1000, func() {
		for range 2 {
			_, err1 := price.Append(buf, 200)
			_, err2 := size.Append(buf, 200)
			_, err3 := trade.Append(buf, 200)
			if err1 != nil || err2 != nil || err3 != nil {
				t.Fatal(err1, err2, err3)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// BenchmarkAppendTick writes one tick an iteration.
func BenchmarkAppendTick(b *testing.B) {
	buf := make([]byte, 0, 512)
	m := TickPrice{ReqID: 1001, Type: TickBid, Price: market.MustPrice("255.45"), Size: market.Shares(200)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Append(buf, 200); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeTick decodes one tick an iteration: 1000 ns would be the
// million a second that one core must reach.
func BenchmarkDecodeTick(b *testing.B) {
	var k ticks
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := k.decode(200, tickFrames[i]); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(tickFrames) {
			i = 0
		}
	}
}
