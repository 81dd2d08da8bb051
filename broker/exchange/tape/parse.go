package tape

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"robotrader/broker/market"
)

// maxLine bounds a line's length; the longest honest one has about 120 bytes.
const maxLine = 1024

// What a line may hold at most: beyond it a number is taken for a mistake, and
// sums of a day still fit a quantity.
var (
	maxPrice     = market.MustPrice("10000000")  // dollars
	maxDayVolume = market.Shares(50_000_000_000) // of one New York day
)

// parser reads one file line by line.
type parser struct {
	c      *CSV
	names  []string // of the columns
	line   int      // counted from 1, the header
	fields [8][]byte
	venue  map[string]uint16
	prev   int64      // the time of the line before
	day    int64      // the end of the newest day of c.days
	volume market.Qty // of that day so far
	told   bool       // a trade of that day moved last
}

// read fills c from r.
func (c *CSV) read(r io.Reader) error {
	p := parser{c: c, venue: make(map[string]uint16), prev: math.MinInt64, day: math.MinInt64}
	sc := bufio.NewScanner(bufio.NewReaderSize(r, 64<<10))
	sc.Buffer(make([]byte, 0, maxLine), maxLine)
	for sc.Scan() {
		p.line++
		text := bytes.TrimSuffix(sc.Bytes(), []byte("\r"))
		var err error
		if p.line == 1 {
			err = p.header(text)
		} else {
			err = p.record(text)
		}
		if err != nil {
			return err
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		p.line++
		return p.fault("a line of more than %d bytes: is this a CSV file?", maxLine)
	} else if err != nil {
		return fmt.Errorf("tape: %s: line %d: %w", c.name, p.line+1, err)
	}
	if c.lines() == 0 {
		p.line = max(p.line, 1)
		return p.fault("no line of data: the file is empty")
	}
	return nil
}

func (p *parser) fault(format string, a ...any) error {
	return fmt.Errorf("tape: %s: line %d: %s: %w", p.c.name, p.line, fmt.Sprintf(format, a...), ErrBadFile)
}

// bad is a fault of one column.
func (p *parser) bad(column int, mend string) error {
	return p.fault("column %s: %.60q: %s", p.names[column], p.fields[column], mend)
}

func (p *parser) header(text []byte) error {
	head := string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) // a spreadsheet's byte order mark
	switch head {
	case barsHeader, tradesHeader, dailyHeader:
	default:
		return p.fault("header %.120q is none of %q, %q, %q", head, barsHeader, tradesHeader, dailyHeader)
	}
	p.c.layout, p.names = head, strings.Split(head, ",")
	return nil
}

func (p *parser) record(text []byte) error {
	if p.line-1 > MaxLines {
		return p.fault("more than %d lines of data: split the file", MaxLines)
	}
	n := 0
	for rest, more := text, true; more; n++ {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte(","))
		if n < len(p.fields) {
			p.fields[n] = field
		}
	}
	if n != len(p.names) {
		return p.fault("%d columns in %.80q, the header has %d", n, text, len(p.names))
	}
	switch p.c.layout {
	case tradesHeader:
		return p.trade()
	case dailyHeader:
		return p.daily()
	}
	return p.bar()
}

// time reads column 0 as RFC 3339.
func (p *parser) time() (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, string(p.fields[0]))
	if err != nil {
		return 0, p.bad(0, `want a time such as "2014-06-05T09:30:00-04:00"`)
	}
	if y := t.Year(); y < 1900 || y > 2200 {
		return 0, p.bad(0, "want a year from 1900 to 2200")
	}
	return t.UnixNano(), nil
}

// present notes the day of a time as one that the file has, and adds to its
// volume, which column told.
func (p *parser) present(at int64, volume market.Qty, column int) error {
	if at >= p.day {
		day := clockAt(time.Unix(0, at).In(p.c.zone), 0, p.c.zone)
		p.c.days = append(p.c.days, day)
		p.day = clockAt(day.AddDate(0, 0, 1), 0, p.c.zone).UnixNano()
		p.volume, p.told = market.Qty{}, false
	}
	if maxDayVolume.Sub(p.volume).Less(volume) {
		return p.bad(column, fmt.Sprintf("makes a day of more than %v shares: is the column right?", maxDayVolume))
	}
	p.volume = p.volume.Add(volume)
	return nil
}

// price reads a column as a price above 0.
func (p *parser) price(column int) (market.Price, error) {
	v, err := market.ParsePrice(p.fields[column])
	if err != nil {
		return v, p.bad(column, "want a plain decimal with at most eight decimals")
	}
	if v.Sign() <= 0 {
		return v, p.bad(column, "want a price above 0")
	}
	if maxPrice.Less(v) {
		return v, p.bad(column, fmt.Sprintf("want a price of at most %v", maxPrice))
	}
	return v, nil
}

