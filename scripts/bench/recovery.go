package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"robotrader/broker"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway"
	"robotrader/scripts/rig"
)

const (
	backLimit  = 5 * time.Second // from the gateway's return to ready
	freshLimit = 2 * time.Second // from ready to the first tick
	flapWait   = 30 * time.Second
)

// recovery measures how soon the trader trades again when its gateway has been
// away. The gateway is in this process; each flap ends all its sessions and
// gives its port free, as a restart does.
func recovery(ctx context.Context, p plan) (s section, err error) {
	s.title = fmt.Sprintf("recovery, %d restarts of the gateway", p.flaps)
	config := filepath.Join(p.folder, "recovery.yaml")
	// The shortest wait: the backoff's part is taken out of the figures, and
	// need not make the measurement long.
	if err := os.WriteFile(config, []byte("supervisor: {max_wait: 1s}\n"), 0o600); err != nil {
		return s, err
	}
	addr, err := freePort()
	if err != nil {
		return s, err
	}
	gone, err := raise(addr)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, gone()) }()
	t, err := startTrader(p, "--broker", "ibkr", "--gateway", addr, "--headless", "--config", config, string(symbol))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	if _, err := t.awaitReady(ctx); err != nil {
		return s, err
	}
	heard := make(chan heard, 1024)
	ctx, cancel := context.WithCancel(ctx)
	followed := make(chan error, 1)
	go func() { followed <- rig.Follow(ctx, t.addr, func(m []byte) { hear(heard, m) }) }()
	defer func() {
		cancel()
		<-followed
	}()
	var back, fresh sample
	for i := range p.flaps {
		if err := gone(); err != nil {
			return s, err
		}
		if err := await(ctx, heard, "the loss", func(h heardKind) bool { return h == heardDown }); err != nil {
			return s, fmt.Errorf("flap %d: %w", i+1, err)
		}
		opened := time.Now()
		if gone, err = raise(addr); err != nil {
			return s, err
		}
		b, f, err := climb(ctx, heard, opened)
		if err != nil {
			return s, fmt.Errorf("flap %d: %w", i+1, err)
		}
		back, fresh = append(back, b), append(fresh, f)
	}
	s.add("gateway back to ready", back.String())
	s.judge("p99, the backoff's wait taken out", millis(back.at(0.99)), "5000 ms", back.at(0.99) <= backLimit)
	s.add("ready to first fresh tick", fresh.String())
	s.judge("p99", millis(fresh.at(0.99)), "2000 ms", fresh.at(0.99) <= freshLimit)
	s.note("As a dashboard sees it over the feed: from the attempt that succeeds to ready, and from ready to the next quote.")
	return s, nil
}

// raise starts a gateway at addr; gone ends it.
func raise(addr string) (gone func() error, err error) {
	source, err := tape.NewSynthetic(tape.SyntheticConfig{Symbol: symbol, Start: time.Now()})
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(gateway.DefaultConfig(), source, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := g.Serve(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), flapWait)
		defer cancel()
		return g.Stop(ctx)
	}, nil
}

type heardKind int

const (
	heardDown  heardKind = iota // the link is not up
	heardTry                    // an attempt begins
	heardReady                  // the link is ready
	heardQuote
)

// heard is what a message of the feed says, and when it came.
type heard struct {
	kind heardKind
	at   time.Time
}

// hear takes a message of the feed. Quotes are dropped when nobody waits: they
// are many, and one is as good as the next.
func hear(to chan heard, message []byte) {
	at := time.Now()
	if bytes.Contains(message[:min(len(message), 40)], []byte(`"type":"quote"`)) {
		select {
		case to <- heard{heardQuote, at}:
		default:
		}
		return
	}
	var m struct {
		Type string
		Data struct{ State broker.LinkState }
	}
	if !bytes.Contains(message[:min(len(message), 40)], []byte(`"type":"link"`)) || json.Unmarshal(message, &m) != nil {
		return
	}
	kind := heardDown
	switch m.Data.State {
	case broker.Connecting:
		kind = heardTry
	case broker.Ready:
		kind = heardReady
	case broker.Handshaking, broker.Recovering:
		return
	default:
	}
	for { // room for it, by dropping the oldest
		select {
		case to <- heard{kind, at}:
			return
		default:
		}
		select {
		case <-to:
		default:
		}
	}
}

// await reads until the wanted kind comes.
func await(ctx context.Context, from <-chan heard, what string, ok func(heardKind) bool) error {
	deadline := time.NewTimer(flapWait)
	defer deadline.Stop()
	for {
		select {
		case h := <-from:
			if ok(h.kind) {
				return nil
			}
		case <-deadline.C:
			return fmt.Errorf("%s was not told within %v", what, flapWait)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// climb follows the way up: from the gateway's return, or the beginning of the
// attempt that succeeds where that is later, to ready and to the next quote.
func climb(ctx context.Context, from <-chan heard, opened time.Time) (back, fresh time.Duration, err error) {
	deadline := time.NewTimer(flapWait)
	defer deadline.Stop()
	began := opened
	var ready time.Time
	for {
		select {
		case h := <-from:
			switch {
			case h.kind == heardTry && h.at.After(began):
				began = h.at
			case h.kind == heardReady:
				ready = h.at
			case h.kind == heardQuote && !ready.IsZero():
				return ready.Sub(began), h.at.Sub(ready), nil
			}
		case <-deadline.C:
			return 0, 0, fmt.Errorf("not ready with a quote within %v after the gateway was back", flapWait)
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}
