package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"robotrader/services/event"
)

// Embedded is the URL of the bus inside this process.
const Embedded = "embedded"

// Config says which bus to use. Inside the process it is the embedded one,
// always: URL and Listen say how other programs reach it, through
// services/bus/bridge. Each takes a file for its credentials; none stands in a
// URL, which process lists and logs show.
type Config struct {
	// URL is "embedded", or the addresses of a NATS cluster with commas between,
	// such as "nats://10.0.0.5:4222,nats://10.0.0.6:4222"; tls:// asks for TLS,
	// which is needed beyond loopback. Default "embedded".
	URL string `koanf:"url"`
	// Listen is the host:port on which other programs may join. Port 0 takes a
	// free one. It excludes a URL. Default "", none.
	Listen string `koanf:"listen"`
	// Instance tells apart the traders of one bus; it is the second word of
	// every subject. Default "main".
	Instance string `koanf:"instance"`

	// UsersFile holds who may join at Listen, one a line: name, role, password
	// or its bcrypt hash. Roles are strategy and observer. Its mode must keep it
	// from other users. Default "", which Listen refuses.
	UsersFile string `koanf:"users_file"`
	// UserFile holds the user of a cluster in its first line and the password in
	// its second. Of these and the next four one is needed with a URL. Default "".
	UserFile string `koanf:"user_file"`
	// CredsFile is a NATS credentials file, with a JWT and a seed. Default "".
	CredsFile string `koanf:"creds_file"`
	// NkeyFile holds an nkey's seed. Default "".
	NkeyFile string `koanf:"nkey_file"`
	// TokenFile holds a token. Default "".
	TokenFile string `koanf:"token_file"`
	// Token is the token itself, for the environment (TRADER_BUS__TOKEN).
	// Default "".
	Token string `koanf:"token"`

	// TLSCA is a PEM file: with a URL who signs the cluster's certificates, with
	// Listen who signs those of clients, which are then demanded. Default "":
	// the machine's authorities, no client certificates.
	TLSCA string `koanf:"tls_ca"`
	// TLSCert and TLSKey are PEM files: with a URL a client certificate, with
	// Listen the server's. Default "".
	TLSCert string `koanf:"tls_cert"`
	TLSKey  string `koanf:"tls_key"`

	// MaxRequestAge is how old an order request from outside may be, by the wall
	// time in its envelope, when it arrives, and how far ahead: one that a broken
	// network delivers late must not become an order. Both clocks count.
	// 100ms to 1m. Default 5 s.
	MaxRequestAge time.Duration `koanf:"max_request_age"`
	// RequestsPerSecond is how many order requests of one strategy outside, and
	// how many questions of one program, are taken on average; twice as many at
	// once. All programs together may ask four times as many questions.
	// What is over is answered as busy and reaches neither desk nor journal.
	// 1 to 1000. Default 20.
	RequestsPerSecond int `koanf:"requests_per_second"`

	// Log receives what the bus has to say. Nil is silence.
	Log *slog.Logger `koanf:"-"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{URL: Embedded, Instance: "main", MaxRequestAge: 5 * time.Second, RequestsPerSecond: 20}
}

// Outside reports whether other programs may reach the bus.
func (c Config) Outside() bool { return c.URL != Embedded || c.Listen != "" }

// Validate returns all that is wrong with the configuration, joined. It reads
// no file.
func (c Config) Validate() error {
	var errs []error
	if c.URL != Embedded {
		errs = append(errs, c.validateURL()...)
	}
	if c.Listen != "" {
		errs = append(errs, c.validateListen()...)
	}
	if c.URL != Embedded && c.Listen != "" {
		errs = append(errs, errors.New("bus.listen: there is a bus.url, too; let other programs join that cluster, or leave bus.url out"))
	}
	if !c.Outside() {
		errs = append(errs, c.validateUnused()...)
	}
	if !instanceOK(c.Instance) || c.Instance == event.AccountsInstance {
		errs = append(errs, fmt.Errorf("bus.instance %.80q: use 1 to 32 letters, digits, dashes or underscores, but not %q", c.Instance, event.AccountsInstance))
	}
	if c.MaxRequestAge < 100*time.Millisecond || c.MaxRequestAge > time.Minute {
		errs = append(errs, fmt.Errorf("bus.max_request_age %v: not between 100ms and 1m", c.MaxRequestAge))
	}
	if c.RequestsPerSecond < 1 || c.RequestsPerSecond > 1000 {
		errs = append(errs, fmt.Errorf("bus.requests_per_second %d: not between 1 and 1000", c.RequestsPerSecond))
	}
	return errors.Join(errs...)
}

// Servers returns the addresses of the cluster.
func (c Config) Servers() []string {
	var list []string
	for s := range strings.SplitSeq(c.URL, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func (c Config) validateURL() []error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("bus.url "+format, a...)) }
	if len(c.Servers()) == 0 {
		bad(`%.80q: use %q, or addresses such as nats://127.0.0.1:4222`, c.URL, Embedded)
	}
	for _, s := range c.Servers() {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" {
			bad("%.80q: use %q, or addresses such as nats://127.0.0.1:4222 with commas between", addressOnly(s), Embedded)
			continue
		}
		if u.User != nil {
			bad("%.80q: a user or password in a URL shows in process lists; put it into bus.user_file or bus.token_file", addressOnly(s))
		}
		if u.Scheme == "nats" && !loopback(u.Hostname()) {
			bad("%.80q: not a loopback address, so it needs TLS; write tls://%s", addressOnly(s), u.Host)
		}
	}
	n := 0
	for _, given := range []string{c.UserFile, c.CredsFile, c.NkeyFile, c.TokenFile, c.Token} {
		if given != "" {
			n++
		}
	}
	if n != 1 {
		bad("needs exactly one of bus.user_file, bus.creds_file, bus.nkey_file, bus.token_file, bus.token, and has %d", n)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("bus.tls_cert: certificate and bus.tls_key go together; name both files or none"))
	}
	return errs
}

