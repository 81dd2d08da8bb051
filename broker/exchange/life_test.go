package exchange

import (
	"strings"
	"testing"
)

// A step is a line of a script and what it tells.
type step struct{ line, want string }

func TestLives(t *testing.T) {
	for _, tt := range []struct {
		name    string
		partial bool
		steps   []step
		open    string // at the end
	}{
		// STP
		{"buy stop waits for a trade at it", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 STP stop=188", "#1 accepted held:trigger"},
			{"print 187.99", ""},
			{"odd 189", ""}, // a suspicious print sets nothing off
			{"quote 188.1 188.12", ""},
			{"print 188", "#1 triggered working 100@188.12"},
		}, ""},
		{"sell stop below", false, []step{
			{"SELL 100 STP stop=187", "#1 accepted held:trigger"},
			{"print 187.01", ""},
			{"print 186", "#1 triggered working 100@186"}, // without a quote: at the trade
		}, ""},
		{"stop through the market is set off at once", false, []step{
			{"print 187", ""},
			{"SELL 100 STP stop=187", "#1 accepted triggered working 100@187"},
		}, ""},
		{"not in a halt", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 STP stop=188", "#1 accepted held:trigger"},
			{"halt", ""},
			{"print 189", ""},
			{"BUY 1 STP stop=188", "#2 accepted held:trigger"}, // the trade of the halt does not count
			{"resume", ""},
			{"quote 188 188.5", ""},
			{"print 188", "#1 triggered working 100@188.5 #2 triggered working 1@188.5"},
		}, ""},
		{"stops in the order in which the market reaches them", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 1 STP stop=188", "#1 accepted held:trigger"},
			{"BUY 2 STP stop=187.5", "#2 accepted held:trigger"},
			{"BUY 3 STP stop=187.5", "#3 accepted held:trigger"},
			{"print 188", "#2 triggered working 2@187.26 #3 triggered working 3@187.26 #1 triggered working 1@187.26"},
		}, ""},
		// STP LMT
		{"stop limit rests at its limit", false, []step{
			{"quote 187.24 187.26", ""},
			{"SELL 100 STP LMT 187.2 stop=187", "#1 accepted held:trigger"},
			{"print 187", "#1 triggered working 100@187.24"},
			{"SELL 100 STP LMT 187.3 stop=187", "#2 accepted triggered working"},
			{"print 187.29", ""},
			{"print 187.3", "#2 100@187.3"},
		}, ""},
		{"a limit does not trade before the stop", false, []step{
			{"SELL 100 STP LMT 186 stop=187", "#1 accepted held:trigger"},
			{"quote 190 191", ""},
			{"print 188", ""},
		}, "#1 100/100:trigger"},
		// MIT, LIT
		{"market if touched buys below", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 MIT stop=187", "#1 accepted held:trigger"},
			{"print 187.01", ""},
			{"print 187", "#1 triggered working 100@187.26"},
			{"SELL 100 MIT stop=188", "#2 accepted held:trigger"},
			{"print 188.5", "#2 triggered working 100@187.24"},
		}, ""},
		{"limit if touched", false, []step{
			{"quote 187.24 187.26", ""},
			{"SELL 100 LIT 188 stop=187.5", "#1 accepted held:trigger"},
			{"print 187.5", "#1 triggered working"},
			{"quote 188 188.1", "#1 100@188"},
		}, ""},
		// TRAIL
		{"trail follows up, never down", false, []step{
			{"print 187", ""},
			{"SELL 100 TRAIL amount=1", "#1 accepted held:trigger"}, // 186
			{"print 188", ""}, // 187
			{"print 187.5", ""},
			{"print 187.01", ""},
			{"odd 190", ""},
			{"print 187", "#1 triggered working 100@187"},
		}, ""},
		{"trail begins with the first trade", false, []step{
			{"BUY 100 TRAIL amount=1", "#1 accepted held:trigger"},
			{"print 187", ""}, // 188
			{"print 185", ""}, // 186
			{"print 185.99", ""},
			{"print 186", "#1 triggered working 100@186"},
		}, ""},
		{"trail begins where it is told", false, []step{
			{"print 187", ""},
			{"SELL 100 TRAIL amount=1 from=186.5", "#1 accepted held:trigger"},
			{"print 187.4", ""},
			{"print 186.6", ""},
			{"print 186.5", "#1 triggered working 100@186.5"},
		}, ""},
		{"trail by per cent, rounded away", false, []step{
			{"print 100.03", ""},
			{"SELL 100 TRAIL percent=1.5", "#1 accepted held:trigger"}, // 98.52955: 98.52
			{"print 98.53", ""},
			{"print 98.52", "#1 triggered working 100@98.52"},
			{"BUY 100 TRAIL percent=1.5", "#2 accepted held:trigger"}, // 99.9978: 100
			{"print 99.99", ""},
			{"print 100", "#2 triggered working 100@100"},
		}, ""},
		{"trail limit", false, []step{
			{"quote 186.9 187.1", ""},
			{"print 187", ""},
			{"SELL 100 TRAIL LIMIT amount=1 offset=0.2", "#1 accepted held:trigger"},
			{"print 188", ""},
			{"quote 186.7 187", ""},
			{"print 187", "#1 triggered working"}, // 187, limit 186.80
			{"quote 186.8 187", "#1 100@186.8"},
		}, ""},
		{"trail limit by a limit", false, []step{
			{"print 187", ""},
			{"BUY 100 TRAIL LIMIT 188.5 amount=1 from=188", "#1 accepted held:trigger"}, // offset 0.50
			{"print 186", ""}, // 187
			{"quote 187.4 187.6", ""},
			{"print 187", "#1 triggered working"}, // limit 187.50
			{"print 187.5", "#1 100@187.5"},
		}, ""},
		// Sizes
		{"all or none", true, []step{
			{"quote 187.24 187.26x300", ""},
			{"BUY 400 LMT 187.26 aon", "#1 accepted working"},
			{"BUY 100 LMT 187.26", "#2 accepted working 100@187.26"},
			{"quote 187.24 187.26x399", ""},
			{"print 187.26x400", "#1 400@187.26"},
		}, ""},
		{"all or none lets those behind it by", true, []step{
			{"BUY 400 LMT 187.26 aon", "#1 accepted working"},
			{"BUY 100 LMT 187.26", "#2 accepted working"},
			{"print 187.26x300", "#2 100@187.26"},
		}, "#1 400/400"},
		{"fill or kill", true, []step{
			{"quote 187.24 187.26x300", ""},
			{"BUY 400 MKT FOK", "#1 accepted working cancelled:remainder"},
			{"BUY 300 MKT FOK", "#2 accepted working 300@187.26"},
			{"BUY 1 LMT 187.25 FOK", "#3 accepted working cancelled:remainder"},
		}, ""},
		{"least quantity of the first fill", true, []step{
			{"quote 187.24 187.26x300", ""},
			{"BUY 500 LMT 187.26 min=400", "#1 accepted working"},
			{"quote 187.24 187.26x400", "#1 400@187.26"},
			{"quote 187.24 187.26x10", "#1 10@187.26"},
		}, "#1 90/500"},
		{"a set off stop takes what is there", true, []step{
			{"quote 187.24 187.26x300", ""},
			{"BUY 400 STP stop=187.3", "#1 accepted held:trigger"},
			{"print 187.3x50", "#1 triggered working 300@187.26"},
			{"print 187.4x50", "#1 50@187.4"},
		}, "#1 50/400"},
		// Times
		{"good after", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 MKT after=14:00", "#1 accepted held:time"},
			{"at 13:59", ""},
			{"at 14:00", "#1 working 100@187.26"},
		}, ""},
		{"good till", false, []step{
			{"BUY 100 LMT 180 till=14:00", "#1 accepted working"},
			{"at 13:59", ""},
			{"print 179", "#1 100@180"},
			{"BUY 100 LMT 180 till=14:00", "#2 accepted working"},
			{"at 14:00", "#2 cancelled:expired"},
		}, ""},
		{"good till over nights", false, []step{
			{"BUY 100 LMT 180 till=1/10:00", "#1 accepted working"},
			{"at 16:00", "#1 held:session"},
			{"at 1/09:30", "#1 working"},
			{"at 1/10:00", "#1 cancelled:expired"},
		}, ""},
		// Sessions
		{"after the close orders wait for the next session", false, []step{
			{"quote 187.24 187.26", ""},
			{"at 17:00", ""},
			{"BUY 100 MKT", "#1 accepted held:session warning:399"},
			{"BUY 100 LMT 187.26 outside", "#2 accepted working 100@187.26"},
			{"BUY 100 MKT outside", "#3 accepted warning:2109 held:session warning:399"},
			{"SELL 100 STP stop=180", "#4 accepted held:session warning:399"},
			{"print 179", ""},
			{"at 1/09:30", "#1 working #3 working #4 held:trigger"}, // a DAY order of the evening is of the next day
			{"quote 179.2 179.3", "#1 100@179.3 #3 100@179.3"},
			{"print 180", "#4 triggered working 100@179.2"},
		}, ""},
		{"a day order ends with the trading hours", false, []step{
			{"BUY 100 LMT 180", "#1 accepted working"},
			{"BUY 100 LMT 180 outside", "#2 accepted working"},
			{"at 16:00", "#1 held:session"},
			{"print 179", "#2 100@180"},
			{"at 20:00", "#1 cancelled:expired"},
		}, ""},
		{"GTC orders survive nights and keep their place", false, []step{
			{"BUY 100 LMT 180 GTC", "#1 accepted working"},
			{"BUY 200 LMT 180 GTC outside", "#2 accepted working"},
			{"at 16:00", "#1 held:session"},
			{"at 20:00", "#2 held:session"},
			{"at 1/04:00", "#2 working"},
			{"quote 181 182", ""},
			{"at 1/09:30", "#1 working"},
			{"print 179.5", "#1 100@179.5 #2 200@180"}, // #1 comes in with the opening, #2 was there
		}, ""},
		{"stops outside the session", false, []step{
			{"quote 187.24 187.26", ""},
			{"at 17:00", ""},
			{"SELL 100 STP stop=187 outside", "#1 accepted held:trigger"},
			{"SELL 100 STP LMT 186 stop=187 outside", "#2 accepted held:trigger"},
			{"print 187", "#1 triggered held:session #2 triggered working 100@187.24"},
			{"at 1/09:30", "#1 working"},
			{"quote 186 187", "#1 100@186"},
		}, ""},
		{"no order works at night", false, []step{
			{"at 21:00", ""},
			{"BUY 100 LMT 187 outside GTC", "#1 accepted held:session warning:399"},
			{"print 186", ""},
			{"at 1/04:00", "#1 working"},
			{"print 186.5", "#1 100@186.5"},
		}, ""},
		// Auctions
		{"at the close", false, []step{
			{"print 187", ""},
			{"BUY 100 MOC", "#1 accepted working"},
			{"SELL 100 LOC 188", "#2 accepted working"},
			{"SELL 200 LOC 187.5", "#3 accepted working"},
			{"at 15:59", ""},
			{"print 187.6", ""},
			{"odd 200", ""},
			{"at 16:00", "#1 100@187.6 #2 cancelled:expired #3 200@187.6"},
		}, ""},
		{"at the close of the next session", false, []step{
			{"print 187", ""},
			{"at 17:00", ""},
			{"BUY 100 MOC", "#1 accepted held:session warning:399"},
			{"print 189", ""}, // after the close: not a price of the session
			{"at 1/09:30", "#1 working"},
			{"quote 188 188.1", ""},
			{"at 1/16:00", "#1 100@188.1"}, // no trade that day: at the quote
		}, ""},
		{"at the close of a market that does not close", false, []step{
			{"IBM print 90", ""},
			{"IBM BUY 100 MOC", "#1 accepted working"},
			{"at 16:00", "#1 100@90"},
		}, ""},
		{"halted at the close", false, []step{
			{"print 187", ""},
			{"BUY 100 MOC", "#1 accepted working"},
			{"halt", ""},
			{"at 16:00", "#1 cancelled:expired"},
		}, ""},
		{"at the opening", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 MKT OPG", "#1 accepted held:session"},
			{"BUY 100 LMT 188 OPG", "#2 accepted held:session"},
			{"BUY 100 LMT 187 OPG", "#3 accepted held:session"},
			{"at 1/09:29", ""},
			{"print 180", ""},
			{"at 1/09:30", "#1 working #2 working #3 working"},
			{"print 187.5", "#1 100@187.5 #2 100@187.5 #3 cancelled:remainder"},
		}, ""},
		// Halts
		{"nothing fills in a halt", false, []step{
			{"quote 187.24 187.26", ""},
			{"BUY 100 LMT 187", "#1 accepted working"},
			{"halt", ""},
			{"quote 186 186.5", ""},
			{"print 186", ""},
			{"BUY 100 MKT", "#2 accepted working"},
			{"BUY 100 MKT IOC", "#3 accepted working cancelled:remainder"},
			{"resume", ""},
			{"quote 186 186.4", "#2 100@186.4 #1 100@187"},
		}, ""},
	} {
		plays(t, tt.partial, tt.name, tt.steps, tt.open)
	}
}

