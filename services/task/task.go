// Package task runs named goroutines that somebody owns.
//
// It promises that a panic in one of them becomes an error with a stack and
// not the end of the process, and that [Group.Stop] returns in time and names
// those that did not end. It does not promise to end a goroutine that ignores
// its context: nothing in Go can.
//
// # Design
//
// A Group has one context, made when the group is, that ends with Stop or with
// the first failure; so the parts of one component live and die together. The
// failure is told to whoever reads [Group.Failed], and returned by Stop.
package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// ErrNotEnded means that goroutines were still running when Stop had to return.
var ErrNotEnded = errors.New("task: not ended")

// Panic is the error that a panic became.
type Panic struct {
	Task  string // the goroutine's name
	Value any    // what was given to panic
	Stack []byte // of the goroutine that panicked
}

func (p *Panic) Error() string { return fmt.Sprintf("task %s: panic: %v", p.Task, p.Value) }

// Unwrap returns the panic's value when it was an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Group owns goroutines. Make it with [NewGroup].
type Group struct {
	name   string
	ctx    context.Context
	cancel context.CancelCauseFunc
	failed chan struct{} // closed by the first failure

	mu      sync.Mutex // guards what follows
	running map[int]string
	next    int
	err     error
	stopped bool
	idle    chan struct{} // made by Stop, closed when running is empty
}

// errStopped is the cause of the context's end after Stop.
var errStopped = errors.New("task: stopped")

// NewGroup returns an empty group. The name stands in errors.
func NewGroup(name string) *Group {
	g := &Group{name: name, failed: make(chan struct{}), running: map[int]string{}}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	return g
}

// Go starts fn as a named goroutine. Its context ends when the group stops or
// one of the group fails. An error of fn, but for its context's end after
// Stop, fails the group. After Stop, Go does nothing and returns false.
func (g *Group) Go(name string, fn func(ctx context.Context) error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	id := g.next
	g.next++
	g.running[id] = name
	go g.run(id, name, fn)
	return true
}

// run makes a panic, and a goroutine that is left by runtime.Goexit, an error.
func (g *Group) run(id int, name string, fn func(ctx context.Context) error) {
	var err error
	returned := false
	defer func() {
		if !returned {
			v := recover()
			if v == nil {
				v = "the goroutine was left by runtime.Goexit"
			}
			err = &Panic{name, v, debug.Stack()}
		}
		g.end(id, name, err)
	}()
	err = fn(g.ctx)
	returned = true
}

func (g *Group) end(id int, name string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, id)
	if err != nil && (!errors.Is(err, context.Canceled) || g.ctx.Err() == nil) && g.err == nil {
		if _, ok := errors.AsType[*Panic](err); !ok {
			err = fmt.Errorf("task %s: %w", name, err)
		}
		g.err = err
		close(g.failed)
		g.cancel(err)
	}
	if g.idle != nil && len(g.running) == 0 {
		close(g.idle)
		g.idle = nil
	}
}

// Failed is closed when one of the group's goroutines has failed; [Group.Err]
// then tells how.
func (g *Group) Failed() <-chan struct{} { return g.failed }

// Err returns the first failure, or nil.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Stop ends the context of the group's goroutines and waits until all have
// gone, or until ctx has ended. It returns the group's first failure, and
// [ErrNotEnded] with the names of those that still run. It may be called
// again, to wait longer.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	g.cancel(errStopped)
	if len(g.running) == 0 {
		defer g.mu.Unlock()
		return g.err
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return g.Err()
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.running) == 0 {
		return g.err
	}
	names := make([]string, 0, len(g.running))
	for _, name := range g.running {
		names = append(names, name)
	}
	slices.Sort(names)
	return errors.Join(g.err, fmt.Errorf("%s: %w: %s: %w", g.name, ErrNotEnded, strings.Join(names, ", "), context.Cause(ctx)))
}
