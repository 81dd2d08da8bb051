package exchange

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// ErrNotOpen means that no order with that number is open: it never was, or it
// has ended.
var ErrNotOpen = errors.New("exchange: order not open")

// The bounds of an exchange. An order beyond them is rejected with [Full].
const (
	MaxOpen  = 10_000    // open orders
	MaxFills = 1_000_000 // executions in the books, about 400 bytes each, and as many that were replaced
)

// currency is the only one there is.
const currency = "USD"

// Config sets up an [Exchange].
type Config struct {
	// Accounts are the account ids. Default one, "DU7654321".
	Accounts []string
	// Cash is what each account starts with, in US dollars. Default 1,000,000.
	Cash market.Money
	// Instance tells apart two lives of an exchange in the numbers that it
	// gives: execution ids and perm ids. The same instance gives the same
	// numbers; a journal that outlives the exchange needs another one each
	// time, because an execution id seen before is taken for a repetition.
	// Default 0.
	Instance uint64
	// PartialFills limits a fill to the size that the tape shows. Default
	// off: an order fills whole.
	PartialFills bool
	// FillShare is the part of that size which own orders may take, above 0 and
	// at most 100 %. Default 0: all of it.
	FillShare market.Percent
	// Margin is how much equity positions and orders need. Default
	// [DefaultMargin].
	Margin Margin
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Accounts: []string{"DU7654321"}, Cash: market.MustMoney("1000000"), Margin: DefaultMargin()}
}

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	if len(c.Accounts) == 0 {
		errs = append(errs, errors.New("exchange: accounts: name at least one"))
	}
	seen := make(map[string]bool)
	for _, id := range c.Accounts {
		switch {
		case id == "":
			errs = append(errs, errors.New("exchange: accounts: an empty account id"))
		case seen[id]:
			errs = append(errs, fmt.Errorf("exchange: accounts: %.40q is named twice", id))
		}
		seen[id] = true
	}
	if c.FillShare.Sign() < 0 || market.MustPercent("100").Less(c.FillShare) {
		errs = append(errs, fmt.Errorf("exchange: fill share of %v per cent is not between 0 and 100", c.FillShare))
	}
	if c.Cash.Sign() < 0 {
		errs = append(errs, fmt.Errorf("exchange: cash %v is below 0", c.Cash))
	}
	return errors.Join(append(errs, c.Margin.validate())...)
}

// Exchange matches own orders against a tape and keeps the books. It is not
// safe for concurrent use. Make one with [New].
type Exchange struct {
	cfg      Config
	zone     *time.Location
	accounts map[string]*account
	listings map[market.Symbol]*listing
	byConID  map[int64]*listing

	open     map[int64]*resting    // by perm id
	children map[int64][]*resting  // open ones, by the parent's perm id, as they came
	groups   map[ocaKey][]*resting // open members, as they came
	alarms   alarms                // what is due when
	instant  int64                 // counts events, see resting.born
	seqs     int64                 // of resting.seq, given so far
	fills    []execution           // the newest version of each, oldest first
	replaced []execution           // what corrections replaced, oldest first
	execs    uint32                // given so far
	dayStart time.Time             // midnight in New York
	dayEnd   time.Time
	watch    watch
	noted    int // of out
	permBase int64
	orders   int64  // given so far
	execHead uint32 // the first part of execution ids
	execBase uint32
	out      []Report
}

// resting is an open order.
type resting struct {
	Order
	seq        int64        // when it took its place in the queue
	value      market.Money // of its executions
	commission market.Money // charged so far
	expires    time.Time    // zero: never
	alarm      alarm
	place      place
	fresh      bool  // went live while the market was not playing: it takes what comes first
	atClose    bool  // a MOC or LOC order that is at the exchange
	opened     bool  // an OPG order whose opening has come
	born       int64 // the event in which it came to rest: that one does not fill it
}

