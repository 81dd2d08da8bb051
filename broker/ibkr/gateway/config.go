package gateway

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker/ibkr/gateway/blotter"
	"robotrader/broker/ibkr/gateway/fault"
	"robotrader/broker/ibkr/gateway/feed"
	"robotrader/broker/market"
)

// MinVersion and MaxVersion bound the server versions that the gateway can
// play: 176 is the oldest that a living IB Gateway answers, 200 the last in
// which every message is text.
const (
	MinVersion = 176
	MaxVersion = 200
)

// Orders in which a session is told its ids, [Config.IDOrder]: message 15 is
// managedAccts, 9 is nextValidId. Both are seen of real gateways, section 1.5.
const (
	AccountsFirst = "15-9"
	NextIDFirst   = "9-15"
)

// Places of the notices about data farms (2104, 2106, 2158) in a handshake,
// [Config.FarmNotices].
const (
	FarmsAfter   = "after"   // both ids
	FarmsBefore  = "before"  // both ids
	FarmsBetween = "between" // the ids
	FarmsNone    = "none"    // as at a weekend
)

// What happens to a client that asks before it is ready,
// [Config.EarlyRequests].
const (
	EarlyWait  = "wait"  // it is answered once it is ready
	EarlyClose = "close" // its session is closed, as some gateways do: section 1.6
)

// How a second session with a client id is refused, [Config.IDInUse].
const (
	RefuseWith326   = "326"
	RefuseWithClose = "close" // without a word, as is often seen: section 1.6
)

// The ids of an errMsg about no request, [Config.NoRequestID]: section 1.6.
const (
	NoRequest    = -1
	NoRequestOld = 1<<31 - 1
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
	// Cash is what each account starts with, in US dollars. Default 1,000,000.
	Cash market.Money `koanf:"-"`
	// PartialFills limits a fill to the size that the market shows. Default
	// false: an order fills whole.
	PartialFills bool `koanf:"partial_fills"`
	// Fractions lets stocks trade in fractions of a share, of 0.0001. Default
	// false: whole shares, as for an account without the permission.
	Fractions bool `koanf:"fractions"`

	// IDOrder is the order of the two ids after START_API, [AccountsFirst] or
	// [NextIDFirst]. Default "15-9".
	IDOrder string `koanf:"id_order"`
	// FarmNotices is where the notices about data farms come: "after" both
	// ids, "before", "between", or "none". Default "after".
	FarmNotices string `koanf:"farm_notices"`
	// AccountsComma ends the list of accounts with a comma, as some gateways
	// do. Default false.
	AccountsComma bool `koanf:"accounts_comma"`
	// ReadyDelay is the wall time between START_API and both ids. Default 0.
	ReadyDelay time.Duration `koanf:"ready_delay"`
	// EarlyRequests is what happens to a client whose request comes in the
	// same read as START_API, or within ReadyDelay: "wait" or "close". Default
	// "wait".
	EarlyRequests string `koanf:"early_requests"`
	// IDInUse is how a session with a client id that is in use is refused:
	// with code "326" and a close, or with a plain "close". Default "326".
	IDInUse string `koanf:"id_in_use"`
	// NoRequestID is the id of errors that are about no request: -1, or
	// 2147483647 as of older gateways. Default -1.
	NoRequestID int `koanf:"no_request_id"`
	// ZoneText is the time zone in the connection time, in any form and
	// encoding: section 1.3. Default empty: the market's abbreviation, such as
	// EST.
	ZoneText string `koanf:"zone_text"`
	// MasterClientID is the API client id that hears of all clients' orders;
	// -1 = none. Default -1.
	MasterClientID int `koanf:"master_client_id"`
	// DownloadOpenOrders tells a client its open orders before nextValidId.
	// Default false.
	DownloadOpenOrders bool `koanf:"download_open_orders"`
	// PresetTIF tells with code 10349 that an order without a time in force
	// became a DAY order. Default false.
	PresetTIF bool `koanf:"preset_tif"`
	// OldCancelCodes answers cancels that come to nothing with 135 and 161, as
	// older gateways do, in place of 10147 and 10148. Default false.
	OldCancelCodes bool `koanf:"old_cancel_codes"`
	// ModifyWait refuses with code 2102 what changes an order within this
	// market time of its last change. Default 0: never.
	ModifyWait time.Duration `koanf:"modify_wait"`

	// StateDir is the existing folder into which Stop writes sim-ledger.json.
	// Empty writes none. Default empty.
	StateDir string `koanf:"state_dir"`
	// State keeps accounts, orders, executions and numbers over restarts. Stop
	// closes it; so does the caller where [New] fails. Nil keeps nothing, the
	// default.
	State *State `koanf:"-"`
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
	// session is closed, because only quotes can be left out, see
	// [Config.ConflateAbove]. Default 32 MiB, two of the greatest frames.
	QueueBytes int `koanf:"queue_bytes"`
	// ConflateAbove is how much may wait to be written to one session before
	// its quotes are conflated to the latest of each request and tick type. It
	// does not apply at speed 0, where counts are a function of the input.
	// 0 = never. Default 64 KiB.
	ConflateAbove int `koanf:"conflate_above"`
	// HelloTimeout is how long a connection may take until START_API. Default
	// 10 s.
	HelloTimeout time.Duration `koanf:"hello_timeout"`
	// WriteTimeout is how long one write may block on a client that does not
	// read, before the session is closed, and how long a session that has ended
	// may take what was queued for it. Default 30 s.
	WriteTimeout time.Duration `koanf:"write_timeout"`

	// Faults is what goes wrong, and when. Default nil: nothing.
	Faults *fault.Script `koanf:"-"`

	// Feed is what the login may see of the market, and how much. Default live
	// data, [feed.DefaultConfig].
	Feed feed.Config `koanf:"feed"`

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
		Cash:          market.MustMoney("1000000"),

		IDOrder:        AccountsFirst,
		FarmNotices:    FarmsAfter,
		EarlyRequests:  EarlyWait,
		IDInUse:        RefuseWith326,
		NoRequestID:    NoRequest,
		MasterClientID: -1,

		MaxClients:    32,
		MaxRate:       50,
		QueueBytes:    32 << 20,
		ConflateAbove: 64 << 10,
		HelloTimeout:  10 * time.Second,
		WriteTimeout:  30 * time.Second,
		Feed:          feed.DefaultConfig(),
	}
}

