// Package supervisor owns the link to the venue: it connects, climbs the
// ladder's rungs, waits, reconnects, and opens the gate behind which trading
// begins.
//
// It promises that [Supervisor.AwaitReady] returns only while a session is
// open whose every rung was reached; that two sessions never exist at once;
// that every state says since when, why, and what a person can do; and that
// Stop ends it from any state. It does not judge market data or orders: the
// desk does, and tells it by Degrade and Recover.
//
// # Design
//
// One goroutine owns the link. What state follows on what is the table in
// package broker; this package does the waiting and the I/O. Per attempt:
//
//	adapter.Open ─ BothIDs ─► serve (goroutine) + steps in order ─ RungsDone ─► ready, until serve returns
//
// Serve pumps the session's events from the moment the handshake is complete,
// so that nothing that comes while the later rungs are climbed is lost. Its
// return is the session's end. A failed step closes the session: half a
// recovery is none.
//
// Waits grow exponentially with jitter, from 1 s to 60 s. They start over
// only after a session that was ready for longer than the longest wait, so a
// link that flaps is not hammered, while the attempt's number, which people
// see, counts from the last ready. A client id is never used again sooner than
// 1 s after the full close of its socket: gateways free it late, and answer
// 326 or nothing to the impatient.
//
// A gateway that accepts TCP and never answers does not heal by itself, and
// every try may leave another dead socket in it. After five such attempts in a
// row the state is needs_restart, and the tries come after 5, 15 and 60
// minutes, then hourly. A person's Reconnect cuts every wait short.
package supervisor
