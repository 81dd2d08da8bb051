package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/blotter"
	"robotrader/broker/ibkr/gateway/feed"
	"robotrader/broker/ibkr/gateway/ledger"
	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/market"
)

// Server is the simulated gateway. Start or Serve it once, and Stop it.
type Server struct {
	cfg Config
	log *slog.Logger

	wg     sync.WaitGroup // accept loop, market and sessions
	quit   chan struct{}  // closed by Stop
	ended  chan struct{}  // closed when the tape has ended
	broken chan struct{}  // closed when the state cannot be kept any more

	mu          sync.Mutex // guards everything below: this is the owner
	listener    net.Listener
	stopping    bool
	v           *venue.Venue // exchange, tape and market time
	feed        *feed.Feed
	blotter     *blotter.Blotter
	ledger      *ledger.Ledger
	late        later      // what is done off the mutex
	next        tape.Event // the tape's next event, when pending
	pending     bool
	hoursTill   time.Time // when the exchange is to be told hours again
	clients     map[int]*client
	conns       map[*conn]struct{}
	faults      *faults            // the fault script, nil without one
	leaving     map[*conn]struct{} // sessions that still write what was queued for them
	dirty       []*conn            // sessions with frames that their writer was not told of
	state       *State             // nil where nothing is kept
	stateClosed bool
	changed     chan struct{} // closed and renewed when a session comes, goes or is done with an order
}

// client is a client id that has a session.
type client struct {
	id   int
	conn *conn // its session; nil while that is made ready
}

// New returns a gateway that plays src. Nothing runs yet.
func New(cfg Config, src tape.Source, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		return nil, fmt.Errorf("gateway: time zone %s: %w", tape.ZoneName, err)
	}
	instance := cfg.Instance
	if instance == 0 {
		instance = uint64(time.Now().UnixNano())
	}
	xc := exchange.DefaultConfig()
	xc.Accounts, xc.Instance, xc.Cash, xc.PartialFills = cfg.Accounts, instance, cfg.Cash, cfg.PartialFills
	x, err := exchange.New(xc)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	s := &Server{
		cfg: cfg, log: log,
		quit: make(chan struct{}), ended: make(chan struct{}), broken: make(chan struct{}), changed: make(chan struct{}),
		clients: map[int]*client{}, conns: map[*conn]struct{}{}, leaving: map[*conn]struct{}{},
	}
	start := src.Start()
	s.v = &venue.Venue{
		X: x, Source: src, Zone: zone, Accounts: cfg.Accounts, ReadOnly: cfg.ReadOnly, Fractions: cfg.Fractions,
		At: start, Clock: market.NewClock(start, time.Now(), 0), // stands until Serve
		MasterClientID: cfg.MasterClientID, DownloadOpenOrders: cfg.DownloadOpenOrders,
		Later: s.later,
	}
	if err := s.list(src.Symbols()); err != nil {
		return nil, err
	}
	s.feed, s.ledger = feed.New(s.v, cfg.feed()), ledger.New(s.v)
	s.blotter = blotter.New(s.v, cfg.blotter(), log, s.ledger.Changed)
	s.next, s.pending = src.Next()
	if err := s.restore(); err != nil {
		return nil, err
	}
	s.faults = newFaults(s, cfg.Faults)
	return s, nil
}

// list makes symbols that the source plays known at the exchange.
func (s *Server) list(symbols []market.Symbol) error {
	for _, symbol := range symbols {
		hours, err := s.v.Source.Hours(symbol, s.v.At)
		if err != nil {
			return fmt.Errorf("gateway: hours of %s: %w", symbol, err)
		}
		if err := s.v.X.List(s.v.Details(symbol, hours)); err != nil {
			return fmt.Errorf("gateway: list %s: %w", symbol, err)
		}
	}
	return nil
}

// Start listens on the configured address and serves it. It returns when the
// listener is open.
func (s *Server) Start() error {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("gateway: listen on %s: %w", s.cfg.Listen, err)
	}
	return s.Serve(l)
}

// errStarted means a second Serve, or one after Stop.
var errStarted = errors.New("gateway: served or stopped already")

// Serve serves a listener, which it closes at Stop, and returns at once.
// Market time starts to run.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil || s.stopping {
		return errors.Join(errStarted, l.Close())
	}
	l = s.faults.serve(l)
	s.listener = l
	s.v.Clock = market.NewClock(s.v.At, time.Now(), s.cfg.Speed)
	if !s.pending {
		s.end()
	}
	s.wg.Add(1)
	go s.accept(l)
	if s.cfg.Speed > 0 {
		s.wg.Add(1)
		go s.playOn()
	}
	return nil
}

