package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
)

func TestDataRung(t *testing.T) {
	closedDay := market.Hours{{Open: day.Add(-9 * time.Hour), Close: day.Add(-time.Hour)}, {Open: day.Add(20 * time.Hour), Close: day.Add(27 * time.Hour)}}
	refused := fmt.Errorf("no permission: %w", broker.ErrRequest)
	for _, tt := range []struct {
		name   string
		change func(*fakeSession)
		ticks  []market.Symbol
		note   string
		dark   bool     // the link is degraded
		states []string // of AAPL and MSFT
	}{
		{name: "both live", ticks: []market.Symbol{"AAPL", "MSFT"}, states: []string{"live", "live"}},
		{
			name: "one silent", ticks: []market.Symbol{"AAPL"}, note: "MSFT blocked: no tick within 1s",
			states: []string{"live", "blocked"},
		},
		{name: "both silent", dark: true, note: "no wanted symbol has data: AAPL blocked: ", states: []string{"blocked", "blocked"}},
		{
			name: "closed", note: "closed", states: []string{"closed", "closed"},
			change: func(s *fakeSession) {
				for _, d := range s.details {
					d[0].Liquid = closedDay
				}
			},
		},
		{
			name: "unknown contract", ticks: []market.Symbol{"AAPL"}, note: "MSFT blocked: 0 contracts match MSFT, not one",
			change: func(s *fakeSession) { delete(s.details, "MSFT") }, states: []string{"live", "blocked"},
		},
		{
			name: "refused", ticks: []market.Symbol{"AAPL"}, note: "MSFT blocked: no permission",
			change: func(s *fakeSession) { s.fail["subscribe MSFT"] = refused }, states: []string{"live", "blocked"},
		},
		{
			name: "all refused", dark: true, note: "no wanted symbol has data: AAPL blocked: ",
			change: func(s *fakeSession) { s.fail["details MSFT"], s.fail["details AAPL"] = refused, refused }, states: []string{"blocked", "blocked"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.desk.Steps([]market.Symbol{"AAPL", "MSFT"})
				s := r.session
				msft := s.details["AAPL"][0]
				msft.Contract.Symbol = "MSFT"
				s.details["MSFT"] = []market.Details{msft}
				s.onSub = func(sym market.Symbol) {
					if slices.Contains(tt.ticks, sym) {
						go r.tick(sym, "10")
					}
				}
				if tt.change != nil {
					tt.change(s)
				}
				r.serve()
				if _, err := r.desk.stepClock(context.Background(), s); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				note, err := r.desk.stepData(ctx, s)
				if !strings.HasPrefix(note, tt.note) || tt.note == "" && note != "" || err != nil {
					t.Errorf("note %q, %v", note, err)
				}
				told := strings.Contains(strings.Join(r.take(), ","), "degrade no wanted symbol has data")
				if told != tt.dark {
					t.Errorf("the link is degraded: %t", told)
				}
				for i, d := range r.desk.State(context.Background()).Data {
					if d.State != tt.states[i] || d.State == "blocked" && d.Cause == "" {
						t.Errorf("%s is %s (%s), want %s", d.Symbol, d.State, d.Cause, tt.states[i])
					}
				}
				if tt.name == "closed" { // the session opens
					r.tick("AAPL", "10")
					synctest.Wait()
					if d := r.desk.State(context.Background()).Data[0]; d.State != "live" {
						t.Errorf("with ticks again: %s", d.State)
					}
				}
				r.stop(t)
			})
		})
	}
}

// TestDataThatComesLater: without data a session stands, degraded, and the
// venue is asked again.
func TestDataThatComesLater(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.send(broker.Notice{Kind: broker.NoticeRequest, Code: 354, Text: "not subscribed", Symbol: "AAPL"})
		wantCalls(t, r, "degrade no wanted symbol has data: AAPL blocked: not subscribed (354)")
		r.desk.LinkChanged(broker.Link{State: broker.Degraded})
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		wantCalls(t, r, "subscribe AAPL", "recover")
		time.Sleep(20 * time.Second)
		wantCalls(t, r) // it has data
	})
}

// TestANewSessionSubscribesAgain is field-lessons §2.9: what is wanted is ours,
// and asked for in every session.
func TestANewSessionSubscribesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready(t)
		_ = r.session.Close(context.Background())
		<-r.served
		tr := r.trace
		r.session = newSession(tr)
		r.session.facts.NextOrderID = 7 // the gateway forgot its sequence
		r.session.onSub = func(s market.Symbol) { go r.tick(s, "11") }
		r.take()
		r.serve()
		r.climb(t)
		if calls := r.take(); !slices.Contains(calls, "subscribe AAPL") {
			t.Errorf("calls %q", calls)
		}
		if reply := r.ask(buy("a")); reply.OrderID != 151 || reply.Written != 1 {
			t.Errorf("%+v", reply)
		}
		r.stop(t)
	})
}

func TestNoDataDegrades(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.send(broker.Notice{Kind: broker.NoticeDataDown, Code: 2103, Text: "farm is broken"})
		wantCalls(t, r) // a hint, no more
		r.send(broker.Notice{Kind: broker.NoticeRequest, Code: 354, Text: "not subscribed", Symbol: "AAPL"})
		wantCalls(t, r, "degrade no wanted symbol has data: AAPL blocked: not subscribed (354)")
		r.tick("AAPL", "12")
		synctest.Wait()
		wantCalls(t, r, "recover")
	})
}
