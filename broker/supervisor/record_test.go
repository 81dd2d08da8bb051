package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
)

// line returns a record as the debug log has it.
func line(t *testing.T, r Record) (map[string]any, string) {
	t.Helper()
	var b bytes.Buffer
	h := slog.NewJSONHandler(&b, nil)
	rec := slog.NewRecord(time.Unix(0, 0), r.Level(), r.Name(), 0)
	rec.AddAttrs(r.Attrs()...)
	if err := h.Handle(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	return m, b.String()
}

// TestRecordTellsWhatWasNotSeen: a line holds every rung and every thing that
// was awaited, also when it did not come.
func TestRecordTellsWhatWasNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := fails(broker.Error{
			Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: broker.RungNextValidID, Failure: broker.NoNextID, Advice: "look at its window",
			Facts: broker.Facts{Gateway: "g:1", ClientID: 7, ServerVersion: 187, ConnectionTime: "20260405 23:49:26 CET", Accounts: []string{"DU1234567"}},
			Err:   errors.New("the accounts came, the next order id did not"),
		})
		r := newRig(t, nil, half, good)
		r.parts.Evidence = (&kernel{e: gateway1}).look
		r.Start()
		r.await(t)
		time.Sleep(3 * time.Minute)
		r.reconnect(t)
		time.Sleep(time.Minute)
		r.stop(t)
		told := r.told()
		if len(told) != 5 {
			t.Fatalf("%d records, want two attempts, an end, an attempt and an end", len(told))
		}
		m, text := line(t, told[0])
		for _, want := range []string{
			`"msg":"attempt"`, `"level":"WARN"`, `"attempt":1`, `"total":1`, `"adapter":"fake"`, `"gateway":"g:1"`, `"client_id":7`, `"outcome":"no_next_id"`,
			`"tcp":{"ok":true,"at_ms":0}`, `"next_valid_id":{"ok":false,"at_ms":0}`, `"data":"not seen"`, `"server_version":187`,
			`"connection_time":"20260405 23:49:26 CET"`, `"accounts":1`, `"next_order_id":"not seen"`, `"bytes":"yes"`,
			`"advice":"look at its window"`, `"breaker":{"state":"closed","wedged":1,"limit":5`, `"phase":""`, `"inode":100`, `"warnings":[]`, `"elapsed_ms"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the line does not say %s:\n%s", want, text)
			}
		}
		if strings.Contains(text, "DU1234567") {
			t.Error("the line holds an account")
		}
		if rungs, ok := m["rungs"].(map[string]any); !ok || len(rungs) != len(broker.Rungs()) {
			t.Errorf("rungs %v", m["rungs"])
		}
		for i, want := range map[int][]string{
			1: {`"msg":"attempt"`, `"level":"INFO"`, `"outcome":"ready"`, `"error":""`, `"session":1`, `"evidence":"not asked"`, `"total":2`},
			2: {`"msg":"session_end"`, `"level":"INFO"`, `"outcome":"asked"`, `"elapsed_ms":1`, `"error":"a person asked to reconnect"`},
			4: {`"msg":"session_end"`, `"level":"INFO"`, `"outcome":"stopped"`},
		} {
			_, text := line(t, told[i])
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("line %d does not say %s:\n%s", i, w, text)
				}
			}
		}
		if d := told[2].Elapsed; d < 2*time.Minute || d > 3*time.Minute {
			t.Errorf("the session's length is %v", d)
		}
	})
}

func TestFailureOf(t *testing.T) {
	fault := func(e broker.Error) error { e.Kind = broker.ErrGatewayDown; return fmt.Errorf("wrapped: %w", &e) }
	for name, tt := range map[string]struct {
		err  error
		open bool
		want broker.Failure
	}{
		"told":                     {fault(broker.Error{Rung: broker.RungTCP, Failure: broker.NoReply}), false, broker.NoReply},
		"a port that refuses":      {fault(broker.Error{Rung: broker.RungTCP, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), false, broker.NobodyListens},
		"another failure of tcp":   {fault(broker.Error{Rung: broker.RungTCP, Err: errors.New("no route")}), false, broker.Unreachable},
		"a step":                   {fault(broker.Error{Rung: broker.RungAccount}), false, broker.StepFailed},
		"a step of a session":      {fault(broker.Error{Rung: broker.RungAccount}), true, broker.StepFailed},
		"no doubt is not claimed":  {fault(broker.Error{Rung: broker.RungVersion}), false, broker.NoFailure},
		"refused":                  {&broker.Error{Kind: broker.ErrRefused}, false, broker.Forbidden},
		"lost without a word":      {broker.ErrClosed, true, broker.SessionLost},
		"silent":                   {fault(broker.Error{Failure: broker.GatewaySilent}), true, broker.GatewaySilent},
		"a person asked":           {errReconnect, true, broker.NoFailure},
		"an adapter's plain error": {errors.New("x"), false, broker.NoFailure},
	} {
		if got := failureOf(tt.err, tt.open); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestEveryFailureIsInTheLink: what the adapter says is what people, the breaker
// and the log read.
func TestEveryFailureIsInTheLink(t *testing.T) {
	for _, f := range []broker.Failure{
		broker.NobodyListens, broker.Unreachable, broker.NoReply, broker.ClosedEarly, broker.WrongProtocol, broker.Redirected, broker.WrongVersion,
		broker.ClosedAfterStart, broker.ClientIDInUse, broker.NoIDs, broker.NoAccounts, broker.NoNextID,
	} {
		synctest.Test(t, func(t *testing.T) {
			rung := broker.RungVersion
			if f == broker.NobodyListens || f == broker.Unreachable {
				rung = broker.RungTCP
			}
			r := newRig(t, nil, fails(broker.Error{Op: "open g:1", Kind: broker.ErrGatewayDown, Rung: rung, Failure: f}))
			r.Start()
			synctest.Wait()
			l := r.Link()
			if l.Failure != f || l.State != broker.Waiting || l.Rung != rung || (l.Breaker.Wedged == 1) != f.Wedged() {
				t.Errorf("%s: link %+v", f, l)
			}
			if rec := r.told()[0]; rec.Outcome() != string(f) {
				t.Errorf("%s: the record says %q", f, rec.Outcome())
			}
			r.stop(t)
		})
	}
}
