package exchange

import (
	"strings"
	"testing"
)

// plays runs tables of scripts.
func plays(t *testing.T, partial bool, name string, steps []step, open string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		s := newScript(t, func(c *Config) { c.PartialFills = partial })
		for i, st := range steps {
			if got := s.play(st.line); got != st.want {
				t.Errorf("step %d, %s:\n got %q\nwant %q", i+1, st.line, got, st.want)
			}
		}
		if got := s.open(); got != open {
			t.Errorf("open are %q, want %q", got, open)
		}
		if len(s.x.Open()) == 0 && len(s.x.groups)+len(s.x.children)+len(s.x.alarms) > 2 { // the listings' own
			t.Errorf("left behind: groups %v, children %v, %d alarms", s.x.groups, s.x.children, len(s.x.alarms))
		}
	})
}

func TestBrackets(t *testing.T) {
	bracket := []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 LMT 187 hold", "#1 accepted held:transmit"},
		{"SELL 100 LMT 188 parent=1 GTC hold", "#2 accepted held:transmit"},
		{"SELL 100 STP stop=186 parent=1 GTC", "#3 accepted #1 working #2 held:parent #3 held:parent"},
	}
	with := func(more ...step) []step { return append(append([]step(nil), bracket...), more...) }
	plays(t, false, "profit taken", with(
		step{"print 188", ""},
		step{"print 187", "#1 100@187 #2 working #3 held:trigger"},
		step{"print 188", "#2 100@188 #3 cancelled:oca"},
	), "")
	plays(t, false, "stopped", with(
		step{"print 187", "#1 100@187 #2 working #3 held:trigger"},
		step{"quote 185 185.1", ""},
		step{"print 185.9", "#3 triggered working 100@185 #2 cancelled:oca"},
	), "")
	plays(t, false, "filled through the stop", with(
		step{"print 185", "#1 100@187 #2 working #3 held:trigger triggered working 100@187.24 #2 cancelled:oca"},
	), "")
	plays(t, false, "the trade that fills the parent is gone", []step{
		{"BUY 100 LMT 187 hold", "#1 accepted held:transmit"},
		{"SELL 100 LMT 186.9 parent=1", "#2 accepted #1 working #2 held:parent"},
		{"print 187", "#1 100@187 #2 working"},
		{"print 187", "#2 100@186.9"},
	}, "")
	plays(t, false, "parent cancelled", with(
		step{"cancel 1", "#1 cancelled:asked #2 cancelled:parent_ended #3 cancelled:parent_ended"},
	), "")
	plays(t, false, "parent expired", with(
		step{"at 16:00", "#1 held:session"},
		step{"at 20:00", "#1 cancelled:expired #2 cancelled:parent_ended #3 cancelled:parent_ended"},
	), "")
	plays(t, false, "child cancelled", with(
		step{"cancel 2", "#2 cancelled:asked"},
		step{"print 187", "#1 100@187 #3 held:trigger"},
	), "#3 100/100:trigger")
	plays(t, true, "parent filled in part", with(
		step{"print 187x40", "#1 40@187"},
		step{"print 188", ""},
		step{"cancel 1", "#1 cancelled:asked #2 modified working #3 modified held:trigger"},
		step{"print 188x10", "#2 10@188 #3 modified"},
		step{"quote 185.5x100 186", ""},
		step{"print 186", "#3 triggered working 30@185.5 #2 cancelled:oca"},
	), "")
	plays(t, false, "all cancelled", with(step{"all", "#2 cancelled:asked #3 cancelled:asked #1 cancelled:asked"}), "")
	plays(t, false, "a market parent fills at once", []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 MKT hold", "#1 accepted held:transmit"},
		{"SELL 100 LMT 187.2 parent=1 hold", "#2 accepted held:transmit"},
		{"SELL 100 STP stop=186 parent=1", "#3 accepted #1 working 100@187.26 #2 working 100@187.24 #3 cancelled:oca"},
	}, "")
	plays(t, false, "transmitted by a change", []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 LMT 187 hold", "#1 accepted held:transmit"},
		{"SELL 100 LMT 188 parent=1 hold", "#2 accepted held:transmit"},
		{"print 186", ""},
		{"modify 1 BUY 100 LMT 187", "#1 modified working #2 held:parent"},
		{"SELL 100 STP stop=186 parent=1 hold", "#3 accepted held:transmit"},
		{"print 186", "#1 100@187 #2 working"},
		{"print 188", "#2 100@188 #3 cancelled:oca"},
	}, "")
	plays(t, false, "children that add are no group", []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 MKT hold", "#1 accepted held:transmit"},
		{"BUY 100 LMT 187 parent=1 hold", "#2 accepted held:transmit"},
		{"SELL 100 LMT 188 parent=1", "#3 accepted #1 working 100@187.26 #2 working #3 working"},
		{"print 187", "#2 100@187"},
	}, "#3 100/100")
	plays(t, false, "refused", []step{
		{"SELL 100 LMT 188 parent=9", "#1 rejected:no_parent:10006"},
		{"BUY 100 LMT 187", "#2 accepted working"},
		{"SELL 100 LMT 188 parent=2", "#3 accepted held:parent"},
		{"BUY 100 LMT 180 parent=3", "#4 rejected:bad_order:201"},
		{"IBM SELL 100 LMT 188 parent=2", "#5 rejected:bad_order:201"},
		{"cancel 2", "#2 cancelled:asked #3 cancelled:parent_ended"},
		{"SELL 100 LMT 188 parent=2", "#6 rejected:no_parent:10006"},
	}, "")
}

