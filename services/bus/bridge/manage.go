package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// manage is the goroutine that knows whether the bridge serves: it watches the
// connections, and makes and renews the claims.
func (b *Bridge) manage(ctx context.Context) error {
	look := time.NewTicker(claimEvery)
	defer look.Stop()
	if err := b.connect(); err != nil {
		b.enter(event.BusConnecting, err.Error())
		return err
	}
	b.learn(ctx)
	b.settled.Store(b.cuts.Load() - 1) // no claim was made yet
	for {
		b.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.poke:
		case <-look.C:
		}
	}
}

// learn asks for the account, which the link may have told before the bridge
// listened.
func (b *Bridge) learn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if l, err := bus.Ask(ctx, b.parts.Conn, event.LinkState, event.Empty{}); err == nil {
		b.knows(l)
	}
}

// look brings the bridge to where it should be.
func (b *Bridge) look(ctx context.Context) {
	cuts := b.cuts.Load()
	if cuts != b.settled.Load() {
		b.serving.Store(false)
	}
	if !b.pub.IsConnected() || !b.sub.IsConnected() {
		b.away()
		return
	}
	other, err := b.claim(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		b.log.Warn("bus_claim_failed", slog.Any("error", err))
		b.away()
		return
	case other != nil:
		b.stand(*other)
		return
	case b.cuts.Load() != cuts:
		b.wake() // broken meanwhile: the claims may be another's by now
		return
	}
	if err := b.door.open(b.sub); err != nil {
		b.log.Warn("bus_door_failed", slog.Any("error", err))
		b.away()
		return
	}
	if cuts != b.settled.Load() {
		b.queue.rewind()
	}
	b.settled.Store(cuts)
	b.queue.come()
	b.serving.Store(true)
	b.enter(event.BusUp, "")
	select {
	case b.queue.signal <- struct{}{}: // what was kept meanwhile
	default:
	}
}

// away notes that the bus is not there.
func (b *Bridge) away() {
	b.serving.Store(false)
	b.queue.leave()
	state, cause := event.BusLost, "no node of the bus answers; programs outside hear nothing and can ask for nothing"
	if b.state.State == "" || b.state.State == event.BusConnecting {
		state, cause = event.BusConnecting, "no connection to the bus yet; look at bus.url and its credentials"
	}
	if err := b.pub.LastError(); err != nil {
		cause += ": " + err.Error()
	}
	b.enter(state, cause)
}

// stand down before another trader.
func (b *Bridge) stand(other event.Holder) {
	b.serving.Store(false)
	b.door.close()
	b.queue.forget()
	what := "instance " + other.Instance
	if other.Account != "" {
		what = "account " + other.Account
	}
	b.enter(event.BusClaimed, fmt.Sprintf(
		"another trader (instance %s, host %s, process %d, since %s) answers for %s on this bus; this one does not, until that one is gone: stop one of the two, or give this one a bus.instance and an account of its own",
		other.Instance, other.Host, other.PID, other.Since.UTC().Format(time.RFC3339), what))
}

// enter tells of a change of the state, on the trader's own bus and whoever
// wants to know.
func (b *Bridge) enter(state, cause string) {
	if b.state.State == state && (b.state.Cause == cause || state == event.BusLost || state == event.BusConnecting) {
		return // the words of a failed attempt change all the time
	}
	was := b.state
	b.state = event.BusState{State: state, Life: b.life, Since: time.Now(), Cause: cause, Account: b.accountNow()}
	_, b.state.Dropped, _ = b.queue.told()
	if err := bus.Publish(b.parts.Conn, event.Bus, b.state); err != nil {
		b.log.Warn("bus_state_not_published", slog.Any("error", err))
	}
	n := event.NoticeText{Level: "warning", Source: "bus", Name: "bus_" + state, Text: cause}
	switch {
	case state == event.BusClaimed:
		n.Level = "error"
	case state == event.BusUp && was.State == event.BusLost:
		n.Level, n.Text = "info", "the bus is back after "+time.Since(was.Since).Round(time.Second).String()
	case state == event.BusUp:
		n.Level, n.Text = "info", "programs outside can join the bus"
	}
	b.log.Log(context.Background(), level(n.Level), n.Name, slog.String("text", n.Text))
	if err := bus.Publish(b.parts.Conn, event.Notice, n); err != nil {
		b.log.Warn("bus_state_not_published", slog.Any("error", err))
	}
	if b.parts.Tell != nil {
		b.parts.Tell(b.state)
	}
}

func level(s string) slog.Level {
	switch s {
	case "error":
		return slog.LevelError
	case "warning":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
