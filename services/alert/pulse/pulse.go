// Package pulse tells somebody outside, at intervals, that the trader is well,
// so that silence is an alarm: a process that is dead, a machine that is off
// or a network that is down cannot tell of itself.
//
// It promises that it asks for its URL only after each of its probes was
// answered in time; otherwise it asks for the URL with "/fail" behind its
// path, or keeps silent. It follows no redirect, ends each request in time, and
// shows the URL nowhere. It does not promise that an interval is kept to the
// second, nor does it try again before the next one: who listens allows for a
// beat that is lost.
//
// # Design
//
// The probes are given by whoever knows the loops that have to turn: a question
// to the desk and to the link over the bus, the runner's monitor. That the link
// is down is no illness (a gateway restarts each night); that the alarm is on,
// which counts market minutes, is one.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"robotrader/services/task"
)

// Probe is one thing that has to be well.
type Probe struct {
	Name string
	// Ask returns nil when it is well, in time.
	Ask func(ctx context.Context) error
}

// Config says where and how often.
type Config struct {
	URL   string        // a valid one; the path or query may be a secret
	Every time.Duration // between two beats
	// Fail asks for the URL with /fail behind its path while a probe fails;
	// else nothing is asked for.
	Fail bool
}

const (
	// probeWithin bounds one probe, and askWithin one request.
	probeWithin = 2 * time.Second
	askWithin   = 10 * time.Second
	// firstAfter is when the first beat is made at the latest: a trader that
	// starts is not well before its parts answer.
	firstAfter = 5 * time.Second
	maxAnswer  = 4 << 10
)

// Pulse beats. Make it with [New].
type Pulse struct {
	cfg    Config
	client *http.Client
	probes []Probe
	log    *slog.Logger

	tasks *task.Group

	well, ill, lost atomic.Uint64
	// Of the goroutine alone.
	said string // the event that the log was told last
}

// New returns a pulse that has not started.
func New(cfg Config, client *http.Client, log *slog.Logger, probes ...Probe) *Pulse {
	return &Pulse{cfg: cfg, client: client, probes: probes, log: log, tasks: task.NewGroup("heartbeat")}
}

// Start begins to beat and returns at once; the goroutine lives until Stop.
func (p *Pulse) Start() { p.tasks.Go("pulse", p.run) }

// Stop returns when the goroutine has gone or ctx has ended: a probe that
// hangs can hold it. It may be called without Start.
func (p *Pulse) Stop(ctx context.Context) error { return p.tasks.Stop(ctx) }

// Beats returns how many beats said that all is well, how many that something
// is not, and how many did not arrive.
func (p *Pulse) Beats() (well, ill, lost uint64) { return p.well.Load(), p.ill.Load(), p.lost.Load() }

func (p *Pulse) run(ctx context.Context) error {
	t := time.NewTimer(min(firstAfter, p.cfg.Every))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			t.Reset(p.cfg.Every)
			p.beat(ctx)
		}
	}
}

// beat looks, then tells.
func (p *Pulse) beat(ctx context.Context) {
	trouble := p.look(ctx)
	if ctx.Err() != nil {
		return
	}
	if trouble != nil {
		p.ill.Add(1)
		p.note(ctx, slog.LevelError, "heartbeat_not_well", trouble.Error())
		if !p.cfg.Fail {
			return
		}
	}
	err := p.tell(ctx, trouble)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.lost.Add(1)
		p.note(ctx, slog.LevelWarn, "heartbeat_not_delivered", err.Error())
	case trouble == nil:
		p.well.Add(1)
		p.note(ctx, slog.LevelInfo, "heartbeat_well", "")
	}
}

// note tells the log what is new. What is wrong is told once: its words may
// hold for how long.
func (p *Pulse) note(ctx context.Context, level slog.Level, name, text string) {
	if name != p.said {
		p.said = name
		p.log.Log(ctx, level, name, "text", text)
	}
}

// look asks all probes and returns what is wrong.
func (p *Pulse) look(ctx context.Context) error {
	var errs []error
	for _, x := range p.probes {
		once, cancel := context.WithTimeout(ctx, probeWithin)
		if err := x.Ask(once); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", x.Name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}

// tell asks for the URL. Its errors do not show it.
func (p *Pulse) tell(ctx context.Context, trouble error) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	u, err := url.Parse(p.cfg.URL)
	if err != nil {
		return errors.New("the URL makes no request")
	}
	method, text := http.MethodGet, ""
	if trouble != nil {
		u = u.JoinPath("fail")
		method, text = http.MethodPost, trouble.Error()
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(text))
	if err != nil {
		return errors.New("the URL makes no request")
	}
	req.Header.Set("User-Agent", "robotrader")
	if text != "" {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	res, err := p.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // the status says it
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s answers %s (redirects are not followed)", u.Host, res.Status)
	}
	return nil
}
