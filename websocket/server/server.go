// Package server is the HTTP side: health, metrics, the state, the feed's
// upgrade and the dashboard's pages.
//
// It promises that only pages of its own origin reach it: a request whose Host
// is not ours and an upgrade from a foreign origin are refused, which is what
// keeps a page elsewhere from reading an account through the user's browser
// (DNS rebinding included); and that nothing changes the trader but a POST by
// someone who has the data folder's token, or by a browser that swapped it for
// a cookie and asks from a page of ours. A secret is in no log, address or
// error. As long as only this machine can reach it, it does not limit who reads.
// Beyond that it takes no plain request but from a proxy that it was told of, and
// tells nobody without the token more than whether it serves and is ready. One
// address has 64 connections at most, one of this machine or a proxy 256.
//
// # Design
//
// What changes something goes through [Control], and is answered when it is
// durable:
//
//	POST /api/reconnect  no body                 → 200 [Done]
//	POST /api/orders/settle  {"ref": "…", "as": "absent|filled|cancelled", "reason": "…"} → 200 [Done], with the order
//	POST /api/login      {"token": "…"} as JSON  → 200 [SignedIn], and the cookie
//	POST /api/logout     no body                 → 200 [SignedIn], and the cookie's end
//	GET  /api/session                            → 200 [SignedIn]: is this browser signed in
//
// Everything else is answered with a [Fault]: 401 without a token or cookie,
// or with a wrong one; 429 after ten wrong tokens a minute from one address;
// 403 for a foreign Host or origin, and for a cookie whose request does not
// tell its origin; 400, 405 and 415; 503 when the effect is not known to be
// durable within 5 s, in which case asking again is harmless. The token goes in
// "Authorization: Bearer …"; a page needs nothing but
//
//	fetch("/api/reconnect", {method: "POST"})
//
// after its login. The cookie is HttpOnly and SameSite=Strict, holds a random
// value and not the token, lives 12 hours, and ends with the process. A feed that
// is open stays open when its cookie ends.
//
// Who asks, and by which way, is found out once, before everything else
// ([Server.enter]): behind it a request looks the same with a proxy and without.
package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"robotrader/broker"
	"robotrader/services/health"
)

// Feed is where the state comes from.
type Feed interface {
	// State returns the snapshot message.
	State(ctx context.Context) ([]byte, error)
	// Join calls add once with the snapshot, at an instant after which every
	// delta reaches the client that was added.
	Join(add func(first []byte))
}

// Hub keeps the WebSocket clients.
type Hub interface {
	Serve(w http.ResponseWriter, r *http.Request, join func(add func(first []byte))) error
}

// Parts are what the server shows.
type Parts struct {
	Feed    Feed
	Hub     Hub
	Health  *health.Registry // what the link and the components said last
	Metrics http.Handler
	Pages   fs.FS // the dashboard; nil when headless
	Control Control
	// Token guards Control. Without both nothing can be changed.
	Token string
}

// stopGrace is how long requests may still take when the server stops.
const stopGrace = time.Second

// Server serves one address. Make one with [New].
type Server struct {
	cfg   Config
	parts Parts
	log   *slog.Logger
	http  *http.Server
	ln    net.Listener
	done  chan struct{}

	exposed bool           // others than this machine can reach it
	proxies []netip.Prefix // believed in what they say of who asks

	controlled bool // there is a control, and a token that guards it
	token      digest
	logins     *logins
	attempts   *attempts
	within     time.Duration // for one order
}

// New returns a server that does not listen yet.
func New(cfg Config, parts Parts, log *slog.Logger) *Server {
	s := &Server{
		cfg: cfg, parts: parts, log: log, done: make(chan struct{}),
		token: digestOf(parts.Token), logins: newLogins(), attempts: newAttempts(), within: controlWithin,
	}
	s.controlled = parts.Control != nil && parts.Token != ""
	s.exposed, s.proxies = cfg.Exposed(), cfg.prefixes()
	s.parts.Token = "" // its digest is enough
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // an upgrade takes the connection out of it
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return s
}

