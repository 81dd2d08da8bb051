package main

import (
	"context"
	"errors"
	"time"

	"go.uber.org/fx"

	"robotrader/broker/desk"
	"robotrader/configs"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/journal"
	"robotrader/services/stamp"
	"robotrader/services/telemetry"
	"robotrader/websocket/hub"
)

const (
	// scrapeWithin bounds the wait for the desk at a scrape. A desk that is busy
	// for longer is told as not known.
	scrapeWithin = 500 * time.Millisecond
	// metricsStopWithin bounds the end of the subscriptions, whose handlers wait
	// for nothing.
	metricsStopWithin = time.Second
)

type metricsIn struct {
	fx.In
	Config  configs.Config
	Metrics *telemetry.Metrics
	Desk    *desk.Desk
	Journal *journal.Journal
	Server  *bus.Server
	Hub     *hub.Hub
	Conn    *bus.Conn `name:"metrics"`
	Life    fx.Lifecycle
}

// measure gives the metrics what they are asked for at a scrape, and has them
// hear what they count.
func measure(in metricsIn) {
	m, s := in.Metrics, stamp.Read()
	m.Build(s.Version, s.Commit, s.Go, in.Config.Broker.Name)
	m.Desk(in.books, in.looks)
	m.Stored(in.stored)
	m.Bus(in.bus)
	m.Feed(in.feed)
	in.Desk.OnTimed(m.Timed)
	in.Life.Append(fx.StartStopHook(in.listen, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, metricsStopWithin)
		defer cancel()
		return in.Conn.Close(ctx)
	}))
}

// listen subscribes to each topic by itself: who hears all of them hears the
// ticks, too, and stands in the way of their orders.
func (in metricsIn) listen() error {
	m := in.Metrics
	return errors.Join(
		hears(in.Conn, event.Decision, m.Decided),
		hears(in.Conn, event.Order, m.Order),
		hears(in.Conn, event.Fill, m.Fill),
		hears(in.Conn, event.Finding, m.Finding),
		hears(in.Conn, event.Strategy, m.Strategy),
		hears(in.Conn, event.Portfolio, m.Portfolio),
	)
}

func hears[T any](c *bus.Conn, t event.Topic[T], tell func(T)) error {
	_, err := bus.Subscribe(c, t, bus.Keep, func(m event.Message[T]) { tell(m.Data) }) // ends with the connection
	return err
}

// books asks the desk. One that has not started, or does not answer, knows
// nothing.
func (in metricsIn) books() (event.Desk, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	d := in.Desk.State(ctx)
	return d, d.Orders != nil
}

func (in metricsIn) looks() telemetry.Looks {
	answered, failed, last := in.Desk.Looks()
	l := telemetry.Looks{Answered: answered, Failed: failed}
	if !last.IsZero() {
		l.Last = float64(last.UnixMicro()) / 1e6
	}
	return l
}

func (in metricsIn) stored() telemetry.Stored {
	f := in.Journal.Figures()
	s := telemetry.Stored{
		Rows: uint64(f.Rows), Behind: uint64(max(0, f.Behind)), Waiting: f.Waiting, Failures: f.Failures,
		Files: map[string]int64{}, Commits: map[string]telemetry.Spans{},
	}
	for name, size := range map[string]int64{"database": f.Database, "log": f.Log} {
		if size >= 0 {
			s.Files[name] = size
		}
	}
	for kind, c := range f.Commits {
		h := telemetry.Spans{Sum: c.Sum.Seconds(), Buckets: map[float64]uint64{}}
		for i, n := range c.Counts {
			h.Count += n
			if bounds := journal.SpanBounds(); i < len(bounds) {
				h.Buckets[bounds[i].Seconds()] = h.Count
			}
		}
		s.Commits[kind] = h
	}
	return s
}

func (in metricsIn) bus() (publishers []telemetry.BusPublisher, subscribers []telemetry.BusSubscriber) {
	conns, subs := in.Server.Stats()
	for _, c := range conns {
		publishers = append(publishers, telemetry.BusPublisher(c))
	}
	for _, s := range subs {
		subscribers = append(subscribers, telemetry.BusSubscriber{
			Name: s.Conn, Topic: s.Topic, Delivered: s.Delivered, Dropped: s.Dropped, Lost: s.Lost, Pending: s.Pending,
		})
	}
	return publishers, subscribers
}

func (in metricsIn) feed() telemetry.Feed {
	clients, slow := in.Hub.Stats()
	behind, most, sent := in.Hub.Lag()
	return telemetry.Feed{Clients: clients, Slow: slow, Behind: behind, Queue: most, Sent: sent}
}
