package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gws "github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test that is not to wait at all.
const patience = 30 * time.Second

var silent = slog.New(slog.DiscardHandler)

// rig is a hub behind a real listener.
type rig struct {
	*Hub
	url    string
	join   func(add func([]byte)) // what a request's join does; adds "hello" by default
	served chan error             // what Serve returned
}

func start(t testing.TB, cfg Config) *rig {
	t.Helper()
	r := &rig{Hub: New(cfg, silent), served: make(chan error, 256)}
	r.join = func(add func([]byte)) { add([]byte("hello")) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		err := r.Serve(w, q, r.join)
		select {
		case r.served <- err:
		default: // more than a test looks at
		}
	}))
	r.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	t.Cleanup(func() {
		if err := r.Stop(within(t)); err != nil {
			t.Error(err)
		}
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// try dials; the status is the answer's when it is refused.
func (r *rig) try(t testing.TB) (c *gws.Conn, status int) {
	t.Helper()
	d := gws.Dialer{HandshakeTimeout: patience}
	c, resp, err := d.Dial(r.url, nil)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, resp.StatusCode
}

// dial connects and reads the first message.
func (r *rig) dial(t testing.TB) *gws.Conn {
	t.Helper()
	c, status := r.try(t)
	if c == nil {
		t.Fatalf("refused with %d", status)
	}
	if got := read(t, c); got != "hello" {
		t.Fatalf("the first message is %.40q", got)
	}
	return c
}

// dialFree dials until a place is free.
func (r *rig) dialFree(t testing.TB) *gws.Conn {
	t.Helper()
	for ctx := within(t); ctx.Err() == nil; {
		if c, _ := r.try(t); c != nil {
			return c
		}
	}
	t.Fatal("no place became free")
	return nil
}

func read(t testing.TB, c *gws.Conn) string {
	t.Helper()
	_, msg, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(msg)
}

// closeCode reads to the connection's end and returns why it came; 0 is an end
// without a close frame.
func closeCode(t testing.TB, c *gws.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			var ce *gws.CloseError
			if errors.As(err, &ce) && ce.Code != gws.CloseAbnormalClosure {
				return ce.Code
			}
			t.Logf("the connection ended with %v", err)
			return 0
		}
	}
}

// The snapshot is the number of broadcasts so far; whoever joins whenever must
// count on from there without a gap.
func TestSnapshotFirstThenEveryBroadcastInOrder(t *testing.T) {
	const last, clients = 2000, 8
	r := start(t, Config{Queue: last + 1})
	var mu sync.Mutex // one instant for joining and for telling, as the feed's goroutine makes it
	n := 0
	r.join = func(add func([]byte)) {
		mu.Lock()
		defer mu.Unlock()
		add([]byte(strconv.Itoa(n)))
	}
	var wg sync.WaitGroup
	joined := make(chan struct{}, clients)
	for range clients {
		wg.Go(func() {
			c, status := r.try(t)
			if c == nil {
				t.Errorf("refused with %d", status)
				return
			}
			want := -1
			for {
				_, msg, err := c.ReadMessage()
				if err != nil {
					t.Errorf("after %d: %v", want, err)
					return
				}
				got, _ := strconv.Atoi(string(msg))
				if want < 0 {
					joined <- struct{}{}
				} else if got != want {
					t.Errorf("got %d, want %d", got, want)
					return
				}
				if want = got + 1; got == last {
					return
				}
			}
		})
	}
	ctx := within(t)
	for i := range last {
		if i%(last/clients) == 0 { // spread the joins over the broadcasts
			select {
			case <-joined:
			case <-ctx.Done():
				t.Fatal("nobody joins")
			}
		}
		mu.Lock()
		n++
		r.Broadcast([]byte(strconv.Itoa(n)))
		mu.Unlock()
	}
	wg.Wait()
}

func TestSlowClientIsClosedAndDelaysNobody(t *testing.T) {
	r := start(t, Config{Queue: 64, Grace: patience})
	slow, quick := r.dial(t), r.dial(t)
	body := bytes.Repeat([]byte("x"), 64<<10)
	for sent := 0; ; sent++ {
		if _, n := r.Stats(); n == 1 {
			break
		}
		if sent == 1000 {
			t.Fatal("a client that reads nothing was not closed in 1000 messages of 64 KiB")
		}
		r.Broadcast(body)
		if got := read(t, quick); len(got) != len(body) {
			t.Fatalf("message %d has %d bytes", sent, len(got))
		}
	}
	if code := closeCode(t, slow); code != gws.CloseTryAgainLater {
		t.Errorf("the slow client was closed with %d, want 1013", code)
	}
	r.Broadcast([]byte("still here"))
	if got := read(t, quick); got != "still here" {
		t.Errorf("the quick client got %.40q", got)
	}
	if n, _ := r.Stats(); n != 1 {
		t.Errorf("%d clients are left, want the quick one", n)
	}
}