// maxMaxRate bounds Config.MaxRate: each session keeps the times of so many
// messages.
const maxMaxRate = 100_000

// accountPattern is the shape of an IBKR account id.
var accountPattern = regexp.MustCompile(`^[A-Z]{1,3}[0-9]{4,12}$`)

// feed is the part of it that is about market data.
func (c Config) feed() feed.Config {
	f := c.Feed
	f.LockStep = c.Speed == 0
	return f
}

// blotter is the part of it that is about orders.
func (c Config) blotter() blotter.Config {
	return blotter.Config{PresetTIF: c.PresetTIF, OldCancelCodes: c.OldCancelCodes, ModifyWait: c.ModifyWait}
}

// Validate returns all that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("gateway: "+format, a...)) }
	if err := checkListen(c.Listen); err != nil {
		errs = append(errs, err)
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
	return errors.Join(append(errs, c.validateSession(), c.validateBounds(), c.Feed.Validate())...)
}

// checkListen refuses what is no address, without asking anybody for its name.
func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("gateway: listen %.80q: write host:port, such as 127.0.0.1:4002", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("gateway: listen %.80q: the port is not 0 to 65535", text)
	} else if strings.Trim(host, "0123456789.") == "" && host != "" {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("gateway: listen %.80q: %s is no address: write host:port, such as 127.0.0.1:%d", text, host, n)
		}
	}
	return nil
}

// validateSession returns all that is wrong with how sessions are to behave.
func (c Config) validateSession() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("gateway: "+format, a...)) }
	oneOf := func(key, got string, want ...string) {
		if !slices.Contains(want, got) {
			bad("%s %.40q is none of %q", key, got, want)
		}
	}
	oneOf("id_order", c.IDOrder, AccountsFirst, NextIDFirst)
	oneOf("farm_notices", c.FarmNotices, FarmsAfter, FarmsBefore, FarmsBetween, FarmsNone)
	oneOf("early_requests", c.EarlyRequests, EarlyWait, EarlyClose)
	oneOf("id_in_use", c.IDInUse, RefuseWith326, RefuseWithClose)
	if c.NoRequestID != NoRequest && c.NoRequestID != NoRequestOld {
		bad("no_request_id %d is neither %d nor %d", c.NoRequestID, NoRequest, NoRequestOld)
	}
	if c.ReadyDelay < 0 || c.ReadyDelay > c.HelloTimeout {
		bad("ready_delay %v is not 0 to hello_timeout, %v", c.ReadyDelay, c.HelloTimeout)
	}
	if len(c.ZoneText) > 200 || strings.ContainsRune(c.ZoneText, 0) {
		bad("zone_text %.40q is not at most 200 bytes without a NUL", c.ZoneText)
	}
	if c.MasterClientID < -1 || c.MasterClientID > maxClientID {
		bad("master_client_id %d is not -1 (none) to %d", c.MasterClientID, maxClientID)
	}
	if c.ModifyWait < 0 {
		bad("modify_wait %v is below 0", c.ModifyWait)
	}
	if c.Cash.Sign() < 0 {
		bad("cash %v is below 0", c.Cash)
	}
	if c.Faults != nil && c.Speed == 0 {
		if err := c.Faults.Lockstep(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// maxClientID is the greatest API client id.
const maxClientID = 1<<31 - 1

// validateBounds returns all that is wrong with the bounds.
func (c Config) validateBounds() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("gateway: "+format, a...)) }
	if c.MaxClients < 1 {
		bad("max_clients %d is not above 0", c.MaxClients)
	}
	if c.MaxRate < 0 || c.MaxRate > maxMaxRate {
		bad("max_rate %d is not 0 to %d", c.MaxRate, maxMaxRate)
	}
	if c.QueueBytes < 1<<16 {
		bad("queue_bytes %d is not at least 65536", c.QueueBytes)
	}
	if c.ConflateAbove < 0 {
		bad("conflate_above %d is below 0", c.ConflateAbove)
	}
	if c.HelloTimeout <= 0 {
		bad("hello_timeout %v is not above 0", c.HelloTimeout)
	}
	if c.WriteTimeout <= 0 {
		bad("write_timeout %v is not above 0", c.WriteTimeout)
	}
	return errors.Join(errs...)
}
