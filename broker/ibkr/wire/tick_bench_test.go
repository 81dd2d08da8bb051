package wire

import "testing"

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
