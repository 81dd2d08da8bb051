package health

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"robotrader/broker/market/calendar"
	"robotrader/services/event"
)

// Config sets the alarm.
type Config struct {
	// AlarmAfter is for how long, counted in minutes in which New York's
	// regular session is open, the link may be anything but ready before the
	// alarm is raised. Time for which it is ready is taken off the count. 0
	// switches it off. Default 5 minutes.
	AlarmAfter time.Duration `koanf:"alarm_after"`
	// AlwaysOpen counts every minute: a simulated market has no closed hours
	// that a wall clock tells. Default false.
	AlwaysOpen bool `koanf:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{AlarmAfter: 5 * time.Minute} }

// maxAlarmAfter is a regular session: an alarm that comes later is none.
const maxAlarmAfter = 6*time.Hour + 30*time.Minute

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	if c.AlarmAfter != 0 && (c.AlarmAfter < time.Second || c.AlarmAfter > maxAlarmAfter) {
		return fmt.Errorf("health.alarm_after: %v is neither 0 (off) nor between 1s and %v", c.AlarmAfter, maxAlarmAfter)
	}
	return nil
}

const (
	// AlarmName names the alarm as a component and as a metric's label.
	AlarmName  = "alarm"
	NotReady   = "not_ready"
	alarmLooks = time.Second
	// alarmMost is how much one look counts at most: a machine that slept, or
	// whose clock was set, has not been watched in between.
	alarmMost = time.Minute
)

// AlarmParts are what an alarm works with. It needs the registry alone.
type AlarmParts struct {
	Registry *Registry
	Notice   func(event.NoticeText) // nil tells nobody; it must not block for long
	Metric   func(on bool)          // nil counts nothing
	Log      *slog.Logger           // nil = slog.Default
}

// Alarm watches that the program can trade while the market is open, and
// raises its voice when it cannot for too long. It asks nobody: its goroutine
// reads the registry and the clock of this machine, so that a link that hangs,
// is refused, or was never started cannot silence it. No word about the link
// counts as not ready. Make one with [NewAlarm].
type Alarm struct {
	cfg   Config
	parts AlarmParts
	cal   calendar.Calendar
	every bool // each minute counts

	cancel context.CancelFunc
	done   chan struct{}

	// Of the goroutine alone.
	last  time.Time     // the last look
	since time.Time     // not ready since the look at, zero = it was ready
	spent time.Duration // market time of it
	on    bool
}

// NewAlarm returns an alarm that has not started.
func NewAlarm(cfg Config, p AlarmParts) *Alarm {
	if p.Notice == nil {
		p.Notice = func(event.NoticeText) {}
	}
	if p.Metric == nil {
		p.Metric = func(bool) {}
	}
	if p.Log == nil {
		p.Log = slog.Default()
	}
	a := &Alarm{cfg: cfg, parts: p, every: cfg.AlwaysOpen, done: make(chan struct{})}
	if !a.every {
		cal, err := calendar.New()
		if err != nil {
			p.Log.Warn("alarm_no_calendar", "error", err, "instead", "every minute counts")
		}
		a.cal, a.every = cal, err != nil
	}
	return a
}

// Start begins to watch and returns at once; the goroutine lives until Stop.
// An alarm that is switched off starts nothing.
func (a *Alarm) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	if a.cfg.AlarmAfter == 0 {
		close(a.done)
		return
	}
	a.parts.Registry.Report(AlarmName, "")
	a.parts.Metric(false)
	go a.run(ctx) // joined by Stop
}

// Stop ends the goroutine, and returns when it has gone or ctx has ended. It
// may be called without Start.
func (a *Alarm) Stop(ctx context.Context) error {
	if a.cancel == nil {
		return nil
	}
	a.cancel()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("health: stop the alarm: %w", ctx.Err())
	}
}

func (a *Alarm) run(ctx context.Context) {
	defer close(a.done)
	t := time.NewTicker(alarmLooks)
	defer t.Stop()
	a.last = time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			a.look(time.Now())
		}
	}
}

// look counts what has gone by since the last one.
func (a *Alarm) look(now time.Time) {
	from := a.last
	a.last = now
	l, told := a.parts.Registry.word()
	if told && l.ready {
		a.calm(now, now.Round(0).Sub(from.Round(0)))
		return
	}
	if a.since.IsZero() {
		a.since = now
	}
	a.spent += a.open(from, now)
	if a.spent < a.cfg.AlarmAfter {
		return
	}
	text := a.text(l, told)
	a.parts.Registry.Report(AlarmName, text) // at each look: what is wrong may change while the alarm is on
	if a.on {
		return
	}
	a.on = true
	a.parts.Metric(true)
	a.parts.Log.Error("alarm_not_ready", "text", text)
	a.parts.Notice(event.NoticeText{Level: "error", Source: "health", Name: "alarm_not_ready", Text: text})
}

// text returns what the alarm says of the link's newest word.
func (a *Alarm) text(l word, told bool) string {
	text := fmt.Sprintf("not ready to trade for %v of market time, since %s: ", a.spent.Round(time.Second), a.since.UTC().Format(time.RFC3339))
	if told {
		text += fmt.Sprintf("the link is %s: %s; %s", l.state, l.cause, l.advice)
	} else {
		text += "no word came of the link at all; look at the log, and start the trader again"
	}
	return text
}

// calm ends the alarm when it is on. Before it is, the time for which the link
// is ready is taken off the count: one that is lost again after a second would
// never be told of if that second undid all before it.
func (a *Alarm) calm(now time.Time, ready time.Duration) {
	gone := now.Sub(a.since)
	if a.spent -= max(ready, 0); a.on || a.spent <= 0 {
		a.since, a.spent = time.Time{}, 0
	}
	if !a.on {
		return
	}
	a.on = false
	text := fmt.Sprintf("ready to trade again after %v", gone.Round(time.Second))
	a.parts.Registry.Report(AlarmName, "")
	a.parts.Metric(false)
	a.parts.Log.Warn("alarm_over", "text", text)
	a.parts.Notice(event.NoticeText{Level: "info", Source: "health", Name: "alarm_over", Text: text})
}

// open tells how much of the time since the last look the market was open.
func (a *Alarm) open(from, to time.Time) time.Duration {
	from, to = from.Round(0), to.Round(0) // by the wall clock, which goes on while a machine sleeps
	if !a.every {
		s, ok := a.cal.Session(to)
		if !ok {
			return 0
		}
		if from.Before(s.Regular.Open) {
			from = s.Regular.Open
		}
		if to.After(s.Regular.Close) {
			to = s.Regular.Close
		}
	}
	return min(max(to.Sub(from), 0), alarmMost)
}
