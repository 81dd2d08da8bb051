package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"robotrader/broker"
)

// Prober makes one handshake with a gateway and closes it well. Facts are what
// was established; on failure the error is a *[broker.Error] with the rungs,
// or, when the question itself makes no sense, any other error.
type Prober interface {
	Probe(ctx context.Context, gateway string, clientID int, timeout time.Duration) (broker.Facts, []broker.Rung, error)
}

// The results of a probe.
const (
	Ready  = "ready"  // all five rungs reached
	Failed = "failed" // FailedAt tells where
	Usage  = "usage"  // the question makes no sense, nothing was tried
)

// Slow is how long a handshake may take before a person is warned: a gateway
// that is well answers in milliseconds.
const Slow = time.Second

// Probe is the record of one handshake. What was not told is empty or 0.
type Probe struct {
	Gateway  string `json:"gateway"` // host:port, or what was asked for when that is neither
	Result   string `json:"result"`
	FailedAt string `json:"failed_at"` // the rung
	// Failure tells in one word how it failed, "" where nothing does.
	Failure        broker.Failure `json:"failure"`
	Error          string         `json:"error"`
	Advice         string         `json:"advice"`
	ServerVersion  int            `json:"server_version"`
	ConnectionTime string         `json:"connection_time"`
	Accounts       []string       `json:"accounts"`
	NextValidID    int64          `json:"next_valid_id"`
	ElapsedMS      float64        `json:"elapsed_ms"` // to the last rung or to the failure, without the closing
	Rungs          []broker.Rung  `json:"rungs"`
	At             time.Time      `json:"at"` // when it began, wall time

	ClientID int `json:"client_id"`
	// GatewayBuild is what the gateway's process, or a person, says that it is,
	// such as "10.37.1"; the protocol does not tell it.
	GatewayBuild  string `json:"gateway_build"`
	TraderVersion string `json:"trader_version"`
	// Source is who made the handshake: "probe", "doctor" or "trader".
	Source string `json:"source"`

	// Interrupted is true when a person ended the handshake before it was
	// decided. It says nothing of the gateway, so no record is kept of it.
	Interrupted bool `json:"-"`
}

// The sources of a record.
const (
	FromProbe  = "probe"
	FromDoctor = "doctor"
	FromTrader = "trader"
)

// Run probes the gateway once. It never fails: the record tells what did.
func Run(ctx context.Context, p Prober, gateway string, clientID int, timeout time.Duration) Probe {
	rec := Probe{Gateway: gateway, Result: Ready, At: time.Now(), ClientID: clientID, Source: FromProbe}
	facts, rungs, err := p.Probe(ctx, gateway, clientID, timeout)
	elapsed := time.Since(rec.At)
	if facts.Gateway != "" {
		rec.Gateway = facts.Gateway
	}
	rec.ServerVersion = facts.ServerVersion
	rec.ConnectionTime = facts.ConnectionTime
	rec.Accounts = append([]string{}, facts.Accounts...) // an empty list is [], not null
	rec.NextValidID = facts.NextOrderID
	rec.Rungs = append([]broker.Rung{}, rungs...)
	if n := len(rungs); n > 0 {
		rec.ElapsedMS = rungs[n-1].AtMS
	} else {
		rec.ElapsedMS = float64(elapsed.Microseconds()) / 1000
	}
	if err != nil {
		rec.fail(err)
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		rec.Interrupted, rec.Failure = true, broker.NoFailure
		rec.Error = "interrupted before the gateway had its time: " + rec.Error
		rec.Advice = "ask again, and let it come to its end"
	}
	return rec
}

func (p *Probe) fail(err error) {
	p.Result, p.Error = Usage, err.Error()
	var e *broker.Error
	if !errors.As(err, &e) || e.Rung == "" {
		return
	}
	p.Result, p.FailedAt, p.Failure, p.Advice = Failed, e.Rung, e.Failure, e.Advice
}

// ExitCode returns what the program ends with, so that a script can tell the
// rungs apart: 0 ready, 10 tcp, 11 version, 13 start_api, 14
// managed_accounts, 15 next_valid_id, 2 for a question that makes no sense, 1
// when a person ended it.
func (p Probe) ExitCode() int {
	switch {
	case p.Result == Ready:
		return 0
	case p.Interrupted:
		return 1
	}
	switch p.FailedAt {
	case broker.RungTCP:
		return 10
	case broker.RungVersion:
		return 11
	case broker.RungStartAPI:
		return 13
	case broker.RungManagedAccounts:
		return 14
	case broker.RungNextValidID:
		return 15
	}
	return 2
}

// Warning returns what a person should know about a probe that succeeded, ""
// when there is nothing.
func (p Probe) Warning() string {
	if limit := float64(Slow.Milliseconds()); p.Result == Ready && p.ElapsedMS > limit {
		return fmt.Sprintf("the handshake took %.0f ms, more than %.0f ms: the gateway is loaded or about to hang", p.ElapsedMS, limit)
	}
	return ""
}

const (
	logName  = "probes.jsonl"
	logLimit = 1 << 20 // bytes
)

// Append adds the record as one line to probes.jsonl in the data folder. A
// folder that does not exist is not made: then there is nothing to do, as for a
// probe that was interrupted. It
// takes no lock, because a probe must work beside a running trader; the line
// is one write in append mode.
func (p Probe) Append(folder string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() || p.Interrupted {
		return nil
	}
	line, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("diag: probe record: %w", err)
	}
	path := filepath.Join(folder, logName)
	if info, err := os.Stat(path); err == nil && info.Size()+int64(len(line)) >= logLimit {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("diag: rotate %s: %w", logName, err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("diag: append to %s: %w", logName, err)
	}
	line = append(line, '\n')
	if endsAmidLine(f) {
		line = append([]byte{'\n'}, line...) // or this record were lost with that one
	}
	_, err = f.Write(line) // one write, so that lines of two programs do not mix
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("diag: append to %s: %w", logName, err)
	}
	return nil
}

// endsAmidLine reports whether the file's last line has no end: a full disk, or
// a kill, took a part of it.
func endsAmidLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}
