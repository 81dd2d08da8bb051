// Package books is what the desk believes of an account: its orders,
// executions and positions, folded from what the venue reports.
//
// It promises that a report is applied once and in any order, that an illegal
// step changes nothing, that executions alone say what was filled, and that
// what follows from a report stands in its [Turn], in order, for the desk to
// tell and to store. It is pure: it starts no goroutine, asks nobody, writes
// nothing and reads no clock. It does not promise that the broker agrees; that
// is looked into by package reconcile. It is not safe for concurrent use:
// whoever has the command loop's turn has the books.
//
// # Design
//
// Executions are the truth about what was filled; a status is a hint that moves
// the order's state by the table in broker/order or, where the step is not
// legal, is told as a notice and changes nothing. A status "Filled" without
// the executions moves nothing to filled: they come, or recovery fetches them.
//
// A change and a cancel that are under way are things of their own, with a time:
// noted before they are written, and ended by a report, a refusal, or a confirmed
// list that was asked for later. Silence about them is told, and has the broker
// asked; the end of their session makes the order unknown. A confirmed list is
// held against what was known when it was asked for: what was reported since is
// newer.
//
// Orders are known by the venue's permanent id, then by their reference, and by
// their number only where these say nothing: numbers come again when a gateway
// forgets its sequence. A report that contradicts the order that it names is
// raised and not applied; an execution in it still counts for the position. An
// execution may come in several versions, of which the newest counts.
//
// Memory is bounded: the live orders, the newest 500 to 564 ended ones and those of
// the last ten minutes of the market's time up to 4,160, the newest 500 to 564
// fills, 65,536 answers, and each execution of the market day and the two
// before, up to 262,144. Beyond that positions are not held against the broker's
// any more, and entries are taken away. What is older is in the journal.
package books

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"robotrader/broker"
	"robotrader/broker/market"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// Bounds of what is kept in memory. The journal keeps all.
const (
	KeepEnded   = 500   // ended orders, and fills, that are shown
	mostEnded   = 4096  // ended orders, however late they ended
	spare       = 64    // of orders and fills that are kept besides, so that they go together
	keepAnswers = 65536 // answers to intents that made no order
	keepRaised  = 1024  // what a person was told of once
	keepValues  = 4096  // values of the account
	keepCosts   = 1024  // commissions whose execution has not come
)

// keepFor is how long, in market time, an order that ended is kept however many
// ended since: its executions and commissions may come after its end.
const keepFor = 10 * time.Minute

// Books are an account's orders, fills and positions. What is exported is to be
// read, and changed by whoever recovers them alone. Make them with New.
type Books struct {
	zone    *time.Location // of the market day
	Account string         // of the newest session, empty before the first

	// ByRef has the orders by the intent's id, to be read; see Called and Find.
	ByRef   map[string]*Entry
	byID    map[orderKey]*Entry
	byPerm  map[int64]*Entry
	byGroup map[string][]*Entry        // by their one-cancels-all group
	Live    map[market.Symbol][]*Entry // that have not ended, in the order of their making
	ended   []*Entry                   // oldest first
	rested  int                        // how many of them were looked at by rests
	rest    *course                    // of those at rest: empty
	words   order.Words
	answers Ring[string, event.OrderReply]

	Fills []*Execution // the newest KeepEnded and up to spare more, oldest first by their time
	past  []*Execution // see Past
	// execs has every execution that was told by what its versions have in common,
	// and plain those whose ids have no version by these.
	execs, plain ledger[*Execution]
	keepExecs    int                                   // how many
	deals        map[deal]*deal                        // of the day: each once
	zones        map[offsetZone]*time.Location         // likewise
	costs        Ring[string, broker.CommissionReport] // that came before their execution
	raised       Ring[string, bool]                    // what a person was told of once

	Positions map[market.Symbol]order.Position // nil = unknown
	debts     map[market.Symbol]debt           // what of them was taken over from the broker without explanation
	Counted   time.Time                        // market time at which positions were unknown last
	told      map[market.Symbol]toldPosition
	Suspects  map[market.Symbol]Suspect         // positions that differ from the broker's
	untold    map[market.Symbol][]untold        // at most one an order; a look that counts ends them
	inquiries map[*Inquiry]bool                 // that are under way
	values    map[[2]string]broker.AccountValue // by key and currency
	findings  []broker.Finding                  // the newest, oldest first
	count     uint64                            // see Mark

	cash     cash
	NextID   int64       // the number of the next order
	minute   []time.Time // market times of orders written, oldest first
	day      Day         // of notional
	notional market.Money

	Strict bool // what was done elsewhere makes the mode reduce_only
	// SettledAfter is how long a change may come yet that a list did not show.
	// Wall time.
	SettledAfter time.Duration
	Follower     Follower // nil follows nothing
}

type orderKey struct {
	client int
	id     int64
}

// Entry is one order with what the desk knows of it beside.
type Entry struct {
	order.Order
	*course              // never nil; shared and empty at rest
	spent   market.Money // of its executions, for the average
	known   market.Qty   // of Filled: what the executions in memory make
	atEnd   bool         // is in ended
	Unfit   bool         // the venue refused the newest change
	Shut    bool         // the venue cut it, or refused one beside it: nobody can join its group any more
	Known   time.Time    // wall time before which it was not written, or this process did not know of it
}

