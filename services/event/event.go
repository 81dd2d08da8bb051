// Package event is the contract of the bus: the topics, what travels on each,
// and how it is encoded. Everything that leaves the process has a golden file
// in testdata.
//
// It promises that a field, once there, keeps its meaning. It does not carry
// messages; services/bus does.
//
// # Design
//
// A subject is "trader.<instance>.<topic>", and for ticks the symbol behind
// it, with dots and blanks made underscores. A payload is one JSON object,
// [Message]: who published it, the how-manyth of that topic it is, the wall
// time, and the data. Prices, quantities and amounts are strings; unknown is
// null, never 0. Core NATS retains nothing, so state has a topic for changes
// and a request that answers with all of it.
package event

import (
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Topic names a subject and the type of what travels on it.
type Topic[T any] struct{ Name string }

// Query names a request's subject, the type of the question and of the answer.
type Query[Q, A any] struct{ Name string }

// Message is what a payload holds.
type Message[T any] struct {
	Pub  string    `json:"pub"` // who published it: "link", "desk", "runner", "sim"
	Seq  uint64    `json:"seq"` // counts from 1 for one publisher's process life and subject; a gap is a loss
	At   time.Time `json:"at"`  // wall time
	Data T         `json:"data"`
}

// The topics.
var (
	Link      = Topic[broker.Link]{"link"}
	Tick      = Topic[Ticks]{"desk.ticks"} // the symbol follows
	Order     = Topic[order.Order]{"desk.order"}
	Fill      = Topic[order.Fill]{"desk.fill"} // twice: new, then with its commission
	Position  = Topic[order.Position]{"desk.position"}
	Account   = Topic[AccountValues]{"desk.account"}
	Mode      = Topic[ModeChange]{"desk.mode"}
	Decision  = Topic[Decided]{"desk.decision"}
	Data      = Topic[DataState]{"desk.data"}
	Progress  = Topic[Counts]{"desk.progress"}
	Health    = Topic[HealthState]{"desk.health"}
	Finding   = Topic[broker.Finding]{"desk.finding"}
	Protected = Topic[Protection]{"desk.protection"}
	Limits    = Topic[LimitState]{"desk.limits"}
	Bar       = Topic[BarUpdate]{"run.bar"}
	Strategy  = Topic[StrategyState]{"run.strategy"}
	Portfolio = Topic[PortfolioState]{"run.portfolio"}
	Notice    = Topic[NoticeText]{"notice"} // any publisher
	Sim       = Topic[SimState]{"sim"}
	Alert     = Topic[AlertState]{"alert"}
	Bus       = Topic[BusState]{"bus"}
)

// The requests.
var (
	OrderRequest   = Query[order.Intent, OrderReply]{"order.request"}
	HistoryRequest = Query[HistoryQuery, HistoryReply]{"history.request"}
	LinkState      = Query[Empty, broker.Link]{"link.get"}
	DeskState      = Query[Empty, Desk]{"desk.get"}
	RunState       = Query[Empty, Run]{"run.get"}
	Claim          = Query[Holder, Holder]{"claim"} // between traders, beyond the process
)

// Subject returns the subject of a topic or query for one instance. Parts are
// appended behind dots, with what a subject cannot hold made underscores.
func Subject(instance, topic string, parts ...string) string {
	b := append(make([]byte, 0, 64), prefix...)
	b = append(appendToken(b, instance), '.')
	b = append(b, topic...)
	for _, p := range parts {
		b = appendToken(append(b, '.'), p)
	}
	return string(b)
}

// HasSymbol reports whether the subjects of a topic carry a symbol behind the
// topic's name.
func HasSymbol(topic string) bool { return topic == Tick.Name }

// TopicOf returns the topic that a subject of the instance belongs to, without
// a symbol, or "" when it is no subject of the instance.
func TopicOf(instance, subject string) string {
	topic, ok := strings.CutPrefix(subject, Subject(instance, ""))
	if !ok {
		return ""
	}
	if rest, ok := strings.CutPrefix(topic, Tick.Name); ok && strings.HasPrefix(rest, ".") {
		return Tick.Name
	}
	return topic
}

// prefix is the first word of every subject, with its dot.
const prefix = "trader."

// appendToken appends one word of a subject.
func appendToken(b []byte, s string) []byte {
	if s == "" {
		return append(b, '_')
	}
	for i := range len(s) {
		c := s[i]
		switch c {
		case '.', ' ', '*', '>', '\t', '\r', '\n':
			c = '_'
		}
		b = append(b, c)
	}
	return b
}

// Empty is a question without words.
type Empty struct{}

// Ticks is what one read of the socket brought for one symbol.
type Ticks struct {
	Symbol market.Symbol `json:"symbol"`
	Ticks  []TickData    `json:"ticks"`
	Frames uint64        `json:"frames"` // the session's market-data frames so far
}

// TickData is a market.Tick on the bus. A price of null is a price that the
// venue says is not there now.
type TickData struct {
	Kind    string        `json:"kind"` // bid ask trade volume high low open close halted
	Price   *market.Price `json:"price"`
	Size    *market.Qty   `json:"size"`
	At      time.Time     `json:"at"` // market time
	Delayed bool          `json:"delayed,omitempty"`
}

// Counts tells how far the desk is with the frames of a session.
type Counts struct {
	Ticks   uint64 `json:"ticks"`
	Reports uint64 `json:"reports"`
	Written uint64 `json:"written"` // order messages written to the session
}

// AccountValues are the account's values that changed, or all of them.
type AccountValues struct {
	Account string                `json:"account"`
	Values  []broker.AccountValue `json:"values"`
}

// ModeChange is the desk's mode and why.
type ModeChange struct {
	Mode   broker.Mode `json:"mode"`
	Reason string      `json:"reason"`
	Since  time.Time   `json:"since"` // wall time
	// Flatten says that the positions are being closed and this is not done
	// yet.
	Flatten bool `json:"flatten,omitempty"`
	// Pending are the orders that the mode wants ended and that have not ended.
	Pending []Ending `json:"pending,omitempty"`
	// Closing tells how far the closing of each position is.
	Closing []Closing `json:"closing,omitempty"`
	// Flat is when the broker, asked anew, showed no position in what is traded
	// here after a flatten; nil when it did not. Wall time. The account is flat
	// only when Left is empty, too.
	Flat *time.Time `json:"flat,omitempty"`
	// Left are the positions that a flatten, done or under way, does not close, as
	// this program does not trade them: options, futures, other listings.
	Left []order.Position `json:"left,omitempty"`
}

// How it stands with the cancel of an order that is to end.
const (
	CancelNext    = "next"    // it is about to be written
	CancelWritten = "written" // to the session that is open; the broker has not ended the order
	CancelWaits   = "waits"   // for a link that is ready
)

// Ending is an order that a halt or a flatten wants ended.
type Ending struct {
	OrderID int64         `json:"order_id"`
	Ref     string        `json:"ref"`
	Symbol  market.Symbol `json:"symbol"`
	Cancel  string        `json:"cancel"` // next, written, waits
}

// The states of a position that a flatten closes.
const (
	ClosingCancels  = "cancelling" // orders of the symbol have not ended yet
	ClosingWaits    = "waiting"    // for what Detail says
	ClosingWorks    = "closing"    // an order that closes it is at the broker
	ClosingVerifies = "verifying"  // our books show none; the broker is asked
	ClosingFlat     = "flat"       // the broker, asked anew, shows none
	ClosingGivenUp  = "failed"     // a person has to look
)

// Closing tells how far the closing of one position is.
type Closing struct {
	Symbol   market.Symbol `json:"symbol"`
	State    string        `json:"state"`
	Position *market.Qty   `json:"position"` // nil = unknown
	Tries    int           `json:"tries"`    // orders that were written to close it
	Detail   string        `json:"detail,omitempty"`
}

// Decided is one answer of the risk gate.
type Decided struct {
	Intent   order.Intent   `json:"intent"`
	Decision order.Decision `json:"decision"`
}

// DataState tells how it stands with one symbol's market data.
type DataState struct {
	Symbol market.Symbol `json:"symbol"`
	// State is one of those of broker.Freshness.
	State string    `json:"state"`
	Cause string    `json:"cause"`
	Since time.Time `json:"since"` // wall time
}

// HealthState tells how the session and what comes over it stand, each thing
// for itself: a market-data farm that blinks says nothing about orders. It is
// published once a second while it changes.
type HealthState struct {
	// Session is nil while there is none, or where the adapter tells nothing.
	Session *broker.Health `json:"session"`
	// Account is the stream of the account's values and positions.
	Account broker.Part `json:"account"`
	// Data are the wanted symbols, in their order.
	Data []broker.Freshness `json:"data"`
	// Journal is why the journal takes nothing; absent while it works.
	Journal *broker.JournalFailure `json:"journal,omitempty"`
	// Books is since when and why the books could not be held against the broker;
	// absent while they are.
	Books *broker.Part `json:"books,omitempty"`
}

// OrderReply answers an order request. No reply in time means that the
// outcome is unknown; asking again with the same id is harmless.
type OrderReply struct {
	IntentID string `json:"intent_id"`
	// Result is one of: written (went to the socket; what the venue makes of
	// it comes as events), refused (by the gate, the mode or the link: nothing
	// was sent), invalid (the intent makes no sense), unknown (it may have
	// been sent).
	Result  string `json:"result"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
	OrderID int64  `json:"order_id,omitempty"`
	Known   bool   `json:"known,omitempty"` // asked before; this is what became of it
	Written uint64 `json:"written"`         // order messages written to this session so far
}

// The results of an order request.
const (
	Written = "written"
	Refused = "refused"
	Invalid = "invalid"
	Unknown = "unknown"
)

// HistoryQuery asks the desk for closed bars.
type HistoryQuery struct {
	Symbol      market.Symbol `json:"symbol"`
	End         time.Time     `json:"end"`   // market time; zero = now
	Span        time.Duration `json:"span"`  // nanoseconds
	Width       time.Duration `json:"width"` // nanoseconds
	RegularOnly bool          `json:"regular_only"`
}

// HistoryReply answers it. With an error the bars mean nothing; without one an
// empty list means that the venue has none.
type HistoryReply struct {
	Bars  []market.Bar `json:"bars"`
	Error string       `json:"error,omitempty"`
}

// Desk is the desk's whole state.
type Desk struct {
	Mode      ModeChange                       `json:"mode"`
	ReadOnly  bool                             `json:"read_only"`
	Account   string                           `json:"account"`
	Orders    []order.Order                    `json:"orders"`    // live ones and the newest ended, at most 500
	Fills     []order.Fill                     `json:"fills"`     // the newest, at most 500
	Positions []order.Position                 `json:"positions"` // nil = unknown
	Guards    []GuardState                     `json:"guards"`    // of the positions; nil = stops are off, or positions unknown
	Values    []broker.AccountValue            `json:"values"`
	Data      []DataState                      `json:"data"`
	Health    HealthState                      `json:"health"`
	Details   map[market.Symbol]market.Details `json:"details"`
	Market    time.Time                        `json:"market"` // market time, zero before the first clock
	Counts    Counts                           `json:"counts"`
	// Findings are the newest differences between the desk's books and the
	// broker, and what explained them: at most 50, oldest first.
	Findings []broker.Finding `json:"findings"`
	Limits   LimitState       `json:"limits"`
}

// GuardState tells whether a stop at the broker protects a position.
type GuardState struct {
	Symbol   market.Symbol `json:"symbol"`
	Position market.Qty    `json:"position"`
	// Covered says that the broker has confirmed a stop for all of it.
	Covered bool `json:"covered"`
	// Held is what the stops that the broker has confirmed hold of it, without a
	// sign and at most all of it.
	Held      market.Qty    `json:"held"`
	StopPrice *market.Price `json:"stop_price"` // of the desk's stop, nil without one
	Ref       string        `json:"ref"`        // of it, empty without one
	Since     time.Time     `json:"since"`      // wall time since when Covered is what it is
	Cause     string        `json:"cause"`      // why it is not covered, and what happens next
}

// BarUpdate is a bar that the runner builds or has built.
type BarUpdate struct {
	Symbol market.Symbol `json:"symbol"`
	Width  time.Duration `json:"width"` // nanoseconds
	Bar    market.Bar    `json:"bar"`
	Closed bool          `json:"closed"`
}

// StrategyState tells what a strategy does for one symbol.
type StrategyState struct {
	Name   string            `json:"name"`
	Symbol market.Symbol     `json:"symbol"`
	State  string            `json:"state"`  // waiting, warming, running, paused, failed
	Detail string            `json:"detail"` // plain words, such as "12 of 20 bars"
	Values map[string]string `json:"values"` // what it looks at, such as fast and slow
	Market time.Time         `json:"market"` // market time
}

// PortfolioState is cash, profit and loss by the executions: the one set of
// figures that the product shows. Nil is unknown.
type PortfolioState struct {
	Cash       *market.Money  `json:"cash"`
	Equity     *market.Money  `json:"equity"`   // cash + positions at their newest price
	Realized   market.Money   `json:"realized"` // before commission, of this run
	Unrealized *market.Money  `json:"unrealized"`
	Commission market.Money   `json:"commission"` // as far as told
	Pending    int            `json:"pending"`    // fills whose commission is not told yet
	Positions  []PositionView `json:"positions"`
	Market     time.Time      `json:"market"` // market time
}

// PositionView is one position of the portfolio.
type PositionView struct {
	Symbol     market.Symbol `json:"symbol"`
	Qty        market.Qty    `json:"qty"`
	AvgCost    *market.Price `json:"avg_cost"`
	Last       *market.Price `json:"last"`
	Unrealized *market.Money `json:"unrealized"`
	Realized   market.Money  `json:"realized"`
}

// Run is the runner's whole state.
type Run struct {
	Strategies []StrategyState                `json:"strategies"`
	Portfolio  PortfolioState                 `json:"portfolio"`
	Bars       map[market.Symbol][]market.Bar `json:"bars"`  // closed, the newest 500, oldest first
	Width      time.Duration                  `json:"width"` // of the bars, nanoseconds
}

// NoticeText is something that a person should know.
type NoticeText struct {
	Level  string        `json:"level"`  // info, warning, error
	Source string        `json:"source"` // gateway, desk, runner, risk, …
	Name   string        `json:"name"`   // event name, such as "farm_ok"
	Code   int           `json:"code,omitempty"`
	Text   string        `json:"text"`
	Symbol market.Symbol `json:"symbol,omitempty"`
	Ref    string        `json:"ref,omitempty"` // of an order
}

// SimState tells what is simulated.
type SimState struct {
	Simulated bool      `json:"simulated"`
	Source    string    `json:"source"` // "synthetic AAPL, seed 1" or the files
	Speed     float64   `json:"speed"`
	Market    time.Time `json:"market"` // market time
	Ended     bool      `json:"ended"`  // the replay is over
	// Faults is what a fault script has done so far, in its order; left out
	// where there is none.
	Faults []SimFault `json:"faults,omitempty"`
}

// SimFault is a line of a fault script that has fired.
type SimFault struct {
	Line  int       `json:"line"`
	Text  string    `json:"text"`
	Times int       `json:"times"`
	Last  time.Time `json:"last"` // market time
}
