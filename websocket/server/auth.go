package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The bounds of what is kept about callers.
const (
	// sessionLife is how long a browser stays signed in.
	sessionLife = 12 * time.Hour
	// maxSessions is how many browsers are signed in at once. One more signs
	// out the one that signed in first.
	maxSessions = 32
	// maxWrong is how many wrong tokens an address may send in wrongWindow
	// before it is told to wait.
	maxWrong    = 10
	wrongWindow = time.Minute
	// maxAddresses is how many addresses are counted at once. One more takes
	// the place of the one whose minute ends first.
	maxAddresses = 1024
)

// digest is what is kept of a secret, so that neither a dump of memory nor a
// comparison's time tells it.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) is(secret string) bool {
	other := digestOf(secret)
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1
}

// logins are the browsers that are signed in. It is safe for concurrent use.
type logins struct {
	mu   sync.Mutex // guards live
	live map[digest]time.Time
}

func newLogins() *logins { return &logins{live: map[digest]time.Time{}} }

// begin signs a browser in and returns the value of its cookie, which is
// random: the token never becomes a cookie.
func (l *logins) begin(now time.Time) (value string, until time.Time) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the program instead
	value = base64.RawURLEncoding.EncodeToString(raw[:])
	until = now.Add(sessionLife)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	for len(l.live) >= maxSessions {
		var first digest
		for d, end := range l.live {
			if was, ok := l.live[first]; !ok || end.Before(was) {
				first = d
			}
		}
		delete(l.live, first)
	}
	l.live[digestOf(value)] = until
	return value, until
}

// find returns until when the browser with this cookie is signed in.
func (l *logins) find(value string, now time.Time) (until time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	until, ok = l.live[digestOf(value)]
	return until, ok
}

func (l *logins) end(value string) {
	l.mu.Lock()
	delete(l.live, digestOf(value))
	l.mu.Unlock()
}

// sweep needs mu.
func (l *logins) sweep(now time.Time) {
	for d, end := range l.live {
		if !now.Before(end) {
			delete(l.live, d)
		}
	}
}

// attempts counts wrong tokens by address. It is safe for concurrent use.
type attempts struct {
	mu    sync.Mutex // guards wrong
	wrong map[netip.Addr]tally
}

type tally struct {
	count int
	end   time.Time // of its minute
}

func newAttempts() *attempts { return &attempts{wrong: map[netip.Addr]tally{}} }

// fail counts one more wrong token. wait is above 0 when that address has used
// up its minute, and first when it just did.
func (a *attempts) fail(addr netip.Addr, now time.Time) (wait time.Duration, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.wrong[addr]
	if !now.Before(t.end) {
		t = tally{end: now.Add(wrongWindow)}
		a.makeRoom(addr, now)
	}
	t.count = min(t.count+1, maxWrong+2)
	a.wrong[addr] = t
	if t.count <= maxWrong {
		return 0, false
	}
	return t.end.Sub(now), t.count == maxWrong+1
}

// makeRoom needs mu.
func (a *attempts) makeRoom(addr netip.Addr, now time.Time) {
	if _, known := a.wrong[addr]; known || len(a.wrong) < maxAddresses {
		return
	}
	var soonest netip.Addr
	for other, t := range a.wrong {
		if !now.Before(t.end) {
			delete(a.wrong, other)
			continue
		}
		if was, ok := a.wrong[soonest]; !ok || t.end.Before(was.end) {
			soonest = other
		}
	}
	if len(a.wrong) >= maxAddresses {
		delete(a.wrong, soonest)
	}
}

// peer is the address that a request came from, a whole /64 for IPv6, whose
// owner has all of it.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // all of these are counted as one
	}
	return owner(ap.Addr())
}

// owner is an address, or for IPv6 the /64 that it is from.
func owner(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// bearer returns the token that a request carries in its header. One in the
// address is not looked at: addresses end up in logs and histories.
func bearer(r *http.Request) (token string, has bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// cookieName holds the port, because browsers do not tell cookies of two
// traders on one machine apart by it.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "" {
		return "trader_session_" + port
	}
	return "trader_session"
}

func cookie(r *http.Request, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure(r),
	}
	if life <= 0 {
		c.MaxAge = -1
	}
	return c
}

// origins of a request, as its browser tells them.
type provenance int

const (
	untold  provenance = iota // no browser, or one that says nothing
	own                       // a page of ours
	foreign                   // anything else
)

// comesFrom tells where a request comes from. Sec-Fetch-Site and Origin are
// headers that no page can set.
func comesFrom(r *http.Request) provenance {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case site != "" && site != "same-origin":
		return foreign
	case origin != "" && !sameOrigin(r):
		return foreign
	case site == "" && origin == "":
		return untold
	}
	return own
}
