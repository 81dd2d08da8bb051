package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Off as the listen address means that no port is opened.
const Off = "off"

// Config says where the dashboard listens and for whom.
type Config struct {
	// Listen is host:port, or "off". An address that other machines reach needs
	// a certificate or a proxy that has one. Default "127.0.0.1:8787".
	Listen string `koanf:"listen"`
	// Headless leaves out the dashboard's pages; the API, the feed, health and
	// metrics stay. Default false.
	Headless bool `koanf:"headless"`
	// Hosts are names that a request's Host may carry beside the loopback
	// names, without a port. Default none.
	Hosts []string `koanf:"hosts"`
	// TLSCert and TLSKey are PEM files: the certificate, with those between it
	// and the root behind it, and its key. They are read again when they change.
	// Default none: plain HTTP.
	TLSCert string `koanf:"tls_cert"`
	TLSKey  string `koanf:"tls_key"`
	// BehindProxy are the addresses, as CIDR, of proxies that have the TLS. What
	// they say in X-Forwarded-For, -Proto and -Host is believed; nobody else's
	// plain requests are taken, but for this machine's. Default none.
	BehindProxy []string `koanf:"behind_proxy"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:8787"} }

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	where := "" // the host that it listens on
	if c.Listen != Off {
		host, port, err := net.SplitHostPort(c.Listen)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || n < 0 || n > 65535 {
			errs = append(errs, fmt.Errorf("websocket.listen: %q is not host:port or off, such as 127.0.0.1:8787", c.Listen))
		} else if where = host; where == "" {
			where = "0.0.0.0" // ":8787" is every address
		}
	}
	errs = append(errs, c.validateExposure(where)...)
	for _, h := range c.Hosts {
		if h == "" || strings.ContainsAny(h, "/: \t") {
			errs = append(errs, fmt.Errorf("websocket.hosts: %q is not a host name without port", h))
		}
	}
	return errors.Join(errs...)
}

// loopback reports whether a host names this machine and nothing else.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
