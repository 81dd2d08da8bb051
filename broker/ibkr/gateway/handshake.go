package gateway

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
)

// talk reads the session's messages until it ends, and says why it did.
func (c *conn) talk() error {
	if err := c.deadline(time.Now().Add(c.s.cfg.HelloTimeout)); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	payload, err := c.readFrame(nil)
	if err != nil {
		return c.lost(err)
	}
	if err := c.startAPI(payload); err != nil {
		return err
	}
	if err := c.deadline(time.Time{}); err != nil { // an idle client may stay for days
		return err
	}
	for {
		if payload, err = c.readFrame(payload); err != nil {
			return c.lost(err)
		}
		select {
		case <-c.s.quit: // what was read ahead is not answered any more
			return errFinished
		default:
		}
		if err := c.pace(); err != nil {
			return err
		}
		if err := c.handle(payload, time.Now()); err != nil {
			return err
		}
	}
}

// lost tells the client when the framing itself is broken, and returns err.
func (c *conn) lost(err error) error {
	if errors.Is(err, wire.ErrFrameEmpty) || errors.Is(err, wire.ErrFrameTooLong) {
		c.s.lock()
		c.Fail(venue.NoID, venue.BadLength, "Bad Message Length: %v", err)
		c.s.unlock()
	}
	return err
}

// hello reads the client's first words and answers with the version and the
// connection time.
func (c *conn) hello() error {
	var hello wire.Hello
	for want := 1; ; {
		if _, err := c.in.Peek(want); err != nil {
			return err
		}
		have, err := c.in.Peek(c.in.Buffered())
		if err != nil {
			return err
		}
		h, n, err := wire.ParseHello(have)
		if errors.Is(err, wire.ErrIncomplete) {
			want = len(have) + 1
			continue
		}
		if err != nil {
			return err
		}
		hello = h
		if _, err := c.in.Discard(n); err != nil {
			return err
		}
		break
	}
	v := min(hello.Max, c.s.cfg.ServerVersion)
	if v < MinVersion || v < hello.Min {
		// What a real gateway does here is not known; it cannot speak on.
		return fmt.Errorf("client offers versions %d to %d, this gateway plays %d to %d", hello.Min, hello.Max, MinVersion, c.s.cfg.ServerVersion)
	}
	c.version = wire.Version(v)
	c.paced = slices.Contains(strings.Fields(hello.Options), paceAPI)
	return c.greet()
}

// paceAPI is the only connect option known: the gateway is to take a client's
// messages as slowly as it may send them, and to refuse none. Section 1.2.
const paceAPI = "+PACEAPI"

// pace waits until the client's next message is within the limit, if the
// client asked for that.
func (c *conn) pace() error {
	if !c.paced {
		return nil
	}
	return c.s.pause(c.rate.wait(time.Now()))
}

// greet queues the answer to the hello.
func (c *conn) greet() error {
	c.s.lock()
	defer c.s.unlock()
	at, zone := c.s.v.Now().In(c.s.v.Zone), c.s.cfg.ZoneText
	if zone == "" {
		zone = at.Format("MST")
	}
	payload, err := wire.ServerHello{Version: int(c.version), Time: at.Format("20060102 15:04:05 ") + zone}.Append(nil)
	if err != nil {
		return err
	}
	if c.fault.greets(payload) {
		return nil
	}
	c.queue.put(ordered, func(dst []byte) []byte { return wire.AppendFrame(dst, payload) })
	c.mark()
	return nil
}

// startAPI takes the first message, which must be START_API, and makes the
// session ready.
func (c *conn) startAPI(payload []byte) error {
	m, err := wire.DecodeClient(c.version, payload)
	if err != nil {
		return fmt.Errorf("before START_API: %w", err)
	}
	start, ok := m.(wire.StartAPI)
	if !ok {
		return fmt.Errorf("%s came before START_API", wire.ClientName(m.ID()))
	}
	if start.ClientID < 0 {
		return fmt.Errorf("START_API with client id %d, which is below 0", start.ClientID)
	}
	if err := c.settle(); err != nil {
		return err
	}
	return c.claim(start.ClientID)
}

