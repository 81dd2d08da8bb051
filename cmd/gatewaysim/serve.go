package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"robotrader/broker/ibkr/gateway"
)

// stopWithin bounds the orderly stop.
const stopWithin = 5 * time.Second

// serve plays the gateway until ctx ends.
func serve(ctx context.Context, o *options, out io.Writer, log *slog.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	s, err := o.open(log)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return errors.Join(&failure{exitUnexpected, err}, stop(s))
	}
	tell(out, o, s)
	select {
	case <-ctx.Done():
	case <-s.Broken(): // Stop tells why
	}
	return stop(s)
}

// open makes the gateway, with what was kept of the one before.
func (o *options) open(log *slog.Logger) (*gateway.Server, error) {
	var kept time.Time
	if dir := o.gateway.StateDir; dir != "" {
		state, err := gateway.OpenState(dir, log)
		if err != nil {
			return nil, &failure{exitUnexpected, err}
		}
		o.gateway.State = state
		kept, _ = state.Market()
		o.market.Anchor, _ = state.Born() // prices go on, too
	}
	s, err := o.build(kept, log)
	if err != nil && o.gateway.State != nil {
		err = errors.Join(err, o.gateway.State.Close())
	}
	return s, err
}

func (o *options) build(kept time.Time, log *slog.Logger) (*gateway.Server, error) {
	if err := o.begin(kept, time.Now()); err != nil {
		return nil, err
	}
	src, err := o.market.Source()
	if err != nil {
		return nil, &failure{exitUsage, err}
	}
	s, err := gateway.New(o.gateway, src, log)
	if err != nil {
		return nil, &failure{exitUnexpected, err}
	}
	return s, nil
}

func stop(s *gateway.Server) error {
	stopping, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := s.Stop(stopping); err != nil {
		return &failure{exitUnexpected, err}
	}
	return nil
}

// tell prints where the gateway listens, on one line.
func tell(out io.Writer, o *options, s *gateway.Server) {
	if !o.json {
		fmt.Fprintf(out, "gatewaysim listens on %s: %s, speed %v, server version %d, simulated\n",
			s.Addr(), s.Describe(), o.gateway.Speed, o.gateway.ServerVersion)
		return
	}
	_ = json.NewEncoder(out).Encode(map[string]any{ // a closed pipe is no reason to end
		"listen": s.Addr().String(), "source": s.Describe(), "speed": o.gateway.Speed, "symbols": s.Symbols(),
		"server_version": o.gateway.ServerVersion, "accounts": o.gateway.Accounts, "market_time": s.Now(), "simulated": true,
	})
}
