package main

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/broker/desk"
	"robotrader/configs"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/services/telemetry"
)

// alarmStopWithin bounds the end of the alarm's goroutine, which waits for
// nothing.
const alarmStopWithin = time.Second

type alarmIn struct {
	fx.In
	Config   configs.Config
	Registry *health.Registry
	Metrics  *telemetry.Metrics
	Conn     *bus.Conn `name:"health"`
	Log      *slog.Logger
	Life     fx.Lifecycle
}

// alarm runs the alarm for a program that is not ready to trade. A simulated
// market is open at any time of this machine's clock; in lock-step minutes mean
// nothing, so there is none.
func alarm(in alarmIn) {
	cfg := in.Config.Health
	cfg.AlwaysOpen = in.Config.Broker.Name == "sim"
	if lockstep(in.Config) {
		cfg.AlarmAfter = 0
	}
	a := health.NewAlarm(cfg, health.AlarmParts{
		Registry: in.Registry,
		Metric:   func(on bool) { in.Metrics.Alarm(health.NotReady, on) },
		Log:      in.Log,
		Notice: func(n event.NoticeText) {
			if err := bus.Publish(in.Conn, event.Notice, n); err != nil {
				in.Log.Warn("alarm_not_published", "error", err)
			}
		},
	})
	in.Life.Append(fx.StartStopHook(a.Start, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, alarmStopWithin)
		defer cancel()
		return a.Stop(ctx)
	}))
}

// vitals has the metrics show what the desk knows of the session's health.
func vitals(d *desk.Desk, m *telemetry.Metrics) { d.OnHealth(m.Health) }
