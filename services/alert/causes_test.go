package alert

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/health"
)

// folding is causes over a hub that tells nobody.
func folding() (*Causes, *Hub) {
	h := New(DefaultConfig(), Parts{Log: slog.New(slog.DiscardHandler)})
	return NewCauses(DefaultConfig(), h), h
}

// on returns the troubles that are on, as "kind key", sorted.
func on(h *Hub) string {
	var list []string
	for _, s := range h.State().On {
		list = append(list, strings.TrimSpace(s.Kind+" "+s.Key))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func wants(t *testing.T, h *Hub, step, want string) {
	t.Helper()
	if got := on(h); got != want {
		t.Errorf("after %s: on is %q, want %q", step, got, want)
	}
}

func TestLinkCauses(t *testing.T) {
	c, h := folding()
	past, soon := time.Now().Add(-time.Minute), time.Now().Add(time.Minute)
	for _, tt := range []struct {
		step string
		link broker.Link
		want string
	}{
		{"down", broker.Link{State: broker.Waiting, Cause: "nobody listens"}, ""},
		{"wedged", broker.Link{State: broker.NeedsRestart, Cause: "no reply", Advice: "restart it"}, "needs_restart"},
		{"a try", broker.Link{State: broker.Connecting}, "needs_restart"},
		{"wedged again", broker.Link{State: broker.NeedsRestart, Cause: "no reply, the 6th time"}, "needs_restart"},
		{"the factor", broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &soon}, "needs_restart, second_factor"},
		{"overdue", broker.Link{State: broker.Waiting, Phase: broker.FactorPhase, Until: &past}, "needs_restart, second_factor"},
		{"ready, with a wrong clock", broker.Link{State: broker.Ready, Rungs: []broker.Rung{{Name: broker.RungClock, OK: true, Note: "warning: this machine's clock is 3s off"}}}, "clock venue"},
		{"weekly", broker.Link{State: broker.Waiting, Phase: broker.LoginPhase}, "clock venue, second_factor"},
		{"refused", broker.Link{State: broker.Refused, Cause: "a live account"}, "clock venue, refused, second_factor"},
		{"degraded", broker.Link{State: broker.Degraded, Rungs: []broker.Rung{{Name: broker.RungClock, OK: true}}}, ""},
		{"the daily restart", broker.Link{State: broker.Waiting, Phase: broker.RestartPhase}, ""},
		{"stopped", broker.Link{State: broker.Stopped}, ""},
	} {
		c.Link(tt.link)
		wants(t, h, tt.step, tt.want)
	}
}

func TestDeskCauses(t *testing.T) {
	c, h := folding()
	c.Mode(event.ModeChange{Mode: broker.Active})
	wants(t, h, "active", "")
	c.Finding(broker.Finding{Kind: "position", Symbol: "AAPL", Ours: "0", Theirs: "7", Evidence: "nothing explains it", Done: "taken"})
	c.Finding(broker.Finding{Kind: "execution", Symbol: "AAPL", Ref: "a-1", Explained: true})
	wants(t, h, "a finding", "finding position AAPL")
	if cause := h.State().On[0].Cause; cause != "AAPL, position: the books had 0, the broker has 7; nothing explains it; taken" {
		t.Errorf("cause %q", cause)
	}
	c.Mode(event.ModeChange{Mode: broker.Halted, Reason: "by ops", Flatten: true, Closing: []event.Closing{
		{Symbol: "AAPL", State: event.ClosingGivenUp, Detail: "three tries"}, {Symbol: "MSFT", State: event.ClosingWorks},
	}})
	wants(t, h, "a flatten", "finding position AAPL, flatten AAPL, mode")
	c.Mode(event.ModeChange{Mode: broker.Halted, Reason: "by ops", Closing: []event.Closing{{Symbol: "AAPL", State: event.ClosingFlat}}})
	wants(t, h, "flat", "finding position AAPL, mode")
	c.Mode(event.ModeChange{Mode: broker.Active, Reason: "resumed"})
	wants(t, h, "resume", "")

	c.Notice(event.NoticeText{Level: "error", Source: "desk", Name: "journal_failed", Text: "disk full"})
	c.Notice(event.NoticeText{Level: "error", Source: "desk", Name: "position_naked", Symbol: "AAPL", Text: "no stop"})
	c.Notice(event.NoticeText{Level: "error", Source: "link", Name: "link_refused", Text: "told by the link"})
	c.Notice(event.NoticeText{Level: "error", Source: "health", Name: "alarm_not_ready", Text: "told by the registry"})
	c.Notice(event.NoticeText{Level: "warning", Source: "desk", Name: "resubscribe_failed"})
	c.Notice(event.NoticeText{Level: "error", Source: "runner", Name: "strategy_failed", Symbol: "MSFT", Text: "a panic"})
	wants(t, h, "notices", "journal, naked AAPL, other strategy_failed MSFT")
	c.Notice(event.NoticeText{Name: "journal_restored"})
	c.Notice(event.NoticeText{Name: "position_covered", Symbol: "AAPL"})
	wants(t, h, "their ends", "other strategy_failed MSFT")
}

func decided(allowed bool, rule, reduction string) event.Decided {
	return event.Decided{
		Intent:   order.Intent{ID: "x-1", Symbol: "AAPL", Action: order.Place},
		Decision: order.Decision{IntentID: "x-1", Allowed: allowed, Rule: rule, Reason: "1700 is much", Saw: order.SawOf("reduction", reduction)},
	}
}

// used is a limit of 2000 of which some is used.
func used(rule string, share float64, off bool) event.LimitState {
	return event.LimitState{Limits: []broker.LimitUse{
		{Rule: rule, Limit: "max_" + rule, Most: market.MustMoney("2000"), Share: &share, Off: off}, {Rule: "max_gross_notional"}, // which is not known
	}}
}

func TestRiskCauses(t *testing.T) {
	c, h := folding()
	for _, tt := range []struct {
		step string
		told any // event.Decided or event.LimitState
		want string
	}{
		{"calm", used("daily_loss", 0.79, false), ""},
		{"a loss of 80 %", used("daily_loss", 0.8, false), "risk_near daily_loss"},
		{"at the edge", used("daily_loss", 0.75, false), "risk_near daily_loss"},
		{"used up", used("daily_loss", 1.1, false), "risk_near daily_loss"},
		{"hit", decided(false, "daily_loss", "false"), "risk_hit daily_loss, risk_near daily_loss"},
		{"a reduction", decided(true, "", "true"), "risk_hit daily_loss, risk_near daily_loss"},
		{"a new day", used("daily_loss", 0, false), ""},
		{"a drawdown of 4 %, of 5", used("drawdown", 0.8, false), "risk_near drawdown"},
		{"another day", used("drawdown", 0.1, false), ""},
		{"a loop", decided(false, "orders_per_minute", "false"), "risk_hit orders_per_minute"},
		{"a slip of the hand", decided(false, "max_order_qty", "false"), "risk_hit orders_per_minute"},
		{"an exit", decided(true, "", "true"), "risk_hit orders_per_minute"},
		{"an entry", decided(true, "", "false"), ""},
		{"a large order", decided(false, "max_gross_notional", "false"), "risk_hit max_gross_notional"},
		{"which is too large still", used("max_gross_notional", 0.4, false), "risk_hit max_gross_notional"},
		{"a smaller one", decided(true, "", "false"), ""},
		{"of one symbol", used("max_position_notional", 1, false), ""},
		{"switched off", used("daily_loss", 0.95, true), ""},
	} {
		switch v := tt.told.(type) {
		case event.Decided:
			c.Decision(v)
		case event.LimitState:
			c.Limits(v)
		}
		wants(t, h, tt.step, tt.want)
	}
}

func TestDataCauses(t *testing.T) {
	c, h := folding()
	when := time.Now()
	state := func(states ...string) event.HealthState {
		s := event.HealthState{Session: &broker.Health{}}
		for i, x := range states {
			s.Data = append(s.Data, broker.Freshness{Symbol: market.Symbol(string(rune('A' + i))), State: x})
		}
		return s
	}
	for _, tt := range []struct {
		step  string
		state event.HealthState
		want  string
	}{
		{"live", state("live", "closed"), ""},
		{"stale", state("stale", "blocked"), "stale_data A, stale_data B"},
		{"the link is lost", state("lost", "lost"), "stale_data A, stale_data B"},
		{"asked for", state("wanted", "wanted"), "stale_data A, stale_data B"},
		{"live again", state("live", "wanted"), "stale_data B"},
		{"closed", state("live", "closed"), ""},
		{"another session", event.HealthState{Session: &broker.Health{Competing: &when}}, "competing"},
		{"no session", event.HealthState{}, "competing"},
		{"over", state(), ""},
	} {
		c.Health(tt.state)
		wants(t, h, tt.step, tt.want)
	}
}

// The watch tells of what nobody publishes, with the words of the beginning.
func TestWatch(t *testing.T) {
	_, h := folding()
	r := health.New()
	free, right := uint64(600*mib), true
	w := NewWatch(DefaultConfig(), h, WatchParts{
		Registry: r, Free: func(context.Context) (uint64, error) { return free, nil }, Clock: func() (bool, bool) { return right, true },
	})
	look := func(step, want string) {
		t.Helper()
		w.looks = 0
		w.look(t.Context())
		w.disk(t.Context())
		wants(t, h, step, want)
	}
	r.Report(health.AlarmName, "")
	look("well", "")
	r.Report(health.AlarmName, "not ready for 5m0s")
	look("the alarm", "not_ready")
	r.Report(health.AlarmName, "not ready for 5m1s")
	look("a second later", "not_ready")
	if cause := h.State().On[0].Cause; cause != "not ready for 5m0s" {
		t.Errorf("cause %q", cause)
	}
	r.Report(health.AlarmName, "")
	r.Report("journal", "disk full")
	r.Report("recorder", "disk full")
	look("parts", "component recorder, journal file")
	r.Report("journal", "")
	r.Report("recorder", "")
	look("parts that are well", "")
	free, right = 511*mib, false
	look("little room", "clock kernel, disk")
	free = 520 * mib
	look("at the edge", "clock kernel, disk")
	free, right = 700*mib, true
	look("room", "")
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
