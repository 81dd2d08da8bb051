package bridge

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"robotrader/services/bus"
)

// proxy stands between two parties and can stop to forward, as a network does.
type proxy struct {
	l      net.Listener
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	cond  *sync.Cond
	cut   bool
	ended bool
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.ended = true
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.cond.Broadcast()
		_ = l.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

// block stops forwarding, or goes on. Nothing is closed: both sides hear
// silence. What was held is lost with the connections, which end when it goes
// on, as after a long partition.
func (p *proxy) block(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = on
	if !on {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	p.cond.Broadcast()
}

// pass waits while the proxy is cut, and reports whether to go on.
func (p *proxy) pass() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.cut && !p.ended {
		p.cond.Wait()
	}
	return !p.ended
}

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	if !p.pass() {
		return
	}
	d, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer d.Close()
	p.mu.Lock()
	p.conns[d] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	pipe := func(to, from net.Conn) {
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			if n > 0 && p.pass() {
				_, err = to.Write(b[:n])
			}
			if err != nil {
				_ = to.Close()
				_ = from.Close()
				return
			}
		}
	}
	both.Go(func() { pipe(d, c) })
	both.Go(func() { pipe(c, d) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, d)
	p.mu.Unlock()
}

// cluster is three nodes on loopback, each reached through proxies: by the
// others through routes, by clients through clients.
type cluster struct {
	nodes   [3]*server.Server
	routes  [3]*proxy
	clients [3]*proxy
}

func startCluster(t testing.TB, change func(*server.Options)) *cluster {
	t.Helper()
	c := &cluster{}
	for i := range c.nodes {
		o := &server.Options{
			ServerName: fmt.Sprint("node-", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, NoSystemAccount: true,
			Username: "trader", Password: secretWord,
			Cluster: server.ClusterOpts{
				Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoAdvertise: true, PoolSize: -1,
			},
		}
		if change != nil {
			change(o)
		}
		// The port must be known before the start, so that the proxy that others
		// are told of can stand before it.
		o.Cluster.Port = freePort(t)
		c.routes[i] = newProxy(t, fmt.Sprint("127.0.0.1:", o.Cluster.Port))
		o.Cluster.Advertise = c.routes[i].addr()
		for j := range i {
			u, err := url.Parse("nats://" + c.routes[j].addr())
			if err != nil {
				t.Fatal(err)
			}
			o.Routes = append(o.Routes, u)
		}
		ns, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		ns.Start()
		if !ns.ReadyForConnections(20 * time.Second) {
			t.Fatal("a node takes no connections")
		}
		c.nodes[i] = ns
		c.clients[i] = newProxy(t, ns.Addr().String())
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	}
	c.whole(t)
	return c
}

func (c *cluster) whole(t testing.TB) {
	t.Helper()
	eventually(t, "each node knows the two others", func() bool {
		for _, ns := range c.nodes {
			if ns.NumRoutes() < 2 {
				return false
			}
		}
		return true
	})
}

// config is a trader's for nodes of the cluster.
func (c *cluster) config(t testing.TB, instance string, nodes ...int) bus.Config {
	cfg := bus.DefaultConfig()
	cfg.Instance = instance
	cfg.UserFile = file(t, "user", "trader\n"+secretWord+"\n")
	var list []string
	for _, n := range nodes {
		list = append(list, "nats://"+c.clients[n].addr())
	}
	cfg.URL = strings.Join(list, ",")
	return cfg
}

// join connects a program to one node, and stays there.
func (c *cluster) join(t testing.TB, node int) *nats.Conn {
	t.Helper()
	return outsider(t, "nats://"+c.nodes[node].Addr().String(), nats.UserInfo("trader", secretWord))
}

// startOne starts one node that demands a token and TLS, and returns its
// address.
func startOne(t testing.TB, cfg *tls.Config) string {
	t.Helper()
	return node(t, &server.Options{Authorization: secretWord, TLSConfig: cfg, TLSVerify: true, TLSTimeout: 2})
}

// freePort returns a port on which nothing listens now, below those that systems
// give out by themselves (from 32768 on): another connection might have it
// before the node.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("none of a hundred ports is free")
	return 0
}
