// Package desk is what stands between the bus and a session: the only door to
// the broker for orders, and the only source of the broker's facts on the bus.
//
// It promises that an order goes out only after the gate allowed it and intent
// and decision are durable; that an intent's id goes out at most once; that no
// order goes out after an acknowledged halt; that a report is never dropped and
// an illegal one never applied; and that silence is called unknown, not
// failure. It does not promise that the broker does what it was asked, nor that
// its reports come in order, once, or soon. When the journal cannot store,
// nothing is sent; that is the journal's fault, and the answer says so.
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
// on the desk's own loop: a code is a hint. One that stops in its session is
// stale, and is asked for under a new request id at once and then after 30 s, 1,
// 2 and 5 minutes, until a tick comes; after a farm's blip or a link that came
// back every symbol must tick again within the deadline for data. The link is
// degraded only when no wanted symbol has data and asking again was in vain, so
// that a stock that nobody trades degrades nothing. What the session holds is
// brought to what is wanted by one goroutine, which also asks for the account's
// stream and, each day in New York, for the hours. A contract that became
// another one blocks its symbol until a person starts the trader again.
//
// A venue's hours of a stock are held against New York's calendar where the
// contract comes in, and nowhere else: what one of the two calls closed is
// closed for the data rung, the gate and the strategies. A day about which they
// differ is told once a symbol.
//
// Executions are the truth about what was filled; a status is a hint that moves
// the order's state by the table in broker/order or, where the step is not
// legal, is told as a notice and changes nothing. A status "Filled" without
// the executions moves nothing to filled: they come, or recovery fetches them.
//
// Positions are the venue's answer plus the executions after it. Executions
// are asked before and after the positions and the answer counts only when
// both agree, so none is counted twice or missed. Only a confirmed answer, which
// is all that there is, may change a position: one that failed is not "none".
//
// The books are held against the broker at every ready and every 30 s; a
// lock-step replay at ready alone, as nobody can be asked while market time
// stands. What differs in two looks, further apart than reports take, is a
// difference; entries in its symbol wait meanwhile. The executions of other
// clients are asked then: what they account for was done elsewhere and is
// adopted. Anything else is unexplained: the books take the broker's figure, the
// mode becomes reduce_only, and a finding names what was looked at. Nothing is
// ever traded to make books and broker agree. A gateway that lost its venue is
// not asked: it would answer from memory.
//
// An order whose outcome is unknown bars entries in its symbol. What the broker
// lists as open, completed or executed resolves it. Without that it takes a proof
// that it is not there; see prove. A simulated gateway is the whole venue, so
// what it does not list has ended, and the rates of an earlier run of its market
// do not count.
//
// Orders are known by the venue's permanent id, then by their reference, and by
// their number only where these say nothing: numbers come again when a gateway
// forgets its sequence. A report that contradicts the order that it names is
// raised and not applied; an execution in it still counts for the position. An
// execution may come in several versions, of which the newest counts.
//
// Every position has one stop at the broker, which the desk itself keeps by the
// same door (guard.go says how): it follows partial fills, is known again after
// a restart, and shares a one-cancels-all group with the orders that leave the
// position. Until the broker has confirmed it, an entry in the symbol is
// refused. A change of an order counts when the broker shows it (modify.go).
//
// Memory is bounded: the live orders, the newest 500 to 1,000 ended ones and
// as many fills, 65,536 execution ids and as many answers, 65,536 ticks and a
// read of the session's. What is older is in
// the journal, which also tells a repeated intent id that memory has forgotten.
package desk