// Addr is the listener's address; nil before Start.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Ended is closed when the tape has ended. The gateway stays up: quotes stand,
// and requests are answered.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Now returns market time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v.Now()
}

// Describe tells people what is played.
func (s *Server) Describe() string { return s.v.Source.Describe() }

// Ledger returns the books as they stand.
func (s *Server) Ledger() exchange.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v.X.Ledger()
}

// accept takes connections until the listener is closed.
func (s *Server) accept(l net.Listener) {
	defer s.wg.Done()
	for {
		nc, err := l.Accept()
		if err == nil {
			s.welcome(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Such as too many open files: it passes, and retrying at once would
		// spin.
		s.log.Warn("gateway_accept", "error", err)
		select {
		case <-s.quit:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// welcome starts a session, unless there are too many.
func (s *Server) welcome(nc net.Conn) {
	s.lock()
	defer s.unlock()
	if s.stopping || len(s.conns) >= s.cfg.MaxClients || s.state != nil && s.state.fault != nil {
		s.log.Warn("gateway_client_refused", "peer", nc.RemoteAddr().String(), "sessions", len(s.conns), "limit", s.cfg.MaxClients)
		_ = nc.Close() // the wire form of this refusal is not known; a plain close is what clients see most
		return
	}
	if s.faults.turnsAway(nc) {
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.faults.attach(c)
	s.wg.Add(1)
	go c.serve()
}

// lock takes the owner's mutex; unlock keeps what changed, lets go what was
// queued meanwhile, whole, gives the mutex back and wakes the writers: one
// cause is one write, and nobody is told what could be forgotten.
func (s *Server) lock() { s.mu.Lock() }

func (s *Server) unlock() {
	s.faults.settle()
	s.save()
	var few [32]*conn // no allocation for a full gateway
	dirty := append(few[:0], s.dirty...)
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	for _, c := range dirty {
		c.dirty = false
		c.queue.release()
	}
	s.mu.Unlock()
	for _, c := range dirty {
		c.queue.kick()
	}
}

// touch tells all who wait for a change. Called under the mutex.
func (s *Server) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// client returns the entry of a client id. Called under the mutex.
func (s *Server) client(id int) *client {
	c := s.clients[id]
	if c == nil {
		c = &client{id: id}
		s.clients[id] = c
	}
	return c
}

// leave forgets a session and frees its client id. Its orders stay.
func (s *Server) leave(c *conn) {
	s.lock()
	defer s.unlock()
	delete(s.conns, c)
	s.faults.gone(c)
	s.leaving[c] = struct{}{}
	if c.client != nil {
		s.feed.Leave(c)
		s.blotter.Leave(c)
		s.ledger.Leave(c)
		if c.client.conn == c {
			delete(s.clients, c.client.id) // what lasts beyond a session is the blotter's
		}
	}
	c.ready = false
	close(c.gone)
	s.touch()
}

// left forgets a session whose socket is closed.
func (s *Server) left(c *conn) {
	s.lock()
	defer s.unlock()
	delete(s.leaving, c)
}

// closeGrace is how long Stop leaves sessions to end well before it cuts them.
const closeGrace = 2 * time.Second

// Stop ends the listener, the market and all sessions, waits for their
// goroutines, and writes the ledger. Sessions get the time of ctx, at most
// 2 s, to take what is queued for them. It may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	first := !s.stopping
	s.stopping = true
	if first {
		close(s.quit)
	}
	var err error
	if s.listener != nil && first {
		err = s.listener.Close()
	}
	for c := range s.conns {
		_ = c.net.SetReadDeadline(time.Now()) // wakes the reader, which ends the session
	}
	s.mu.Unlock()
	return errors.Join(err, s.join(ctx), s.closeState(), s.writeLedger())
}

// join waits for all goroutines.
func (s *Server) join(ctx context.Context) error {
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	case <-grace.C:
	}
	s.mu.Lock()
	for c := range s.conns {
		c.cut()
	}
	for c := range s.leaving { // a client that does not read holds its writer up
		c.cut()
	}
	s.mu.Unlock()
	// Cut sessions end by themselves; nothing else blocks.
	select {
	case <-done:
		return nil
	case <-time.After(closeGrace):
		return errors.New("gateway: stop: a session did not end 2 s after its socket was closed")
	}
}
