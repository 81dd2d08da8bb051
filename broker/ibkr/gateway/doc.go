// Package gateway is a simulated IB Gateway: a server that speaks the TWS
// socket protocol, server versions 176 to 200, over an exchange and a market
// that live in this process.
//
// It promises what a client may rely on of a real one: the negotiated version,
// START_API first, both ids, order ids that rise for each client id across its
// sessions, one session for a client id, reports in the order that a live
// gateway writes them, and an answer or a named error for every request. No
// bytes of a client make it panic or take more memory than a frame's bound.
// It does not promise a real venue's prices, queues, rejections or latency:
// it is a model, and an order that it fills may not fill at a broker.
//
// A frame that cannot be read is the client's fault, and told with code 320;
// when the framing itself is lost, the session is closed.
//
// # Design
//
// The server owns sockets and sessions; what clients ask for is answered by
// three parts over one [venue.Venue]: feed (market data), blotter (orders and
// executions) and ledger (accounts). A part sees a session as a [venue.Peer].
//
// One mutex owns market time, exchange, parts and sessions. A session has two
// goroutines: a reader, which handles each request under the mutex, and a
// writer, which sends what was queued in one write. Nobody writes to a socket
// under the mutex, so a slow client slows nobody. The queue is bounded:
// quotes are conflated to the latest of each request and tick type once 64 KiB
// wait, and a client that does not take the rest is cut off, because dropping
// parts of it would break the order of its reports. What one cause queued
// leaves at once.
//
// With a [State] what changed is written to its log when a cause is complete
// and before its frames may leave: a killed gateway has forgotten nothing that
// a client heard of. Prices and market time are kept every 5 s.
//
// A session's messages are counted over any second of wall time. One more than
// the limit is code 100 and a strike, the third strike the end; a minute without
// one takes one back. A client that offers +PACEAPI is slowed down instead.
//
// With a speed above 0 a goroutine plays the market against the wall clock.
// With speed 0 there is none: a [Pacer] moves market time, one instant a call,
// and counts what it wrote, so that a replay is a function of its input.
//
// Counted are frames by their message id alone, which the other end can do as
// well: market data are 1, 2, 45 and 46 (tickPrice, tickSize, tickGeneric,
// tickString), order reports are 3, 5, 11 and 59 (orderStatus, openOrder,
// execDetails, commissionReport), whether asked for or not.
package gateway
