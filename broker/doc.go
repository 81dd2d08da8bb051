// Package broker is the port: what this program needs of a venue, and the
// words for the link to it. Adapters live in sub-packages and import this
// package; this package imports none of them.
//
// It promises that a [Session] is one live connection whose handshake is
// complete: account list not empty, next order id known. It does not promise
// that the session is usable for trading; the rungs after the handshake, which
// the supervisor climbs, prove that.
//
// # Design
//
// The port is small: an [Adapter] opens a session, a [Session] gives events and
// the time and is closed. What else a venue can do is found by type assertion
// on the session: [Trader], [MarketData], [HistorySource], [AccountSource],
// [ContractSource], [Vital].
package broker
