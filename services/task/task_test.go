package task

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func waitForEnd(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestStopEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup("g")
		ended := 0
		for range 3 {
			g.Go("waiter", func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				return ctx.Err()
			})
		}
		g.Go("done already", func(context.Context) error { ended++; return nil })
		synctest.Wait()
		began := time.Now()
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if took := time.Since(began); took != time.Second || ended != 1 {
			t.Errorf("Stop took %v, %d ended by itself", took, ended)
		}
		if g.Go("late", waitForEnd) {
			t.Error("a stopped group started a goroutine")
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
	})
}

func TestStopNamesThoseThatDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup("desk")
		leave := make(chan struct{})
		for _, name := range []string{"writer", "reader"} {
			g.Go(name, func(context.Context) error { <-leave; return nil })
		}
		g.Go("good", waitForEnd)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := g.Stop(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Stop took %v", took)
		}
		if !errors.Is(err, ErrNotEnded) || !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "desk") || !strings.Contains(err.Error(), "reader, writer") || strings.Contains(err.Error(), "good") {
			t.Errorf("error %q does not name the two", err)
		}
		close(leave)
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("Stop again: %v", err)
		}
	})
}

func TestFailureEndsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup("g")
		sawCause := make(chan error, 1)
		g.Go("other", func(ctx context.Context) error {
			<-ctx.Done()
			sawCause <- context.Cause(ctx)
			return errors.New("follows from the first")
		})
		g.Go("bad", func(context.Context) error { time.Sleep(time.Second); return io.ErrUnexpectedEOF })
		<-g.Failed()
		if err := g.Err(); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "bad") {
			t.Errorf("Err %v", err)
		}
		if cause := <-sawCause; !errors.Is(cause, io.ErrUnexpectedEOF) {
			t.Errorf("cause %v", cause)
		}
		if err := g.Stop(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "follows") {
			t.Errorf("Stop %v, want the first failure", err)
		}
	})
}

func TestPanicBecomesAnError(t *testing.T) {
	for name, value := range map[string]any{"error": io.ErrClosedPipe, "text": "boom"} {
		t.Run(name, func(t *testing.T) {
			g := NewGroup("g")
			g.Go("fragile", func(context.Context) error { explode(value); return nil })
			<-g.Failed()
			p, ok := errors.AsType[*Panic](g.Err())
			if !ok || p.Task != "fragile" || p.Value != value || !strings.Contains(string(p.Stack), "explode") {
				t.Fatalf("Err %v: want the panic with name, value and stack", g.Err())
			}
			if name == "error" && !errors.Is(g.Err(), io.ErrClosedPipe) {
				t.Error("the panic's error is hidden")
			}
			if err := g.Stop(t.Context()); !errors.As(err, &p) {
				t.Errorf("Stop %v", err)
			}
		})
	}
}

func explode(v any) { panic(v) }

// A goroutine that cancels something of its own has failed, though the error
// is context.Canceled: only the group's end makes that an orderly one.
func TestCanceledOfSomethingElseIsAFailure(t *testing.T) {
	g := NewGroup("g")
	g.Go("x", func(context.Context) error { return context.Canceled })
	<-g.Failed()
	if err := g.Stop(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop %v", err)
	}
}

func TestGoexitIsAFailure(t *testing.T) {
	g := NewGroup("g")
	g.Go("x", func(context.Context) error { runtime.Goexit(); return nil })
	<-g.Failed()
	if err := g.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Errorf("Stop %v", err)
	}
}
