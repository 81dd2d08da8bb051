package guard

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

var noon = time.Date(2026, 4, 2, 16, 0, 0, 0, time.UTC)

// view is of an account that holds AAPL at 100, which trades at 101.
func view(holds string) View {
	b := books.New(time.UTC)
	b.Positions = map[market.Symbol]order.Position{
		"AAPL": {Account: "DU1", Symbol: "AAPL", Qty: market.MustQty(holds), AvgCost: market.MustPrice("100").Ptr()},
	}
	return View{
		Books: b, Who: &broker.Facts{Account: "DU1", ClientID: 1}, Wall: noon, Market: noon, Percent: market.MustPercent("5"),
		Details: &market.Details{MinTick: market.MustPrice("0.01")},
		Quote:   func() Quote { return Quote{Price: market.MustPrice("101").Ptr(), Sane: true, Believed: true} },
	}
}

// rests puts a stop of ours into the books.
func (v View) rests(side order.Side, qty string, state order.State) *books.Entry {
	return v.Books.Add(order.Order{
		Ref: "guard-AAPL-1", OCA: "guard-AAPL-1", OrderID: 1, ClientID: 1, Account: "DU1", Strategy: "desk", Symbol: "AAPL", Side: side,
		Type: order.Stop, TIF: order.GTC, Qty: market.MustQty(qty), StopPrice: market.MustPrice("95").Ptr(), State: state,
	}, noon)
}

