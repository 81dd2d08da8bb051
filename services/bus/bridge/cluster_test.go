package bridge

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"robotrader/broker/order"
	"robotrader/services/bus"
	"robotrader/services/event"
)

// TestClusterCarriesBothWays: what the desk tells arrives byte by byte at a
// program on another node, and its requests are answered.
func TestClusterCarriesBothWays(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	nc := c.join(t, 2)
	r := newTrader(t, c.config(t, "main", 0), "DU1")
	r.up(t)
	got := read(t, nc, "main")
	// Interest crosses the cluster in its own time; the first number that comes
	// is where this reader begins to count.
	eventually(t, "an order came", func() bool { r.publishOrder(t, 1); n, _ := got.count(); return n > 0 })
	for n := range 1000 {
		r.publishOrder(t, n)
	}
	last := r.number(t)
	eventually(t, "the last order came", got.reached(last))
	if _, gaps := got.count(); gaps != 0 {
		t.Errorf("%d gaps without any fault", gaps)
	}
	eventually(t, "a beat came", func() bool {
		got.mu.Lock()
		defer got.mu.Unlock()
		return slices.ContainsFunc(got.states, func(s event.BusState) bool {
			return s.State == event.BusUp && s.Account == "DU1" && s.Newest[event.Order.Name] == last && s.Dropped == 0
		})
	})
	answer := mustAsk(t, nc, "main", "dip", intent("dip", "1"))
	if answer.Result != event.Written || answer.OrderID != 1 {
		t.Errorf("%+v", answer)
	}
	state, err := question[event.Desk](nc, "main", event.DeskState.Name)
	if err != nil || state.Account != "DU1" {
		t.Errorf("%+v, %v", state, err)
	}
}

// question asks as a program outside does.
func question[A any](nc *nats.Conn, instance, topic string) (A, error) {
	var zero A
	raw, err := encode("dip", event.Empty{})
	if err != nil {
		return zero, err
	}
	m, err := nc.Request(event.Subject(instance, topic), raw, 20*time.Second)
	if err != nil {
		return zero, err
	}
	a, err := bus.Decode[A](m.Data)
	return a.Data, err
}

// number returns the number of the newest order that was published, when the
// tap has it.
func (r *trader) number(t testing.TB) uint64 {
	t.Helper()
	eventually(t, "the tap has all", func() bool {
		newest, _, _ := r.bridge.queue.told()
		return newest[event.Order.Name] == r.published
	})
	return r.published
}

// TestNodeLoss stops the node that the trader is connected to: it goes to
// another, and who counts either has all or knows that it has not.
func TestNodeLoss(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	r := newTrader(t, c.config(t, "main", 0, 1, 2), "DU1")
	r.up(t)
	at := c.nodeOf(t, r)
	nc := c.join(t, (at+1)%3)
	got := read(t, nc, "main")
	eventually(t, "an order came", func() bool { r.publishOrder(t, 1); n, _ := got.count(); return n > 0 })
	c.nodes[at].Shutdown()
	for n := range 200 { // while the bridge looks for another node
		r.publishOrder(t, n)
	}
	last := r.number(t)
	eventually(t, "the last order came, or its loss was seen", got.reached(last))
	r.up(t)
	eventually(t, "an order request is answered again", func() bool {
		a, err := ask(t, nc, "main", "dip", intent("dip", "after"))
		return err == nil && a.Result == event.Written
	})
	orders, gaps := got.count()
	if d := r.state().Dropped; d != 0 || orders+20 < int(last) && gaps == 0 {
		t.Errorf("%d orders found no room; %d of %d came, %d gaps", d, orders, last, gaps)
	}
}

// nodeOf returns the node whose client the writing connection is.
func (c *cluster) nodeOf(t testing.TB, r *trader) int {
	t.Helper()
	name := r.bridge.pub.ConnectedServerName()
	for i, ns := range c.nodes {
		if ns.Name() == name {
			return i
		}
	}
	t.Fatalf("connected to %q, which is no node", name)
	return 0
}

