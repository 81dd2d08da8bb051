// Package feed turns the bus into what a dashboard needs: one snapshot, then
// numbered deltas.
//
// It promises that a client sees a snapshot with number N, then N+1, N+2 … in
// one epoch (one process life) without a gap, and that the snapshot plus the
// deltas is the state that the bus told. Quotes are conflated once, before
// numbering, to 20 a second a symbol, so every client gets the same bytes;
// orders, fills and link changes are never conflated. What is unknown is null:
// no owner has told it yet. It does not promise history: lists are bounded,
// the newest stay.
//
// # Design
//
// One goroutine owns the state; everything reaches it as a function through a
// bounded mailbox, which makes the sender wait when it is full. Joining is such
// a function too: the snapshot is taken and the client registered at one
// instant, so nothing can fall between them.
//
// Lasting state is asked for at its owner: at the start, after a gap in what
// the owner published, and when the owner may know what it did not publish.
// Each owner is asked by a goroutine of its own, so one that is silent does
// not hide the others. An answer may be older than what was published while
// it was on its way; so whatever a message told since the question stays as
// told, and the answer fills in the rest. Only what the answer changes becomes
// deltas, because clients that are up to date need not be flooded.
//
// The types of deltas are those of the snapshot's parts: link, health, mode, read_only,
// quote, bar, bars (all of some symbols), order, fill, position, positions
// (all), protection, finding, account, portfolio (that of the account), risk, strategy, data, sim, alerts, event; and beat, once a second,
// whose only news is that the line is alive. A type that a client does not
// know may be left out, but is numbered.
package feed
