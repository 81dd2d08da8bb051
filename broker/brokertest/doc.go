// Package brokertest is what an adapter is held against: a conformance suite
// that every adapter passes, and Memory, an adapter without a wire that passes
// it too and whose venue does on request what venues do on bad days.
//
// It promises that an adapter which passes keeps the port's words as far as
// the suite asks: rungs, guards, events, requests, orders, and the end. It
// does not promise that an adapter which passes is safe with a real venue:
// faults on the wire are the adapter's own tests.
//
// # Design
//
// The suite only knows the port, and a [Driver] that makes the venue's market
// move, as a venue of its own does by itself. It asks for nothing that a
// simulated market with prices of its own could not give: a limit order rests
// because its limit is far away, not because the test sets the price.
//
// Memory matches orders with broker/exchange, so that its fills, commissions
// and rejections are those of the simulated gateway. It starts no goroutine:
// what it reports, it reports on the goroutine of the caller that made it
// happen.
package brokertest
