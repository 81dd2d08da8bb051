// Package bridge lets programs outside of this process take part in the
// trader's bus: over a NATS cluster, or over a server of its own that listens.
//
// It promises that nothing outside can hold up the trader: not a cluster that
// is away, a network that delivers nothing, a program that never reads, that
// floods, that sends garbage or that is killed. It promises that a message of a
// kept topic (orders, fills, mode, link and such) is written in its order or
// is missed by who counts, and that of several traders that claim one instance
// or one account on a bus one answers. It does not promise that a message
// arrives, nor that two halves of a cluster that cannot see each other have one
// answerer between them: there the broker's client id is the guard. A program
// outside that asks for its own ruin within the risk gate's limits gets it.
//
// # Design
//
// The trader's own parts stay on the embedded server, whatever the
// configuration: strategies of this process, desk and dashboard go on when the
// bus outside is away, and halt, resume and flatten never were on a bus. The
// bridge taps that server, and writes what it hears on the same subjects
// outside, byte by byte, so that numbers and publishers are the desk's. A tap
// never blocks: it puts messages into a queue with a policy for each kind.
//
//	desk, runner, link ─ embedded server ─ tap ─ queue ─ writer ─► cluster, or the listening server
//	                           ▲                                        │
//	                           └──── door: checks, rates, one at a time ◄┘ order.request.<strategy>, …
//
// Quotes conflate and trades stay when the outside is slow: beyond 64 waiting
// messages of a symbol they become one, with at most 4,096 trades. Orders,
// fills, positions, mode, link, decisions, data states, findings and notices
// wait for a bus that is away, at most 65,536 messages and 32 MiB, then the
// oldest goes. Everything else is dropped while the bus is away or 1,024 wait,
// as its next message mends that. Kept messages are held until the node that
// took them has answered a ping, once a second or after 1,024 of them, and are
// written again when the connection breaks before; a reader leaves out numbers
// that it has seen. What a node loses behind that, or a reader's own connection,
// nobody tells; so once a second the topic "bus" tells the newest number of each
// kept topic but notices, which each publisher numbers for itself, and who has not seen it a second later asks desk.get. That is the
// one way to close a gap: the bridge keeps no history.
//
// Requests come in by the door. An order request comes on a subject that ends
// with its strategy's name, which the permissions of its user name, and the
// door holds name, id and target to it: ids begin with the name and a colon, so
// no program touches what is another's. Each strategy has a rate and 8 places,
// all together 64 (a name that was quiet for a while gives its rate up to
// others), and one request at a time goes to the desk, so that a flood
// costs the trader's own order at most one turn. What waits for 2 s, or is older
// than bus.max_request_age, is refused: it may not become an order late. The
// risk gate behind it is the same as for everybody. Questions for bars, which may
// take a venue half a minute, have a line of their own. Who asks questions has a
// rate and places in each line, too, at most 64 programs, and all together four
// times the rate of one; who it is tells the inbox for the answer. Our own server
// lets each user hear the inbox of its name alone, and the door answers nowhere
// else: an order request below its strategy's inbox, a question below a user's.
//
// On a cluster two traders may be configured alike by mistake. Each asks on a
// claim's subject who else is there, before it answers anything and every 3 s:
// who answers already goes before who wants to, then the older claim, then the
// smaller id. Who comes second says so and is silent, on every topic, until the
// first is gone. After each loss of the connection the claims are made anew
// before anything is answered. Requests have a queue group, so that in the
// seconds after a partition healed one of two holders gets each. Programs of
// permissions that let them speak on claim subjects could silence a trader;
// that is the cluster's administrator's to prevent. The listening server needs
// no claim: nobody but the bridge may answer there.
//
// Connections: two, one that only writes and one that only hears, so that no
// circle of waits can close. They ping every 2 s and count as broken after two
// unanswered, or when a write or its confirmation takes 2 s; they connect again after 100 ms and up to 2 s,
// for ever, over all nodes that the cluster tells of. Nothing is buffered in
// them while they are broken: the queue is the only place where messages wait.
package bridge