func TestClientThatHangsLosesItsPlace(t *testing.T) {
	r := start(t, Config{Clients: 1, Queue: 1, WriteTimeout: time.Second, Grace: 50 * time.Millisecond})
	r.dial(t)
	body := bytes.Repeat([]byte("x"), 1<<20)
	for ctx := within(t); ; {
		r.Broadcast(body)
		if n, _ := r.Stats(); n == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the client was not dropped")
		}
	}
	if got := read(t, r.dialFree(t)); got != "hello" {
		t.Errorf("the next client got %q", got)
	}
}

func TestDeadClientIsDropped(t *testing.T) {
	// A client has two pings and a WriteTimeout to answer: a busy machine is not
	// to make the live one look dead.
	r := start(t, Config{PingEvery: 20 * time.Millisecond, WriteTimeout: time.Second})
	dead, live := r.dial(t), r.dial(t)
	dead.SetPingHandler(func(string) error { return nil }) // no pong
	pings := 0
	answer := live.PingHandler()
	live.SetPingHandler(func(s string) error {
		if pings++; pings == 80 { // long after a dead one is dropped
			r.Broadcast([]byte("alive"))
		}
		return answer(s)
	})
	ended := make(chan int, 1)
	go func() { ended <- closeCode(t, dead) }()
	if got := read(t, live); got != "alive" {
		t.Errorf("the live client got %q", got)
	}
	if code := <-ended; code != gws.CloseGoingAway {
		t.Errorf("the dead client was closed with %d, want 1001", code)
	}
}

func TestTooManyClients(t *testing.T) {
	r := start(t, Config{Clients: 2})
	one := r.dial(t)
	r.dial(t)
	if _, status := r.try(t); status != http.StatusServiceUnavailable {
		t.Errorf("the third got %d, want 503", status)
	}
	for range 2 {
		if err := <-r.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	if err := <-r.served; !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "2 are connected") {
		t.Errorf("Serve: %v, want ErrFull with the number", err)
	}
	one.Close()
	r.dialFree(t)
}

