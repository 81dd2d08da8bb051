// Package diag answers the question of a person whose trader does not connect:
// how far does a handshake with the gateway get, and what can be done.
//
// It promises that a [Probe] is one whole handshake, never a bare TCP connect:
// a connection that opens and does not speak can block a gateway for good. It
// does not speak any venue's protocol itself; a [Prober] does, and closes its
// socket well.
//
// # Design
//
// A probe's outcome is a record, not an error: it has a JSON form that scripts
// read, an exit code, and a line in the data folder's probes.jsonl, so that
// "since when does it fail, and where" has an answer afterwards. The file is
// bounded: at 1 MB it becomes probes.jsonl.1, and the one before is gone.
package diag
