package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsHeld(t *testing.T) {
	on := []string{"PATH=/bin", holdVar + "=1"}
	for _, tt := range []struct {
		code          int
		args, environ []string
		want          bool
	}{
		{exitUsage, nil, on, true},
		{exitConfig, []string{"AAPL"}, on, true},
		{exitRefused, []string{"--data", "check"}, on, true},
		{exitStopped, nil, on, false},
		{exitUnexpected, nil, on, false}, // another start may mend that
		{exitRefused, []string{"--check"}, on, false},
		{exitRefused, []string{"-healthcheck=true"}, on, false},
		{exitRefused, nil, nil, false},
		{exitRefused, nil, []string{holdVar + "="}, false},
		{exitRefused, nil, []string{holdVar + "=0"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var said bytes.Buffer
			ended := false
			go func() { stay(ctx, tt.code, tt.args, tt.environ, &said); ended = true }() // ends with the context
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if ended == tt.want || strings.Contains(said.String(), holdVar) != tt.want {
				t.Errorf("code %d, %q, %q: ended %v, said %q", tt.code, tt.args, tt.environ, ended, said.String())
			}
			cancel()
			synctest.Wait()
			if !ended {
				t.Errorf("code %d: it does not end when it is told to", tt.code)
			}
		})
	}
}

// TestAHeldStartEndsWithItsCode: an engine that restarts whatever ends sees a
// process that stays, and whoever stops it the reason.
func TestAHeldStartEndsWithItsCode(t *testing.T) {
	p := startWith(t, binary(t, "start_trader"), []string{holdVar + "=1"}, "--speed", "sideways", "AAPL")
	awaits(t, "the words of a held start", 20*time.Second, func() (string, bool) {
		said := p.said.String()
		return tail(said, 300), strings.Contains(said, "would end with code 2") && strings.Contains(said, holdVar)
	})
	select {
	case <-p.done:
		t.Fatal("it has ended")
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != exitUsage {
		t.Errorf("ended with code %d, want %d", code, exitUsage)
	}
}
