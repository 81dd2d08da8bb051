package bridge

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
	"robotrader/services/event"
)

// The bounds of the listening server. A program that does not read is cut off
// when a write to it takes 5 s, or 64 MiB wait for it. The second bound is the
// bridge's own, too: below a few of the largest messages of every program at
// once, a flood of them cuts the bridge off, and with it everybody.
const (
	clientsMost = 32      // programs; the bridge's own connections come beside them
	subsMost    = 256     // of one program
	payloadMost = 1 << 20 // as a cluster has it, unless its configuration says otherwise
	pendingEach = 64 << 20
	writeWithin = 5 * time.Second
	serverWait  = 5 * time.Second
	serverLook  = 50 * time.Millisecond
)

// The roles of who may join.
const (
	roleStrategy = "strategy" // hears the market and orders, asks, and asks for orders under its own name
	roleObserver = "observer" // hears everything and asks, but for orders
)

// heardByStrategy are the topics that a strategy hears; an observer hears all but
// the alerts', which stay inside. It is what x-roles in asyncapi.yaml says.
var (
	heardByStrategy = []string{
		event.Link.Name, event.Tick.Name, event.Order.Name, event.Fill.Name, event.Position.Name, event.Mode.Name,
		event.Data.Name, event.Protected.Name, event.Limits.Name, event.Bus.Name,
	}
	heardByObserver = append(slices.Clone(heardByStrategy),
		event.Account.Name, event.Decision.Name, event.Progress.Name, event.Health.Name, event.Finding.Name,
		event.Bar.Name, event.Strategy.Name, event.Portfolio.Name, event.Notice.Name, event.Sim.Name)
)

// listener is the server that other programs join. It is not the one that the
// trader's own parts use: what happens on it costs them nothing.
type listener struct {
	ns         *server.Server
	password   string   // of the bridge's own user, of this life
	users      []string // the names that may join
	strategies []string // of them, those that may ask for orders
}

// bridgeUser has a character that no name of a file has.
const bridgeUser = "$bridge"

// serverOptions returns the server's, or what is wrong with the files.
func serverOptions(cfg bus.Config, reserved []string) (*server.Options, error) {
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("bus.listen: %w", err)
	}
	users, err := readUsers(cfg.UsersFile, reserved)
	errs := []error{err}
	o := &server.Options{
		ServerName: "robotrader-" + cfg.Instance + "-outside", Host: host, NoSigs: true, NoLog: true, NoSystemAccount: true,
		MaxConn: clientsMost + ownClients, MaxSubs: subsMost, MaxPayload: payloadMost, MaxPending: pendingEach,
		WriteDeadline: writeWithin, PingInterval: 10 * time.Second, MaxPingsOut: 2, AuthTimeout: 2,
	}
	for _, u := range users {
		o.Users = append(o.Users, &server.User{Username: u.name, Password: u.password, Permissions: permissions(cfg.Instance, u)})
	}
	if cfg.TLSCert != "" {
		t, err := tlsConfig(cfg)
		errs = append(errs, err)
		if cfg.TLSCA != "" {
			t.ClientAuth = tls.RequireAndVerifyClientCert
		}
		o.TLSConfig, o.TLSVerify, o.TLSTimeout = t, cfg.TLSCA != "", 2
	}
	return o, errors.Join(errs...)
}

// permissions say what a user may do. All else is refused.
func permissions(instance string, u user) *server.Permissions {
	heard, asks := heardByStrategy, []string{event.LinkState.Name, event.DeskState.Name, event.HistoryRequest.Name}
	if u.role == roleObserver {
		heard, asks = heardByObserver, append(asks, event.RunState.Name)
	}
	var sub, pub []string
	for _, topic := range heard {
		s := event.Subject(instance, topic)
		if event.HasSymbol(topic) {
			s += ".*"
		}
		sub = append(sub, s)
	}
	for _, q := range asks {
		pub = append(pub, event.Subject(instance, q))
	}
	if u.role == roleStrategy {
		pub = append(pub, event.OrderFrom(instance, u.name))
	}
	sub = append(sub, nats.InboxPrefix+u.name+".>") // nobody hears another's answers
	return &server.Permissions{Publish: &server.SubjectPermission{Allow: pub}, Subscribe: &server.SubjectPermission{Allow: sub}}
}

// listen starts the server.
func listen(cfg bus.Config, reserved []string, log *slog.Logger) (*listener, error) {
	o, err := serverOptions(cfg, reserved)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(cfg.Listen) // serverOptions has split it
	if o.Port, err = net.LookupPort("tcp", port); err != nil {
		return nil, fmt.Errorf("bus.listen: %w", err)
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	l := &listener{password: rand.Text()}
	for _, u := range o.Users {
		l.users = append(l.users, u.Username)
		if slices.Contains(u.Permissions.Publish.Allow, event.OrderFrom(cfg.Instance, u.Username)) {
			l.strategies = append(l.strategies, u.Username)
		}
	}
	o.Users = append(o.Users, &server.User{Username: bridgeUser, Password: l.password})
	if l.ns, err = server.NewServer(o); err != nil {
		return nil, fmt.Errorf("bus.listen: %w", err)
	}
	fatal := make(chan string, 1)
	l.ns.SetLogger(serverLog{log, fatal}, false, false)
	l.ns.Start()
	for began := time.Now(); !l.ns.ReadyForConnections(serverLook); {
		why := "it takes no connections"
		select {
		case why = <-fatal:
		default:
			if time.Since(began) < serverWait {
				continue
			}
		}
		l.ns.Shutdown()
		return nil, fmt.Errorf("bus.listen %s: %s; take an address of this machine that is free", cfg.Listen, why)
	}
	log.Info("bus_listens", slog.String("address", l.addr()), slog.Int("users", len(o.Users)-1), slog.Bool("tls", o.TLSConfig != nil))
	return l, nil
}

func (l *listener) addr() string {
	if a := l.ns.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// client returns how the bridge itself joins: inside the process.
func (l *listener) client() []nats.Option {
	return []nats.Option{nats.InProcessServer(l.ns), nats.UserInfo(bridgeUser, l.password)}
}

func (l *listener) stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends with the server
		defer close(done)
		l.ns.Shutdown()
		l.ns.WaitForShutdown()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bridge: stop: the listening server did not end: %w", ctx.Err())
	}
}

// serverLog has the server's words in the trader's log: who was refused or cut
// off. They hold no secrets without its tracing, which is off.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string // takes the first of what ends it
}

func (s serverLog) say(l slog.Level, format string, v ...any) {
	s.log.Log(context.Background(), l, "bus_server", slog.String("text", strings.TrimSpace(fmt.Sprintf(format, v...))))
}
func (s serverLog) Noticef(format string, v ...any) { s.say(slog.LevelDebug, format, v...) }
func (s serverLog) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords") { // the file's mode is what protects them
		s.say(slog.LevelWarn, format, v...)
	}
}
func (s serverLog) Errorf(format string, v ...any) { s.say(slog.LevelWarn, format, v...) }
func (s serverLog) Fatalf(format string, v ...any) {
	select {
	case s.fatal <- strings.TrimSpace(fmt.Sprintf(format, v...)):
	default:
		s.say(slog.LevelError, format, v...)
	}
}
func (s serverLog) Debugf(string, ...any) {}
func (s serverLog) Tracef(string, ...any) {}
