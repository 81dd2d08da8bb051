package wire

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"robotrader/broker/market"
)

// sample is how the tests come by values of one message: at random, and
// reduced to what a version, or the layout, can carry.
type sample struct {
	id     int
	client bool
	since  Version // the first one that has the message
	draw   func(*rapid.T) Message
	keep   func(Message, Version) Message
}

func (s sample) name() string {
	if s.client {
		return "client " + ClientName(s.id)
	}
	return "server " + Name(s.id)
}

func (s sample) strict() func(Version, []byte) (Message, error) {
	if s.client {
		return DecodeClientStrict
	}
	return DecodeServerStrict
}

func sampleOf[M Message](client bool, keep func(M, Version) M) sample {
	var zero M
	return sample{
		zero.ID(), client, MinVersion,
		func(t *rapid.T) Message { return draw[M](t, client) },
		func(m Message, v Version) Message { return keep(m.(M), v) },
	}
}

func (s sample) from(v Version) sample {
	s.since = v
	return s
}

// whole is for a message of which every version carries everything.
func whole[M Message](client bool) sample {
	return sampleOf(client, func(m M, _ Version) M { return m })
}

// roundTrip writes m, reads it back to the last field and wants the same.
func roundTrip(t *rapid.T, s sample, m Message, v Version) {
	t.Helper()
	b, err := m.Append(nil, v)
	if v < s.since {
		if !errors.Is(err, ErrVersion) {
			t.Fatalf("at %d: %q, %v, want ErrVersion", v, b, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("at %d: write %+v: %v", v, m, err)
	}
	got, err := s.strict()(v, b)
	if err != nil {
		t.Fatalf("at %d: read %q: %v", v, b, err)
	}
	if diff := difference(m, got); diff != "" {
		t.Fatalf("at %d: %q: (-want +got)\n%s", v, b, diff)
	}
	again, err := got.Append(nil, v)
	if err != nil || string(again) != string(b) {
		t.Fatalf("at %d: %q was written again as %q, %v", v, b, again, err)
	}
}

// difference is cmp.Diff, which takes long to find that there is none.
func difference(a, b Message) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return cmp.Diff(a, b, exact)
}

// TestConformance writes and reads every message of both tables, all of whose
// fields are drawn at random, at every version.
func TestConformance(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := s.draw(t)
				for v := MinVersion; v <= MaxVersion; v++ {
					roundTrip(t, s, s.keep(m, v), v)
				}
			})
		})
	}
}

func TestEveryMessageHasASample(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples {
		if seen[s.name()] {
			t.Errorf("%s has two samples", s.name())
		}
		seen[s.name()] = true
	}
	for _, name := range tableNames() {
		if !seen[name] {
			t.Errorf("%s has no sample", name)
		}
		delete(seen, name)
	}
	for name := range seen {
		t.Errorf("%s is in no table", name)
	}
}

// tableNames are the names that sample.name gives to the tables' rows.
func tableNames() (names []string) {
	for id := range serverTable {
		if serverTable[id].read != nil {
			names = append(names, "server "+Name(id))
		}
	}
	for id := range clientTable {
		if clientTable[id].read != nil {
			names = append(names, "client "+ClientName(id))
		}
	}
	return names
}

func sampleFor(client bool, id int) (sample, bool) {
	for _, s := range samples {
		if s.client == client && s.id == id {
			return s, true
		}
	}
	return sample{}, false
}

// encodings are some frames of a message, the same at each call: what fuzzing
// and the tests of broken frames begin with.
func (s sample) encodings(t testing.TB, versions ...Version) (out []frame) {
	t.Helper()
	values := rapid.Custom(func(t *rapid.T) Message {
		rapid.Bool().Draw(t, "some messages have no field, and rapid wants one draw")
		return s.draw(t)
	})
	for seed := range 4 {
		m := values.Example(seed)
		for _, v := range versions {
			if v < s.since {
				continue
			}
			b, err := s.keep(m, v).Append(nil, v)
			if err != nil {
				t.Fatalf("%s at %d: %v", s.name(), v, err)
			}
			out = append(out, frame{s.name(), s.client, v, b})
		}
	}
	return out
}

