package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	startWait = 5 * time.Second // the embedded server is up in milliseconds
	callWait  = 5 * time.Second // for the server's word on a subscription
	// quiet replaces the pings between server and client: a pipe inside one
	// process does not break silently.
	quiet = 24 * time.Hour
	// maxPayload bounds one message: a run's state with 500 bars a symbol for
	// a dozen symbols stays below 2 MiB.
	maxPayload = 8 << 20
)

// Server is the embedded bus.
type Server struct {
	instance string
	log      *slog.Logger
	ns       *server.Server
	paced    atomic.Pointer[[]*Sub]
	directs  atomic.Pointer[[]*Sub] // that take the short way

	answering  sync.RWMutex    // guards responders
	responders map[string]*Sub // query subject → who answers it

	mu      sync.Mutex           // guards what follows
	seqs    map[string]*sequence // by publisher, for the process's life
	conns   map[string]*Conn     // open ones by name
	stopped bool
}

// sequence numbers one publisher's messages.
type sequence struct {
	mu     sync.Mutex // guards bySubject, and keeps numbering and writing one step
	topics map[string]uint64
}

// Start starts the embedded bus and returns when it takes connections.
func Start(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ns, err := server.NewServer(&server.Options{
		ServerName:            "robotrader-" + cfg.Instance,
		DontListen:            true,
		JetStream:             false,
		NoLog:                 true,
		NoSigs:                true,
		NoSystemAccount:       true,
		DisableShortFirstPing: true,
		PingInterval:          quiet,
		MaxPayload:            maxPayload,
		MaxPending:            1 << 30, // an in-process reader never blocks; its own queue is what is bounded
	})
	if err != nil {
		return nil, fmt.Errorf("bus: embedded server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(startWait) {
		ns.Shutdown()
		return nil, fmt.Errorf("bus: embedded server took no connections within %v", startWait)
	}
	return &Server{
		instance: cfg.Instance, log: log, ns: ns,
		seqs: map[string]*sequence{}, conns: map[string]*Conn{}, responders: map[string]*Sub{},
	}, nil
}

// enlist adds a subscription to the lists that it belongs to.
func (s *Server) enlist(sub *Sub) {
	s.relist(sub, func(list []*Sub) []*Sub { return append(list, sub) })
}

// delist takes a subscription out of them again.
func (s *Server) delist(sub *Sub) {
	s.relist(sub, func(list []*Sub) []*Sub {
		return slices.DeleteFunc(list, func(o *Sub) bool { return o == sub })
	})
}

func (s *Server) relist(sub *Sub, change func([]*Sub) []*Sub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit := func(p *atomic.Pointer[[]*Sub]) {
		var list []*Sub
		if now := p.Load(); now != nil {
			list = slices.Clone(*now) // who reads it holds no lock
		}
		list = change(list)
		p.Store(&list)
	}
	if sub.policy == Paced {
		edit(&s.paced)
	}
	if sub.prefix != "" {
		edit(&s.directs)
	}
}

// respond makes a subscription the one that answers its subject. When there is
// one already, ok is false and who is its connection's name.
func (s *Server) respond(sub *Sub) (who string, ok bool) {
	s.answering.Lock()
	defer s.answering.Unlock()
	if now := s.responders[sub.subject]; now != nil {
		return now.conn.name, false
	}
	s.responders[sub.subject] = sub
	return "", true
}

// fallSilent takes back what respond did.
func (s *Server) fallSilent(sub *Sub) {
	s.answering.Lock()
	defer s.answering.Unlock()
	if s.responders[sub.subject] == sub { // Stop may come twice
		delete(s.responders, sub.subject)
	}
}

// responder returns who answers a subject, nil when nobody does.
func (s *Server) responder(subject string) *Sub {
	s.answering.RLock()
	defer s.answering.RUnlock()
	return s.responders[subject]
}

// Instance returns the second word of every subject.
func (s *Server) Instance() string { return s.instance }

// Connect joins the bus as the publisher name, such as "desk". A name has one
// connection at a time, because it numbers its messages.
func (s *Server) Connect(name string) (*Conn, error) {
	if !instanceOK(name) {
		return nil, fmt.Errorf("bus: name %.60q: use 1 to 32 letters, digits, dashes or underscores", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, fmt.Errorf("bus: connect %s: %w", name, ErrClosed)
	}
	if s.conns[name] != nil {
		return nil, fmt.Errorf("bus: connect %s: the name is in use; close its connection first", name)
	}
	seq := s.seqs[name]
	if seq == nil {
		seq = &sequence{topics: map[string]uint64{}}
		s.seqs[name] = seq
	}
	c := &Conn{name: name, server: s, seq: seq, subs: map[*Sub]struct{}{}, gone: make(chan struct{})}
	var err error
	if c.pub, err = s.dial(name+".pub", nats.WriteBufferSize(1)); err != nil {
		return nil, err
	}
	if c.sub, err = s.dial(name + ".sub"); err != nil {
		c.pub.Close()
		return nil, err
	}
	s.conns[name] = c
	return c, nil
}

func (s *Server) dial(name string, more ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append([]nats.Option{
		nats.InProcessServer(s.ns), nats.Name(name), nats.NoReconnect(), nats.PingInterval(quiet),
		nats.Timeout(callWait),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				return // the numbers tell it, with how many
			}
			attrs := []any{slog.String("conn", name), slog.Any("error", err)}
			if sub != nil {
				attrs = append(attrs, slog.String("subject", sub.Subject))
			}
			s.log.Error("bus_error", attrs...)
		}),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("bus: connect %s: %w", name, err)
	}
	return nc, nil
}

// Stop closes what is still connected and ends the server. It returns when all
// is gone or ctx has ended.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	open := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	var errs []error
	for _, c := range open {
		if err := c.Close(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ns.Shutdown()
		s.ns.WaitForShutdown()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("bus: stop: the embedded server did not end: %w", ctx.Err()))
	}
	return errors.Join(errs...)
}
