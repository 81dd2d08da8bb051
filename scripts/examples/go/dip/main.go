// Command dip is the strategy "dip" as a program of its own, over the trader's
// bus. It buys when a trade is below the mean of the newest ones, and sells when
// one is above it: an example of how to take part, not of how to earn money.
//
// It promises to ask for an order until it knows what became of it, under one
// id, and to ask for the desk's state after each loss. It imports nothing of
// the trader: subjects and payloads are those of services/event/asyncapi.yaml,
// of which it reads what it needs.
//
// # Design
//
// One goroutine owns all state. What the bus delivers goes into one channel, in
// the order in which it came; questions are asked on goroutines of their own,
// whose answers come into that channel, too.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// options are what the flags say.
type options struct {
	server, user, passwordFile, ca, cert, key, instance, symbol string
	window, rounds                                              int
	dip, gain                                                   float64
	qty                                                         string
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "nats://127.0.0.1:4223", "the bus; several with commas between")
	flag.StringVar(&o.user, "user", "dip", "of bus.users_file; the strategy's name")
	flag.StringVar(&o.passwordFile, "password-file", "", "file with the password")
	flag.StringVar(&o.ca, "ca", "", "PEM file of who signed the server's certificate")
	flag.StringVar(&o.cert, "cert", "", "PEM file of a client certificate")
	flag.StringVar(&o.key, "key", "", "PEM file of its key")
	flag.StringVar(&o.instance, "instance", "main", "bus.instance of the trader")
	flag.IntVar(&o.window, "window", 20, "trades of the mean")
	flag.Float64Var(&o.dip, "dip", 0.05, "per cent below the mean at which it buys")
	flag.Float64Var(&o.gain, "gain", 0, "per cent above the mean at which it sells")
	flag.StringVar(&o.qty, "qty", "1", "shares")
	flag.IntVar(&o.rounds, "rounds", 0, "end after so many (0 = never)")
	flag.Parse()
	if o.symbol = flag.Arg(0); o.symbol == "" || o.passwordFile == "" || o.window < 1 {
		fmt.Fprintln(os.Stderr, "usage: dip --password-file FILE [flags] SYMBOL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "dip: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// say prints one line of JSON.
func say(event string, facts map[string]any) {
	line := map[string]any{"event": event}
	for k, v := range facts {
		line[k] = v
	}
	b, err := json.Marshal(line)
	if err != nil {
		panic(err) // of texts and numbers
	}
	fmt.Println(string(b))
}

// run joins the bus and trades until ctx ends or the rounds are over.
func run(ctx context.Context, o options) error {
	inbox := make(chan func(*dip), 1024)
	put := func(fn func(*dip)) {
		select {
		case inbox <- fn:
		case <-ctx.Done():
		}
	}
	list, err := join(o, put)
	if err != nil {
		return err
	}
	nc, err := nats.Connect(o.server, list...)
	if err != nil {
		return fmt.Errorf("cannot join the bus at %s: %w", o.server, err)
	}
	defer nc.Close()
	d := newDip(o, &asker{nc: nc, user: o.user, instance: o.instance}, put)
	// One channel for all subjects keeps their order.
	heard := make(chan *nats.Msg, 65536)
	for _, topic := range append([]string{"bus", "desk.ticks." + strings.NewReplacer(".", "_", " ", "_").Replace(o.symbol)}, kept...) {
		if _, err := nc.ChanSubscribe(d.ask.subject(topic), heard); err != nil {
			return err
		}
	}
	d.learn(ctx)
	for !d.done {
		select {
		case <-ctx.Done():
			d.done = true
		case m := <-heard:
			d.hear(ctx, strings.TrimPrefix(m.Subject, d.ask.subject("")), m.Data)
		case fn := <-inbox:
			fn(d)
		}
	}
	say("done", map[string]any{"rounds": d.rounds, "position": d.position()})
	return nil
}

// join returns the connection's options: it connects again for ever, and
// answers come to an inbox that the permissions name.
func join(o options, put func(func(*dip))) ([]nats.Option, error) {
	password, err := os.ReadFile(o.passwordFile)
	if err != nil {
		return nil, err
	}
	list := []nats.Option{
		nats.UserInfo(o.user, strings.TrimSpace(string(password))), nats.Name(o.user), nats.CustomInboxPrefix("_INBOX." + o.user),
		nats.MaxReconnects(-1), nats.ReconnectWait(time.Second), nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ReconnectBufSize(-1), // an order that waits in a buffer is one too late
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err == nil {
				return // we closed it
			}
			say("disconnected", map[string]any{"why": err.Error()})
			put(func(d *dip) { d.known = false })
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			say("reconnected", nil)
			put(func(d *dip) { d.learn(context.Background()) })
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			say("error", map[string]any{"why": err.Error()})
			if errors.Is(err, nats.ErrSlowConsumer) {
				put(func(d *dip) { d.learn(context.Background()) })
			}
		}),
	}
	if o.ca == "" {
		return list, nil
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", o.ca)
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return append(list, nats.Secure(cfg)), nil
}
