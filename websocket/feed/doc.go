// Package feed turns the bus into what a dashboard needs: one snapshot, then
// numbered deltas.
//
// It promises that a client sees a snapshot with number N, then N+1, N+2 … in
// one epoch (one process life) without a gap, and that the snapshot plus the
// deltas is the state that the bus told. Quotes are conflated once, before
// numbering, to 20 a second a symbol, so every client gets the same bytes;
// orders, fills and link changes are never conflated. It does not promise
// history: lists are bounded, the newest stay.
//
// # Design
//
// One goroutine owns the state; everything reaches it as a function through a
// bounded mailbox, which makes the sender wait when it is full. Joining is such
// a function too: the snapshot is taken and the client registered at one
// instant, so nothing can fall between them.
package feed