// A Follower looks back upon executions, as they are counted. It must not block.
type Follower interface {
	// Executed comes before the execution has moved its position.
	Executed(b *Books, f order.Fill)
	// Charged comes with a commission that came after its execution.
	Charged(execID string, commission market.Money)
	// Corrected says that an execution was replaced by a later version of it.
	Corrected()
	// Adopted says that a position was taken over from the broker, as p, with more
	// than the executions account for. The books have it already.
	Adopted(b *Books, p order.Position, more market.Qty)
	// Accounted comes with an execution that happened before its position was taken
	// over, and that is in it since.
	Accounted(f order.Fill)
}

// New returns books in which nothing is known; zone is that of the market day.
func New(zone *time.Location) *Books {
	return &Books{
		zone:      zone,
		ByRef:     map[string]*Entry{},
		byID:      map[orderKey]*Entry{},
		byPerm:    map[int64]*Entry{},
		byGroup:   map[string][]*Entry{},
		Live:      map[market.Symbol][]*Entry{},
		answers:   NewRing[string, event.OrderReply](keepAnswers),
		rest:      new(course),
		keepExecs: keepExecs,
		deals:     map[deal]*deal{},
		zones:     map[offsetZone]*time.Location{},
		debts:     map[market.Symbol]debt{},
		raised:    NewRing[string, bool](keepRaised),
		costs:     NewRing[string, broker.CommissionReport](keepCosts),
		told:      map[market.Symbol]toldPosition{},
		Suspects:  map[market.Symbol]Suspect{},
		untold:    map[market.Symbol][]untold{},
		inquiries: map[*Inquiry]bool{},
		values:    map[[2]string]broker.AccountValue{},
		NextID:    1,
	}
}

// Load takes in what the journal remembers.
func (b *Books) Load(past broker.Books, wall time.Time) {
	for _, o := range past.Orders {
		if o.State == order.Intended { // that life ended around the write: nobody knows
			o.State, _ = o.State.Next(order.Silent)
			o.Note = "the program ended before it noted whether this was sent"
		}
		if e := b.Add(o, wall); o.State == order.Cancelling {
			e.Ending = &Ending{overdue: true} // whether it has an effect, the broker tells
		}
	}
	// They come in the order of their making: a stop that ended a moment ago may be
	// the oldest of them.
	slices.SortStableFunc(b.ended, func(x, y *Entry) int { return x.Updated.Compare(y.Updated) })
	sums := map[*Entry]market.Qty{}
	for _, f := range order.Newest(past.Fills) {
		if f.Qty.IsZero() { // taken back
			b.takes(f)
			continue
		}
		e := b.ByRef[f.Ref]
		if e != nil {
			f.Ref = e.Ref // one text in memory
		}
		b.followed(f)
		b.keep(f)
		if e != nil && f.Ref != "" {
			e.spent = e.spent.Add(f.Price.Mul(f.Qty))
			e.known = e.known.Add(f.Qty)
			sums[e] = sums[e].Add(f.Qty)
		}
	}
	b.recount(sums, past.Fills)
	b.recall(past.Adopted)
	for _, s := range past.Sent {
		b.Count(s.At, s.Notional)
	}
}

// Add takes in an order that is not there yet.
func (b *Books) Add(o order.Order, wall time.Time) *Entry {
	b.words.Order(&o)
	e := &Entry{Order: o, Known: wall, course: new(course)}
	if o.Lost != nil {
		e.lostAt = wall
	}
	if o.Ref != "" {
		b.ByRef[o.Ref] = e
	}
	if o.OrderID > 0 {
		b.byID[orderKey{o.ClientID, o.OrderID}] = e
	}
	if o.PermID != 0 {
		b.byPerm[o.PermID] = e
	}
	b.joins(e)
	b.saw(o.OrderID)
	b.Place(e)
	return e
}

// maxOrderID bounds the numbers of orders: from here on they are requests'.
const maxOrderID = 1 << 30

// saw makes the numbers of orders that come rise above one that was seen,
// whoever used it.
func (b *Books) saw(id int64) {
	if id < maxOrderID {
		b.NextID = max(b.NextID, id+1)
	}
}

// Place puts the entry where its state belongs: among the live or the ended.
func (b *Books) Place(e *Entry) {
	if ended := e.State.Final(); ended && !e.atEnd {
		e.atEnd = true
		b.Live[e.Symbol] = slices.DeleteFunc(b.Live[e.Symbol], func(o *Entry) bool { return o == e })
		b.ended = append(b.ended, e)
		b.trim(e.Updated)
	} else if !ended && e.atEnd { // rejected → working happens
		e.atEnd = false
		b.ended = slices.DeleteFunc(b.ended, func(o *Entry) bool { return o == e })
		b.Live[e.Symbol] = append(b.Live[e.Symbol], e)
	} else if !ended && !slices.Contains(b.Live[e.Symbol], e) {
		b.Live[e.Symbol] = append(b.Live[e.Symbol], e)
	}
}