// TestSilentNetwork has the network between trader and cluster deliver nothing,
// without closing: the trader's own bus goes on at its pace, the loss is told,
// and after it no order is missing, though some were written into the silence.
func TestSilentNetwork(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	nc := c.join(t, 1)
	r := newTrader(t, c.config(t, "main", 0), "DU1")
	r.up(t)
	got := read(t, nc, "main")
	eventually(t, "an order came", func() bool { r.publishOrder(t, 1); n, _ := got.count(); return n > 0 })
	publish := func() time.Duration {
		began := time.Now()
		for n := range 2000 {
			r.publishOrder(t, n)
		}
		return time.Since(began)
	}
	usual := publish()
	c.clients[0].block(true)
	began := time.Now()
	// Who waited for the network would wait until it is found silent, which takes
	// two pings, 4 s, at least; the rest is for a busy machine.
	if took := publish(); took > 3*usual+3*time.Second {
		t.Errorf("2,000 messages on the trader's own bus took %v behind a silent network, and %v before", took, usual)
	}
	ctx := within(t, 20*time.Second)
	if a, err := bus.Ask(ctx, r.link, event.OrderRequest, intent("sma_cross", "own")); err != nil || a.Result != event.Written {
		t.Errorf("an order of the trader's own: %+v, %v", a, err)
	}
	eventually(t, "the loss is told", func() bool { return r.state().State == event.BusLost })
	if s := r.state(); !strings.Contains(s.Cause, "no node") || s.Since.Before(began.Add(-time.Second)) {
		t.Errorf("state %+v", s)
	}
	if a, err := ask(t, nc, "main", "dip", intent("dip", "while")); err == nil {
		t.Errorf("a request was answered through a silent network: %+v", a)
	}
	c.clients[0].block(false)
	r.up(t)
	last := r.number(t)
	eventually(t, "the last order came, or its loss was seen", got.reached(last))
	orders, gaps := got.count()
	want := int(last - got.first() + 1)
	if orders != want || gaps != 0 { // the first node is there all the time: nothing is lost behind it
		t.Errorf("%d of %d orders came, %d gaps", orders, want, gaps)
	}
}

// TestSlowConsumerOnCluster has a program on a node read no byte: the node cuts
// it off, and another program on the same node hears every order.
func TestSlowConsumerOnCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t, func(o *server.Options) { o.WriteDeadline = 2 * time.Second })
	slow, err := net.Dial("tcp", c.nodes[2].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := slow.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(slow).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(slow, "CONNECT {\"user\":\"trader\",\"pass\":%q,\"verbose\":false}\r\nSUB trader.main.> 1\r\nPING\r\n", secretWord)
	nc := c.join(t, 2)
	r := newTrader(t, c.config(t, "main", 0), "DU1")
	r.up(t)
	got := read(t, nc, "main")
	eventually(t, "an order came", func() bool { r.publishOrder(t, 1); n, _ := got.count(); return n > 0 })
	before, _ := got.count()
	start := r.published
	note := strings.Repeat("x", 2000)
	for n := range 5000 { // 10 MB, more than its socket takes
		if err := bus.Publish(r.desk, event.Order, order.Order{Ref: "o", OrderID: int64(n), Note: note}); err != nil {
			t.Fatal(err)
		}
		if r.published++; n%200 == 0 { // at a pace that the reader beside it keeps
			eventually(t, "the reader keeps up", got.reached(r.published))
		}
	}
	eventually(t, "the reader beside it heard the last order", got.reached(r.number(t)))
	if n, gaps := got.count(); n-before < int(r.published-start) || gaps != 0 {
		t.Errorf("%d of %d orders came, %d gaps", n-before, r.published-start, gaps)
	}
	eventually(t, "the node cut the slow one off", func() bool { return c.nodes[2].NumSlowConsumers() > 0 })
}

