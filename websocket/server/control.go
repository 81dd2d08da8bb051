package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"robotrader/services/health"
)

// Control is what a person may make the trader do over HTTP. A method returns
// nil when the effect is durable: in the journal, so that it is there after a
// crash. By says who asked, for the record. It must end when ctx does.
type Control interface {
	// Reconnect closes the session that is open, or cuts a wait short, and
	// makes a new attempt.
	Reconnect(ctx context.Context, by string) error
}

const (
	// controlWithin bounds one order to the control.
	controlWithin = 5 * time.Second
	// maxBody bounds what is read of a request.
	maxBody = 4 << 10
)

// Done is the answer to an order that took effect.
type Done struct {
	Done string `json:"done"` // such as "reconnect"
	// Link is where the link stands right after, as /readyz tells it.
	Link health.Ready `json:"link"`
}

// Fault is the answer when something is refused or went wrong.
type Fault struct {
	Error string `json:"error"`
	Mend  string `json:"mend"`
}

// SignedIn is the answer of /api/session, /api/login and /api/logout.
type SignedIn struct {
	SignedIn bool       `json:"signed_in"`
	Until    *time.Time `json:"until"` // nil when not signed in
	// Control tells whether there is anything to sign in for.
	Control bool `json:"control"`
}

// orders lists what can be ordered by POST /api/NAME.
func (s *Server) orders() map[string]func(context.Context, string) error {
	return map[string]func(context.Context, string) error{
		"reconnect": s.parts.Control.Reconnect,
	}
}

// controlRoutes adds what changes something. Without a control, or without a
// token to guard it, there is nothing of it.
func (s *Server) controlRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/session", s.session)
	if !s.controlled {
		return
	}
	post := func(path string, next http.HandlerFunc) {
		mux.HandleFunc("POST "+path, guardPost(next))
		mux.HandleFunc("GET "+path, onlyPost) // or the pages would answer that there is no such file
	}
	post("/api/login", s.login)
	post("/api/logout", s.logout)
	for name, do := range s.orders() {
		post("/api/"+name, s.allowed(s.order(name, do)))
	}
}

func onlyPost(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	fault(w, http.StatusMethodNotAllowed, fmt.Sprintf("%.20q changes nothing here", r.Method), "use POST")
}

// guardPost refuses a page that is not ours, and bounds what is read.
func guardPost(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if comesFrom(r) == foreign {
			fault(w, http.StatusForbidden, fmt.Sprintf("origin %.80q is not served here", r.Header.Get("Origin")), "use the trader's own page, or traderctl")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next(w, r)
	}
}

type byKey struct{}

// allowed lets through who has the token, or a browser that is signed in. A
// right token is taken also while wrong ones from that address are held back:
// 256 random bits are not guessed, and a page that sends wrong ones through a
// person's browser is not to keep that person from the trader.
func (s *Server) allowed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if token, has := bearer(r); has {
			if !s.token.is(token) {
				s.wrongToken(w, r)
				return
			}
			next(w, r.WithContext(context.WithValue(r.Context(), byKey{}, "the token's holder")))
			return
		}
		_, in := s.signedIn(r)
		switch {
		case !in:
			w.Header().Set("WWW-Authenticate", `Bearer realm="trader"`)
			fault(w, http.StatusUnauthorized, "this needs the trader's token", "sign in on the page, or use traderctl, which reads the token from the data folder")
		case comesFrom(r) != own: // a cookie goes along with whatever makes a browser ask
			fault(w, http.StatusForbidden, "a request by cookie has to say that it comes from the trader's own page", "send Origin, or use the token")
		default:
			next(w, r.WithContext(context.WithValue(r.Context(), byKey{}, "the dashboard")))
		}
	}
}

// wrongToken answers a wrong one. The token itself is named nowhere.
func (s *Server) wrongToken(w http.ResponseWriter, r *http.Request) {
	addr := peer(r)
	wait, first := s.attempts.fail(addr, time.Now())
	if wait > 0 {
		if first {
			s.log.Warn("http_wrong_tokens_held_back", "remote", addr, "wrong", maxWrong, "within", wrongWindow)
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		fault(w, http.StatusTooManyRequests, "too many wrong tokens from this address", "wait a minute; the token is in the file named token in the trader's data folder")
		return
	}
	s.log.Warn("http_wrong_token", "remote", addr, "path", r.URL.Path)
	w.Header().Set("WWW-Authenticate", `Bearer realm="trader", error="invalid_token"`)
	fault(w, http.StatusUnauthorized, "this is not the trader's token", "it is in the file named token in the trader's data folder")
}

func (s *Server) order(name string, do func(context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by, _ := r.Context().Value(byKey{}).(string)
		by += " at " + peer(r).String()
		ctx, cancel := context.WithTimeout(r.Context(), s.within)
		defer cancel()
		err := do(ctx, by)
		if err != nil {
			s.log.Warn("http_order_failed", "order", name, "by", by, "error", err)
			mend := "look at the trader's log, and ask again: asking twice is harmless"
			if errors.Is(err, context.DeadlineExceeded) {
				mend = "the trader is busy or its disk is slow; ask again: asking twice is harmless"
			}
			fault(w, http.StatusServiceUnavailable, fmt.Sprintf("%s is not known to have taken effect: %v", name, err), mend)
			return
		}
		s.log.Info("http_order_done", "order", name, "by", by)
		writeJSON(w, http.StatusOK, Done{Done: name, Link: s.parts.Health.Ready()})
	}
}

// login swaps the token for a cookie. The body is JSON, which a form of
// another page cannot send.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fault(w, http.StatusUnsupportedMediaType, fmt.Sprintf("content type %.60q is not application/json", r.Header.Get("Content-Type")), `send {"token": "…"} as application/json`)
		return
	}
	var body struct {
		Token string `json:"token"`
	}
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err != nil { // the error may quote what came, which may be the token
		fault(w, http.StatusBadRequest, "the body is not understood", `send {"token": "…"}, at most 4 KiB`)
		return
	}
	if !s.token.is(strings.TrimSpace(body.Token)) {
		s.wrongToken(w, r)
		return
	}
	if c, err := r.Cookie(cookieName(r)); err == nil {
		s.logins.end(c.Value) // a new sign-in replaces the browser's old one
	}
	value, until := s.logins.begin(time.Now())
	http.SetCookie(w, cookie(r, value, sessionLife))
	s.log.Info("http_signed_in", "remote", peer(r), "until", until)
	writeJSON(w, http.StatusOK, SignedIn{SignedIn: true, Until: &until, Control: true})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if _, in := s.signedIn(r); in && comesFrom(r) != own {
		fault(w, http.StatusForbidden, "a request by cookie has to say that it comes from the trader's own page", "send Origin")
		return
	}
	if c, err := r.Cookie(cookieName(r)); err == nil {
		s.logins.end(c.Value)
	}
	http.SetCookie(w, cookie(r, "", 0))
	writeJSON(w, http.StatusOK, SignedIn{Control: true})
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	a := SignedIn{Control: s.controlled}
	if until, in := s.signedIn(r); in {
		a.SignedIn, a.Until = true, &until
	}
	writeJSON(w, http.StatusOK, a)
}

func (s *Server) signedIn(r *http.Request) (until time.Time, in bool) {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return time.Time{}, false
	}
	return s.logins.find(c.Value, time.Now())
}

func fault(w http.ResponseWriter, status int, text, mend string) {
	writeJSON(w, status, Fault{Error: text, Mend: mend})
}
