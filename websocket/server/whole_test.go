package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"robotrader/services/health"
	"robotrader/websocket/feed"
	"robotrader/websocket/hub"
	"robotrader/websocket/server"
	"robotrader/websocket/web"
)

const patience = 30 * time.Second

// upgrade asks for a WebSocket as a program does that has nothing but a
// socket, and returns the reader behind the answer.
func upgrade(t *testing.T, addr, path string) *bufio.Reader {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	return r
}

// frame reads one frame that a server sends: not masked, one piece.
func frame(t *testing.T, r *bufio.Reader) (opcode byte, body []byte) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatal(err)
	}
	n := int(head[1])
	if n == 126 {
		var long [2]byte
		if _, err := io.ReadFull(r, long[:]); err != nil {
			t.Fatal(err)
		}
		n = int(long[0])<<8 | int(long[1])
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return head[0] & 0xf, body
}

// The whole way: whatever a client saw before, it gets a fresh snapshot and
// then deltas; an orderly stop ends it with code 1001 and leaves nothing.
func TestServerFeedAndHubTogether(t *testing.T) {
	silent := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h := hub.New(hub.DefaultConfig(), silent)
	f := feed.New(feed.DefaultConfig(), h, silent)
	f.Start()
	pages, _ := web.Pages()
	s := server.New(server.Config{Listen: "127.0.0.1:0"}, server.Parts{
		Feed: f, Hub: h, Health: health.New(), Pages: pages,
	}, silent)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	var readers []*bufio.Reader
	paths := []string{"/ws", "/ws?after=20260101T000000.000000000:7", "/ws?after=nonsense"}
	for _, path := range paths {
		readers = append(readers, upgrade(t, s.Addr(), path))
	}
	for i, r := range readers {
		path := paths[i]
		var before uint64
		for i, want := range []string{"snapshot", "beat", "beat"} {
			op, body := frame(t, r)
			var m struct {
				Type string
				Seq  uint64
			}
			if err := json.Unmarshal(body, &m); err != nil || op != 1 || m.Type != want || i > 0 && m.Seq != before+1 {
				t.Fatalf("%s: message %d is %d %.80s after %d (%v)", path, i, op, body, before, err)
			}
			before = m.Seq
		}
	}
	for _, stop := range []func(context.Context) error{s.Stop, f.Stop, h.Stop} { // the order of the program's end
		if err := stop(ctx); err != nil {
			t.Error(err)
		}
	}
	for _, r := range readers {
		for {
			op, body := frame(t, r)
			if op == 1 {
				continue // a beat that was on its way
			}
			if op != 8 || int(body[0])<<8|int(body[1]) != 1001 {
				t.Errorf("frame %d %q, want a close with 1001", op, body)
			}
			break
		}
	}
	if n, _ := h.Stats(); n != 0 {
		t.Errorf("%d clients are left", n)
	}
}

// The policy allows no script in the page itself, so the page must have none,
// and ask for nothing elsewhere.
func TestPagesKeepThePolicy(t *testing.T) {
	pages, built := web.Pages()
	t.Logf("the dashboard is built: %v", built)
	file, err := pages.Open("index.html")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	html := string(raw)
	for _, tag := range regexp.MustCompile(`(?is)<script.*?</script>`).FindAllString(html, -1) {
		if !regexp.MustCompile(`(?is)^<script[^>]* src="/[^"]+"[^>]*>\s*</script>$`).MatchString(tag) {
			t.Errorf("a script that the policy refuses: %s", tag)
		}
	}
	if m := regexp.MustCompile(`(?i)\son[a-z]+\s*=`).FindString(html); m != "" {
		t.Errorf("a handler in a tag: %s", m)
	}
	for _, m := range regexp.MustCompile(`(?i)(?:src|href)="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "data:image/") {
			t.Errorf("the page asks for %s", m[1])
		}
	}
}
