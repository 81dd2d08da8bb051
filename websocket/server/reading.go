package server

import (
	_ "embed"
	"net/http"
	"net/netip"
)

// The page that asks for the token, shown instead of the dashboard to whom may
// not read. Its script is a file of its own, because the pages' policy runs no
// other.
var (
	//go:embed login.html
	loginPage []byte
	//go:embed login.js
	loginScript []byte
)

const (
	loginScriptPath = "/login.js"
	noStore         = "no-store"
)

// open are what somebody without the token gets from a server that others can
// reach: whether it serves and whether it is ready, in a word, and how to sign
// in. What changes something asks for the token itself.
func open(r *http.Request) bool {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/api/session", loginScriptPath:
		return true
	}
	return r.Method == http.MethodPost
}

// reading lets through who may read. Of a server that only this machine reaches
// that is everybody.
func (s *Server) reading(next http.Handler) http.Handler {
	if !s.exposed {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch _, has := bearer(r); {
		case open(r), s.mayRead(r):
			next.ServeHTTP(w, r)
		case has:
			s.wrongToken(w, r)
		case r.URL.Path == "/" && !s.cfg.Headless:
			h := w.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Cache-Control", noStore)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(loginPage) // the client may be gone
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="trader"`)
			fault(w, http.StatusUnauthorized, "this needs the trader's token", `sign in at /, or send "Authorization: Bearer …"; the token is in the file named token in the trader's data folder`)
		}
	})
}

// mayRead reports whether a request may be told what the trader knows.
func (s *Server) mayRead(r *http.Request) bool {
	if !s.exposed {
		return true
	}
	if token, has := bearer(r); has {
		return s.controlled && s.token.is(token)
	}
	_, in := s.signedIn(r)
	return in
}

// script serves the log-in page's script.
func (s *Server) script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", noStore)
	_, _ = w.Write(loginScript) // the client may be gone
}

// address reports whether a Host is a number and no name. A page elsewhere that
// has its own name point here (DNS rebinding) comes with that name.
func address(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
