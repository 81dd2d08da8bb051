package ibkr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/pace"
)

// Config locates the gateway and bounds the waits.
type Config struct {
	// Gateway is host:port, or one of the usual places on this machine:
	// gateway-paper (port 4002), gateway-live (4001), tws-paper (7497),
	// tws-live (7496). Users can change these ports in the gateway's settings.
	// Default "127.0.0.1:4002".
	Gateway string `koanf:"gateway"`
	// ClientID tells apart the API clients of one gateway, and owns the orders
	// that it places: keep it for good. Default 1.
	ClientID int `koanf:"client_id"`
	// HandshakeTimeout is what the five rungs of the handshake share.
	// Default 10 s.
	HandshakeTimeout time.Duration `koanf:"handshake_timeout"`
	// RequestTimeout bounds the wait for the answer to one request.
	// Default 10 s.
	RequestTimeout time.Duration `koanf:"request_timeout"`
	// ProbeEvery is how long a gateway may be idle before it is asked for its
	// time, as a sign of life. Default 30 s.
	ProbeEvery time.Duration `koanf:"probe_every"`
	// ProbeLimit bounds the wait for its answer; two that do not come in a row
	// end the session. Default 10 s.
	ProbeLimit time.Duration `koanf:"probe_limit"`
	// AliveWithin is how new the newest frame of the gateway must be for an
	// order to go out without asking for a sign of life. Default 2 s.
	AliveWithin time.Duration `koanf:"alive_within"`
	// AliveLimit bounds the wait for that sign; without it the order is not
	// written. Default 2 s.
	AliveLimit time.Duration `koanf:"alive_limit"`
	// Codes tells what codes of the venue mean, by number: one of info, warning,
	// request, reject, cancelled, no_cancel, data_down, data_up, data_lost,
	// link_down, link_up, pacing, session, competing. They go before our own
	// table, codes.go. Default none.
	Codes map[string]string `koanf:"codes"`
	// ForceDisconnect ends connections with a reset instead of closing them
	// well. A gateway may keep what it finds reset, and hang at later
	// handshakes: it is for a gateway that hangs on the other way, and shown as a
	// lasting warning. Default false.
	ForceDisconnect bool `koanf:"force_disconnect"`

	// SendsPerSecond is how many messages go out in any one second, 10 to 50.
	// The venue allows 50, of all clients of a login together, and may cut off
	// who sends more. Default 45.
	SendsPerSecond int `koanf:"sends_per_second"`
	// ReserveSends are the last of them, which only cancels may use: at most
	// half. Default 5.
	ReserveSends int `koanf:"reserve_sends"`
	// Lines is how many symbols may have market data at once. The venue's limit
	// is shared with the windows of the gateway and other clients; when it says
	// that it is lower (101), that holds for the session. Default 100.
	Lines int `koanf:"lines"`
	// Delayed asks for delayed data where the login has no subscription for live
	// data. A person then sees prices; entries stay refused. Default true.
	Delayed bool `koanf:"delayed"`

	// RestartAt is when the gateway restarts every day, as it is set there: a
	// time of the machine's zone, one with a zone as in "23:45
	// America/New_York", or "off". From 90 s before it no new risk is taken.
	// Default "23:45", the gateway's own default.
	RestartAt string `koanf:"restart_at"`
	// RestartLasts is for how long it is then expected to be down. Default 5 m.
	RestartLasts time.Duration `koanf:"restart_lasts"`
	// LoginAt is from when on the gateway wants its weekly log-in, with the
	// second factor: a weekday and a time, or "off". Default "sun 01:00
	// America/New_York": the log-in is due around Sunday (section 9 of the
	// protocol sheet); the hour is from general knowledge.
	LoginAt string `koanf:"login_at"`
	// LoginWithin is for how long a log-in may wait for a person before that is
	// an alarm. Default 10 m.
	LoginWithin time.Duration `koanf:"login_within"`

	// Dial replaces the TCP dialler in tests. It gets host:port.
	Dial func(ctx context.Context, address string) (net.Conn, error) `koanf:"-"`
	// Speed is market time over wall time. A real gateway's is 1; another one is
	// that of a gatewaysim on this machine that was started with the same --speed,
	// for rehearsals and soaks, up to 1,000. Default 1.
	Speed float64 `koanf:"speed"`
	// Simulated marks the built-in gateway; Speed 0 with it is lock-step. Only
	// adapter "sim" sets it.
	Simulated bool `koanf:"-"`
	// Log gets the session's own events. Nil = slog.Default.
	Log *slog.Logger `koanf:"-"`
	// Tap sees every frame both ways. Nil = nobody does.
	Tap Tap `koanf:"-"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Gateway:          "127.0.0.1:4002",
		ClientID:         1,
		HandshakeTimeout: 10 * time.Second,
		RequestTimeout:   10 * time.Second,
		SendsPerSecond:   45,
		ReserveSends:     5,
		Lines:            100,
		Delayed:          true,
		ProbeEvery:       30 * time.Second,
		ProbeLimit:       10 * time.Second,
		AliveWithin:      2 * time.Second,
		AliveLimit:       2 * time.Second,
		RestartAt:        "23:45",
		RestartLasts:     5 * time.Minute,
		LoginAt:          "sun 01:00 America/New_York",
		LoginWithin:      10 * time.Minute,
		Speed:            1,
	}
}

// MaxClientID bounds client ids: the wire has 32 bits.
const MaxClientID = 1<<31 - 1

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("ibkr: "+format, a...)) }
	if _, err := Address(c.Gateway); err != nil {
		errs = append(errs, err)
	}
	if c.ClientID < 0 || c.ClientID > MaxClientID {
		bad("client_id %d is not between 0 and %d", c.ClientID, MaxClientID)
	}
	between := func(key string, d, least, most time.Duration) {
		if d < least || d > most {
			bad("%s %v is not between %v and %v", key, d, least, most)
		}
	}
	between("handshake_timeout", c.HandshakeTimeout, 100*time.Millisecond, 10*time.Minute)
	between("request_timeout", c.RequestTimeout, 100*time.Millisecond, 10*time.Minute)
	between("probe_every", c.ProbeEvery, 5*time.Second, 10*time.Minute)
	between("probe_limit", c.ProbeLimit, 2*time.Second, time.Minute)
	between("alive_within", c.AliveWithin, 100*time.Millisecond, time.Minute)
	between("alive_limit", c.AliveLimit, 100*time.Millisecond, 10*time.Second)
	if _, err := codes.with(c.Codes); err != nil {
		errs = append(errs, err)
	}
	if c.SendsPerSecond < 10 || c.SendsPerSecond > pace.MaxSends {
		bad("sends_per_second %d is not between 10 and %d: the venue allows %d", c.SendsPerSecond, pace.MaxSends, pace.MaxSends)
	}
	if c.ReserveSends < 0 || c.ReserveSends > c.SendsPerSecond/2 {
		bad("reserve_sends %d is not between 0 and half of sends_per_second, %d", c.ReserveSends, c.SendsPerSecond/2)
	}
	if c.Lines < 1 || c.Lines > 10000 {
		bad("lines %d is not between 1 and 10000", c.Lines)
	}
	errs = append(errs, c.validateCalendar()...)
	errs = append(errs, c.validateSpeed()...)
	return errors.Join(errs...)
}

// maxSpeed bounds the speed of a gatewaysim: beyond it a quote is older than the
// limits allow when it is read.
const maxSpeed = 1000

// validateSpeed returns what is wrong with the speed. What is not simulated in
// this process may be a real gateway, of which only the place is known: one
// elsewhere is never taken for a gatewaysim.
func (c Config) validateSpeed() []error {
	switch {
	case c.Simulated && c.Speed >= 0, c.Speed == 1:
		return nil
	case !(c.Speed > 0 && c.Speed <= maxSpeed):
		return []error{fmt.Errorf("ibkr: speed %v is not above 0 and at most %d; a real gateway's market time runs at 1", c.Speed, maxSpeed)}
	}
	address, err := Address(c.Gateway)
	if err != nil {
		return nil // told already
	}
	host, _, _ := net.SplitHostPort(address) // Address has read it
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return []error{fmt.Errorf("ibkr: speed %v: the gateway %.80q is not on this machine, and only a gatewaysim here has another speed than 1", c.Speed, c.Gateway)}
	}
	return nil
}

// ErrBadGateway means that a text names no gateway.
var ErrBadGateway = errors.New("neither host:port nor one of gateway-paper, gateway-live, tws-paper, tws-live")

// Address returns the host:port that a gateway's name means.
func Address(gateway string) (string, error) {
	switch gateway {
	case "gateway-paper":
		return "127.0.0.1:4002", nil
	case "gateway-live":
		return "127.0.0.1:4001", nil
	case "tws-paper":
		return "127.0.0.1:7497", nil
	case "tws-live":
		return "127.0.0.1:7496", nil
	}
	host, port, err := net.SplitHostPort(gateway)
	if err != nil || host == "" || strings.ContainsAny(host, " \t\r\n") {
		return "", fmt.Errorf("ibkr: gateway %.80q: %w", gateway, ErrBadGateway)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("ibkr: gateway %.80q: port %.20q is not between 1 and 65535: %w", gateway, port, ErrBadGateway)
	}
	return gateway, nil
}
