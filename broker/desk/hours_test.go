package desk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker/market"
	"robotrader/services/event"
)

// What a venue says about its regular session is held against the calendar:
// details, data state and notices.
func TestHoursAreASecondOpinion(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, told, now string
		want            string // Liquid
		state           string
		notice          string // "" for none
	}{
		{
			name: "both open", told: "20261125:0930-20261125:1600", now: "20261125 1200",
			want: "20261125:0930-20261125:1600", state: "wanted",
		},
		{
			name: "a holiday that the venue forgot", told: "20261126:0930-20261126:1600;20261127:0930-20261127:1300", now: "20261126 1200",
			want: "20261126:1600-20261126:1600;20261127:0930-20261127:1300", state: "closed",
			notice: "AAPL: the venue says open 2026-11-26 09:30 to 16:00, New York's calendar says closed (Thanksgiving Day): taken as closed",
		},
		{
			name: "a half day that the venue forgot, before the close", told: "20261127:0930-20261127:1600", now: "20261127 1259",
			want: "20261127:0930-20261127:1300;20261127:1600-20261127:1600", state: "wanted",
			notice: "AAPL: the venue says open 2026-11-27 09:30 to 16:00, New York's calendar says 2026-11-27 09:30 to 13:00: taken as 2026-11-27 09:30 to 13:00",
		},
		{
			name: "a half day that the venue forgot, after the close", told: "20261127:0930-20261127:1600", now: "20261127 1300",
			want: "20261127:0930-20261127:1300;20261127:1600-20261127:1600", state: "closed",
			notice: "AAPL: the venue says open 2026-11-27 09:30 to 16:00, New York's calendar says 2026-11-27 09:30 to 13:00: taken as 2026-11-27 09:30 to 13:00",
		},
		{
			name: "the venue says closed", told: "20261125:CLOSED;20261127:0930-20261127:1300", now: "20261125 1200",
			want: "20261127:0930-20261127:1300", state: "closed",
		},
		{name: "nothing told", told: "", now: "20261126 1200", want: "", state: "wanted"},
		{
			name: "a market that never closes", told: "20261120:0000-20261129:0000", now: "20261126 1200",
			want: "20261120:0000-20261129:0000", state: "wanted",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.stop(t)
				r.session.onSub = nil // no tick comes
				r.desk.Steps([]market.Symbol{"AAPL"})
				told, err := market.ParseHours(tt.told, zone)
				if err != nil {
					t.Fatal(err)
				}
				r.session.details["AAPL"][0].Liquid = told
				if r.session.at, err = time.ParseInLocation("20060102 1504", tt.now, zone); err != nil {
					t.Fatal(err)
				}
				r.session.facts.Simulated = true // its clock may be off
				r.serve()
				if _, err := r.desk.stepClock(context.Background(), r.session); err != nil {
					t.Fatal(err)
				}
				for range 2 { // once a day and symbol, however often it is asked
					if err := r.desk.subscribe(context.Background(), r.session, "AAPL", false); err != nil {
						t.Fatal(err)
					}
				}
				s := r.desk.State(context.Background())
				if got := s.Details["AAPL"].Liquid.Format(zone); got != tt.want {
					t.Errorf("hours %s, want %s", got, tt.want)
				}
				if s.Data[0].State != tt.state {
					t.Errorf("data is %s (%s), want %s", s.Data[0].State, s.Data[0].Cause, tt.state)
				}
				if got := noticesNamed(r.out.notices, "hours_disagree"); strings.Join(got, "|") != tt.notice {
					t.Errorf("notices %q, want %q", got, tt.notice)
				}
			})
		})
	}
}

func noticesNamed(list []event.NoticeText, name string) (texts []string) {
	for _, n := range list {
		if n.Name == name {
			texts = append(texts, n.Text)
		}
	}
	return texts
}