// TestSecondTraderIsRefused: of two traders for an instance, or for an account
// under two instances, the second says who is there and is silent, and takes
// over when the first is gone.
func TestSecondTraderIsRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	nc := c.join(t, 2)
	first := newTrader(t, c.config(t, "main", 0), "DU1")
	first.up(t)
	second := newTrader(t, c.config(t, "main", 1), "DU2")
	third := newTrader(t, c.config(t, "other", 2), "DU1")
	fourth := newTrader(t, c.config(t, "fourth", 2), "DU4")
	fourth.up(t)
	for name, r := range map[string]*trader{"instance main": second, "account DU1": third} {
		eventually(t, name+" is claimed", func() bool { return r.state().State == event.BusClaimed })
		if s := r.state(); !strings.Contains(s.Cause, name) || !strings.Contains(s.Cause, "another trader") {
			t.Errorf("cause %q does not name %s", s.Cause, name)
		}
	}
	for i := range 10 {
		if a := mustAsk(t, nc, "main", "dip", intent("dip", string(rune('a'+i)))); a.Result != event.Written {
			t.Errorf("%+v", a)
		}
	}
	if n, m := len(first.asked()), len(second.asked()); n != 10 || m != 0 {
		t.Errorf("the first answered %d, the second %d", n, m)
	}
	if _, err := ask(t, nc, "other", "dip", intent("dip", "x")); err == nil {
		t.Error("the third answers for an account that another has")
	}
	if err := first.bridge.Stop(within(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	eventually(t, "the second takes over", func() bool { return second.state().State == event.BusUp })
	eventually(t, "the third takes over", func() bool { return third.state().State == event.BusUp })
	if a := mustAsk(t, nc, "main", "dip", intent("dip", "last")); a.Result != event.Written || len(second.asked()) != 1 {
		t.Errorf("%+v", a)
	}
}

// TestPartitionHeals lets two traders claim one instance on two sides of a
// partition. When it heals the later one stands down, and no request reaches
// both.
func TestPartitionHeals(t *testing.T) {
	t.Parallel()
	c := startCluster(t, func(o *server.Options) { // so that the nodes soon notice; too soon for a busy machine elsewhere
		o.Cluster.PingInterval, o.Cluster.MaxPingsOut = 200*time.Millisecond, 2
	})
	first := newTrader(t, c.config(t, "main", 0), "DU1")
	first.up(t)
	for _, p := range c.routes {
		p.block(true)
	}
	eventually(t, "the nodes have lost each other", func() bool { return c.nodes[0].NumRoutes() == 0 && c.nodes[1].NumRoutes() == 0 })
	second := newTrader(t, c.config(t, "main", 1), "DU1")
	second.up(t) // it cannot know better
	for _, p := range c.routes {
		p.block(false)
	}
	c.whole(t)
	nc := c.join(t, 2)
	var wanted []string
	for i := range 40 { // across the moment in which the second learns of it
		in := intent("dip", "h-"+string(rune('A'+i)))
		wanted = append(wanted, in.ID)
		if a := mustAsk(t, nc, "main", "dip", in); a.Result != event.Written && a.Rule != ruleClaim && a.Rule != ruleBusy {
			t.Errorf("%+v", a)
		}
	}
	eventually(t, "the second stands down", func() bool { return second.state().State == event.BusClaimed })
	if s := first.state().State; s != event.BusUp {
		t.Errorf("the first is %s", s)
	}
	has := func(list []order.Intent, id string) bool {
		return slices.ContainsFunc(list, func(in order.Intent) bool { return in.ID == id })
	}
	a, b := first.asked(), second.asked()
	for _, id := range wanted {
		if has(a, id) && has(b, id) {
			t.Errorf("request %s reached both", id)
		}
	}
	before := len(b)
	if a := mustAsk(t, nc, "main", "dip", intent("dip", "end")); a.Result != event.Written || len(second.asked()) != before {
		t.Errorf("%+v", a)
	}
}
