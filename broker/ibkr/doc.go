// Package ibkr is the adapter "ibkr": it speaks the TWS socket protocol with
// IB Gateway and TWS as a client, server versions 176 to 200.
//
// It promises that [Adapter.Open] returns a session only when both the account
// list and the next order id are known, that a failed Open leaves nothing
// behind, that every socket is closed well on every path (write side first,
// what still comes is read, then the rest: a gateway that finds a half-closed
// or reset socket may block later handshakes), that order reports never drop,
// and that every request ends with its answer, the venue's error, or
// [broker.ErrNoAnswer]. Every failure of Open and every end of a session has its
// word, [broker.Failure], and a panic of our own on what a gateway sends ends
// the session and never the process. It does not promise that a request was understood as
// meant, nor that an order that was written exists: events tell.
//
// # Design
//
// One goroutine reads the socket. It takes what one read brings, decodes every
// whole frame in it, and hands everything on at once, so that ticks which came
// together travel together. Answers go to the request that waits for them;
// everything else, and every order report in any case, becomes a [broker.Batch]
// that [Session.Events] fetches. Nobody is called back, so nobody can hold up
// the reader, with one exception that is meant: when 65,536 trades are pending
// the reader stops reading until they are fetched, and says so.
//
// Writes go out on the caller's goroutine, so that an order costs no hop. A
// sliding window lets at most 45 messages out in any one second, the last five
// of them cancels; when it is full, cancels go before orders before everything
// else. It counts when a message is let go, not when the gateway reads it. Code
// 100 halves it for a minute. Only the built-in gateway in lock-step, where wall
// time means nothing, is not paced. Package pace has that window, the limits on
// questions for bars, and the request ids.
//
// What the gateway counts over its sessions with us, so do we: the window, the
// questions for bars, and the request ids belong to the adapter and outlive a
// session. So an answer that comes late, twice or for something else names
// nobody, and is counted and dropped. Where an answer names a contract, that
// must be the one that was asked for; if not, the question fails.
//
// A gateway that hangs looks connected for ever. A goroutine of the session
// asks for the time after 30 s without an answer to such a question, and at once
// again after one that got none within 10 s; two misses end the session. Data
// that flows is no answer. An order to a gateway from which nothing came for 2 s
// waits for an answer first; a cancel does not, it can only help. Whoever asks,
// there is one time request at a time and never two in a second, of which a
// gateway answers one.
//
// Whoever ends a session, for whatever reason, sends its reader to do it: one
// function, closeWell, closes sessions and failed handshakes alike.
//
// Codes of the venue are told apart in one table, codes.go. A code that is not
// in it is a warning, and never ends an order.
//
// Market time: a tick of type 45 (last timestamp) gives the time of the next
// trade of its symbol. Every other tick carries the newest market time known:
// the gateway's clock as the newest answer to a time request told it, moved on
// by the wall time since (times the speed, when the gateway is the simulated
// one), and never behind a timestamp that a tick brought. A timestamp far ahead of
// a real gateway's own clock is left out and told once.
package ibkr
