package health

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/broker"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watched is an alarm with what it told. Nothing else of the program runs.
type watched struct {
	*Registry
	alarm *Alarm

	mu    sync.Mutex
	names []string
	text  string
	on    bool
}

func (w *watched) told() (names, text string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.names, " "), w.text, w.on
}

// watch runs fn in a bubble, which begins on Saturday, 2000-01-01, in UTC.
func watch(t *testing.T, cfg Config, fn func(*testing.T, *watched)) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Registry: New()}
		w.alarm = NewAlarm(cfg, AlarmParts{
			Registry: w.Registry, Log: slog.New(slog.DiscardHandler),
			Notice: func(n event.NoticeText) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.names, w.text = append(w.names, n.Level+":"+n.Name), n.Text
			},
			Metric: func(on bool) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.on = on
			},
		})
		w.alarm.Start()
		fn(t, w)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.alarm.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func until(at string) {
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Until(when))
	synctest.Wait()
}

// TestAlarmWithoutAnyLink is field-lessons §2.4: the alarm must not be switched
// off by what it tells of. No supervisor, desk or session exists here, and no
// word ever comes.
func TestAlarmWithoutAnyLink(t *testing.T) {
	watch(t, DefaultConfig(), func(t *testing.T, w *watched) {
		until("2000-01-03T14:34:58Z") // Monday in New York, 9:34:58: the market has been open for less than five minutes
		if names, text, _ := w.told(); names != "" {
			t.Fatalf("over a weekend and 5 s short: %s: %s", names, text)
		}
		until("2000-01-03T14:35:01Z")
		names, text, on := w.told()
		if names != "error:alarm_not_ready" || !on || !strings.Contains(text, "no word came of the link at all") {
			t.Errorf("told %q, metric %t: %s", names, on, text)
		}
		if r := w.Ready(); r.Ready || len(r.Trouble) != 1 || r.Trouble[0].Name != AlarmName || !strings.Contains(r.Trouble[0].Detail, "no word came") {
			t.Errorf("/readyz says %+v", r)
		}
		if a := w.Alive(); len(a.Components) != 1 || a.Components[0].OK {
			t.Errorf("/healthz says %+v", a)
		}
		until("2000-01-03T18:00:00Z")
		if names, _, _ := w.told(); names != "error:alarm_not_ready" {
			t.Errorf("told again: %q", names)
		}
		since := w.Ready().Trouble[0].Since
		w.Link(broker.Link{State: broker.NeedsRestart, Cause: "it hangs", Advice: "restart it"})
		time.Sleep(2 * time.Second)
		if now := w.Ready().Trouble[0]; !strings.Contains(now.Detail, "for 3h30m") || !strings.Contains(now.Detail, "needs_restart: it hangs; restart it") || now.Since != since {
			t.Errorf("hours later it says %+v", now)
		}
		w.Link(broker.Link{State: broker.Ready})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		names, text, on = w.told()
		if names != "error:alarm_not_ready info:alarm_over" || on || !strings.Contains(text, "ready to trade again after ") || !w.Ready().Ready {
			t.Errorf("after ready: %q, metric %t, %s, %+v", names, on, text, w.Ready())
		}
		time.Sleep(time.Hour)
		if names, _, _ := w.told(); names != "error:alarm_not_ready info:alarm_over" {
			t.Errorf("told again: %q", names)
		}
	})
}

// TestAlarmCountsMarketMinutes: closed hours do not count, those of two days
// add up, every state but ready does, and the count begins anew after an alarm.
func TestAlarmCountsMarketMinutes(t *testing.T) {
	watch(t, DefaultConfig(), func(t *testing.T, w *watched) {
		w.Link(broker.Link{State: broker.Ready})
		until("2000-01-03T20:57:00Z") // three minutes before the close
		w.Link(broker.Link{State: broker.NeedsRestart, Cause: "it hangs", Advice: "restart it"})
		until("2000-01-04T14:31:58Z")
		if names, text, _ := w.told(); names != "" {
			t.Fatalf("after three minutes and two: %s: %s", names, text)
		}
		until("2000-01-04T14:32:02Z")
		if names, text, _ := w.told(); names != "error:alarm_not_ready" || !strings.HasSuffix(text, "the link is needs_restart: it hangs; restart it") {
			t.Errorf("told %q: %s", names, text)
		}
		for state := broker.Connecting; state <= broker.Stopped; state++ {
			w.Link(broker.Link{State: broker.Ready})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if _, _, on := w.told(); on {
				t.Errorf("before %v it is still on", state)
			}
			w.Link(broker.Link{State: state})
			time.Sleep(5*time.Minute + 2*time.Second)
			synctest.Wait()
			if _, _, on := w.told(); on != (state != broker.Ready) {
				t.Errorf("in state %v for five minutes: alarm %t", state, on)
			}
		}
	})
}

