package server

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Who opens many connections and asks nothing takes no place of another
// address's, and no more descriptors than its own.
func TestConnectionsAreBounded(t *testing.T) {
	s := New(Config{Listen: "127.0.0.1:0"}, parts(), silent)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(within(t)); err != nil {
			t.Error(err)
		}
	}()
	hoarder := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	const more = 40
	list := make([]net.Conn, connsNear+more)
	for i := range list {
		c, err := hoarder.DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		list[i] = c
	}
	for i, c := range list[connsNear:] {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || strings.Contains(err.Error(), "timeout") {
			t.Fatalf("connection %d stays open: %v", connsNear+i, err)
		}
	}
	get := func(c net.Conn) string {
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		b, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if got := get(dial(t, s)); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("another address gets %q", got)
	}
	// A place is free again when its connection has ended, however it ends.
	if got := get(list[0]); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("one that was open gets %q", got)
	}
	for deadline := time.Now().Add(patience); ; {
		c, err := hoarder.DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		b, _ := io.ReadAll(c) // a refused one is reset
		_ = c.Close()
		if strings.HasPrefix(string(b), "HTTP/1.1 200") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no place became free")
		}
	}
}

// All addresses together have a bound, and nothing is kept of who has gone.
func TestPlacesOfAllAddresses(t *testing.T) {
	b := &bounded{log: silent, by: map[netip.Addr]int{}}
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	in := 0
	for i := range 2 * connsMost {
		if b.admit(addr(i/connsEach), false) {
			in++
		}
	}
	if in != connsMost {
		t.Errorf("%d places, want %d", in, connsMost)
	}
	if !b.admit(addr(9999), true) {
		t.Error("strangers keep this machine out")
	}
	b.leave(addr(9999))
	for i := range connsMost {
		b.leave(addr(i / connsEach))
	}
	if b.all != 0 || len(b.by) != 0 {
		t.Errorf("%d places are taken by nobody, %v", b.all, b.by)
	}
}
