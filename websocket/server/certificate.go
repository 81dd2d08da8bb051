package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certLook is how often the files are looked at, at most.
const certLook = time.Second

// certificate is a pair of files that may be replaced while the server runs, as
// a renewal does every few weeks. It is safe for concurrent use.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex // guards what follows
	pair   *tls.Certificate
	seen   [2]written
	looked time.Time
}

// written tells one state of a file from another.
type written struct {
	at   time.Time
	size int64
}

func openCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	seen, err := c.stat()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", cert, key, err)
	}
	c.pair, c.seen = &pair, seen
	return c, nil
}

func (c *certificate) stat() (seen [2]written, err error) {
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return seen, err
		}
		seen[i] = written{info.ModTime(), info.Size()}
	}
	return seen, nil
}

// get returns the certificate for a handshake. Files that changed are read anew;
// a pair that does not fit, such as one of which half is renewed, is left alone
// until it does, and the old one serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) < certLook {
		return c.pair, nil
	}
	c.looked = now
	seen, err := c.stat()
	if err == nil && seen == c.seen {
		return c.pair, nil
	}
	c.seen = seen
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	if err != nil {
		c.log.Warn("tls_certificate_not_read", "cert", c.cert, "error", err, "instead", "the one before serves on")
		return c.pair, nil
	}
	c.pair = &pair
	c.log.Info("tls_certificate_read", "cert", c.cert, "until", pair.Leaf.NotAfter)
	return c.pair, nil
}

// config returns what the listener needs. HTTP/1.1 only: an upgrade to a
// WebSocket is one.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}
