// Package diag answers the question of a person whose trader does not connect:
// how far does a handshake with the gateway get, and what can be done.
//
// It promises that a [Probe] is one whole handshake, never a bare TCP connect:
// a connection that opens and does not speak can block a gateway for good. It
// does not speak any venue's protocol itself; a [Prober] does, and closes its
// socket well.
//
// A [Doctor] looks at all that lies between a trader and its gateway. It promises
// that every step has a deadline and a verdict, that whatever it says about
// sockets and processes is read from the kernel's tables, and that it makes one
// handshake unless it is asked for more. It touches no process and mends
// nothing: it says what a person should do, and what not.
//
// A [Matrix] tells which gateway builds worked here, from the records of all
// handshakes, and a [Bundle] packs what a support ticket needs. Both promise to
// work with the trader dead. A bundle promises that no text that was named as a
// secret, and no account that any of its parts names, is in it, wherever it
// stood; what else smells of a secret is taken out by its form, which is a guess
// and may miss one: a person should look before sending it.
//
// # Design
//
// The doctor's one handshake uses the trader's client id, because that is what
// fails. Two sessions with one id must never exist, so a running trader is found
// first, by the lock of its folder, and asked how its link stands; then a spare
// id is used, or none when that trader has found the gateway hanging. A spare id
// is used, too, where a trader of another folder is connected. What the
// kernel tells comes before the handshake, so that it shows the state of
// affairs which the handshake has not changed yet.
//
// A probe's outcome is a record, not an error: it has a JSON form that scripts
// read, an exit code, and a line in the data folder's probes.jsonl, so that
// "since when does it fail, and where" has an answer afterwards. The file is
// bounded: at 1 MB it becomes probes.jsonl.1, and the one before is gone.
package diag
