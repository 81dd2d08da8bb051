package exchange

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// noon is 12:00 in New York.
var noon = time.Date(2026, 4, 6, 16, 0, 0, 0, time.UTC)

func newExchange(t testing.TB, change func(*Config), symbols ...market.Symbol) *Exchange {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(symbols) == 0 {
		symbols = []market.Symbol{"AAPL"}
	}
	for _, s := range symbols {
		if err := x.List(StockDetails(s, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func level(s string) tape.Level {
	if s == "" {
		return tape.Level{}
	}
	price, size, ok := strings.Cut(s, "x")
	if !ok {
		size = "100"
	}
	return tape.Level{Price: market.MustPrice(price), Size: market.MustQty(size), Known: true}
}

func quote(bid, ask string) tape.Event {
	return tape.Event{At: noon, Symbol: "AAPL", Kind: tape.Quote, Bid: level(bid), Ask: level(ask)}
}

func print(at string) tape.Event {
	l := level(at)
	return tape.Event{At: noon, Symbol: "AAPL", Kind: tape.Trade, Price: l.Price, Size: l.Size}
}

func suspicious(at string) tape.Event {
	ev := print(at)
	ev.Suspicious = true
	return ev
}

// want is "BUY 100 MKT" or "SELL 100 LMT 187.25 IOC"; DAY without a third.
func want(s string) Request {
	f := strings.Fields(s)
	r := Request{
		ClientID: 1, OrderID: 7, Ref: "ref", Symbol: "AAPL",
		Side: order.Side(f[0]), Qty: market.MustQty(f[1]), Type: order.Type(f[2]), TIF: order.Day,
	}
	f = f[3:]
	if len(f) > 0 && f[0][0] <= '9' {
		r.Limit = market.MustPrice(f[0]).Ptr()
		f = f[1:]
	}
	if len(f) > 0 {
		r.TIF = order.TIF(f[0])
	}
	return r
}

// say writes reports as short words.
func say(reports []Report) string {
	var all []string
	for _, r := range reports {
		switch r := r.(type) {
		case Accepted:
			all = append(all, "accepted")
		case Working:
			all = append(all, "working")
		case HeldBack:
			all = append(all, "held:"+r.Order.Wait.String())
		case Triggered:
			all = append(all, "triggered")
		case Modified:
			all = append(all, "modified")
		case Unmodified:
			all = append(all, fmt.Sprintf("unmodified:%v:%d", r.Reason, r.Reason.Code()))
		case Warning:
			all = append(all, fmt.Sprintf("warning:%d", r.Code))
		case Executed:
			all = append(all, fmt.Sprintf("%v@%v", r.Fill.Qty, r.Fill.Price))
		case Commission:
			all = append(all, fmt.Sprintf("$%v", r.Amount))
		case Cancelled:
			all = append(all, "cancelled:"+r.Reason.String())
		case Rejected:
			all = append(all, fmt.Sprintf("rejected:%v:%d", r.Reason, r.Reason.Code()))
		}
	}
	return strings.Join(all, " ")
}

func TestMatching(t *testing.T) {
	const taken = "accepted working"
	for _, tt := range []struct {
		name    string
		partial bool
		steps   []any // a tape.Event or an order
		want    []string
	}{
		{"buy at the ask", false, []any{quote("187.24", "187.26"), "BUY 100 MKT"}, []string{"", taken + " 100@187.26 $1"}},
		{"sell at the bid", false, []any{quote("187.24", "187.26"), "SELL 100 MKT"}, []string{"", taken + " 100@187.24 $1"}},
		{"market at last without a quote", false, []any{print("187.25"), "SELL 1000 MKT"}, []string{"", taken + " 1000@187.25 $5"}},
		{"market at last without that side", false, []any{print("187.25"), quote("187.24", ""), "BUY 1 MKT"}, []string{"", "", taken + " 1@187.25 $1"}},
		{"market waits for anything", false, []any{"BUY 1 MKT", quote("187.24", ""), print("187.3")}, []string{taken, "", "1@187.3 $1"}},
		{"market waits for its own side", false, []any{"BUY 1 MKT", quote("187.24", "187.27")}, []string{taken, "1@187.27 $1"}},
		{"marketable limit takes the quote", false, []any{quote("187.24", "187.26"), "BUY 100 LMT 187.30"}, []string{"", taken + " 100@187.26 $1"}},
		{"limit at the quote", false, []any{quote("187.24", "187.26"), "SELL 100 LMT 187.24"}, []string{"", taken + " 100@187.24 $1"}},
		{"limit rests and is reached by the quote", false, []any{quote("187.24", "187.26"), "BUY 1 LMT 187.25", quote("187.2", "187.22")}, []string{"", taken, "1@187.25 $1"}},
		{"limit rests until a print at it", false, []any{quote("187.24", "187.26"), "SELL 1 LMT 187.30", print("187.29"), print("187.3")}, []string{"", taken, "", "1@187.3 $1"}},
		{"limit does not take a stale last", false, []any{print("187"), "BUY 1 LMT 188", print("188.01"), print("187")}, []string{"", taken, "", "1@188 $1"}},
		{"suspicious prints fill nothing", false, []any{"BUY 1 LMT 187", suspicious("100"), print("187")}, []string{taken, "", "1@187 $1"}},
		{"IOC fills or ends", false, []any{quote("187.24", "187.26"), "BUY 1 LMT 187.26 IOC", "BUY 1 LMT 187.25 IOC"}, []string{"", taken + " 1@187.26 $1", taken + " cancelled:remainder"}},
		{"IOC without a market", false, []any{"BUY 1 MKT IOC"}, []string{"rejected:no_market:201"}},
		{"price before time", false, []any{"BUY 1 LMT 187.1", "BUY 2 LMT 187.2", "BUY 3 LMT 187.2", "BUY 4 LMT 187", print("187.1")}, []string{taken, taken, taken, taken, "2@187.2 $1 3@187.2 $1 1@187.1 $1"}},
		{"market orders before limits", false, []any{"SELL 1 LMT 187.1", "SELL 2 MKT", quote("187.2", "")}, []string{taken, taken, "2@187.2 $1 1@187.1 $1"}},
		{"whole whatever the size shown", false, []any{quote("187.24x1", "187.26x1"), "BUY 500 MKT"}, []string{"", taken + " 500@187.26 $2.5"}},
		{
			"partial fills share the size shown", true,
			[]any{quote("187.24", "187.26x300"), "BUY 200 MKT", "BUY 200 LMT 187.26", print("187.26x40"), quote("", "187.25x500")},
			[]string{"", taken + " 200@187.26 $1", taken + " 100@187.26 $1", "40@187.26 $0", "60@187.26 $0"},
		},
		{"partial IOC", true, []any{quote("187.24", "187.26x300"), "BUY 400 MKT IOC"}, []string{"", taken + " 300@187.26 $1.5 cancelled:remainder"}},
		{"quote taken away", false, []any{quote("187.24", "187.26"), quote("", ""), "BUY 1 LMT 188"}, []string{"", "", taken}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newExchange(t, func(c *Config) { c.PartialFills = tt.partial })
			var got []string
			for _, s := range tt.steps {
				if ev, ok := s.(tape.Event); ok {
					got = append(got, say(x.Apply(noon, ev)))
				} else {
					got = append(got, say(x.Place(noon, want(s.(string)))))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	for _, tt := range []struct {
		change func(*Request)
		want   Reason
	}{
		{func(r *Request) { r.Symbol = "MSFT" }, UnknownSymbol},
		{func(r *Request) { r.Account = "DU1" }, UnknownAccount},
		{func(r *Request) { r.Side = "SSHORT" }, BadOrder},
		{func(r *Request) { r.TIF = "AUC" }, BadOrder},
		{func(r *Request) { r.Type = "PEG MID" }, BadOrder},
		{func(r *Request) { r.Qty = market.Qty{} }, BadQuantity},
		{func(r *Request) { r.Qty = market.Shares(-1) }, BadQuantity},
		{func(r *Request) { r.Qty = market.MustQty("0.5") }, BadQuantity},
		{func(r *Request) { r.Qty = market.Shares(1_000_001) }, BadQuantity},
		{func(r *Request) { r.Limit = nil }, BadPrice},
		{func(r *Request) { r.Limit = new(market.Price) }, BadPrice},
		{func(r *Request) { r.Type = order.Market }, BadPrice},
		{func(r *Request) { r.Limit = market.MustPrice("187.255").Ptr() }, OffTick},
	} {
		x := newExchange(t, nil)
		x.Apply(noon, quote("187.24", "187.26"))
		r := want("BUY 1 LMT 187.26")
		tt.change(&r)
		got := x.Place(noon, r)
		rej, ok := got[0].(Rejected)
		if len(got) != 1 || !ok || rej.Reason != tt.want || rej.Text == "" || rej.Order.State != order.Rejected || rej.Order.PermID == 0 {
			t.Errorf("%v: got %+v", tt.want, got)
		}
		if len(x.Open())+len(x.Fills()) != 0 {
			t.Errorf("%v: a refused order left something", tt.want)
		}
	}
	if OffTick.Code() != 110 || UnknownSymbol.Code() != 200 || Reason(99).Code() != 0 {
		t.Error("codes differ from TWS's")
	}
}

func TestAccountMustBeNamedAmongSeveral(t *testing.T) {
	x := newExchange(t, func(c *Config) { c.Accounts = []string{"DU1", "DU2"} })
	x.Apply(noon, quote("1", "2"))
	if got := say(x.Place(noon, want("BUY 1 MKT"))); got != "rejected:unknown_account:321" {
		t.Errorf("got %s", got)
	}
	r := want("BUY 1 MKT")
	r.Account = "DU2"
	x.Place(noon, r)
	if v, _ := x.Value("DU2"); v.Cash != market.MustMoney("999997.98") { // 1 % of 2 dollars beats the minimum
		t.Errorf("cash of DU2 is %v", v.Cash)
	}
	if v, _ := x.Value("DU1"); v.Cash != market.MustMoney("1000000") {
		t.Errorf("cash of DU1 is %v", v.Cash)
	}
}

func TestExpiry(t *testing.T) {
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		at, err := time.ParseInLocation("01-02 15:04:05.999", s, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.AddDate(2026, 0, 0)
	}
	for _, tt := range []struct{ placed, alive, gone string }{
		{"04-06 12:00:00", "04-06 19:59:59.999", "04-06 20:00:00"},
		{"04-06 20:00:00", "04-07 19:59:59", "04-07 20:00:00"},
		{"03-07 21:00:00", "03-08 19:59:59", "03-08 20:00:00"}, // summer time begins
	} {
		x := newExchange(t, nil)
		x.Place(at(tt.placed), want("BUY 1 LMT 1"))
		x.Place(at(tt.placed), want("BUY 1 LMT 1 GTC"))
		x.Place(at(tt.placed), want("SELL 1 LMT 500"))
		if got := say(x.Advance(at(tt.alive))); got != "" {
			t.Errorf("%s: %s at %s", tt.placed, got, tt.alive)
		}
		if got := say(x.Advance(at(tt.gone))); got != "cancelled:expired cancelled:expired" {
			t.Errorf("%s: %q at %s", tt.placed, got, tt.gone)
		}
		if open := x.Open(); len(open) != 1 || open[0].TIF != order.GTC {
			t.Errorf("%s: open are %v", tt.placed, open)
		}
	}
	// An event after the end does not fill what has expired.
	x := newExchange(t, nil)
	x.Place(noon, want("BUY 1 LMT 187"))
	if got := say(x.Apply(noon.Add(24*time.Hour), print("186"))); got != "cancelled:expired" {
		t.Errorf("got %q", got)
	}
}

func TestCancel(t *testing.T) {
	x := newExchange(t, nil)
	first := x.Place(noon, want("BUY 1 LMT 187"))[0].(Accepted).Order
	x.Place(noon, want("SELL 2 LMT 190"))
	x.Place(noon, want("BUY 3 LMT 188"))
	got, err := x.Cancel(noon, first.PermID)
	if err != nil || say(got) != "cancelled:asked" || got[0].(Cancelled).Order.State != order.Cancelled {
		t.Errorf("got %s, %v", say(got), err)
	}
	if got, err := x.Cancel(noon, first.PermID); !errors.Is(err, ErrNotOpen) || len(got) != 0 {
		t.Errorf("twice: %v, %v", got, err)
	}
	if got := say(x.Apply(noon, print("187"))); got != "3@188 $1" {
		t.Errorf("after the cancel: %s", got)
	}
	x.Place(noon, want("BUY 4 LMT 100"))
	if got := say(x.CancelAll(noon, nil)); got != "cancelled:asked cancelled:asked" || len(x.Open()) != 0 {
		t.Errorf("all: %s", got)
	}
}

func TestFull(t *testing.T) {
	x := newExchange(t, nil)
	for range MaxOpen {
		x.Place(noon, want("BUY 1 LMT 1"))
	}
	if got := say(x.Place(noon, want("BUY 1 LMT 1"))); got != "rejected:full:201" {
		t.Errorf("got %s", got)
	}
}

func TestMarketState(t *testing.T) {
	x := newExchange(t, nil)
	if m, ok := x.Market("AAPL"); !ok || m.Quote.Bid != nil || m.Quote.Volume != nil || m.DayOpen != nil || m.PrevClose != nil {
		t.Errorf("before anything: %+v, %v", m, ok)
	}
	if _, ok := x.Market("MSFT"); ok {
		t.Error("a symbol that is not listed has a market")
	}
	x.Apply(noon, tape.Event{Symbol: "MSFT", Kind: tape.Trade}) // ignored
	tell := func(days int, ev tape.Event) {
		ev.At = ev.At.AddDate(0, 0, days)
		x.Apply(ev.At, ev)
	}
	tell(0, print("187x100"))
	tell(0, print("188x50"))
	tell(1, suspicious("500x7")) // turns the day, and counts in its volume alone
	m, _ := x.Market("AAPL")
	if *m.Quote.Last != market.MustPrice("188") || *m.Quote.Volume != market.Shares(7) || *m.PrevClose != market.MustPrice("188") || m.DayHigh != nil {
		t.Errorf("after a suspicious trade: %+v", m)
	}
	tell(1, print("186x1"))
	tell(1, print("185x2"))
	tell(1, print("186.5x3"))
	tell(1, quote("186.4", ""))
	m, _ = x.Market("AAPL")
	got := fmt.Sprint(m.Quote.Bid, m.Quote.Ask, m.Quote.Last, m.Quote.LastSize, m.Quote.Volume, m.DayOpen, m.DayHigh, m.DayLow, m.PrevClose)
	if want := "186.4 <nil> 186.5 3 13 186 186.5 185 188"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNumbers(t *testing.T) {
	run := func(instance uint64) (ids []string) {
		x := newExchange(t, func(c *Config) { c.Instance = instance })
		x.Apply(noon, quote("1", "2"))
		for range 2 {
			e := x.Place(noon, want("BUY 1 MKT"))[2].(Executed)
			ids = append(ids, e.Fill.ExecID, fmt.Sprint(e.Fill.PermID))
		}
		return ids
	}
	a := run(1)
	if d := cmp.Diff(a, run(1)); d != "" {
		t.Errorf("the same instance gives other numbers: %s", d)
	}
	seen := map[string]bool{}
	for _, id := range append(a, run(2)...) {
		if seen[id] {
			t.Errorf("%s comes twice", id)
		}
		seen[id] = true
	}
	if id := a[0]; len(id) != len("0000e0d5.69dd7411.01.01") || !strings.HasPrefix(id, "0000e") || !strings.HasSuffix(id, ".01.01") {
		t.Errorf("execution id %s is not of IBKR's shape", id)
	}
}

func TestConfigFaultsAllAtOnce(t *testing.T) {
	_, err := New(Config{Accounts: []string{"", "A", "A"}, Cash: market.MustMoney("-1")})
	for _, part := range []string{"empty account", "named twice", "below 0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v: does not tell %q", err, part)
		}
	}
	if (Config{}).Validate() == nil {
		t.Error("no account is taken")
	}
}
