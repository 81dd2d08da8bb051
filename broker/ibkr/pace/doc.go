// Package pace keeps what a client sends within the limits that the venue
// counts: 50 messages in a second ([Window]), and its limits on questions for
// historical bars ([Bars]). A [Budget] holds both, with the ids of requests
// ([IDs]), for all sessions that an adapter opens.
//
// It promises that no second has more messages than the limit, that the places
// kept for cancels go to nothing else, that nobody is passed over by his equals
// or by those below, that nobody waits while there is room, and that no
// questions for bars break the venue's limits, whoever asks them. Every wait
// ends with its context or with its session. It does not promise when the
// gateway reads a message, knows nothing of other clients, which share the
// venue's limits, and sends nothing: who calls it without writing what he was
// let through for wastes room, and who writes without asking breaks the limit.
//
// # Design
//
// It has no sockets and no goroutines: who waits, waits on his own. Its clock
// is the wall's, because that is what the gateway counts by; the venue's time,
// by which an answer grows old, is an argument.
//
// The window slides. A bucket of tokens lets out its burst on top of its rate,
// which passes the venue's limit. Two messages may lose some of their distance
// on the way, so every span is 50 ms longer than the venue's.
//
// Whatever the gateway counts goes on over a session's end, and so does the
// budget. Ids go on, too: a late answer to a lost session's request then names
// nobody.
package pace
