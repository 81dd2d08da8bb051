package exchange

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/market"
)

// StateVersion is the version of [State] and [Change]. It rises when their
// meaning changes; another version is refused.
const StateVersion = 1

// ErrBadState means that a state is damaged, or is not of this exchange. The
// error names place, value and mend.
var ErrBadState = errors.New("exchange: bad state")

// State is all that an exchange knows, to be kept as JSON: numbers are exact
// texts, lists have one order. What the listings are and how the exchange is
// configured is not in it. Make one with [Exchange.State]; the zero State is
// of no exchange.
type State struct {
	Version int `json:"version"`
	// Seq counts the changes that are in it.
	Seq uint64 `json:"seq"`
	Counters
	Accounts   []AccountState   `json:"accounts"`   // by id
	Open       []OrderState     `json:"open"`       // by perm id, which is arrival
	Executions []ExecutionState `json:"executions"` // the newest version of each, oldest first
	Replaced   []ExecutionState `json:"replaced"`   // by corrections, oldest first
	Markets    []MarketState    `json:"markets"`    // by symbol
}

// Counters are the numbers that an exchange gives next, and its day.
type Counters struct {
	PermBase int64     `json:"perm_base"`
	Orders   int64     `json:"orders"` // given so far
	ExecHead uint32    `json:"exec_head"`
	ExecBase uint32    `json:"exec_base"`
	Execs    uint32    `json:"execs"`  // given so far
	Queued   int64     `json:"queued"` // places in queues, given so far
	DayStart time.Time `json:"day_start"`
	DayEnd   time.Time `json:"day_end"`
}

// AccountState is the books of one account.
type AccountState struct {
	Account     string          `json:"account"`
	Start       market.Money    `json:"start"` // cash
	Cash        market.Money    `json:"cash"`
	Realized    market.Money    `json:"realized"` // before commission
	Commissions market.Money    `json:"commissions"`
	Positions   []PositionState `json:"positions"` // by symbol, flat ones included
}

// PositionState is what an account has of one symbol.
type PositionState struct {
	Symbol  market.Symbol `json:"symbol"`
	Holding HoldingState  `json:"holding"`
	// Base is the holding before the oldest of the executions.
	Base HoldingState `json:"base"`
	Day  DayState     `json:"day"`
}

// HoldingState is a number of shares and what they cost.
type HoldingState struct {
	Qty  market.Qty   `json:"qty"`
	Cost market.Money `json:"cost"` // without commission
	Fees market.Money `json:"fees"` // the commission paid for them
}

// DayState is what happened to a position since its day began.
type DayState struct {
	Qty         market.Qty   `json:"qty"` // held when it began
	Paid        market.Money `json:"paid"`
	Fees        market.Money `json:"fees"`
	Realized    market.Money `json:"realized"`
	RealizedNet market.Money `json:"realized_net"`
}

// OrderState is an open order.
type OrderState struct {
	Order
	Value      market.Money `json:"value"`      // of its executions
	Commission market.Money `json:"commission"` // charged so far
	Expires    time.Time    `json:"expires,omitzero"`
	Queued     int64        `json:"queued"`             // when it took its place in the queue
	Due        time.Time    `json:"due,omitzero"`       // when it is to be looked at
	Fresh      bool         `json:"fresh,omitempty"`    // it takes what comes first
	AtClose    bool         `json:"at_close,omitempty"` // it is with the closing auction
	Opened     bool         `json:"opened,omitempty"`   // its opening has come
}

// ExecutionState is one version of an execution.
type ExecutionState struct {
	Execution
}

// MarketState is what is known about a symbol's market. What is not known is
// not there.
type MarketState struct {
	Symbol    market.Symbol `json:"symbol"`
	ConID     int64         `json:"con_id"`
	Bid       *LevelState   `json:"bid,omitempty"`
	Ask       *LevelState   `json:"ask,omitempty"`
	Last      *LevelState   `json:"last,omitempty"`
	BidAt     time.Time     `json:"bid_at,omitzero"`
	AskAt     time.Time     `json:"ask_at,omitzero"`
	LastAt    time.Time     `json:"last_at,omitzero"`
	Volume    *market.Qty   `json:"volume,omitempty"`
	DayOpen   *market.Price `json:"day_open,omitempty"`
	DayHigh   *market.Price `json:"day_high,omitempty"`
	DayLow    *market.Price `json:"day_low,omitempty"`
	PrevClose *market.Price `json:"prev_close,omitempty"`
	DayEnd    time.Time     `json:"day_end,omitzero"`
	Ref       *market.Price `json:"ref,omitempty"`  // the mark from which the day's profit counts
	Phase     string        `json:"phase"`          // of its day
	Turns     time.Time     `json:"turns,omitzero"` // when the phase ends; zero: look at the hours
	Halted    bool          `json:"halted,omitempty"`
	Printed   bool          `json:"printed,omitempty"` // a trade came in this phase, after the last halt
	Left      LeftState     `json:"left"`
}

// LeftState is what own orders may still take of the quote and of the last
// trade.
type LeftState struct {
	Bid    market.Qty `json:"bid"`
	Ask    market.Qty `json:"ask"`
	Bought market.Qty `json:"bought"`
	Sold   market.Qty `json:"sold"`
}

// LevelState is one side of a quote, or a print.
type LevelState struct {
	Price market.Price `json:"price"`
	Size  market.Qty   `json:"size"`
}

// State returns all that the exchange knows, and begins a record of what
// changes from then on: see [Exchange.Changes].
func (x *Exchange) State() State {
	s := x.state()
	x.watch.begin(x)
	return s
}

