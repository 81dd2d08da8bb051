package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Exposed reports whether somebody beyond this machine can reach the server:
// then the token is needed for reading, too.
func (c Config) Exposed() bool {
	if c.Listen == Off {
		return false
	}
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && !loopback(host) || len(c.BehindProxy) > 0
}

// validateExposure returns what is wrong with how others reach the server. host
// is where it listens, "" when that is not understood.
func (c Config) validateExposure(host string) []error {
	var errs []error
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		errs = append(errs, fmt.Errorf("websocket.tls_key: missing; a certificate (websocket.tls_cert) needs its key"))
	case c.TLSCert == "" && c.TLSKey != "":
		errs = append(errs, fmt.Errorf("websocket.tls_cert: missing; a key (websocket.tls_key) needs its certificate"))
	case c.TLSCert != "":
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			errs = append(errs, fmt.Errorf("websocket.tls_cert: %s with websocket.tls_key %s: %w; both are PEM files that the trader's user can read", c.TLSCert, c.TLSKey, err))
		}
	}
	for _, text := range c.BehindProxy {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("websocket.behind_proxy: %.60q is not a range of addresses such as 127.0.0.1/32 or 10.0.0.0/24", text))
		case p.Bits() == 0:
			errs = append(errs, fmt.Errorf("websocket.behind_proxy: %s is everybody; name the proxy's own address, such as 10.0.0.4/32", text))
		case p != p.Masked():
			errs = append(errs, fmt.Errorf("websocket.behind_proxy: %s has bits beyond its length; did you mean %s", text, p.Masked()))
		}
	}
	if host != "" && !loopback(host) && c.TLSCert == "" && c.TLSKey == "" && len(c.BehindProxy) == 0 {
		errs = append(errs, fmt.Errorf("websocket.listen: %q can be reached from other machines, in plain text: give it a certificate (--tls-cert and --tls-key), name the proxy that has one (--behind-proxy CIDR), or use 127.0.0.1 and a tunnel", c.Listen))
	}
	return errs
}

// prefixes returns the proxies' addresses; they were validated.
func (c Config) prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range c.BehindProxy {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

type byWay struct{}

// secure reports whether nobody on the way of a request could read it. [Server.enter]
// found out.
func secure(r *http.Request) bool {
	on, _ := r.Context().Value(byWay{}).(bool)
	return on
}

// forwarded are the headers that only a proxy of ours may send.
var forwarded = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-Ip"}

// errWay means that a request came by a way that is not served.
var errWay = errors.New("this way is not served")

// enter finds out who asks and by which way, for all that comes after it: behind
// it RemoteAddr is the person's address and Host the name that the person used,
// also when a proxy stands between. What anybody else says in a proxy's headers
// is dropped.
func (s *Server) enter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came, err := s.way(r)
		if err != nil {
			fault(w, http.StatusForbidden, err.Error(), "use https, by the address of the trader's proxy")
			return
		}
		for _, h := range forwarded {
			came.Header.Del(h)
		}
		next.ServeHTTP(w, came)
	})
}

// way returns the request as the person made it.
func (s *Server) way(r *http.Request) (*http.Request, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		peer = netip.AddrPort{} // no proxy, and not this machine
	}
	addr := peer.Addr().Unmap().WithZone("")
	came := r.WithContext(context.WithValue(r.Context(), byWay{}, r.TLS != nil)) // a copy, whose fields are ours
	came.Header = r.Header.Clone()
	trusted := s.trusts(addr)
	if trusted && len(r.Header.Values("X-Forwarded-For")) > 0 {
		return s.proxied(r, came)
	}
	switch {
	case len(s.proxies) == 0, r.TLS != nil, addr.IsLoopback():
		return came, nil // in the clear only from this machine, or where nothing else reaches us
	case trusted:
		return nil, fmt.Errorf("%w: the proxy does not say for whom it asks (X-Forwarded-For)", errWay)
	}
	return nil, fmt.Errorf("%w: plain requests are taken from the trader's proxy alone", errWay)
}

func (s *Server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// proxied reads what a proxy of ours tells. Of a chain of proxies the newest
// address that is none of ours is the person's: what stands before it is what
// that person wrote.
func (s *Server) proxied(r, came *http.Request) (*http.Request, error) {
	if proto := r.Header.Values("X-Forwarded-Proto"); len(proto) != 1 || !strings.EqualFold(proto[0], "https") {
		return nil, fmt.Errorf("%w: the proxy was not asked over https (X-Forwarded-Proto is %.40q)", errWay, proto)
	}
	var person netip.Addr
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(chain) {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%w: the proxy tells no address (X-Forwarded-For is %.80q)", errWay, chain)
		}
		if person = a.Unmap(); !s.trusts(person) {
			break
		}
	}
	came.RemoteAddr = netip.AddrPortFrom(person, 0).String()
	if host := r.Header.Values("X-Forwarded-Host"); len(host) == 1 && host[0] != "" {
		came.Host = host[0]
	}
	return came.WithContext(context.WithValue(came.Context(), byWay{}, true)), nil
}
