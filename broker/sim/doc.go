// Package sim is the adapter "sim": it plays a simulated gateway in this
// process, on a loopback port, and opens it with the ordinary adapter ibkr, so
// that the default run goes over the real wire.
//
// It promises that a session is what ibkr makes of a gateway, marked as
// simulated, and that the gateway is started once and lives until Stop,
// whatever becomes of sessions. It does not promise anything about markets:
// the prices are made up, or replayed from files of the user.
//
// # Design
//
// The gateway is started by the first Open, not by the constructor: an adapter
// that is not selected costs nothing. Its venue gets another instance number
// each time, so that execution ids never repeat in a journal that outlives it.
package sim