// Start opens the port and serves until Stop; it returns at once. With the
// address "off" it does nothing.
func (s *Server) Start() error {
	if s.cfg.Listen == Off {
		close(s.done)
		return nil
	}
	cert, err := s.certificate()
	if err != nil {
		close(s.done)
		return err
	}
	ln, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		close(s.done)
		mend := "choose another address with --http"
		if errors.Is(err, syscall.EADDRINUSE) {
			mend = "another program, or another trader, has the port: choose one with --http"
		}
		return fmt.Errorf("server: listen on %s: %w (%s)", s.cfg.Listen, err, mend)
	}
	s.ln = ln
	ln = &bounded{Listener: ln, near: s.trusts, log: s.log, by: map[netip.Addr]int{}}
	if cert != nil {
		ln = tls.NewListener(ln, cert.config())
	}
	go func() { // ends with Stop, which closes the listener
		defer close(s.done)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("http_server_ended", "error", err)
		}
	}()
	return nil
}

// certificate opens what TLS needs, nil for plain HTTP. It refuses to serve
// others without a token.
func (s *Server) certificate() (*certificate, error) {
	if s.exposed && !s.controlled {
		return nil, fmt.Errorf("server: %s can be reached from other machines, and there is no token that guards it", s.cfg.Listen)
	}
	if s.cfg.TLSCert == "" {
		return nil, nil
	}
	c, err := openCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log)
	if err != nil {
		return nil, fmt.Errorf("server: certificate: %w", err)
	}
	return c, nil
}

// Addr returns where the server listens, "" when it does not.
func (s *Server) Addr() string {
	if s.ln == nil {
		return ""
	}
	return s.ln.Addr().String()
}

// Stop ends the server, at most until ctx ends. Requests that are being
// answered have a second; then they are cut, and so is a connection on which a
// browser has not asked anything yet, which is no fault. WebSocket clients are
// the hub's to end.
func (s *Server) Stop(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.log.Info("http_connections_cut", "after", stopGrace, "error", err)
		if err := s.http.Close(); err != nil {
			return fmt.Errorf("server: stop: %w", err)
		}
	}
	if s.ln == nil {
		return nil
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("server: did not end in time: %w", ctx.Err())
	}
}

// Handler returns all routes behind the checks.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /api/state", s.state)
	mux.HandleFunc("GET /ws", s.ws)
	if s.exposed {
		mux.HandleFunc("GET "+loginScriptPath, s.script)
	}
	s.controlRoutes(mux)
	if s.parts.Metrics != nil {
		mux.Handle("GET /metrics", s.parts.Metrics)
	}
	if s.cfg.Headless || s.parts.Pages == nil {
		mux.HandleFunc("GET /{$}", s.headless)
	} else {
		mux.Handle("GET /", s.pages())
	}
	return s.enter(s.guard(s.reading(mux)))
}

// guard refuses requests whose Host is not ours and sets the headers that keep
// pages of ours from being misused.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ours(r.Host) {
			http.Error(w, fmt.Sprintf("host %.80q is not served here; name it in websocket.hosts if it should be", r.Host), http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		next.ServeHTTP(w, r)
	})
}

// ours reports whether host, with or without a port, is a loopback name or one
// of the configured names.
func (s *Server) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if loopback(name) || s.exposed && address(name) {
		return true
	}
	for _, h := range s.cfg.Hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// sameOrigin reports whether an upgrade comes from a page of ours, or from a
// program that is no browser and sends no Origin.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if !s.mayRead(r) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "serving"})
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
		health.Alive
	}{"serving", s.parts.Health.Alive()})
}

// readyz answers 200 when the link is ready, and what it is when not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	a := s.parts.Health.Ready()
	status := http.StatusServiceUnavailable
	if a.State == broker.Ready.String() {
		status = http.StatusOK
	}
	if !s.mayRead(r) { // the cause may name accounts and addresses
		writeJSON(w, status, map[string]any{"ready": a.Ready, "state": a.State})
		return
	}
	writeJSON(w, status, a)
}

func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	msg, err := s.parts.Feed.State(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(msg) // the client may be gone
}

func (s *Server) ws(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, fmt.Sprintf("origin %.80q is not served here", r.Header.Get("Origin")), http.StatusForbidden)
		return
	}
	// after=EPOCH:SEQ is accepted, and always answered with a fresh snapshot.
	if err := s.parts.Hub.Serve(w, r, s.parts.Feed.Join); err != nil {
		s.log.Info("feed_client_refused", "remote", r.RemoteAddr, "error", err)
	}
}

func (s *Server) headless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "This trader runs headless: there is no dashboard, but /api/state, /ws, /readyz, /healthz and /metrics.")
}

// pages serves the dashboard. Files with a hash in their name never change.
func (s *Server) pages() http.Handler {
	files := http.FileServerFS(s.parts.Pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r) // a folder, of which no list is shown
			return
		}
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		files.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
