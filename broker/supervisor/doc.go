// Package supervisor owns the link to the venue: it connects, climbs the
// ladder's rungs, waits, reconnects, and opens the gate behind which trading
// begins.
//
// It promises that [Supervisor.AwaitReady] returns only while a session is
// open whose every rung was reached; that two sessions never exist at once;
// that a gateway which hangs is left alone; that every state says since when,
// why, and what a person can do; and that Stop ends it from any state. It does
// not judge market data or orders: the desk does, and tells it by Degrade and
// Recover. It does not promise that a gateway which hangs comes back: that
// takes a person.
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
// # Waits
//
// Waits grow exponentially with jitter, from 1 s to 60 s. They start over
// only after a session that was ready for longer than the longest wait, so a
// link that flaps is not hammered, while the attempt's number, which people
// see, counts from the last ready. A client id is never used again sooner than
// 1 s after the full close of its socket: gateways free it late, and answer
// 326 or nothing to the impatient. Another id is never taken: orders belong to
// the one that placed them. A person's Reconnect cuts every wait short but
// that second; requests that come before one is acted on are that one.
//
// # Breaker
//
// A gateway that accepts TCP and never completes a handshake does not heal by
// itself, and every try may leave another dead socket in it. After five such
// attempts in a row (any other failure starts the count over) the state is
// needs_restart, and no attempt is made before the kernel's evidence shows
// another gateway: another socket, owner or process, or the port gone and back.
// Only tables are read, once a second. After such a change the count starts at
// 0 and two hangs open it again, a minute apart, so that a gateway that hangs
// anew is not hammered and one that wants a log-in first has time for it. Where
// the evidence cannot be read, tries follow after 5, 15 and 60 minutes, then
// hourly, twelve in all. A person's attempt is none of these twelve.
//
// All of that outlives our own process: the newest word of the run before,
// where it is younger than a day, says how many attempts hung, and whether the
// link begins in needs_restart. An attempt that the end of a run cut short
// counts as one that hung. A count that went with the process would make every
// start after a crash five more attempts.
//
// # Calendar
//
// A gateway restarts every night and wants a log-in every week. From 90 s
// before the restart the link is degraded, so that only what reduces risk
// passes, until a session that was opened after it is ready; when no restart
// comes in its time, that is taken back. A loss in that window is a phase of
// the link and no warning, and attempts come at the earliest after 2.5 s. A
// log-in or second factor that a person must do is a phase with a deadline;
// it is told when nothing listens, in the weekly window, at a port whose
// process was seen in this process's life, or when handshakes end without
// accounts. The weekly window is from the configured hour on for as long as a
// log-in may take, and again at the first nightly restart after it, which is
// the one that asks for it.
package supervisor