func (c Config) validateListen() []error {
	var errs []error
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "" {
		return append(errs, fmt.Errorf("bus.listen %.80q: not host:port, such as 127.0.0.1:4223", addressOnly(c.Listen)))
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		errs = append(errs, fmt.Errorf("bus.listen %.80q: no port", addressOnly(c.Listen)))
	}
	if c.UsersFile == "" {
		errs = append(errs, fmt.Errorf("bus.listen %.80q: nobody may join without credentials; name a file of users in bus.users_file", addressOnly(c.Listen)))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("bus.tls_cert: certificate and bus.tls_key go together; name both files or none"))
	}
	if c.TLSCert == "" && !loopback(host) {
		errs = append(errs, fmt.Errorf("bus.listen %.80q: not a loopback address, so it needs TLS; name bus.tls_cert and bus.tls_key", addressOnly(c.Listen)))
	}
	if c.TLSCert == "" && c.TLSCA != "" {
		errs = append(errs, errors.New("bus.tls_ca: client certificates need bus.tls_cert and bus.tls_key, too"))
	}
	return errs
}

// validateUnused refuses credentials that nothing uses: whoever names them
// believes that the bus is reachable.
func (c Config) validateUnused() []error {
	var errs []error
	for _, f := range []struct{ key, value string }{
		{"users_file", c.UsersFile},
		{"user_file", c.UserFile},
		{"creds_file", c.CredsFile},
		{"nkey_file", c.NkeyFile},
		{"token_file", c.TokenFile},
		{"token", c.Token},
		{"tls_ca", c.TLSCA},
		{"tls_cert", c.TLSCert},
		{"tls_key", c.TLSKey},
	} {
		if f.value != "" {
			errs = append(errs, fmt.Errorf("bus.%s: the bus is embedded and does not listen; name bus.url or bus.listen, or leave it out", f.key))
		}
	}
	return errs
}

// loopback reports whether a host is this machine alone. An empty one is all
// addresses; a name other than localhost may be anything.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// addressOnly leaves out what stands before an @: a user and a password, which
// the text of a fault would carry into logs and tickets.
func addressOnly(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "(hidden)" + s[i:]
	}
	return s
}

func instanceOK(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