// TestAlarmOfALinkThatFlaps: a moment of being ready undoes no minutes of not
// being, and as long a time of it does.
func TestAlarmOfALinkThatFlaps(t *testing.T) {
	flap := func(w *watched, times int, down, up time.Duration) {
		for range times {
			w.Link(broker.Link{State: broker.Waiting, Cause: "reset"})
			time.Sleep(down)
			w.Link(broker.Link{State: broker.Ready})
			time.Sleep(up)
		}
		synctest.Wait()
	}
	cfg := Config{AlarmAfter: 5 * time.Minute, AlwaysOpen: true}
	watch(t, cfg, func(t *testing.T, w *watched) {
		time.Sleep(time.Second / 2) // between two looks
		flap(w, 5, 57*time.Second, 3*time.Second)
		if names, _, _ := w.told(); names != "" {
			t.Errorf("after four and a half minutes: %q", names)
		}
		flap(w, 1, 57*time.Second, 3*time.Second)
		if names, _, on := w.told(); names != "error:alarm_not_ready info:alarm_over" || on {
			t.Errorf("told %q, on %t", names, on)
		}
	})
	watch(t, cfg, func(t *testing.T, w *watched) {
		time.Sleep(time.Second / 2)
		flap(w, 20, time.Minute, time.Minute)
		if names, _, _ := w.told(); names != "" {
			t.Errorf("though it was ready as long: %q", names)
		}
	})
}

// TestAlarmOfASimulatedMarket: each minute counts; and 0 is off.
func TestAlarmOfASimulatedMarket(t *testing.T) {
	watch(t, Config{AlarmAfter: time.Minute, AlwaysOpen: true}, func(t *testing.T, w *watched) {
		time.Sleep(time.Minute + time.Second) // on a Saturday
		synctest.Wait()
		if names, _, _ := w.told(); names != "error:alarm_not_ready" {
			t.Errorf("told %q", names)
		}
	})
	watch(t, Config{}, func(t *testing.T, w *watched) {
		until("2000-01-04T00:00:00Z")
		if names, _, _ := w.told(); names != "" || len(w.Alive().Components) != 0 {
			t.Errorf("switched off, it told %q", names)
		}
	})
}

// TestAlarmDoesNotCountWhatItDidNotSee: after a jump of the clock it has seen a
// minute at most.
func TestAlarmDoesNotCountWhatItDidNotSee(t *testing.T) {
	a := NewAlarm(DefaultConfig(), AlarmParts{Registry: New(), Log: slog.New(slog.DiscardHandler)})
	noon := time.Date(2026, 4, 2, 16, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		from, to time.Time
		want     time.Duration
	}{
		{noon, noon.Add(time.Second), time.Second},
		{noon, noon.Add(3 * time.Hour), alarmMost},
		{noon, noon.Add(-time.Hour), 0},
		{noon.Add(4*time.Hour - time.Second), noon.Add(4*time.Hour + time.Second), time.Second}, // the close
		{noon.Add(24 * time.Hour), noon.Add(24*time.Hour + time.Second), 0},                     // Good Friday
	} {
		if got := a.open(tt.from, tt.to); got != tt.want {
			t.Errorf("%v to %v counts %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestAlarmConfig(t *testing.T) {
	for d, ok := range map[time.Duration]bool{0: true, time.Second: true, 5 * time.Minute: true, time.Millisecond: false, -1: false, 24 * time.Hour: false} {
		if err := (Config{AlarmAfter: d}).Validate(); (err == nil) != ok {
			t.Errorf("%v: %v", d, err)
		}
	}
}
