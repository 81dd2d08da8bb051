// Package interop drives the simulated gateway with a client that this project
// did not write, @stoqey/ib, and compares what it decodes with what the
// exchange holds and the tape plays.
//
// It promises that a frame which our own codec writes and reads alike, and both
// wrongly, is found here. It does not promise more than that client decodes:
// its highest server version is 193.
//
// # Design
//
// client.mjs is a bridge without an opinion: commands in, events out, as lines
// of JSON. What to ask and what to expect stands in the Go tests. The client is
// installed in this folder by scripts/interop.sh and nowhere else.
package interop