// state returns all that the exchange knows.
func (x *Exchange) state() State {
	s := State{
		Version: StateVersion, Seq: x.watch.seq, Counters: x.counters(),
		Accounts: []AccountState{}, Open: []OrderState{}, Executions: []ExecutionState{}, Replaced: []ExecutionState{}, Markets: []MarketState{},
	}
	for _, id := range sortedKeys(x.accounts) {
		a := x.accounts[id]
		as := a.state()
		for _, symbol := range sortedKeys(a.positions) {
			as.Positions = append(as.Positions, a.positions[symbol].state(symbol))
		}
		s.Accounts = append(s.Accounts, as)
	}
	for _, o := range x.arrivals() {
		s.Open = append(s.Open, o.state())
	}
	for i := range x.fills {
		s.Executions = append(s.Executions, x.fills[i].state(false))
	}
	for i := range x.replaced {
		s.Replaced = append(s.Replaced, x.replaced[i].state(true))
	}
	for _, symbol := range sortedKeys(x.listings) {
		s.Markets = append(s.Markets, x.listings[symbol].state())
	}
	return s
}

func (x *Exchange) counters() Counters {
	return Counters{x.permBase, x.orders, x.execHead, x.execBase, x.execs, x.seqs, x.dayStart, x.dayEnd}
}

func (a *account) state() AccountState {
	return AccountState{a.id, a.start, a.cash, a.realised, a.commissions, []PositionState{}}
}

func (p *position) state(s market.Symbol) PositionState {
	d := &p.day
	return PositionState{
		s, p.holding.state(), p.base.state(),
		DayState{d.qty, d.paid, d.fees, d.realised.before, d.realised.after},
	}
}

func (h *holding) state() HoldingState { return HoldingState{h.qty, h.cost, h.fees} }

func (s *HoldingState) holding() holding { return holding{s.Qty, s.Cost, s.Fees} }

func (o *resting) state() OrderState {
	s := OrderState{
		Order: o.Order, Value: o.value, Commission: o.commission, Expires: o.expires,
		Queued: o.seq, Fresh: o.fresh, AtClose: o.atClose, Opened: o.opened,
	}
	if o.alarm.pos != 0 {
		s.Due = o.alarm.at
	}
	return s
}

func (e *execution) state(replaced bool) ExecutionState {
	return ExecutionState{Execution{e.Fill, e.net, replaced}}
}

func (l *listing) state() MarketState {
	c := &l.details.Contract
	s := MarketState{
		Symbol: c.Symbol, ConID: c.ConID, Bid: keep(l.bid), Ask: keep(l.ask), Last: keep(l.last),
		BidAt: l.bidAt, AskAt: l.askAt, LastAt: l.lastAt, DayEnd: l.dayEnd,
		Phase: phaseNames[l.phase], Halted: l.halted, Printed: l.printed,
		Left: LeftState{l.bidLeft.Size, l.askLeft.Size, l.boughtLeft.Size, l.soldLeft.Size},
	}
	if l.alarm.pos != 0 {
		s.Turns = l.alarm.at
	}
	if l.hasVolume {
		s.Volume = l.volume.Ptr()
	}
	if l.hasDay {
		s.DayOpen, s.DayHigh, s.DayLow = l.dayOpen.Ptr(), l.dayHigh.Ptr(), l.dayLow.Ptr()
	}
	if l.hasClose {
		s.PrevClose = l.prevClose.Ptr()
	}
	if l.hasRef {
		s.Ref = l.ref.Ptr()
	}
	return s
}

func keep(l tape.Level) *LevelState {
	if !l.Known {
		return nil
	}
	return &LevelState{l.Price, l.Size}
}

// Symbols are those that the state speaks of: they must be listed before it is
// restored.
func (s *State) Symbols() []market.Symbol {
	all := make([]market.Symbol, 0, len(s.Markets))
	for _, m := range s.Markets {
		all = append(all, m.Symbol)
	}
	return all
}

// Drop forgets executions from before a time, such as the beginning of the
// trading day; cash, positions and profits stay. It stops at the first whose
// order is open or has executions from later, because a correction of those
// needs it.
func (s *State) Drop(before time.Time) {
	if s.bounded() != nil {
		return // Restore says what is wrong
	}
	pinned := make(map[int64]bool)
	for i := range s.Open {
		pinned[s.Open[i].PermID] = true
	}
	for i := range s.Executions {
		if e := &s.Executions[i]; !e.At.Before(before) {
			pinned[e.PermID] = true
		}
	}
	n := slices.IndexFunc(s.Executions, func(e ExecutionState) bool { return pinned[e.PermID] })
	if n < 0 {
		n = len(s.Executions)
	}
	for i := range s.Executions[:n] {
		e := &s.Executions[i]
		p := s.position(e.Account, e.Symbol)
		if p == nil || e.Commission == nil || mostQty.Less(p.Base.Qty.Abs()) {
			return // Restore says what is wrong, for the executions stay
		}
		base := p.Base.holding()
		base.trade(e.Side.Signed(e.Qty), e.Price, *e.Commission)
		p.Base = base.state()
	}
	s.Executions = slices.Delete(s.Executions, 0, n)
	stand := make(map[string]bool)
	for i := range s.Executions {
		stand[stem(s.Executions[i].ExecID)] = true
	}
	s.Replaced = slices.DeleteFunc(s.Replaced, func(e ExecutionState) bool { return !stand[stem(e.ExecID)] })
}

func (s *State) position(account string, symbol market.Symbol) *PositionState {
	for i := range s.Accounts {
		for j := range s.Accounts[i].Positions {
			if p := &s.Accounts[i].Positions[j]; s.Accounts[i].Account == account && p.Symbol == symbol {
				return p
			}
		}
	}
	return nil
}

// badState is an [ErrBadState] with its reason.
func badState(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBadState}, a...)...)
}
