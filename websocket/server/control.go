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
	"unicode"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
	"robotrader/services/health"
)

// Control is what a person may make the trader do over HTTP. A method returns
// nil when the effect is durable: in the journal, so that it is there after a
// crash. By says who asked, for the record. It must end when ctx does.
type Control interface {
	// Reconnect closes the session that is open, or cuts a wait short, and
	// makes a new attempt.
	Reconnect(ctx context.Context, by string) error
	// Halt lets no entry go out any more and has the working ones cancelled.
	Halt(ctx context.Context, by, reason string) (event.ModeChange, error)
	// ReduceOnly lets only orders pass that make a position smaller.
	ReduceOnly(ctx context.Context, by, reason string) (event.ModeChange, error)
	// Resume lets everything pass again. The error is [ErrNotNow] while a
	// flatten is under way.
	Resume(ctx context.Context, by, reason string) (event.ModeChange, error)
	// Flatten halts, and has every position closed.
	Flatten(ctx context.Context, by, reason string) (event.ModeChange, error)
	// Settle takes a person's word for how an order ended whose outcome stays
	// unknown. The broker is asked before, and the error is [ErrNotNow] when its
	// answer contradicts the word.
	Settle(ctx context.Context, by string, s event.Settling) (order.Order, error)
}

// ErrNotNow means that an order makes no sense as the trader stands. The error
// around it says why and what helps.
var ErrNotNow = errors.New("not now")

const (
	// controlWithin bounds one order to the control.
	controlWithin = 5 * time.Second
	// settleWithin bounds one word about an order: the broker is asked some
	// questions for it.
	settleWithin = 20 * time.Second
	// maxBody bounds what is read of a request.
	maxBody = 4 << 10
)

// Done is the answer to an order that took effect.
type Done struct {
	Done string `json:"done"` // such as "reconnect"
	// Link is where the link stands right after, as /readyz tells it.
	Link health.Ready `json:"link"`
	// Mode is the mode right after, with the orders that have not ended yet;
	// nil when the order is not about it.
	Mode *event.ModeChange `json:"mode,omitempty"`
	// Order is what was settled, as it is right after; nil when the order is not
	// about one.
	Order *order.Order `json:"order,omitempty"`
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
	// Read tells whether this browser is told what the trader knows. It is true
	// for everybody where only this machine can reach the trader.
	Read bool `json:"read"`
}

// An ask is what the body of an order may say; all of it is optional.
type ask struct {
	Reason string `json:"reason"` // plain words, for the record; at most 200 characters
	// Mode is, for halt, "halted" (the default) or "reduce_only".
	Mode broker.Mode `json:"mode"`
	// Ref and As are, for orders/settle, the order's reference or permanent id, and
	// "absent", "filled" or "cancelled". It wants a reason, too.
	Ref string `json:"ref"`
	As  string `json:"as"`
}

// maxReason bounds a reason, in bytes.
const maxReason = 200

// do carries out one kind of order, and adds to the answer what came of it.
type do func(ctx context.Context, by string, a ask, done *Done) error

const orderSettle = "orders/settle"

// orders lists what can be ordered by POST /api/NAME.
func (s *Server) orders() map[string]do {
	c := s.parts.Control
	mode := func(set func(context.Context, string, string) (event.ModeChange, error)) do {
		return func(ctx context.Context, by string, a ask, done *Done) error {
			m, err := set(ctx, by, a.Reason)
			done.Mode = &m
			return err
		}
	}
	return map[string]do{
		"reconnect": func(ctx context.Context, by string, _ ask, _ *Done) error { return c.Reconnect(ctx, by) },
		"halt": func(ctx context.Context, by string, a ask, done *Done) error {
			if a.Mode == broker.ReduceOnly {
				return mode(c.ReduceOnly)(ctx, by, a, done)
			}
			return mode(c.Halt)(ctx, by, a, done)
		},
		orderSettle: func(ctx context.Context, by string, a ask, done *Done) error {
			o, err := c.Settle(ctx, by, event.Settling{Ref: a.Ref, As: a.As, Reason: a.Reason})
			done.Order = &o
			return err
		},
		"resume":  mode(c.Resume),
		"flatten": mode(c.Flatten),
	}
}