// trim forgets the oldest of those that ended when there are too many, some in one
// go, so that it costs little an order. At is a market time that has come.
func (b *Books) trim(at time.Time) {
	n := 0
	for left := len(b.ended); left > mostEnded+spare || left > KeepEnded+spare && at.Sub(b.ended[n+spare-1].Updated) > keepFor; left -= spare {
		n += spare
	}
	if n == 0 {
		return
	}
	for _, old := range b.ended[:n] {
		b.forget(old)
	}
	b.ended = slices.Clone(b.ended[n:])
	b.rested = max(0, b.rested-n)
}

// forget drops an ended order from memory.
func (b *Books) forget(e *Entry) {
	if b.ByRef[e.Ref] == e {
		delete(b.ByRef, e.Ref)
	}
	if k := (orderKey{e.ClientID, e.OrderID}); b.byID[k] == e {
		delete(b.byID, k)
	}
	if b.byPerm[e.PermID] == e {
		delete(b.byPerm, e.PermID)
	}
	b.leaves(e)
}

// Find returns the order that a report is about: by the venue's number, by the
// reference, and by the client's number where these say nothing, as that one
// comes again when a gateway forgets its sequence. Nil when there is none.
func (b *Books) Find(client int, id, perm int64, ref string) *Entry {
	if perm != 0 {
		if e := b.byPerm[perm]; e != nil {
			return b.awake(e)
		}
	}
	if ref != "" {
		if e := b.ByRef[ref]; e != nil {
			return b.awake(e)
		}
	}
	if id > 0 { // others are of orders that no client has bound to itself
		return b.awake(b.byID[orderKey{client, id}])
	}
	return nil
}

// takes makes an execution one that was told.
func (b *Books) takes(f order.Fill) *Execution {
	x := new(Execution)
	b.set(x, f)
	b.knows(x)
	return x
}

// keep remembers a fill.
func (b *Books) keep(f order.Fill) {
	x := b.takes(f)
	b.sorted(x, f.At)
	b.Fills = slices.Insert(b.Fills, rank(b.Fills, f.At), x)
	if len(b.Fills) > KeepEnded+spare {
		b.Fills = slices.Clone(b.Fills[spare:])
	}
}

// rank is where an execution of that time belongs among fills: a venue tells
// older ones of the day anew after a restart. One without a time is the newest.
func rank(fills []*Execution, at time.Time) int {
	i := len(fills)
	for !at.IsZero() && i > 0 && fills[i-1].At().After(at) {
		i--
	}
	return i
}

// All returns every order in memory, those that ended first.
func (b *Books) All() []*Entry {
	list := slices.Clone(b.ended)
	for _, sym := range slices.Sorted(maps.Keys(b.Live)) {
		list = append(list, b.Live[sym]...)
	}
	return list
}

// Answer returns what was answered to an intent that made no order.
func (b *Books) Answer(id string) (reply event.OrderReply, ok bool) {
	reply = b.answers.Get(id)
	return reply, reply.Result != ""
}

// Answered keeps what was answered to an intent that made no order.
func (b *Books) Answered(id string, reply event.OrderReply) { b.answers.Put(id, reply) }

// Open returns the live orders of a symbol in the session's account, the one
// about to be decided not among them, each as the worst that it may still do.
func (b *Books) Open(s market.Symbol, who *broker.Facts) []order.Order {
	if n := len(b.Live[s]); n > 0 {
		return b.AppendOpen(make([]order.Order, 0, n), s, who)
	}
	return nil
}

// AppendOpen is Open into a buffer.
func (b *Books) AppendOpen(dst []order.Order, s market.Symbol, who *broker.Facts) []order.Order {
	for _, e := range b.Live[s] {
		if !Foreign(who, e.Account) {
			dst = append(dst, e.Most())
		}
	}
	return dst
}

// State copies the books into the desk's state.
func (b *Books) State(s *event.Desk) {
	s.Account = b.Account
	s.Orders = []order.Order{}
	for _, e := range b.ended[max(0, len(b.ended)-KeepEnded):] {
		s.Orders = append(s.Orders, e.Order)
	}
	for _, sym := range slices.Sorted(maps.Keys(b.Live)) {
		for _, e := range b.Live[sym] {
			s.Orders = append(s.Orders, e.Order)
		}
	}
	s.Orders = slices.Clone(s.Orders[max(0, len(s.Orders)-KeepEnded):])
	slices.SortStableFunc(s.Orders, func(x, y order.Order) int { return x.Created.Compare(y.Created) })
	s.Fills = []order.Fill{}
	for _, f := range b.Fills[max(0, len(b.Fills)-KeepEnded):] {
		s.Fills = append(s.Fills, f.Fill())
	}
	s.Findings = append([]broker.Finding{}, b.findings...)
	if b.Positions != nil {
		s.Positions = []order.Position{}
		for _, sym := range slices.Sorted(maps.Keys(b.Positions)) {
			s.Positions = append(s.Positions, b.Positions[sym])
		}
	}
	s.Values = slices.SortedFunc(maps.Values(b.values), func(x, y broker.AccountValue) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Currency, y.Currency))
	})
}
