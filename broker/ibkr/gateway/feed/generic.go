package feed

import (
	"strconv"
	"strings"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// generic is a set of generic ticks.
type generic uint16

const (
	genMisc       generic = 1 << iota // 165
	genMark                           // 221, 232
	genRTVolume                       // 233
	genShortable                      // 236
	genTradeCount                     // 293
	genTradeRate                      // 294
	genVolumeRate                     // 295
	genLastRTH                        // 318
	genRTTrades                       // 375
)

// Tick types that only generic ticks have, section 4.2.
const (
	tickLow13Week       wire.TickType = 15 // 16 high, then 26 and 52 weeks
	tickAverageVolume   wire.TickType = 21
	tickTradeRate       wire.TickType = 55
	tickVolumeRate      wire.TickType = 56
	tickLastRTH         wire.TickType = 57
	tickRTTradeVolume   wire.TickType = 77
	tickShortableShares wire.TickType = 89
)

// legalGenerics are the generic ticks of a stock, in the venue's order and
// words (from general knowledge). Those without a bit are taken and tell
// nothing, because there is nothing: no options, auctions, news or dividends
// are played.
var legalGenerics = []struct {
	ids  string // several mean the same
	name string
	bit  generic
}{
	{"100", "Option Volume", 0},
	{"101", "Option Open Interest", 0},
	{"104", "Historical Volatility", 0},
	{"105", "Average Opt Volume", 0},
	{"106", "impvolat", 0},
	{"162", "Index Future Premium", 0},
	{"165", "Misc. Stats", genMisc},
	{"221/220", "Creditman, Mark Price", genMark},
	{"225", "Auction", 0},
	{"232/221", "Mark Price", genMark},
	{"233", "RTVolume", genRTVolume},
	{"236", "inventory", genShortable},
	{"258/47", "Fundamentals", 0},
	{"292", "Wide_news", 0},
	{"293", "TradeCount", genTradeCount},
	{"294", "TradeRate", genTradeRate},
	{"295", "VolumeRate", genVolumeRate},
	{"318", "LastRTHTrade", genLastRTH},
	{"375", "RTTrdVolume", genRTTrades},
	{"411", "rthistvol", 0},
	{"456/59", "IBDividends", 0},
	{"460", "Bond Factor Multiplier", 0},
	{"576", "EtfNavBidAsk(navbid)", 0},
	{"577", "EtfNavLast(navlast)", 0},
	{"578", "EtfNavClose(navclose)", 0},
	{"586", "IPOPrices", 0},
	{"587", "Pl Price Delayed", 0},
	{"588", "Futures Open Interest", 0},
	{"595", "Short-Term Volume X Mins", 0},
	{"614", "EtfNavMisc(high/low)", 0},
	{"619", "Creditman Slow Mark Price", 0},
	{"623", "EtfFrozenNavLast(fznavlast)", 0},
}

// maxGenerics bounds the text of a list: all that is legal is shorter.
const maxGenerics = 4 << 10

// parseGenerics reads a list such as "mdoff,233,236". mdoff leaves out the
// ticks that are not generic.
func parseGenerics(list string) (bits generic, noTop bool, err error) {
	if len(list) > maxGenerics {
		return 0, false, refuse("Generic tick list of %d bytes, at most %d", len(list), maxGenerics)
	}
	for item := range strings.SplitSeq(list, ",") {
		id, _, _ := strings.Cut(strings.TrimSpace(item), ":") // "292:BRFG" names a provider
		switch id {
		case "":
			continue
		case "mdoff":
			noTop = true
			continue
		}
		bit, ok := legalGeneric(id)
		if !ok {
			return 0, false, refuse("Incorrect generic tick list of %.200s.  Legal ones for (STK) are: %s", list, legalText())
		}
		bits |= bit
	}
	return bits, noTop, nil
}

func legalGeneric(id string) (bit generic, ok bool) {
	for _, g := range legalGenerics {
		for one := range strings.SplitSeq(g.ids, "/") {
			if one == id {
				return g.bit, true
			}
		}
	}
	return 0, false
}

func legalText() string {
	var all []string
	for _, g := range legalGenerics {
		all = append(all, g.ids+"("+g.name+")")
	}
	return strings.Join(all, ",")
}

// startGenerics tells what is known of a line's generic ticks.
func (l *line) startGenerics() {
	if l.generics == 0 {
		return
	}
	b := l.book
	if l.generics&genShortable != 0 {
		l.number(wire.TickShortable, 3) // above 2.5: at least 1000 shares are there
		l.size(tickShortableShares, market.Shares(shortable(b.symbol)))
	}
	if l.generics&genMark != 0 {
		if p, ok := b.markPrice(); ok {
			l.price(wire.TickMark, p, market.Qty{}, 0)
			b.mark = &p
		}
	}
	if l.generics&genLastRTH != 0 {
		if m, ok := l.client.v.X.Market(b.symbol); ok && b.open(m.Quote.LastAt, true) {
			l.optional(tickLastRTH, m.Quote.Last, nil)
		}
	}
	l.counts()
	if l.generics&genMisc != 0 {
		l.startMisc()
	}
}

func (l *line) number(kind wire.TickType, value float64) {
	l.client.Send(wire.TickGeneric{ReqID: l.req, Type: kind, Value: &value})
}

// shortable is how many shares of a symbol there are to borrow: made up, some
// thousands that the name decides.
func shortable(s market.Symbol) int64 { return int64(1+hash(string(s))%900) * 10_000 }

// counts tells the day's trades and the rates of the last whole minute.
func (l *line) counts() {
	b := l.book
	if l.generics&genTradeCount != 0 && b.day.trades > 0 {
		l.number(wire.TickTradeCount, float64(b.day.trades))
	}
	if b.rate.end.IsZero() {
		return
	}
	if l.generics&genTradeRate != 0 {
		l.number(tickTradeRate, float64(b.rate.trades))
	}
	if l.generics&genVolumeRate != 0 {
		if v, err := strconv.ParseFloat(b.rate.volume.String(), 64); err == nil {
			l.number(tickVolumeRate, v)
		}
	}
}

// tradeGenerics tells what a trade did to a line's generic ticks.
func (l *line) tradeGenerics(ev *tape.Event) {
	if l.generics == 0 {
		return
	}
	if l.generics&genRTVolume != 0 {
		l.rtVolume(wire.TickRTVolume, ev)
	}
	if ev.Suspicious {
		return
	}
	if l.generics&genRTTrades != 0 {
		l.rtVolume(tickRTTradeVolume, ev)
	}
	if l.generics&genLastRTH != 0 && l.book.open(ev.At, true) {
		l.price(tickLastRTH, ev.Price, market.Qty{}, 0)
	}
	l.counts()
}

// rtVolume tells a trade as "price;size;time in ms;day's volume;average;single",
// section 4.2. Every print is a single market maker's here.
func (l *line) rtVolume(kind wire.TickType, ev *tape.Event) {
	out := &l.client.f.out.text
	day := &l.book.day
	t, _ := ev.Price.AppendText(out.Text[:0])
	t, _ = ev.Size.AppendText(append(t, ';'))
	t = strconv.AppendInt(append(t, ';'), ev.At.UnixMilli(), 10)
	t, _ = day.volume.AppendText(append(t, ';'))
	t, _ = day.average(ev.Price).AppendText(append(t, ';'))
	out.ReqID, out.Type, out.Text = l.req, kind, append(t, ";true"...)
	l.client.Send(out)
}

// tellMark tells the mark price where it changed.
func (b *book) tellMark() {
	told := false
	for _, l := range b.lines {
		if l.generics&genMark == 0 {
			continue
		}
		if !told {
			p, ok := b.markPrice()
			if !ok || !changed(&b.mark, &p) {
				return
			}
			told = true
		}
		l.price(wire.TickMark, *b.mark, market.Qty{}, 0)
	}
}

// markPrice is the last price, moved to the quote when it is outside of it:
// how the venue marks, from general knowledge.
func (b *book) markPrice() (p market.Price, ok bool) {
	m, listed := b.f.v.X.Market(b.symbol)
	if !listed || m.Quote.Last == nil {
		return p, false
	}
	p = *m.Quote.Last
	if b.bid.Known && p.Less(b.bid.Price) {
		p = b.bid.Price
	}
	if b.ask.Known && b.ask.Price.Less(p) {
		p = b.ask.Price
	}
	return p, true
}

// misc is what generic tick 165 tells, of one day's sight.
type misc struct {
	until     time.Time // good until then
	low, high [3]*market.Price
	volume    *market.Qty // the day's average
}

// miscWeeks are the spans of its lows and highs.
var miscWeeks = [...]int{13, 26, 52}

// startMisc tells the lows and highs of 13, 26 and 52 weeks and the average
// volume, once they are known.
func (l *line) startMisc() {
	b, f, at := l.book, l.book.f, l.book.f.v.At
	if b.year != nil && at.Before(b.year.until) {
		l.tellMisc(b.year)
		return
	}
	symbol, past, zone := b.symbol, f.past, f.v.Zone
	f.v.Defer(l.client.Peer, func() func() { // refused: a busy session is told nothing
		year := newMisc(past, symbol, at, zone)
		return func() {
			b.year = year
			if l.client.lines[l.req] == l {
				l.tellMisc(year)
			}
		}
	})
}

// newMisc looks at the days of a year before at. What cannot be known is not.
func newMisc(past tape.Past, symbol market.Symbol, at time.Time, zone *time.Location) *misc {
	y, mo, d := at.In(zone).Date()
	today := time.Date(y, mo, d, 0, 0, 0, 0, zone)
	m := &misc{until: today.AddDate(0, 0, 1)}
	bars, err := past.Bars(tape.BarsQuery{Symbol: symbol, From: today.AddDate(0, 0, -52*7), End: today, Width: day})
	if err != nil || len(bars) == 0 {
		return m
	}
	var sum market.Qty
	for i := range bars {
		bar := &bars[i]
		sum = sum.Add(bar.Volume)
		for k, weeks := range miscWeeks {
			if bar.Start.Before(today.AddDate(0, 0, -7*weeks)) {
				continue
			}
			if m.low[k] == nil || bar.Low.Less(*m.low[k]) {
				m.low[k] = &bar.Low
			}
			if m.high[k] == nil || m.high[k].Less(bar.High) {
				m.high[k] = &bar.High
			}
		}
	}
	average := sum.Float() / float64(len(bars))
	m.volume = market.Shares(int64(average)).Ptr()
	return m
}

func (l *line) tellMisc(m *misc) {
	for k := range miscWeeks {
		l.optional(tickLow13Week+wire.TickType(2*k), m.low[k], nil)
		l.optional(tickLow13Week+wire.TickType(2*k)+1, m.high[k], nil)
	}
	if m.volume != nil {
		l.size(tickAverageVolume, *m.volume)
	}
}
