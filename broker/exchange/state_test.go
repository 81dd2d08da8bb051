package exchange

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"robotrader/broker/market"
	"robotrader/broker/order"
)

// through takes a value to JSON and back, as a file does.
func through[T any](t interface{ Fatal(...any) }, in T) (out T) {
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// restored is a new exchange with the same configuration and listings, to
// which the state was given.
func restored(x *Exchange, s State) (*Exchange, error) {
	y, err := New(x.cfg)
	if err != nil {
		return nil, err
	}
	for _, d := range x.Listed() {
		if err := y.List(d); err != nil {
			return nil, err
		}
	}
	return y, y.Restore(s)
}

// sameState compares states; times of one instant are equal in every zone.
func sameState(a, b State) string {
	return cmp.Diff(a, b, exact)
}

// A snapshot and the changes after it make the state of every later moment,
// and an exchange that begins with it goes on as the first one does.
func TestRestoreGoesOnAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin, every := rapid.IntRange(1, 20).Draw(t, "snapshot at"), rapid.IntRange(1, 5).Draw(t, "changes every")
		x := newWalk(t, nil)
		var kept State
		step := 0
		fold := func() {
			if c, ok := x.Changes(); ok {
				if err := kept.Apply(through(t, c)); err != nil {
					t.Fatal(err)
				}
			}
			if d := sameState(x.state(), kept); d != "" {
				t.Fatalf("the changes do not make the state: %s", d)
			}
		}
		now := walk(t, x, func(time.Time, []Report) {
			switch step++; {
			case step == begin:
				kept = through(t, x.State())
			case step > begin && step%every == 0:
				fold()
			}
		})
		if step < begin {
			kept = through(t, x.State())
		}
		fold()
		twin, err := restored(x, kept)
		if err != nil {
			t.Fatal(err)
		}
		if d := sameState(x.state(), twin.state()); d != "" {
			t.Fatalf("restored: %s", d)
		}
		for range 20 { // both go on
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			do := anyMove(t, x, now)
			if d := cmp.Diff(slices.Clone(do(x)), do(twin), exact, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("they part: %s", d)
			}
		}
		if d := cmp.Diff(x.Ledger(), twin.Ledger(), exact); d != "" {
			t.Fatalf("ledgers: %s", d)
		}
		if d := cmp.Diff(values(x), values(twin), exact); d != "" {
			t.Fatalf("values: %s", d)
		}
	})
}

func values(x *Exchange) (all []Value) {
	for _, id := range x.Accounts() {
		v, _ := x.Value(id)
		all = append(all, v)
	}
	return all
}

// What a state leaves out is lost over a restart: a field more must be in it,
// or be named here as one that follows from the rest.
func TestStateIsWhole(t *testing.T) {
	kept := func(names string) map[string]bool {
		m := make(map[string]bool)
		for n := range strings.FieldsSeq(names) {
			m[n] = true
		}
		return m
	}
	for _, tt := range []struct {
		of    any
		names map[string]bool
	}{
		{resting{}, kept("Order seq value commission expires alarm place fresh atClose opened born")},
		{listing{}, kept("details bid ask last bidAt askAt lastAt volume dayOpen dayHigh dayLow prevClose " +
			"hasVolume hasDay hasClose dayEnd ref hasRef changed buys sells " +
			"up down trails fresh session bidLeft askLeft boughtLeft soldLeft")},
		{account{}, kept("id start cash realised commissions positions claims changed")},
		{position{}, kept("holding base day changed")},
		{holding{}, kept("qty cost fees")},
		{dayBook{}, kept("qty paid fees realised")},
		{execution{}, kept("Fill net")},
		{Exchange{}, kept("cfg zone accounts listings byConID open children groups alarms instant seqs fills replaced execs dayStart dayEnd watch noted " +
			"permBase orders execHead execBase out")},
	} {
		typ := reflect.TypeOf(tt.of)
		for i := range typ.NumField() {
			if f := typ.Field(i).Name; !tt.names[f] {
				t.Errorf("%v has a field %s: put it into the state, rebuild it in readmit or restoreMarket, then name it here", typ, f)
			}
		}
	}
}

// A fill tells a group of it in the same order before and after a restart, also
// when one of it was changed.
func TestRestoredGroupKeepsItsOrder(t *testing.T) {
	x := newExchange(t, nil)
	x.Apply(noon, quote("10", "10.02"))
	for _, s := range []string{"BUY 30 LMT 9", "BUY 40 LMT 8.9", "BUY 50 LMT 8.8"} {
		r := want(s)
		r.OCAGroup, r.OCAType = "g", ReduceOpen
		x.Place(noon, r)
	}
	change := want("BUY 60 LMT 8.95")
	change.OCAGroup, change.OCAType = "g", ReduceOpen
	if _, err := x.Modify(noon, x.Open()[0].PermID, change); err != nil {
		t.Fatal(err)
	}
	y, err := restored(x, through(t, x.State()))
	if err != nil {
		t.Fatal(err)
	}
	fill := quote("8.8", "8.85")
	if d := cmp.Diff(slices.Clone(x.Apply(noon, fill)), y.Apply(noon, fill), exact); d != "" {
		t.Error(d)
	}
}