// side reads a column as a price, or as unknown when it is empty.
func (p *parser) side(column int) (market.Price, error) {
	if len(p.fields[column]) == 0 {
		return market.Price{}, nil
	}
	return p.price(column)
}

func (p *parser) qty(column int) (market.Qty, error) {
	v, err := market.ParseQty(p.fields[column])
	if err != nil {
		return v, p.bad(column, "want a plain decimal with at most eight decimals")
	}
	if v.Sign() < 0 {
		return v, p.bad(column, "want 0 or more")
	}
	return v, nil
}

func (p *parser) bar() error {
	start, err := p.time()
	if err != nil {
		return err
	}
	if start%int64(time.Minute) != 0 {
		return p.bad(0, "a minute bar starts at a whole minute")
	}
	if start <= p.prev {
		return p.bad(0, "is not after the line before: sort the file by time and leave out repetitions")
	}
	b := barLine{start: start, end: start + int64(time.Minute)}
	if err := p.prices(&b); err != nil {
		return err
	}
	if b.bid, err = p.side(6); err != nil {
		return err
	}
	if b.ask, err = p.side(7); err != nil {
		return err
	}
	p.prev = start
	p.c.bars = append(p.c.bars, b)
	return p.present(start, b.volume, 5)
}

// prices reads columns 1 to 5, open to volume.
func (p *parser) prices(b *barLine) (err error) {
	for i, to := range []*market.Price{&b.open, &b.high, &b.low, &b.close} {
		if *to, err = p.price(1 + i); err != nil {
			return err
		}
	}
	if b.volume, err = p.qty(5); err != nil {
		return err
	}
	for _, in := range []market.Price{b.open, b.low, b.close} {
		if b.high.Less(in) {
			return p.bad(2, fmt.Sprintf("is below the bar's %v: the high is the highest of its prices", in))
		}
		if in.Less(b.low) {
			return p.bad(3, fmt.Sprintf("is above the bar's %v: the low is the lowest of its prices", in))
		}
	}
	return nil
}

func (p *parser) daily() error {
	day, err := time.ParseInLocation(time.DateOnly, string(p.fields[0]), p.c.zone)
	if err != nil {
		return p.bad(0, `want a date such as "2014-06-05"`)
	}
	if y := day.Year(); y < 1900 || y > 2200 {
		return p.bad(0, "want a year from 1900 to 2200")
	}
	regular := p.c.session(day).Regular
	b := barLine{start: regular.Open.UnixNano(), end: regular.Close.UnixNano()}
	if b.start <= p.prev {
		return p.bad(0, "is not after the line before: sort the file by date and leave out repetitions")
	}
	if err := p.prices(&b); err != nil {
		return err
	}
	p.prev = b.start
	p.c.bars = append(p.c.bars, b)
	return p.present(b.start, b.volume, 5)
}

func (p *parser) trade() error {
	at, err := p.time()
	if err != nil {
		return err
	}
	if at < p.prev {
		return p.bad(0, "is before the line before: sort the file by time")
	}
	t := tradeLine{at: at}
	if t.price, err = p.price(1); err != nil {
		return err
	}
	if t.size, err = p.qty(2); err != nil {
		return err
	}
	if t.size.IsZero() {
		return p.bad(2, "a trade has a size above 0")
	}
	if t.venue, err = p.exchange(3); err != nil {
		return err
	}
	switch string(p.fields[4]) {
	case "0":
	case "1":
		t.suspicious = true
	default:
		return p.bad(4, "want 0 or 1")
	}
	p.prev = at
	if err := p.present(at, t.size, 2); err != nil {
		return err
	}
	t.opens = !p.told && !t.suspicious
	p.told = p.told || t.opens
	p.c.trades = append(p.c.trades, t)
	return nil
}

// maxVenues bounds the exchanges of a file; there are about twenty.
const maxVenues = 256

// exchange reads a column as the name of an exchange, empty when unknown.
func (p *parser) exchange(column int) (uint16, error) {
	name := p.fields[column]
	if i, ok := p.venue[string(name)]; ok {
		return i, nil
	}
	for _, ch := range name {
		if (ch < 'A' || ch > 'Z') && (ch < '0' || ch > '9') || len(name) > 12 {
			return 0, p.bad(column, "want up to 12 of A-Z and 0-9")
		}
	}
	if len(p.venue) == maxVenues {
		return 0, p.bad(column, fmt.Sprintf("more than %d exchanges: is the column right?", maxVenues))
	}
	i := uint16(len(p.c.venues))
	p.c.venues = append(p.c.venues, string(name))
	p.venue[string(name)] = i
	return i, nil
}