func TestGroups(t *testing.T) {
	plays(t, false, "a print that reaches both fills one", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"BUY 100 LMT 186 oca=g/1", "#2 accepted working"},
		{"BUY 100 LMT 186", "#3 accepted working"},
		{"print 180", "#1 100@187 #2 cancelled:oca #3 100@186"},
	}, "")
	plays(t, false, "over symbols and sides", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"IBM SELL 50 STP stop=80 oca=g/1", "#2 accepted held:trigger"},
		{"SELL 10 LMT 190 oca=h/1", "#3 accepted working"},
		{"IBM print 79", "#2 triggered working 50@79 #1 cancelled:oca"},
	}, "#3 10/10")
	plays(t, true, "type 1 cancels by a part", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"BUY 100 LMT 186 oca=g/1", "#2 accepted working"},
		{"print 186.5x30", "#1 30@187 #2 cancelled:oca"},
		{"BUY 100 LMT 186 oca=g/1", "#3 rejected:bad_order:201"}, // the group is filling
		{"print 187", "#1 70@187"},
		{"BUY 100 LMT 186 oca=g/2", "#4 accepted working"}, // it has ended
	}, "#4 100/100")
	plays(t, true, "types 2 and 3 reduce by the same share, rounded up", []step{
		{"BUY 100 LMT 187 oca=g/2", "#1 accepted working"},
		{"BUY 50 LMT 186 oca=g/2", "#2 accepted working"},
		{"BUY 7 LMT 185 oca=g/3", "#3 rejected:bad_order:201"},
		{"modify 1 BUY 100 LMT 187 oca=g/1", "#1 unmodified:bad_order:201"},
		{"BUY 7 LMT 185 oca=g/2", "#4 accepted working"},
		{"print 186.5x30", "#1 30@187 #2 modified #4 modified"}, // 15 and 2.1
		{"print 186x100", "#1 70@187 #2 cancelled:oca #4 cancelled:oca"},
	}, "")
	plays(t, false, "cancelling one leaves the others", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"BUY 100 LMT 186 oca=g/1", "#2 accepted working"},
		{"cancel 1", "#1 cancelled:asked"},
		{"print 186", "#2 100@186"},
	}, "")
	plays(t, false, "a member that arrives and fills", []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 LMT 187 oca=g", "#1 accepted working"},
		{"BUY 100 MKT oca=g/3", "#2 accepted working 100@187.26 #1 cancelled:oca"},
	}, "")
	plays(t, false, "a parent that goes takes its children along", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"SELL 100 LMT 189 parent=1", "#2 accepted held:parent"},
		{"BUY 100 LMT 188 oca=g/1", "#3 accepted working"},
		{"print 187.5", "#3 100@188 #1 cancelled:oca #2 cancelled:parent_ended"},
	}, "")
	plays(t, true, "a parent that is changed to less cuts its children", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"SELL 100 LMT 190 parent=1 hold", "#2 accepted held:transmit"},
		{"SELL 100 STP stop=180 parent=1", "#3 accepted #2 held:parent #3 held:parent"},
		{"SELL 300 LMT 195 parent=1 oca=h", "#4 accepted held:parent"},
		{"modify 1 BUY 60 LMT 187", "#1 modified #2 modified #3 modified"},
		{"print 187x20", "#1 20@187"},
		{"modify 1 BUY 50 LMT 186", "#1 modified #2 modified #3 modified"},
		{"modify 1 BUY 80 LMT 186", "#1 modified"}, // more is for the client to say
		{"modify 1 BUY 50 LMT 186", "#1 modified"},
		{"print 186x30", "#1 30@186 #2 working #3 held:trigger #4 working"},
	}, "#2 50/50 #3 50/50:trigger #4 300/300")
	plays(t, true, "a parent that is cut cuts its children", []step{
		{"BUY 100 LMT 187 oca=g/2", "#1 accepted working"},
		{"BUY 100 LMT 186 oca=g/2", "#2 accepted working"},
		{"SELL 100 STP stop=180 parent=2", "#3 accepted held:parent"},
		{"SELL 300 LMT 190 parent=2 oca=h", "#4 accepted held:parent"}, // exits more than that, as it was asked to
		{"print 187x50", "#1 50@187 #2 modified #3 modified"},
		{"cancel 1", "#1 cancelled:asked"},
		{"print 186x50", "#2 50@186 #3 held:trigger #4 working"},
	}, "#3 50/50:trigger #4 300/300")
	plays(t, false, "refused", []step{
		{"BUY 100 LMT 187 oca=g/4", "#1 rejected:bad_order:201"},
		{"BUY 100 LMT 187 oca=g/-1", "#2 rejected:bad_order:201"},
		{"BUY 100 LMT 187 oca=" + strings.Repeat("g", 65), "#3 rejected:bad_order:201"},
	}, "")
}

