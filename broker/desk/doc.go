// Package desk is what stands between the bus and a session: the only door to
// the broker for orders, and the only source of the broker's facts on the bus.
//
// It promises that an order goes out only after the gate allowed it and intent
// and decision are durable; that an intent's id goes out at most once; that no
// order goes out after an acknowledged halt; that a report is never dropped and
// an illegal one never applied; and that silence is called unknown, not
// failure. It does not promise that the broker does what it was asked, nor that
// its reports come in order, once, or soon. When the journal cannot store,
// nothing is sent but cancels; that is the journal's fault, and the answer says so.
//
// # Map
//
// The nouns that the desk works with are packages of their own, pure and tested
// alone: they start no goroutine, wait for nothing, and time is an argument.
// Nobody but the desk imports them; scripts/archtest holds them to that.
//
//	books      orders, executions and positions, folded from reports, and what follows from each
//	reconcile  the books held against the broker's answers
//	guard      the stop that a position needs
//	unwind     what a halt or a flatten has still to do
//	score      what the risk rules look back upon
//	floor      the market: clock, quotes, contracts, hours, and how fresh all of it is
//
// What is left here is what has effects:
//
//	desk.go, fold.go     the command loop, and what is told and stored of a turn of the books
//	door.go, modify.go   the one way of an order: sense.go, bars, gate, journal.go, storage.go, wire
//	remember.go          the equity of earlier lives, asked of the journal
//	mode.go, halt.go, flatten.go, stop.go  the latch, and what it asks for carried out
//	guard.go             the stops that the guard wants, asked for by the door
//	serve.go, hold.go    a session's events and ticks, and what it is asked meanwhile
//	recover.go, reconcile.go, unknown.go, settle.go   the rungs, the questions to the broker, the entries that wait for them
//	data.go, subscribe.go, fresh.go, vital.go  subscriptions wanted against held, history, health
//	notice.go, outlet.go the venue's messages, and what goes onto the bus
//
// # Design
//
// There is one command loop. It is a turn rather than a goroutine: whoever
// brings a command takes the turn, runs it on its own goroutine and gives the
// turn back. Orders come on the bus's goroutine, reports on the desk's, steps
// on the supervisor's; a hop to a loop goroutine and back would cost every
// order two wake-ups and change nothing else. Turns are first come, first
// served.
//
// An order takes this way, in one turn: sense → known before? → the desk's own
// bars (read-only, halted, link) → gate → journal, durable → the bars again →
// wire. A halt sets its latch before it waits for its turn, so an order that
// waits for the disk meanwhile is dropped.
//
// What a mode asks for is done by a goroutine of each session, which looks at
// the latch and at nothing that a command left for it: a halt's cancels and a
// flatten's orders are the same whether the command came a moment ago, while
// the link was down, or in an earlier life. A flatten has two steps a symbol
// that are never together: first all its orders end, then one order closes what
// is held, and another follows only when that one has ended. Its ids are made of
// the latch's time and a count, so that no life asks for a step twice. Only an
// answer of the broker ends it; an error is not flat.
//
// Ticks never wait for a turn. Serve publishes them on the goroutine that read
// them, a read's ticks of a symbol together, and keeps quotes, data states and
// the market clock under a mutex of their own. All other events go to the turn
// through a bounded channel; when it is full, Serve stops reading the session.
//
// A strategy may be slower than the market. Ticks that the bus has no room for
// are held: quotes conflate, trades do not, and reports pass them. When 65,536
// are held the session is not read, so the gateway notices: it conflates, or
// closes. A strategy that takes nothing for ten seconds then counts as one that
// hangs: ticks go to its queue up to the bus's bound, and a loss is told.
//
// Whether data comes is judged by the ticks of each wanted symbol, once a second
// on the desk's own loop (package floor says how): a code is a hint. A stale one
// is asked for under a new request id. The link is degraded only when no wanted
// symbol has data and asking again was in vain, so that a stock that nobody
// trades degrades nothing. What the session holds is brought to what is wanted
// by one goroutine, which also asks for the account's stream and, each day in New
// York, for the hours. A contract that became another one blocks its symbol until
// a person starts the trader again.
//
// Positions are the venue's answer plus the executions after it. Executions
// are asked before and after the positions and the answer counts only when
// both agree, so none is counted twice or missed. While somebody trades all the
// time it does not, and is asked again: positions stay what executions make of
// them, or unknown, and the rest of the look counts. Only a confirmed answer, which
// is all that there is, may change a position: one that failed is not "none".
//
// The books are held against the broker at every ready and every 30 s; a
// lock-step replay at ready alone, as nobody can be asked while market time
// stands. What differs in two looks, further apart than reports take, is a
// difference; entries in its symbol wait meanwhile. What the executions of other
// clients account for was done elsewhere and is adopted; anything else takes
// entries away until a person has looked (package reconcile). When no look is
// answered for five minutes, the link is degraded until one is. The account's cash
// is compared, too, when both sides have stood still for four minutes. A gateway that
// lost its venue is not asked: it would answer from memory. One that comes back as
// another account is refused: the books are the first account's, for the life of
// the process.
//
// Orders of other client ids, and those by hand, are in the books as well. The
// broker is asked for the open orders of all clients while there are some, and they
// end as ours do.
//
// An order whose outcome is unknown bars entries in its symbol. What the broker
// lists as open, completed or executed resolves it, or a person's word that nothing
// of this contradicts (settle.go). Without that it takes a proof
// that it is not there, by the lists of a session that stood for a while
// (package reconcile); one that the venue has acknowledged is never absent by lists
// alone, and only an order for the day ends with it. A simulated gateway is the
// whole venue, so what two looks do not list has ended, and the rates of an earlier
// run of its market do not count.
//
// Every position has a stop at the broker, which the desk itself keeps by the
// same door (package guard says how): it follows partial fills, is known again
// after a restart, and shares a one-cancels-all group of the position with the
// orders that leave it, also when these were first. Until the broker has confirmed it, an entry in the symbol is
// refused. A change of an order counts when the broker shows it (modify.go), and
// until then the worst of both versions does. A cancel has had no effect before
// the broker says so: a halt and a flatten write it again when it stays silent, or
// a confirmed list shows the order as open. A list that shows an order which the
// books call ended, twice, opens it again and takes entries away.
//
// With a journal that cannot be written no order goes out, also none of the guard's
// or of a flatten: after a crash nobody would know its id, so that the next life
// could close twice what it closed, and turn the position over. A second place for
// intents beside the journal would make two truths of what was asked, to be joined
// in whatever life comes next. What can only take away passes: a halt holds in
// memory and its cancels are written, and stops that rest at the broker stay. To
// close what is held a person moves the one truth to a disk that works: traderctl
// flatten --direct --spare goes on with a copy of the journal there, and restore
// brings it back.
//
// Memory is bounded: the books (package books says by how much), 65,536 ticks
// and a read of the session's. What is older is in the journal, which also tells
// a repeated intent id that memory has forgotten.
package desk