// listing is one symbol's market and the orders that rest in it.
type listing struct {
	details market.Details
	bid     tape.Level
	ask     tape.Level
	last    tape.Level
	bidAt   time.Time
	askAt   time.Time
	lastAt  time.Time

	volume                      market.Qty
	dayOpen, dayHigh, dayLow    market.Price
	prevClose                   market.Price
	hasVolume, hasDay, hasClose bool
	dayEnd                      time.Time    // of the day of the newest trade
	ref                         market.Price // the mark from which the exchange's day counts
	hasRef                      bool
	changed                     bool // since it was last told

	buys, sells []*resting // working, best first
	up, down    []*resting // set off by a trade at or above, at or below; nearest first
	trails      trailing   // not set off
	fresh       []*resting // those of buys and sells that are, as they came

	session
	bidLeft, askLeft     tape.Level // what own orders may still take of bid and ask
	boughtLeft, soldLeft tape.Level // … and of the last trade
}

// New returns an exchange without listings.
func New(cfg Config) (*Exchange, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(tape.ZoneName)
	if err != nil {
		return nil, fmt.Errorf("exchange: time zone %s (import time/tzdata): %w", tape.ZoneName, err)
	}
	cfg.Accounts = slices.Clone(cfg.Accounts)
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(nil, cfg.Instance))
	seed := h.Sum64()
	x := &Exchange{
		cfg: cfg, zone: zone,
		accounts: make(map[string]*account), listings: make(map[market.Symbol]*listing),
		byConID: make(map[int64]*listing), open: make(map[int64]*resting),
		children: make(map[int64][]*resting), groups: make(map[ocaKey][]*resting),
		permBase: 1_000_000_000 + int64(seed%900_000_000), // fits 31 bits, as IBKR's do
		execHead: 0xe000 + uint32(seed>>20)&0xfff, execBase: uint32(seed >> 32),
	}
	for _, id := range cfg.Accounts {
		x.accounts[id] = &account{id: id, start: cfg.Cash, cash: cfg.Cash, positions: make(map[market.Symbol]*position), claims: newClaims()}
	}
	return x, nil
}

// Listed returns the details of all listings, ordered by symbol.
func (x *Exchange) Listed() []market.Details {
	var all []market.Details
	for _, s := range sortedKeys(x.listings) {
		all = append(all, x.listings[s].details)
	}
	return all
}

// Open returns the open orders, in the order in which they came.
func (x *Exchange) Open() []Order {
	var all []Order
	for _, r := range x.arrivals() {
		all = append(all, r.Order)
	}
	return all
}

// arrivals returns the open orders, in the order in which they came.
func (x *Exchange) arrivals() []*resting {
	all := make([]*resting, 0, len(x.open))
	for _, id := range sortedKeys(x.open) { // perm ids rise
		all = append(all, x.open[id])
	}
	return all
}

// Market is what is known about a symbol's market. A nil number is unknown.
type Market struct {
	Quote     market.Quote // Volume is the day's
	DayOpen   *market.Price
	DayHigh   *market.Price
	DayLow    *market.Price
	PrevClose *market.Price // the last trade of the day before, seen by this exchange
}

// Market returns what is known about a symbol's market; ok is false when it is
// not listed.
func (x *Exchange) Market(s market.Symbol) (m Market, ok bool) {
	l, ok := x.listings[s]
	if !ok {
		return Market{}, false
	}
	q := &m.Quote
	q.Bid, q.BidSize = l.bid.Ptr()
	q.Ask, q.AskSize = l.ask.Ptr()
	q.Last, q.LastSize = l.last.Ptr()
	q.BidAt, q.AskAt, q.LastAt = l.bidAt, l.askAt, l.lastAt
	q.Halted = l.halted
	if l.hasVolume {
		q.Volume = l.volume.Ptr()
	}
	if l.hasDay {
		m.DayOpen, m.DayHigh, m.DayLow = l.dayOpen.Ptr(), l.dayHigh.Ptr(), l.dayLow.Ptr()
	}
	if l.hasClose {
		m.PrevClose = l.prevClose.Ptr()
	}
	return m, true
}

// Accounts lists the account ids, in the order of the configuration.
func (x *Exchange) Accounts() []string { return slices.Clone(x.cfg.Accounts) }
