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
	// Listen is host:port, or "off". Loopback only until tokens and TLS are
	// built. Default "127.0.0.1:8787".
	Listen string `koanf:"listen"`
	// Headless leaves out the dashboard's pages; the API, the feed, health and
	// metrics stay. Default false.
	Headless bool `koanf:"headless"`
	// Hosts are names that a request's Host may carry beside the loopback
	// names, without a port. Default none.
	Hosts []string `koanf:"hosts"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:8787"} }

// ErrNotBuilt means that a setting makes sense but is not built yet.
var ErrNotBuilt = errors.New("not built yet")

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Listen != Off {
		host, port, err := net.SplitHostPort(c.Listen)
		n, perr := strconv.Atoi(port)
		switch {
		case err != nil || perr != nil || n < 0 || n > 65535:
			errs = append(errs, fmt.Errorf("websocket.listen: %q is not host:port or off, such as 127.0.0.1:8787", c.Listen))
		case !loopback(host):
			errs = append(errs, fmt.Errorf("websocket.listen: %q is not a loopback address: serving beyond this machine is %w; use 127.0.0.1 and a tunnel", c.Listen, ErrNotBuilt))
		}
	}
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