// readAsk reads the body of an order. An empty one asks for nothing special.
func readAsk(r *http.Request, name string) (a ask, err error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil || len(raw) == 0 {
		return a, err
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return a, fmt.Errorf("content type %.60q is not application/json", r.Header.Get("Content-Type"))
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, err
	}
	switch {
	case len(a.Reason) > maxReason || strings.ContainsFunc(a.Reason, unicode.IsControl):
		return a, fmt.Errorf("reason %.40q… is not one line of at most %d bytes", a.Reason, maxReason)
	case a.Mode != "" && (name != "halt" || a.Mode != broker.Halted && a.Mode != broker.ReduceOnly):
		return a, fmt.Errorf("mode %.20q is not halted or reduce_only, of halt", a.Mode)
	}
	return a, a.names(name)
}

// maxRef bounds an order's reference, in bytes.
const maxRef = 128

// names looks whether the body names an order where it must, and nowhere else.
func (a ask) names(name string) error {
	switch {
	case name != orderSettle && a.Ref+a.As != "":
		return fmt.Errorf("ref %.20q and as %.20q are of %s", a.Ref, a.As, orderSettle)
	case name != orderSettle:
		return nil
	case a.Ref == "" || len(a.Ref) > maxRef || strings.ContainsFunc(a.Ref, unicode.IsControl):
		return fmt.Errorf("ref %.40q is not the reference or permanent id of an order", a.Ref)
	case a.As != event.SettleAbsent && a.As != event.SettleFilled && a.As != event.SettleCancelled:
		return fmt.Errorf("as %.20q is none of absent, filled, cancelled", a.As)
	case strings.TrimSpace(a.Reason) == "":
		return errors.New("reason is empty: say where it was seen, for the record")
	default:
		return nil
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

func (s *Server) order(name string, do do) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by, _ := r.Context().Value(byKey{}).(string)
		by += " at " + peer(r).String()
		asked, err := readAsk(r, name)
		if err != nil { // it may quote the body, which is no secret
			fault(w, http.StatusBadRequest, fmt.Sprintf("%s: the body is not understood: %v", name, err), `send nothing, or {"reason": "…"} as application/json, at most 4 KiB`)
			return
		}
		within := s.within
		if name == orderSettle {
			within = settleWithin
		}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		done := Done{Done: name}
		if err := do(ctx, by, asked, &done); err != nil {
			s.log.Warn("http_order_failed", "order", name, "by", by, "error", err)
			s.failed(w, name, err)
			return
		}
		s.log.Info("http_order_done", "order", name, "by", by)
		done.Link = s.parts.Health.Ready()
		writeJSON(w, http.StatusOK, done)
	}
}

// failed answers an order that is not known to have taken effect.
func (s *Server) failed(w http.ResponseWriter, name string, err error) {
	if errors.Is(err, ErrNotNow) {
		fault(w, http.StatusConflict, fmt.Sprintf("%s is refused: %v", name, err), refusedMend(name))
		return
	}
	mend := "look at the trader's log, and ask again: asking twice is harmless"
	if errors.Is(err, context.DeadlineExceeded) {
		mend = "the trader is busy or its disk is slow; ask again: asking twice is harmless"
	}
	fault(w, http.StatusServiceUnavailable, fmt.Sprintf("%s is not known to have taken effect: %v", name, err), mend)
}

func refusedMend(name string) string {
	if name == orderSettle {
		return "the broker's word counts before a person's: look the order up in its own window"
	}
	return "look at what the mode waits for"
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
	writeJSON(w, http.StatusOK, SignedIn{SignedIn: true, Until: &until, Control: true, Read: true})
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
	writeJSON(w, http.StatusOK, SignedIn{Control: true, Read: !s.exposed})
}

func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	a := SignedIn{Control: s.controlled, Read: s.mayRead(r)}
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
