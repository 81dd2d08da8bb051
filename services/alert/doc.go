// Package alert tells a person who does not look that something needs a hand.
//
// It promises that a trouble leaves at once when it begins, again when its
// cause changes, and once more when it is over, with how long it lasted; that
// no storm of troubles becomes a storm of messages; and that it never makes
// trading wait: what tells it of a trouble takes a lock for microseconds, and
// all the rest happens on goroutines of its own. It does not promise that a
// message is read, nor that one outlives the process: a trouble that is still
// there after a restart is told anew. That nobody answers at all is told by the
// silence of the heartbeat, package pulse.
//
// # Design
//
// Troubles have a [Kind], and a key that tells apart several of one kind, such
// as a symbol. The [Book] holds which are on and decides, as a pure function of
// the time, what is to be said: a kind may say three things at once and then
// one a minute; an hour has a budget, of which a third is kept for urgent
// kinds, and each of them is heard once in it whatever the others said; in quiet
// hours only urgent kinds are heard. What is held back by that
// is never lost: it is said in one message when the hold ends, as it then
// stands. A book has room for 64 troubles of a kind; what is beyond that is
// counted, and the count is said.
//
// A target that was away for longer than a message is tried gets no heap of old
// ones when it is back, but one that says what still stands of all that was told
// meanwhile.
//
// The [Hub] owns the book, a goroutine that waits for its next word, and a
// [post.Lane] for each place to tell. [Causes] turns what travels on the bus
// into troubles.
package alert
