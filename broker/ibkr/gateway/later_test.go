package gateway

import (
	"context"
	"net"
	"testing"

	"robotrader/broker/ibkr/gateway/venue"
)

// running is a server at speed 1 whose loop nobody started, and a session of
// it that nobody serves.
func running(t *testing.T) (*Server, *conn) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Instance = 1
	s, err := New(cfg, shortDay(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return s, admitted(s, near)
}

func admitted(s *Server, nc net.Conn) *conn {
	c := newConn(s, nc)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	return c
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestLaterRunsOffTheMutexAndEndsUnderIt(t *testing.T) {
	s, c := running(t)
	release, done := make(chan struct{}), make(chan struct{})
	s.lock()
	if !s.v.Defer(c, func() func() {
		<-release // the mutex must be free meanwhile
		return func() {
			if s.mu.TryLock() {
				t.Error("done ran without the mutex")
			}
			close(done)
		}
	}) {
		t.Fatal("refused")
	}
	s.unlock()
	s.lock() // would hang forever were the work done under it
	s.unlock()
	close(release)
	<-done
	stop(t, s)
}

func TestLaterIsBoundedForEachSession(t *testing.T) {
	s, c := running(t)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	other := admitted(s, near)
	release := make(chan struct{})
	begun, ended := make(chan venue.Peer, 2*laterWaiting), make(chan venue.Peer, 2*laterWaiting)
	ask := func(p venue.Peer) bool {
		return s.v.Defer(p, func() func() {
			begun <- p
			<-release
			return func() { ended <- p }
		})
	}
	s.lock()
	for i := range laterWaiting {
		if !ask(c) {
			t.Fatalf("job %d was refused", i)
		}
	}
	if ask(c) {
		t.Error("one more than the bound was taken")
	}
	if !ask(other) {
		t.Error("another session was refused")
	}
	s.unlock()
	if one, two := <-begun, <-begun; one != venue.Peer(other) && two != venue.Peer(other) {
		t.Error("the other session waits for the many jobs of the first")
	}
	close(release)
	for range laterWaiting + 1 {
		<-ended
	}
	stop(t, s)
	if left := len(s.late.held) + len(s.late.jobs) + len(s.late.working) + s.late.workers; left != 0 {
		t.Errorf("%d things are left", left)
	}
}

func TestLaterEndsForNobodyWhoLeft(t *testing.T) {
	s, c := running(t)
	release, begun := make(chan struct{}), make(chan struct{})
	s.lock()
	s.v.Defer(c, func() func() {
		close(begun)
		<-release
		return func() { t.Error("done ran for a session that left") }
	})
	s.unlock()
	<-begun
	s.lock()
	delete(s.conns, c)
	s.unlock()
	close(release)
	stop(t, s) // joins the worker
}
