package diag

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Caller asks one running trader over HTTP: the one that a [Place] tells of, or
// the one at an address. It goes through no proxy and follows no redirect: a
// token is not for them. It keeps no connection.
type Caller struct {
	// Addr names the trader in messages.
	Addr string
	base *url.URL
	http *http.Client
	read string // the file with the token that reading needs, "" = none
}

// Caller returns who asks the trader that runs with the folder. Over TLS it
// takes the trader's own certificate and no other, which needs no authority and
// no name: whoever can write that file is the trader.
func (p Place) Caller(dir string, within time.Duration) Caller {
	c := caller("http", fromHere(p.HTTP), within)
	c.Addr = p.HTTP
	if p.TLSCert != "" {
		c.base.Scheme = "https"
		c.http.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: pinned(p.TLSCert)}
	}
	if p.Token {
		c.read = filepath.Join(dir, "token")
	}
	return c
}

// CallerAt returns who asks the trader at host:port, or at an URL with http or
// https. Over TLS the machine's authorities decide.
func CallerAt(address string, within time.Duration) (Caller, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return Caller{}, fmt.Errorf("address %.80q is not host:port, or https://host:port", address)
	}
	c := caller(u.Scheme, u.Host, within)
	c.Addr = u.Host
	return c, nil
}

func caller(scheme, host string, within time.Duration) Caller {
	return Caller{
		base: &url.URL{Scheme: scheme, Host: host},
		http: &http.Client{
			Timeout:       within,
			Transport:     &http.Transport{DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Get asks for a path of the API.
func (c Caller) Get(ctx context.Context, path string) (*http.Response, error) {
	token := ""
	if c.read != "" {
		var err error
		if token, err = ReadToken(c.read); err != nil {
			return nil, err
		}
	}
	return c.do(ctx, http.MethodGet, path, token, nil)
}

// Post orders something with the token; a body is JSON, nil is none.
func (c Caller) Post(ctx context.Context, path, token string, body io.Reader) (*http.Response, error) {
	return c.do(ctx, http.MethodPost, path, token, body)
}

func (c Caller) do(ctx context.Context, method, path, token string, body io.Reader) (*http.Response, error) {
	u := *c.base
	u.Path = path
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.http.Do(req)
}

// maxToken bounds what is read of a token's file.
const maxToken = 4 << 10

// ReadToken reads a trader's token. No error of it holds a part of one.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("no token: %w; name the trader's data folder with --data, or the file with --token-file", err)
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("no token: %w; run this as the user that the trader runs as", err)
	case err != nil:
		return "", fmt.Errorf("no token: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no token: it has to be one line of printable characters", path)
	}
	return token, nil
}

// fromHere is where a trader that listens on every address is reached from here.
func fromHere(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port) // Go listens for both kinds, and an image may know no name
	}
	return address
}

// errOther means that somebody else's certificate came.
var errOther = errors.New("it shows another certificate than its own file holds")

// pinned takes exactly the certificate that is first in the file, as it is at
// the handshake: a renewed one is another file's content.
func pinned(path string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // replaced by what follows, which is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			block, _ := pem.Decode(b)
			if block == nil {
				return fmt.Errorf("%s holds no certificate", path)
			}
			own, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if len(s.PeerCertificates) == 0 || !own.Equal(s.PeerCertificates[0]) {
				return errOther
			}
			return nil
		},
	}
}