// errEarly ends the session of a client that did not wait for its ids.
var errEarly = errors.New("a request came before both ids were told")

// settle passes the time until the session may become ready. What comes
// meanwhile is kept, or ends the session, as configured.
func (c *conn) settle() error {
	cfg := &c.s.cfg
	if cfg.EarlyRequests == EarlyWait {
		return c.s.pause(cfg.ReadyDelay)
	}
	if c.in.Buffered() > 0 {
		return errEarly
	}
	if cfg.ReadyDelay == 0 {
		return nil
	}
	if err := c.deadline(time.Now().Add(cfg.ReadyDelay)); err != nil {
		return err
	}
	_, err := c.in.Peek(1)
	switch {
	case err == nil:
		return errEarly
	case errors.Is(err, os.ErrDeadlineExceeded): // nothing came
		return nil
	}
	return err
}

// pause waits in wall time; the error says that the server stops.
func (s *Server) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.quit:
		return errFinished
	}
}

// claimGrace is how long a second session with a client id waits for the
// first one to go before it is refused.
const claimGrace = 50 * time.Millisecond

// claim makes the session that of the client id, and tells both ids.
func (c *conn) claim(id int) error {
	grace := time.NewTimer(claimGrace)
	defer grace.Stop()
	for {
		taken := c.tryClaim(id)
		if taken == nil {
			return nil
		}
		select {
		case <-taken:
			continue // it has gone; somebody else may have been faster
		case <-c.s.quit:
			return errFinished
		case <-grace.C:
		}
		if c.s.cfg.IDInUse == RefuseWith326 {
			c.s.lock()
			c.Fail(venue.NoID, venue.ClientIDInUse, "Unable to connect as the client id is already in use. Retry with a unique client id.")
			c.s.unlock()
		}
		return fmt.Errorf("client id %d is in use: %w", id, errFinished)
	}
}

// tryClaim makes the session ready, or returns the channel that is closed when
// the client id's present session has gone.
func (c *conn) tryClaim(id int) (taken <-chan struct{}) {
	s := c.s
	s.lock()
	defer s.unlock()
	cl := s.client(id)
	if cl.conn != nil {
		return cl.conn.gone
	}
	cl.conn, c.client = c, cl
	c.enter()
	s.touch()
	s.log.Debug("gateway_client_ready", "client_id", id, "version", int(c.version), "peer", c.net.RemoteAddr().String())
	return nil
}

// enter makes the session ready: it tells both ids, and the notices about data
// farms where they are configured to come. The parts take the session in right
// before nextValidId, so that what they tell at once, such as open orders,
// comes before it: section 1.5. Called under the mutex.
func (c *conn) enter() {
	accounts := func() { c.Send(c.s.managedAccts()) }
	nextID := func() {
		c.s.feed.Join(c)
		c.s.blotter.Join(c)
		c.s.ledger.Join(c)
		c.Send(wire.NextValidID{OrderID: c.s.blotter.NextID(c.client.id)})
	}
	first, second := accounts, nextID
	if c.s.cfg.IDOrder == NextIDFirst {
		first, second = nextID, accounts
	}
	c.tellFarms(FarmsBefore)
	first()
	c.tellFarms(FarmsBetween)
	second()
	c.ready = true
	c.tellFarms(FarmsAfter)
}

// managedAccts is the list of accounts as it is configured to be told.
func (s *Server) managedAccts() wire.ManagedAccts {
	list := strings.Join(s.cfg.Accounts, ",")
	if s.cfg.AccountsComma {
		list += ","
	}
	return wire.ManagedAccts{List: list}
}

// tellFarms sends the notices about data farms, if this is their place.
func (c *conn) tellFarms(place string) {
	if c.s.cfg.FarmNotices != place {
		return
	}
	c.Fail(venue.NoID, 2104, "Market data farm connection is OK:usfarm")
	c.Fail(venue.NoID, 2106, "HMDS data farm connection is OK:ushmds")
	c.Fail(venue.NoID, 2158, "Sec-def data farm connection is OK:secdefnj")
}