// Where the day ends with the regular session, an order for the closing trades
// in it all the same, also on the last day of which the hours tell.
func TestClosingAtTheEndOfTheDay(t *testing.T) {
	for _, day := range []string{"0", "2"} {
		s := newScript(t, nil)
		h := s.hours("09:30", "16:00")
		if err := s.x.List(StockDetails("AAPL", h, h)); err != nil {
			t.Fatal(err)
		}
		s.play("at " + day + "/15:00")
		for _, line := range []string{"print 187", "BUY 100 MOC", "SELL 100 LOC 186", "SELL 100 LOC 188"} {
			s.play(line)
		}
		if got, want := s.play("at "+day+"/16:00"), "#1 100@187 #2 100@187 #3 cancelled:expired"; got != want {
			t.Errorf("day %s: got %s, want %s", day, got, want)
		}
	}
}

func TestWarningNamesTheTime(t *testing.T) {
	s := newScript(t, nil)
	s.play("at 2/17:00") // Wednesday: the hours tell of no later session
	if got := s.play("BUY 1 LMT 1"); got != "#1 accepted held:session" {
		t.Errorf("an opening that is not known: %s", got)
	}
	s = newScript(t, nil)
	s.play("at 17:00")
	for _, r := range s.x.Place(s.now, s.request("AAPL", strings.Fields("BUY 1 LMT 1"))) {
		if w, ok := r.(Warning); ok {
			if w.Text != "Your order will not be placed at the exchange until 2026-04-07 09:30:00 US/Eastern" {
				t.Errorf("warning %q", w.Text)
			}
			return
		}
	}
	t.Error("no warning")
}
