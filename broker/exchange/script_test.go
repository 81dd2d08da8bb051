package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// script plays lines such as "BUY 100 STP stop=188", "print 187.25" or
// "at 15:59" against an exchange, and tells the reports as words with the
// number of the order before them: "#1 working".
type script struct {
	t   *testing.T
	x   *Exchange
	now time.Time
}

// newScript begins at noon of Monday, 2026-04-06, in New York. AAPL trades from
// 04:00 to 20:00 there, regularly from 09:30 to 16:00, until Wednesday; IBM is
// always open.
func newScript(t *testing.T, change func(*Config)) *script {
	t.Helper()
	s := &script{t: t, x: newExchange(t, change, "AAPL", "IBM"), now: noon}
	if err := s.x.List(StockDetails("AAPL", s.hours("04:00", "20:00"), s.hours("09:30", "16:00"))); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *script) hours(from, to string) (h market.Hours) {
	for day := range 3 {
		h = append(h, market.Span{Open: s.clock(day, from), Close: s.clock(day, to)})
	}
	return h
}

// clock is a time of New York's clock, some days after Monday.
func (s *script) clock(day int, hhmm string) time.Time {
	at, err := time.Parse("15:04", hhmm)
	if err != nil {
		s.t.Fatal(err)
	}
	return time.Date(2026, 4, 6+day, at.Hour(), at.Minute(), 0, 0, s.x.zone)
}

// when reads "15:59", and "1/15:59" for Tuesday.
func (s *script) when(text string) time.Time {
	day, clock, ok := strings.Cut(text, "/")
	if !ok {
		return s.clock(0, text)
	}
	n, err := strconv.Atoi(day)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.clock(n, clock)
}

// perm reads the number of an order.
func (s *script) perm(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.x.permBase + n
}

func (s *script) play(line string) string {
	f := strings.Fields(line)
	symbol := market.Symbol("AAPL")
	if f[0] == "IBM" {
		symbol, f = "IBM", f[1:]
	}
	event := tape.Event{At: s.now, Symbol: symbol}
	switch f[0] {
	case "at":
		s.now = s.when(f[1])
		return s.tell(s.x.Advance(s.now), nil)
	case "quote":
		event.Kind, event.Bid, event.Ask = tape.Quote, level(strings.Trim(f[1], "-")), level(strings.Trim(f[2], "-"))
		return s.tell(s.x.Apply(s.now, event), nil)
	case "print", "odd":
		l := level(f[1])
		event.Kind, event.Price, event.Size, event.Suspicious = tape.Trade, l.Price, l.Size, f[0] == "odd"
		return s.tell(s.x.Apply(s.now, event), nil)
	case "halt", "resume":
		return s.tell(s.x.Halt(s.now, symbol, f[0] == "halt"), nil)
	case "cancel":
		return s.tell(s.x.Cancel(s.now, s.perm(f[1])))
	case "all":
		return s.tell(s.x.CancelAll(s.now, nil), nil)
	case "modify":
		return s.tell(s.x.Modify(s.now, s.perm(f[1]), s.request(symbol, f[2:])))
	}
	return s.tell(s.x.Place(s.now, s.request(symbol, f)), nil)
}

// request reads SIDE QTY TYPE and then names with values.
func (s *script) request(symbol market.Symbol, f []string) Request {
	kind, rest := f[2], f[3:]
	if len(rest) > 0 && (kind == "STP" || kind == "TRAIL") && (rest[0] == "LMT" || rest[0] == "LIMIT") {
		kind, rest = kind+" "+rest[0], rest[1:]
	}
	r := Request{
		ClientID: 1, OrderID: 7, Ref: "ref", Symbol: symbol,
		Side: order.Side(f[0]), Qty: market.MustQty(f[1]), Type: order.Type(kind), TIF: order.Day,
	}
	for _, word := range rest {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "stop":
			r.Stop = market.MustPrice(value).Ptr()
		case "amount":
			r.TrailAmount = market.MustPrice(value).Ptr()
		case "percent":
			r.TrailPercent = market.MustPercent(value).Ptr()
		case "from":
			r.TrailStop = market.MustPrice(value).Ptr()
		case "offset":
			r.LimitOffset = market.MustPrice(value).Ptr()
		case "outside":
			r.OutsideRTH = true
		case "aon":
			r.AllOrNone = true
		case "min":
			r.MinQty = market.MustQty(value)
		case "after":
			r.GoodAfter = s.when(value)
		case "till":
			r.TIF, r.GoodTill = order.GTD, s.when(value)
		case "parent":
			r.Parent = s.perm(value)
		case "oca":
			group, kind, _ := strings.Cut(value, "/")
			n, _ := strconv.Atoi(kind)
			r.OCAGroup, r.OCAType = group, OCAType(n)
		case "hold":
			r.Hold = true
		case "DAY", "GTC", "IOC", "FOK", "OPG":
			r.TIF = order.TIF(name)
		default:
			r.Limit = market.MustPrice(name).Ptr()
		}
	}
	return r
}

func (s *script) tell(reports []Report, err error) string {
	var all []string
	last := int64(-1)
	for _, r := range reports {
		n := r.About().PermID - s.x.permBase
		word := say([]Report{r})
		if word == "" || strings.HasPrefix(word, "$") {
			continue // commissions are told in other tests
		}
		if n != last {
			word = fmt.Sprintf("#%d %s", n, word)
		}
		last = n
		all = append(all, word)
	}
	if err != nil {
		all = append(all, "error")
	}
	return strings.Join(all, " ")
}

// open tells the open orders: number, what is left of how many, and what each
// waits for.
func (s *script) open() string {
	var all []string
	for _, o := range s.x.Open() {
		word := fmt.Sprintf("#%d %v/%v", o.PermID-s.x.permBase, o.Remaining(), o.Qty)
		if o.Wait != WaitNone {
			word += ":" + o.Wait.String()
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}
