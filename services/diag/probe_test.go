package diag

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker"
)

type prober struct {
	facts broker.Facts
	rungs []broker.Rung
	err   error
}

func (p prober) Probe(context.Context, string, int, time.Duration) (broker.Facts, []broker.Rung, error) {
	return p.facts, p.rungs, p.err
}

func TestExitCodes(t *testing.T) {
	at := func(rung string) error { return &broker.Error{Op: "open", Kind: broker.ErrGatewayDown, Rung: rung} }
	for _, tt := range []struct {
		err    error
		result string
		code   int
	}{
		{nil, Ready, 0},
		{at(broker.RungTCP), Failed, 10},
		{at(broker.RungVersion), Failed, 11},
		{at(broker.RungStartAPI), Failed, 13},
		{at(broker.RungManagedAccounts), Failed, 14},
		{at(broker.RungNextValidID), Failed, 15},
		{errors.New("gateway \"x\": neither host:port nor a name"), Usage, 2},
	} {
		p := Run(t.Context(), prober{err: tt.err}, "127.0.0.1:4002", 9999, time.Second)
		if p.Result != tt.result || p.ExitCode() != tt.code {
			t.Errorf("%v: result %q, exit %d, want %q, %d", tt.err, p.Result, p.ExitCode(), tt.result, tt.code)
		}
		if (tt.err == nil) != (p.Error == "") {
			t.Errorf("%v: error text %q", tt.err, p.Error)
		}
	}
}

// waits is a prober that a gateway leaves without an answer.
type waits struct{}

func (waits) Probe(ctx context.Context, _ string, _ int, _ time.Duration) (broker.Facts, []broker.Rung, error) {
	<-ctx.Done()
	return broker.Facts{}, nil, &broker.Error{Op: "open", Kind: broker.ErrGatewayDown, Rung: broker.RungVersion, Failure: broker.NoReply, Advice: "the gateway hangs", Err: context.Cause(ctx)}
}

// A handshake that a person ended is no failure of the gateway's: it is not
// said to hang, and the matrix does not count it. One that ran out of time is.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p := Run(ctx, waits{}, "127.0.0.1:4002", 9999, time.Second)
	if p.ExitCode() != 1 || p.Failure != broker.NoFailure || strings.Contains(p.Advice, "hangs") || !strings.Contains(p.Error, "interrupted") {
		t.Errorf("%+v", p)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	q := Run(late, waits{}, "127.0.0.1:4002", 9999, time.Second)
	if q.ExitCode() != 11 || q.Failure != broker.NoReply {
		t.Errorf("%+v", q)
	}
	if err := errors.Join(p.Append(dir), q.Append(dir)); err != nil {
		t.Fatal(err)
	}
	if list, _, err := Records(dir); err != nil || len(list) != 1 || list[0].Failure != broker.NoReply {
		t.Errorf("%+v, %v", list, err)
	}
}

// The field names are a contract with scripts; an empty list is [], not null.
func TestJSON(t *testing.T) {
	ready := Run(t.Context(), prober{
		facts: broker.Facts{
			Gateway: "127.0.0.1:4002", ServerVersion: 200, ConnectionTime: "20260405 23:49:26 CET",
			Accounts: []string{"DU7654321"}, NextOrderID: 1001,
		},
		rungs: []broker.Rung{{Name: "tcp", OK: true, AtMS: 0.11}, {Name: "next_valid_id", OK: true, AtMS: 0.61}},
	}, "gateway-paper", 9999, time.Second)
	failed := Run(t.Context(), prober{
		facts: broker.Facts{Gateway: "127.0.0.1:4002"},
		rungs: []broker.Rung{{Name: "tcp", AtMS: 0.2}},
		err:   &broker.Error{Op: "open 127.0.0.1:4002", Kind: broker.ErrGatewayDown, Rung: "tcp", Failure: broker.NobodyListens, Advice: "start it"},
	}, "gateway-paper", 9999, time.Second)
	for _, tt := range []struct {
		p    Probe
		want string
	}{
		{ready, `{"gateway":"127.0.0.1:4002","result":"ready","failed_at":"","failure":"","error":"","advice":"","server_version":200,"connection_time":"20260405 23:49:26 CET","accounts":["DU7654321"],"next_valid_id":1001,"elapsed_ms":0.61,"rungs":[{"name":"tcp","ok":true,"at_ms":0.11},{"name":"next_valid_id","ok":true,"at_ms":0.61}],"at":"0001-01-01T00:00:00Z","client_id":9999,"gateway_build":"","trader_version":"","source":"probe"}`},
		{failed, `{"gateway":"127.0.0.1:4002","result":"failed","failed_at":"tcp","failure":"nobody_listens","error":"open 127.0.0.1:4002: gateway down at rung tcp","advice":"start it","server_version":0,"connection_time":"","accounts":[],"next_valid_id":0,"elapsed_ms":0.2,"rungs":[{"name":"tcp","ok":false,"at_ms":0.2}],"at":"0001-01-01T00:00:00Z","client_id":9999,"gateway_build":"","trader_version":"","source":"probe"}`},
	} {
		tt.p.At = time.Time{}
		got, err := json.Marshal(tt.p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWarning(t *testing.T) {
	if w := (Probe{Result: Ready, ElapsedMS: 999}).Warning(); w != "" {
		t.Errorf("a fast probe warns: %s", w)
	}
	if w := (Probe{Result: Ready, ElapsedMS: 1001}).Warning(); !strings.Contains(w, "1001 ms") {
		t.Errorf("a slow probe says %q", w)
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	if err := (Probe{}).Append(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the folder was made")
	}
	p := Probe{Result: Failed, Error: strings.Repeat("x", 1000)}
	for range 1100 { // more than 1 MB
		if err := p.Append(dir); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for _, name := range []string{"probes.jsonl", "probes.jsonl.1"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := f.Stat(); info.Size() > logLimit || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v", name, info.Size(), info.Mode())
		}
		for sc := bufio.NewScanner(f); sc.Scan(); total++ {
			var got Probe
			if err := json.Unmarshal(sc.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		f.Close()
	}
	if total != 1100 {
		t.Errorf("%d lines, want 1100", total)
	}
}