// An order that its group, or its parent's end, made smaller than its least
// quantity and display size is one that can be restored.
func TestRestoreOrdersThatWereCut(t *testing.T) {
	s := newScript(t, func(c *Config) { c.PartialFills = true })
	for _, line := range []string{
		"BUY 100 LMT 187 oca=g/2", "BUY 100 LMT 186 oca=g/2 min=80", "SELL 100 LMT 190 parent=1 min=60", "print 187x50", "cancel 1",
	} {
		s.play(line)
	}
	if got, want := s.open(), "#2 50/50 #3 50/50"; got != want {
		t.Fatalf("open are %s, want %s", got, want)
	}
	if _, err := restored(s.x, through(t, s.x.State())); err != nil {
		t.Error(err)
	}
}

// fullState is a state with something of everything in it.
func fullState(t testing.TB) (*Exchange, State) {
	x := newExchange(t, func(c *Config) { c.PartialFills = true })
	x.Apply(noon, quote("187.24", "187.26x400"))
	x.Apply(noon, print("187.25"))
	x.Place(noon, want("BUY 600 LMT 187.26 GTC"))
	x.Place(noon, want("SELL 100 MKT"))
	x.Place(noon, want("SELL 100 LMT 190"))
	if _, err := x.Correct(noon, x.Fills()[1].ExecID, market.MustPrice("187.2"), market.Shares(100)); err != nil {
		t.Fatal(err)
	}
	return x, x.State()
}

func TestBadStatesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		spoil      func(s *State)
	}{
		{"version", "version 2", func(s *State) { s.Version = 2 }},
		{"account", `account "DU1"`, func(s *State) { s.Accounts[0].Account = "DU1" }},
		{"cash", "cash and cost", func(s *State) { s.Accounts[0].Cash = market.MustMoney("1") }},
		{"cost", "cash and cost", func(s *State) { s.Accounts[0].Positions[0].Holding.Cost = market.Money{} }},
		{"quantity", "its executions make 300", func(s *State) { s.Accounts[0].Positions[0].Holding.Qty = market.Shares(500) }},
		{"position twice", "two positions", func(s *State) {
			s.Accounts[0].Positions = append(s.Accounts[0].Positions, s.Accounts[0].Positions[0])
		}},
		{"execution gone", "its executions make", func(s *State) { s.Executions = s.Executions[1:] }},
		{"execution twice", "is there twice", func(s *State) { s.Replaced[0].ExecID = s.Executions[0].ExecID }},
		{"execution of nothing", "side, quantity or commission", func(s *State) { s.Executions[0].Commission = nil }},
		{"execution id", "no execution id", func(s *State) { s.Executions[0].ExecID = "x" }},
		{"execution of another account", "which has none", func(s *State) { s.Executions[0].Account = "DU2" }},
		{"execution without an order", "was never given", func(s *State) { s.Executions[0].PermID = 1 }},
		{"execution beyond all bounds", "beyond", func(s *State) { s.Executions[0].Qty = market.MustQty("90000000000") }},
		{"cash beyond all bounds", "beyond", func(s *State) { s.Accounts[0].Cash = market.MustMoney("16000000000000000000000") }},
		{"holding beyond all bounds", "beyond", func(s *State) { s.Accounts[0].Positions[0].Base.Qty = market.MustQty("90000000000") }},
		{"order never given", "order 1:", func(s *State) { s.Open[0].PermID = 1 }},
		{"order twice", "there twice", func(s *State) { s.Open[1].PermID = s.Open[0].PermID }},
		{"order that has ended", "cannot be open", func(s *State) { s.Open[0].State = order.Filled }},
		{"order of nothing", "cannot be open", func(s *State) { s.Open[0].Qty = s.Open[0].Filled }},
		{"order beyond all bounds", "beyond", func(s *State) { s.Open[0].Limit = market.MustPrice("90000000000").Ptr() }},
		{"order without a place", "place 0", func(s *State) { s.Open[0].Queued = 0 }},
		{"order without a price", "without a limit", func(s *State) { s.Open[0].Limit = nil }},
		{"orphan", "waits for its parent", func(s *State) { s.Open[0].Wait = WaitParent }},
		{"market beyond all bounds", "beyond", func(s *State) { s.Markets[0].Bid.Price = market.MustPrice("90000000000") }},
		{"phase", "no phase", func(s *State) { s.Markets[0].Phase = "lunch" }},
		{"order of another symbol", "not known here", func(s *State) { s.Open[0].Symbol = "IBM" }},
		{"market of another symbol", "not listed here", func(s *State) { s.Markets[0].Symbol = "IBM" }},
		{"market of another contract", "contract id 5", func(s *State) { s.Markets[0].ConID = 5 }},
		{"half a day", "missing", func(s *State) { s.Markets[0].DayHigh = nil }},
		{"counters", "counters", func(s *State) { s.Orders = -1 }},
		{"day", "counters", func(s *State) { s.DayEnd = s.DayStart.Add(-time.Hour) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, s := fullState(t)
			if _, err := restored(x, through(t, s)); err != nil {
				t.Fatal(err)
			}
			tt.spoil(&s)
			_, err := restored(x, s)
			if !errors.Is(err, ErrBadState) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	x, s := fullState(t)
	if err := x.Restore(s); !errors.Is(err, ErrBadState) {
		t.Errorf("into a used exchange: %v", err)
	}
}

func TestBadChangesAreRefused(t *testing.T) {
	x, s := fullState(t)
	x.Apply(noon, quote("187.24x500", "187.26"))
	x.Place(noon, want("SELL 50 MKT"))
	c, ok := x.Changes()
	if !ok {
		t.Fatal("no change")
	}
	for _, tt := range []struct {
		name, says string
		spoil      func(c *Change)
	}{
		{"version", "version 0", func(c *Change) { c.Version = 0 }},
		{"a hole", "lacks some", func(c *Change) { c.Seq++ }},
		{"account", "does not know", func(c *Change) { c.Accounts[0].Account = "DU1" }},
		{"place", "has place", func(c *Change) { c.Executions[0].Index++ }},
	} {
		bad, state := through(t, c), through(t, s)
		tt.spoil(&bad)
		if err := state.Apply(bad); !errors.Is(err, ErrBadState) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	for range 2 { // the second time it is known
		if err := s.Apply(c); err != nil {
			t.Error(err)
		}
	}
	if d := sameState(x.state(), s); d != "" {
		t.Error(d)
	}
	if _, ok := x.Changes(); ok {
		t.Error("a change out of nothing")
	}
}

// Executions of days gone by may go; what they made stays, and so does what a
// later correction needs.
func TestDropKeepsTheBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newWalk(t, nil)
		now := walk(t, x, func(time.Time, []Report) {})
		s := through(t, x.State())
		before := noon.Add(time.Duration(rapid.Int64Range(0, int64(now.Sub(noon))).Draw(t, "before")))
		s.Drop(before)
		twin, err := restored(x, s)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(values(x), values(twin), exact); d != "" {
			t.Fatalf("values: %s", d)
		}
		fills := twin.Fills()
		for _, f := range x.Fills() {
			if !f.At.Before(before) && !slices.ContainsFunc(fills, func(g order.Fill) bool { return g.ExecID == f.ExecID }) {
				t.Fatalf("%s of %v is gone, only those before %v may", f.ExecID, f.At, before)
			}
		}
		if len(fills) == 0 {
			return
		}
		fix := anyCorrection(t, rapid.SampledFrom(fills).Draw(t, "correct"), now)
		if d := cmp.Diff(slices.Clone(fix(x)), fix(twin), exact, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("a correction parts them: %s", d)
		}
	})
}

// Whatever a file says, it is taken or refused.
func FuzzRestore(f *testing.F) {
	_, s := fullState(f)
	b, err := json.Marshal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var s State
		if json.Unmarshal(in, &s) != nil {
			return
		}
		s.Drop(noon)
		x := newExchange(t, nil)
		if err := x.Restore(s); err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Fatal(err)
			}
			return
		}
		x.Apply(noon, quote("187.24", "187.26"))
		x.Place(noon, want("BUY 1 MKT"))
		x.Ledger()
		values(x)
	})
}

// What a fill changes is told without a look at all that is open.
func BenchmarkChanges(b *testing.B) {
	x := newExchange(b, nil)
	x.Apply(noon, quote("187.24", "187.26"))
	for range 1000 {
		x.Place(noon, want("BUY 1 LMT 1 GTC"))
	}
	x.State()
	orders := []Request{want("BUY 1 MKT"), want("SELL 1 MKT")}
	b.ReportAllocs()
	for i := range b.N {
		if len(x.fills) == MaxFills {
			b.Skip("the books are full: run it for less time")
		}
		x.Place(noon, orders[i%2])
		if _, ok := x.Changes(); !ok {
			b.Fatal("no change")
		}
	}
}