func TestStopClosesAll(t *testing.T) {
	r := start(t, Config{})
	clients := []*gws.Conn{r.dial(t), r.dial(t), r.dial(t)}
	codes := make(chan int, len(clients))
	for _, c := range clients {
		go func() { codes <- closeCode(t, c) }()
	}
	if err := r.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	for range clients {
		if code := <-codes; code != gws.CloseGoingAway {
			t.Errorf("closed with %d, want 1001", code)
		}
	}
	if r.taken != 0 || len(r.clients)+len(r.leaving) != 0 {
		t.Errorf("left: %d places, %d clients, %d leaving", r.taken, len(r.clients), len(r.leaving))
	}
	if _, status := r.try(t); status != http.StatusServiceUnavailable {
		t.Errorf("after Stop: %d, want 503", status)
	}
	r.Broadcast([]byte("to nobody"))
	if err := r.Stop(within(t)); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestStopCutsAClientThatHangs(t *testing.T) {
	const sent = 1000 // times 64 KiB: more than socket buffers hold
	r := start(t, Config{Queue: sent, WriteTimeout: time.Hour, Grace: 50 * time.Millisecond})
	r.dial(t) // and reads no more
	quick := r.dial(t)
	body := bytes.Repeat([]byte("x"), 64<<10)
	for range sent {
		r.Broadcast(body)
		read(t, quick)
	}
	r.mu.Lock()
	for c := range r.clients {
		t.Logf("%d of %d messages wait", len(c.queue), sent)
	}
	r.mu.Unlock()
	go closeCode(t, quick) // which goes as it should
	if err := r.Stop(within(t)); err != nil {
		t.Error(err)
	}
}

// A client whose upgrade is done but which has not joined when the hub stops
// is told so, and Stop waits for it.
func TestStopWhileJoining(t *testing.T) {
	r := start(t, Config{})
	entered, goOn := make(chan struct{}), make(chan struct{})
	r.join = func(add func([]byte)) { close(entered); <-goOn; add([]byte("hello")) }
	code := make(chan int, 1)
	go func() {
		if c, _ := r.try(t); c != nil {
			code <- closeCode(t, c)
		}
	}()
	<-entered
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Stop(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop returned %v before the client was gone", err)
	}
	close(goOn)
	if err := r.Stop(within(t)); err != nil {
		t.Error(err)
	}
	if got := <-code; got != gws.CloseGoingAway {
		t.Errorf("closed with %d, want 1001", got)
	}
}

func TestFailedUpgradeReleasesItsPlace(t *testing.T) {
	r := start(t, Config{Clients: 1})
	for range 3 {
		resp, err := http.Get("http" + strings.TrimPrefix(r.url, "ws"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "websocket") {
			t.Errorf("a plain GET got %d %q, want 400 with the reason", resp.StatusCode, body)
		}
		if err := <-r.served; err == nil {
			t.Error("Serve returned nil for a failed upgrade")
		}
	}
	r.dial(t)
}

func TestJoinThatAddsNobodyReleasesThePlace(t *testing.T) {
	r := start(t, Config{Clients: 1})
	r.join = func(func([]byte)) {}
	c, _ := r.try(t)
	if c == nil {
		t.Fatal("no upgrade")
	}
	if code := closeCode(t, c); code != 0 {
		t.Errorf("closed with %d", code)
	}
	r.join = func(add func([]byte)) { add([]byte("hello")); add([]byte("again")) }
	c = r.dialFree(t)
	if got := read(t, c); got != "hello" {
		t.Errorf("first %q", got)
	}
	r.Broadcast([]byte("next"))
	if got := read(t, c); got != "next" {
		t.Errorf("a client that was added twice got %q after the first message, want the broadcast", got)
	}
}

func TestClientThatTalksTooMuchIsClosed(t *testing.T) {
	r := start(t, Config{})
	c := r.dial(t)
	if err := c.WriteMessage(gws.TextMessage, []byte("small talk is ignored")); err != nil {
		t.Fatal(err)
	}
	r.Broadcast([]byte("next"))
	if got := read(t, c); got != "next" {
		t.Errorf("got %q", got)
	}
	if err := c.WriteMessage(gws.TextMessage, bytes.Repeat([]byte("x"), 4<<10)); err != nil {
		t.Fatal(err)
	}
	if code := closeCode(t, c); code != gws.CloseMessageTooBig {
		t.Errorf("closed with %d, want 1009", code)
	}
}

func TestClientThatLeavesIsForgotten(t *testing.T) {
	r := start(t, Config{Clients: 1})
	for range 5 {
		c := r.dialFree(t)
		if err := c.WriteControl(gws.CloseMessage, gws.FormatCloseMessage(gws.CloseNormalClosure, ""), time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if code := closeCode(t, c); code != gws.CloseNormalClosure {
			t.Errorf("closed with %d, want our own 1000", code)
		}
	}
}

// queued is a client whose queue is drained by hand, without a socket.
func queued(h *Hub) *client {
	c := newClient(h, nil)
	h.mu.Lock()
	h.clients[c] = struct{}{}
	h.mu.Unlock()
	return c
}

func TestBroadcastNeverWaits(t *testing.T) {
	h := New(Config{Queue: 3}, silent)
	stuck, other := queued(h), queued(h)
	for i := range 100 { // a wait would be for ever
		h.Broadcast([]byte(strconv.Itoa(i)))
		if got := <-other.queue; string(got) != strconv.Itoa(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
	select {
	case <-stuck.quit:
	default:
		t.Fatal("the client whose queue is full was not let go")
	}
	if stuck.code != gws.CloseTryAgainLater || len(stuck.queue) != 3 {
		t.Errorf("code %d, %d queued", stuck.code, len(stuck.queue))
	}
}

func BenchmarkBroadcast(b *testing.B) {
	msg := bytes.Repeat([]byte("x"), 400) // as a quote
	for _, n := range []int{1, 16} {
		b.Run("queues="+strconv.Itoa(n), func(b *testing.B) {
			h := New(Config{}, silent)
			var cs []*client
			for range n {
				cs = append(cs, queued(h))
			}
			b.ReportAllocs()
			for b.Loop() {
				h.Broadcast(msg)
				for _, c := range cs {
					<-c.queue
				}
			}
		})
	}
	for _, n := range []int{1, 16} { // until the last client has read it
		b.Run("sockets="+strconv.Itoa(n), func(b *testing.B) {
			r := start(b, Config{})
			got := make(chan struct{}, n)
			for range n {
				c := r.dial(b)
				if err := c.SetReadDeadline(time.Time{}); err != nil {
					b.Fatal(err)
				}
				go func() { // ends with the hub
					for {
						if _, _, err := c.NextReader(); err != nil {
							return
						}
						got <- struct{}{}
					}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Broadcast(msg)
				for range n {
					<-got
				}
			}
		})
	}
}
