package gateway

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"
)

// MinVersion and MaxVersion bound the server versions that the gateway can
// play: 176 is the oldest that a living IB Gateway answers, 200 the last in
// which every message is text.
const (
	MinVersion = 176
	MaxVersion = 200
)

// Config says which gateway is played.
type Config struct {
	// Listen is the address for [Server.Start], host:port. Port 0 takes a free
	// one. Default "127.0.0.1:0".
	Listen string `koanf:"listen"`
	// ServerVersion is the highest version offered, 176 to 200. Default 200.
	ServerVersion int `koanf:"server_version"`
	// Accounts are the accounts of the login. Trading happens in the first one
	// unless an order names another. Default DU7654321.
	Accounts []string `koanf:"accounts"`
	// Speed is market time over wall time. 0 is lock-step: market time moves
	// only by a [Pacer]. Default 1.
	Speed float64 `koanf:"speed"`
	// ReadOnly plays a gateway with the Read-Only API box ticked: orders fail
	// with code 321. Default false.
	ReadOnly bool `koanf:"read_only"`
	// StateDir is the existing folder into which Stop writes sim-ledger.json.
	// Empty writes none. Default empty.
	StateDir string `koanf:"state_dir"`
	// Instance tells apart two lives of the simulated venue in the execution
	// ids and perm ids that it gives. The same number gives the same ids, for
	// tests; a journal that outlives the gateway needs another one each time.
	// Default 0: taken from the wall clock.
	Instance uint64 `koanf:"instance"`
	// MaxClients bounds the sessions at one time. Default 32, which is the
	// venue's documented limit.
	MaxClients int `koanf:"max_clients"`
	// MaxRate bounds a session's messages in any one second of wall time; one
	// more is refused with code 100. It does not apply at speed 0, where wall
	// time means nothing. 0 = no bound. Default 50, the venue's limit.
	MaxRate int `koanf:"max_rate"`
	// QueueBytes bounds what waits to be written to one session; with more the
	// session is closed. Default 32 MiB, two of the greatest frames.
	QueueBytes int `koanf:"queue_bytes"`
	// HelloTimeout is how long a connection may take until START_API. Default
	// 10 s.
	HelloTimeout time.Duration `koanf:"hello_timeout"`
	// WriteTimeout is how long one write may block on a client that does not
	// read, before the session is closed. Default 30 s.
	WriteTimeout time.Duration `koanf:"write_timeout"`

	// OnOrder, when set, is told of each placeOrder frame when its last byte
	// was read, before it is decoded: for measuring latency. It is called by
	// the session's reader and must not block.
	OnOrder func(received time.Time, clientID int) `koanf:"-"`
	// OnEnd, when set, is called once, when the tape has ended. It must not
	// block, nor call the server.
	OnEnd func() `koanf:"-"`
}

// DefaultConfig returns the configuration of a gateway that plays in real time.
func DefaultConfig() Config {
	return Config{
		Listen:        "127.0.0.1:0",
		ServerVersion: MaxVersion,
		Accounts:      []string{"DU7654321"},
		Speed:         1,
		MaxClients:    32,
		MaxRate:       50,
		QueueBytes:    32 << 20,
		HelloTimeout:  10 * time.Second,
		WriteTimeout:  30 * time.Second,
	}
}

// accountPattern is the shape of an IBKR account id.
var accountPattern = regexp.MustCompile(`^[A-Z]{1,3}[0-9]{4,12}$`)

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("gateway: "+format, a...)) }
	if c.Listen == "" {
		bad("listen is empty: name host:port, such as 127.0.0.1:4002")
	}
	if c.ServerVersion < MinVersion || c.ServerVersion > MaxVersion {
		bad("server_version %d is not %d to %d", c.ServerVersion, MinVersion, MaxVersion)
	}
	if len(c.Accounts) == 0 {
		bad("accounts is empty: name at least one, such as DU7654321")
	}
	for _, a := range c.Accounts {
		if !accountPattern.MatchString(a) {
			bad("account %.40q is not letters and digits such as DU7654321", a)
		}
	}
	if c.Speed < 0 || math.IsNaN(c.Speed) || c.Speed > 1e6 {
		bad("speed %v is not 0 to 1000000", c.Speed)
	}
	if c.MaxClients < 1 {
		bad("max_clients %d is not above 0", c.MaxClients)
	}
	if c.MaxRate < 0 {
		bad("max_rate %d is below 0", c.MaxRate)
	}
	if c.QueueBytes < 1<<16 {
		bad("queue_bytes %d is not at least 65536", c.QueueBytes)
	}
	if c.HelloTimeout <= 0 {
		bad("hello_timeout %v is not above 0", c.HelloTimeout)
	}
	if c.WriteTimeout <= 0 {
		bad("write_timeout %v is not above 0", c.WriteTimeout)
	}
	return errors.Join(errs...)
}