func TestFamiliesAreBounded(t *testing.T) {
	s := newScript(t, nil)
	s.play("BUY 1 LMT 1")
	for range MaxChildren {
		s.play("BUY 1 LMT 1 parent=1")
	}
	if got := s.play("BUY 1 LMT 1 parent=1"); !strings.HasSuffix(got, "rejected:full:201") {
		t.Error(got)
	}
	for range MaxGroup {
		s.play("BUY 1 LMT 1 oca=g/1")
	}
	if got := s.play("BUY 1 LMT 1 oca=g/1"); !strings.HasSuffix(got, "rejected:full:201") {
		t.Error(got)
	}
}

func TestModify(t *testing.T) {
	plays(t, false, "price", []step{
		{"quote 187.24 187.26", ""},
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"modify 1 BUY 100 LMT 187.1", "#1 modified"},
		{"print 187.1", "#1 100@187.1"},
		{"BUY 100 LMT 187", "#2 accepted working"},
		{"modify 2 BUY 100 LMT 188", "#2 modified 100@187.26"},
		{"modify 2 BUY 100 LMT 188", "error"},
	}, "")
	plays(t, true, "a smaller quantity keeps the place, anything else loses it", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"BUY 100 LMT 187", "#2 accepted working"},
		{"BUY 100 LMT 187", "#3 accepted working"},
		{"modify 1 BUY 90 LMT 187", "#1 modified"},
		{"print 187x10", "#1 10@187"},
		{"modify 1 BUY 95 LMT 187", "#1 modified"},
		{"print 187x10", "#2 10@187"},
		{"modify 2 BUY 50 LMT 187 GTC", "#2 modified"},
		{"print 187x110", "#3 100@187 #1 10@187"},
	}, "#1 75/95 #2 40/50")
	plays(t, true, "not below what is filled", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"print 187x40", "#1 40@187"},
		{"modify 1 BUY 40 LMT 187", "#1 unmodified:bad_quantity:201"},
		{"modify 1 BUY 41 LMT 187", "#1 modified"},
		{"print 187x40", "#1 1@187"},
	}, "")
	plays(t, false, "what an order is stays", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"SELL 100 LMT 190 parent=1", "#2 accepted held:parent"},
		{"modify 1 SELL 100 LMT 187", "#1 unmodified:mismatch:105"},
		{"IBM modify 1 BUY 100 LMT 187", "#1 unmodified:mismatch:105"},
		{"modify 1 BUY 100 LMT 187 parent=2", "#1 unmodified:mismatch:105"},
		{"modify 1 BUY 100 LMT 187.001", "#1 unmodified:off_tick:110"},
		{"modify 2 SELL 100 LMT 189", "#2 modified"}, // parent and group need not be named again
		{"print 187", "#1 100@187 #2 working"},
		{"modify 7 BUY 1 MKT", "error"},
	}, "#2 100/100")
	plays(t, false, "stops", []step{
		{"print 187", ""},
		{"SELL 100 STP stop=186", "#1 accepted held:trigger"},
		{"modify 1 SELL 100 STP stop=186.5", "#1 modified"},
		{"print 186.5", "#1 triggered working 100@186.5"},
		{"SELL 100 STP stop=186", "#2 accepted held:trigger"},
		{"modify 2 SELL 100 STP stop=186.5", "#2 modified triggered working 100@186.5"},
		{"SELL 100 STP stop=186", "#3 accepted held:trigger"},
		{"modify 3 SELL 100 LMT 186.2", "#3 modified working"},
		{"modify 3 SELL 100 STP stop=186", "#3 modified held:trigger"},
	}, "#3 100/100:trigger")
	plays(t, false, "a limit that a stop became", []step{
		{"SELL 100 STP LMT 187 stop=186", "#1 accepted held:trigger"},
		{"print 186", "#1 triggered working"},
		{"modify 1 SELL 100 STP LMT 186.5 stop=186", "#1 modified"},
		{"print 186.6", "#1 100@186.5"},
		{"SELL 100 TRAIL LIMIT amount=1 offset=0", "#2 accepted held:trigger"},
		{"print 185.6", "#2 triggered working"},
		{"modify 2 SELL 90 TRAIL LIMIT amount=1 offset=0", "#2 modified"}, // its limit stays
		{"modify 2 SELL 90 TRAIL LIMIT 185.5 amount=1 offset=0", "#2 modified"},
		{"print 185.5", "#2 90@185.5"},
	}, "")
	plays(t, false, "a trail goes on, or begins anew", []step{
		{"print 187", ""},
		{"SELL 100 TRAIL amount=1", "#1 accepted held:trigger"},
		{"print 188", ""},
		{"print 187.5", ""},
		{"modify 1 SELL 90 TRAIL amount=1 GTC", "#1 modified"}, // 187
		{"print 187.1", ""},
		{"modify 1 SELL 90 TRAIL amount=2 GTC", "#1 modified"}, // 185.10
		{"print 187", ""},
		{"print 185.1", "#1 triggered working 90@185.1"},
	}, "")
	plays(t, false, "times", []step{
		{"BUY 100 LMT 187 till=13:00", "#1 accepted working"},
		{"modify 1 BUY 100 LMT 187 till=14:00", "#1 modified"},
		{"at 13:00", ""},
		{"modify 1 BUY 100 LMT 187 GTC after=15:00", "#1 modified held:time"},
		{"at 14:00", ""},
		{"print 186", ""},
		{"modify 1 BUY 100 LMT 187 GTC", "#1 modified working"},
		{"modify 1 BUY 100 LMT 187 IOC", "#1 modified cancelled:remainder"},
	}, "")
	plays(t, false, "groups", []step{
		{"BUY 100 LMT 187 oca=g/1", "#1 accepted working"},
		{"BUY 100 LMT 186", "#2 accepted working"},
		{"modify 2 BUY 100 LMT 186 oca=g/1", "#2 modified"},
		{"modify 1 BUY 100 LMT 187", "#1 modified"},
		{"print 187", "#1 100@187"},
		{"print 186", "#2 100@186"},
	}, "")
	plays(t, false, "what was transmitted cannot be called back", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"modify 1 BUY 100 LMT 187 hold", "#1 modified"},
		{"print 187", "#1 100@187"},
	}, "")
	plays(t, false, "after its session a DAY order lasts no longer", []step{
		{"BUY 100 LMT 187", "#1 accepted working"},
		{"at 16:00", "#1 held:session"},
		{"modify 1 BUY 200 LMT 188", "#1 modified"},
		{"at 20:00", "#1 cancelled:expired"},
	}, "")
	plays(t, false, "at night", []step{
		{"at 17:00", ""},
		{"BUY 100 LMT 187", "#1 accepted held:session warning:399"},
		{"modify 1 BUY 100 LMT 188", "#1 modified"},
		{"modify 1 BUY 100 LMT 188 outside", "#1 modified working"},
		{"modify 1 BUY 100 LMT 188", "#1 modified held:session warning:399"},
	}, "#1 100/100:session")
}