// TestLyingCounts puts a large number in the place of each field of each
// message in turn, before many empty fields. It must cost memory in
// proportion to the frame, whatever the number counts.
func TestLyingCounts(t *testing.T) {
	const size = 1 << 15
	empty := strings.Repeat("\x00", size)
	for _, s := range samples {
		for _, f := range s.encodings(t, 200)[:1] {
			fields := strings.SplitAfter(string(f.payload), "\x00")
			for at := 1; at < len(fields)-1; at++ {
				for _, count := range []int{size / 8, size / 3, size} {
					in := fmt.Sprint(strings.Join(fields[:at], ""), count, "\x00", empty)
					if got := allocated(func() { _, _ = s.strict()(200, []byte(in)) }); got > maxAllocation(len(in)) {
						t.Errorf("%s: field %d = %d: %d bytes allocated for a frame of %d", s.name(), at, count, got, len(in))
					}
				}
			}
		}
	}
}

// maxAllocation is what reading n bytes may cost: a slice of structs with an
// item for each few empty fields, and the smaller ones that it grew out of.
func maxAllocation(n int) uint64 { return uint64(1<<16 + 32*n) }

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestNinthDecimal shows that a price or size of market data with more digits
// than we hold loses no frame, and that what is no number is unset.
func TestNinthDecimal(t *testing.T) {
	long, want := "187.25000000000003", market.MustPrice("187.25")
	for _, tt := range []struct {
		in   string
		pick func(Message) market.Price
	}{
		{"1|6|1|1|%s|100|0|", func(m Message) market.Price { return m.(TickPrice).Price }},
		{"17|3|1|d|%[1]s|%[1]s|%[1]s|%[1]s|7.000000000001|%[1]s|-1|", func(m Message) market.Price { return m.(HistoricalData).Bars[0].Low }},
		{"90|3|-1|d|%[1]s|%[1]s|%[1]s|%[1]s|1|7.0000000001|", func(m Message) market.Price { return m.(HistoricalDataUpdate).Bar.High }},
		{"50|3|1|5|%[1]s|%[1]s|%[1]s|%[1]s|7.0000000001|NaN|3|", func(m Message) market.Price { return m.(RealTimeBar).Close }},
		{"99|1|1|5|%s|7.0000000001|0|X||", func(m Message) market.Price { return m.(TickByTick).Price }},
		{"99|1|3|5|%[1]s|%[1]s|7.0000000001|1|0|", func(m Message) market.Price { return m.(TickByTick).Ask }},
		{"99|1|4|5|%s|", func(m Message) market.Price { return m.(TickByTick).Price }},
		{"96|1|1|5|0|%s|7.0000000001|1|", func(m Message) market.Price { return m.(HistoricalTicks).Ticks[0].Price }},
		{"97|1|1|5|0|%[1]s|%[1]s|1|7.0000000001|1|", func(m Message) market.Price { return m.(HistoricalTicksBidAsk).Ticks[0].Bid }},
		{"98|1|1|5|0|%s|7.0000000001|X||1|", func(m Message) market.Price { return m.(HistoricalTicksLast).Ticks[0].Price }},
		{"12|1|1|0|0|1|%s|7.0000000001|", func(m Message) market.Price { return m.(MarketDepth).Price }},
		{"13|1|1|0|X|0|1|%s|7.0000000001|0|", func(m Message) market.Price { return m.(MarketDepthL2).Price }},
		{"93|26|1|0|%s|", func(m Message) market.Price { return m.(MarketRule).Increments[0].Increment }},
	} {
		in := strings.ReplaceAll(fmt.Sprintf(tt.in, long), "|", "\x00")
		m, err := DecodeServerStrict(200, []byte(in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := tt.pick(m); got != want {
			t.Errorf("%s: got %s, want %s", tt.in, got, want)
		}
	}
	for _, spelling := range []string{"", "1.7976931348623157E308", "NaN", "Infinity", "-Infinity"} {
		in := strings.ReplaceAll("1|6|1|1|"+spelling+"|"+spelling+"|0|", "|", "\x00")
		if m, err := DecodeServerStrict(200, []byte(in)); err != nil || m != (TickPrice{ReqID: 1, Type: TickBid, PriceUnset: true, SizeUnset: true}) {
			t.Errorf("%q: got %+v, %v", spelling, m, err)
		}
		in = strings.ReplaceAll("94|1|"+spelling+"|1.5|"+spelling+"|", "|", "\x00")
		if m, err := DecodeServerStrict(200, []byte(in)); err != nil || m.(PnL).Daily != nil || m.(PnL).Unrealized == nil {
			t.Errorf("%q: got %+v, %v", spelling, m, err)
		}
		// A bar without a price is no bar.
		in = strings.ReplaceAll("17|3|1|d|1|1|1|"+spelling+"|1|1|1|", "|", "\x00")
		if m, err := DecodeServer(200, []byte(in)); !errors.Is(err, ErrUnset) {
			t.Errorf("%q: got %+v, %v, want ErrUnset", spelling, m, err)
		}
	}
}