// TestWhatAPositionNeeds: what is asked for, by what is held and what rests.
func TestWhatAPositionNeeds(t *testing.T) {
	for _, tt := range []struct {
		name, holds string
		side        order.Side // of the stop that rests, "" = none does
		qty         string
		state       order.State
		want        string // action, quantity and price; "" = nothing
		covered     bool
		cause       string
	}{
		{"long, nothing rests", "100", "", "", 0, "place 100 SELL 95", false, "no stop rests"},
		{"short, nothing rests", "-100", "", "", 0, "place 100 BUY 105", false, "no stop rests"},
		{"a stop as it should be", "100", order.Sell, "100", order.Working, "", true, ""},
		{"it grew", "150", order.Sell, "100", order.Working, "modify 150 SELL 95", false, "hold 100 of 150"},
		{"it shrank", "40", order.Sell, "100", order.Working, "modify 40 SELL 95", true, ""},
		{"it is gone", "0", order.Sell, "100", order.Working, "cancel", false, "not wanted"},
		{"it was turned over", "-100", order.Sell, "100", order.Working, "cancel", false, "not wanted"},
		{"nobody knows of the stop", "100", order.Sell, "100", order.Unknown, "", false, "unknown"},
		{"the broker has not confirmed it", "100", order.Sell, "100", order.Sent, "", false, "not confirmed"},
	} {
		v := view(tt.holds)
		if tt.side != "" {
			v.rests(tt.side, tt.qty, tt.state)
		}
		g := New("AAPL", noon)
		got := ""
		if in := g.Look(v); in != nil {
			if got = string(in.Action); in.Action != order.Cancel {
				got += " " + in.Qty.String() + " " + string(in.Side) + " " + in.Stop.String()
			}
			if err := in.Validate(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		g.Conclude(v)
		if s := g.State(); got != tt.want || s.Covered != tt.covered || !strings.Contains(s.Cause, tt.cause) {
			t.Errorf("%s: asks for %q, covered %v, cause %q; want %q, %v, %q", tt.name, got, s.Covered, s.Cause, tt.want, tt.covered, tt.cause)
		}
	}
}

// TestARefusedStopIsAskedForAgain, later each time, at most a minute apart, and
// a person is told once.
func TestARefusedStopIsAskedForAgain(t *testing.T) {
	v, g, told := view("100"), New("AAPL", noon), 0
	waits := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, wait := range waits {
		in := g.Look(v)
		if in == nil {
			t.Fatalf("not asked for the %d. time", i+1)
		}
		g.Asked(*in, v.Wall)
		g.Answered(event.OrderReply{Result: event.Refused, Rule: "max_orders", Reason: "too many"})
		g.Plan(v)
		if _, notice := g.Conclude(v); notice != nil {
			told++
		}
		v.Wall = v.Wall.Add(wait*time.Second - 1)
		if g.Look(v) != nil {
			t.Fatalf("asked for again before %d s were over", wait)
		}
		v.Wall = v.Wall.Add(1)
	}
	if s := g.State(); told != 1 || s.Covered || !strings.Contains(s.Cause, "max_orders") {
		t.Errorf("told %d times: %+v", told, s)
	}
}

// asks is what the guard asks for now, in short; "" is nothing.
func asks(t *testing.T, g *Guard, v View) string {
	t.Helper()
	in := g.Look(v)
	if in == nil {
		return ""
	}
	if err := in.Validate(); err != nil {
		t.Fatal(err)
	}
	if in.Action == order.Cancel {
		return "cancel " + in.Target
	}
	return string(in.Action) + " " + in.Qty.String()
}

// TestAStopIsOfWholeSteps, and of no more than an order can be about; what is
// left is told and bars nothing.
func TestAStopIsOfWholeSteps(t *testing.T) {
	for _, tt := range []struct {
		holds, rests, want string
		covered            bool
		cause              string
	}{
		{"10.37", "", "place 10", false, "no stop rests"},
		{"-10.37", "", "place 10", false, "no stop rests"},
		{"10.37", "10", "", true, "0.37 of 10.37 is less"},
		{"20.74", "10", "modify 20", false, "hold 10 of 20.74"},
		{"0.37", "", "", true, "0.37 of 0.37 is less"},
		{"1500000", "", "place 1000000", false, "no stop rests"},
		{"1500000", "1000000", "place 500000", false, "hold 1000000 of 1500000"},
	} {
		v, g := view(tt.holds), New("AAPL", noon)
		if tt.rests != "" {
			v.rests(order.Sell, tt.rests, order.Working)
		}
		got := asks(t, g, v)
		g.Conclude(v)
		if s := g.State(); got != tt.want || s.Covered != tt.covered || !strings.Contains(s.Cause, tt.cause) {
			t.Errorf("%+v: asks for %q, %+v", tt, got, s)
		}
	}
}

// TestNoStopIsBuiltUponWhatTheBrokerDenies: as long as its word differs, a stop
// is for what is held whoever is right, and one that rests stays.
func TestNoStopIsBuiltUponWhatTheBrokerDenies(t *testing.T) {
	for _, tt := range []struct{ holds, differs, rests, want string }{
		{"100", "-100", "", ""},
		{"100", "-150", "", ""},
		{"100", "-40", "", "place 60"},
		{"-100", "40", "", "place 60"},
		{"100", "50", "", "place 100"},
		{"100", "-40", "50", "modify 60"},
		{"100", "-60", "50", ""},
	} {
		v := view(tt.holds)
		v.Books.Suspects["AAPL"] = books.Suspect{Diff: market.MustQty(tt.differs), At: noon}
		if tt.rests != "" {
			v.rests(order.Sell, tt.rests, order.Working)
		}
		if got := asks(t, New("AAPL", noon), v); got != tt.want {
			t.Errorf("%+v: asks for %q", tt, got)
		}
	}
}

// TestAStopBesideOneThatEndedByInferenceIsOfItsGroup: if that one rests after
// all, the two sell once.
func TestAStopBesideOneThatEndedByInferenceIsOfItsGroup(t *testing.T) {
	v, g := view("100"), New("AAPL", noon)
	e := v.rests(order.Sell, "100", order.Cancelled)
	if in := g.Look(v); in == nil || in.OCA != in.ID {
		t.Errorf("beside one that the broker called cancelled: %+v", in)
	}
	e.Proven = noon
	if in := g.Look(v); in == nil || in.OCA != e.OCA || in.ID == e.Ref {
		t.Errorf("%+v, want one in group %s", in, e.OCA)
	}
	e.Filled = market.Shares(1)
	if in := g.Look(v); in == nil || in.OCA != in.ID {
		t.Errorf("of a group that has executed: %+v", in)
	}
}

// TestAReferenceOfAnotherLifeCostsNoTime: the next number is asked for at the
// next look, however many there are.
func TestAReferenceOfAnotherLifeCostsNoTime(t *testing.T) {
	v, g := view("100"), New("AAPL", noon)
	for range 20 {
		in := g.Look(v)
		if in == nil {
			t.Fatal("it waits")
		}
		g.Asked(*in, v.Wall)
		g.Answered(event.OrderReply{Result: event.Written, Known: true})
		v.Books.NextID++
	}
	if a, b := Name("AAPL", noon, 7), Name("AAPL", noon.Add(time.Second), 7); a == b {
		t.Errorf("%s twice", a)
	}
	if in := (order.Intent{ID: Name("ABCDEFGHIJ.K", noon, 1<<30)}); len(in.ID) > 40 {
		t.Errorf("%s is too long for a reference", in.ID)
	}
}

// TestAStopThatIsCutBeforeTheExecutionIsTold: the position is as old as the
// quantity before. A stop for the difference would be beyond what is held.
func TestAStopThatIsCutBeforeTheExecutionIsTold(t *testing.T) {
	for _, first := range []string{"the cut", "the execution"} {
		v := view("49")
		stop := v.rests(order.Sell, "49", order.Working)
		v.Books.Add(order.Order{
			Ref: "x", OCA: stop.OCA, OrderID: 2, PermID: 9002, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Sell,
			Type: order.Limit, TIF: order.Day, Qty: market.Shares(34), Limit: market.MustPrice("102").Ptr(), State: order.Working,
		}, noon)
		cut := stop.Order
		cut.Qty = market.Shares(47)
		turn := func() *books.Turn {
			return &books.Turn{Wall: v.Wall, Market: v.Market, ConID: func(market.Symbol) int64 { return 0 }}
		}
		fill := broker.ExecutionReport{Fill: order.Fill{
			ExecID: "e.01", Ref: "x", OrderID: 2, PermID: 9002, ClientID: 1, Account: "DU1", Symbol: "AAPL", Side: order.Sell,
			Qty: market.Shares(1), Price: market.MustPrice("102"), At: noon,
		}}
		if first == "the execution" {
			v.Books.Fold(turn(), v.Who, fill)
		}
		v.Books.Fold(turn(), v.Who, broker.OrderReport{Order: cut, Status: "x", Signal: order.WorkingNow, Known: true})
		g := New("AAPL", v.Wall)
		in := g.Look(v)
		if first == "the cut" {
			if in != nil || stop.MostLeft() != market.Shares(49) {
				t.Errorf("%s: asks for %+v, %v left", first, in, stop.MostLeft())
			}
			v.Books.Fold(turn(), v.Who, fill)
			v.Wall = v.Wall.Add(books.SettleAfter)
			v.Books.Judge(turn(), time.Minute)
			in = g.Look(v)
		}
		if in == nil || in.Action != order.Place || in.Qty != market.Shares(1) {
			t.Errorf("%s: asks for %+v in the end, and 48 are held beside 47", first, in)
		}
	}
}

// TestASplitCountsWhatIsInNoGroup: beside two stops, an exit takes no more than
// what the other stop and an order outside of all groups leave.
func TestASplitCountsWhatIsInNoGroup(t *testing.T) {
	v := view("46")
	add := func(id int64, typ order.Type, qty, group string) {
		v.Books.Add(order.Order{
			Ref: group + "-" + strconv.FormatInt(id, 10), OCA: group, OrderID: id, ClientID: 1, Account: "DU1", Strategy: "desk", Symbol: "AAPL",
			Side: order.Sell, Type: typ, TIF: order.GTC, Qty: market.MustQty(qty), State: order.Working,
		}, noon)
	}
	add(1, order.Stop, "9", "guard-AAPL-1")
	add(2, order.Stop, "13", "guard-AAPL-2")
	add(3, order.Limit, "24", "")
	r := Against(v.Books, v.Who, "AAPL")
	for qty, want := range map[string]bool{"13": false, "14": true, "29": true} {
		if most, splits := r.Splits("guard-AAPL-2", market.MustQty(qty), nil); splits != want || most != market.Shares(13) {
			t.Errorf("an exit of %s: %v at most, %v; want 13, %v", qty, most, splits, want)
		}
	}
	for qty, want := range map[string]bool{"24": false, "25": true} {
		if most, splits := r.Splits("", market.MustQty(qty), &v.Books.Called("-3").Order); splits != want || most != market.Shares(24) {
			t.Errorf("a change to %s of the one outside: %v at most, %v; want 24, %v", qty, most, splits, want)
		}
	}
}

// TestAStopDoesNotGrowByWhatMayBeGone: an exit of its group has filled 15 of 20 by
// the broker's word, which took as much off the stop, and no execution told. Until a
// look has counted the position the stop stays.
func TestAStopDoesNotGrowByWhatMayBeGone(t *testing.T) {
	v := view("20")
	turn := &books.Turn{Wall: noon, Market: noon, ConID: func(market.Symbol) int64 { return 1 }, CanAsk: true}
	add := func(id int64, ref string, typ order.Type, qty string) *books.Entry {
		o := order.Order{
			Ref: ref, OCA: "guard-AAPL-1", OrderID: id, PermID: id, ClientID: 1, Account: "DU1", Strategy: "desk", Symbol: "AAPL",
			Side: order.Sell, Type: typ, TIF: order.GTC, Qty: market.MustQty(qty), State: order.Working,
		}
		if typ == order.Stop {
			o.StopPrice = market.MustPrice("95").Ptr()
		}
		return v.Books.Add(o, noon)
	}
	add(1, "guard-AAPL-1", order.Stop, "5")
	v.Books.EndedWith(turn, add(2, "a", order.Limit, "15"), order.CancelDone, market.Shares(15))
	mark := v.Books.Mark()
	v.Wall = noon.Add(time.Minute)
	turn.Wall = v.Wall
	v.Books.Judge(turn, time.Second)
	g := New("AAPL", noon)
	if in := g.Look(v); in != nil {
		t.Errorf("before it is counted: %+v", in)
	}
	if held := v.Books.Surely("AAPL"); *held != market.Shares(5) {
		t.Errorf("%v are surely held", held)
	}
	v.Books.Recounted(mark)
	if in := g.Look(v); in != nil {
		t.Errorf("a look from before: %+v", in)
	}
	v.Books.Recounted(v.Books.Mark())
	if in := g.Look(v); in == nil || in.Action != order.Modify || in.Qty != market.Shares(20) {
		t.Errorf("counted as 20: %+v", in)
	}
}
