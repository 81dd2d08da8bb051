// Package rig is what trials of the built programs share: it starts
// start_trader and gatewaysim as processes of their own, asks the gateway over
// the wire as another client that knows nothing of the trader, reads the
// trader's journal, follows its feed, and holds the books of both against each
// other.
//
// It promises that what is compared comes from outside the trader: the gateway's
// own answers and ledger, and what is durable in the journal. A check that fails
// names the promise that was broken. Whoever starts a process ends it. It does
// not promise that a load is the same twice: processes share a machine.
package rig
