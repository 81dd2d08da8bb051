// Command proof kills start_trader with SIGKILL under load, starts it again
// against the same simulated gateway, and holds what it finds there, in the
// trader's journal and in its state against each other: at random instants, and
// at every boundary on the way of an order.
//
// It promises to end with another code than 0 when one check fails, and to name
// the seed and the number of the kill; it prints counts, durations and how soon
// the trader was ready again. It does not promise that the same seed kills at
// the same instants: processes share a machine.
//
// # Design
//
// A round has a gateway with a state folder and a trader with a data folder of
// its own; a bounded number of kills goes into one, so that a check reads little.
// After each start the gateway is asked over the wire by another client, which
// knows nothing of the trader. At the end of a round all comes to rest, and the
// gateway's books, sim-ledger.json, must equal the trader's journal to the last
// cent.
package main
