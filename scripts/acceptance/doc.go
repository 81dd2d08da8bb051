// Package acceptance runs readable scenarios of the wire against the release
// binaries, over loopback TCP: what the gateway sends, what it must get, and how
// the trader must stand in between. A scenario is a file in testdata; README.md
// describes its language in one page.
//
// It promises that a step which fails names the file, the line, what was
// expected and what came, and that a script which makes no sense is refused with
// a mend before anything is started. Every scenario is also judged by manners
// that no script needs to spell (manners.go): no connection that closes without
// a word, nothing but START_API before both ids, no second session beside a
// first one, no client id used again within a second, no other client id, and an
// orderly end with a FIN. It does not promise to behave as a whole gateway does:
// it does what the script says.
//
// # Design
//
// The peer is its own: it shares nothing with package broker/ibkr/gateway but
// the codec, so that a misunderstanding of the simulated gateway is not one of
// its judge, too. Expected bytes are read by the codec's decoders for a
// gateway's side, and sent ones are made by its encoders or spelled out.
//
// One goroutine runs the steps. The peer has one that accepts, one a connection
// that reads, and one that ticks; they end with the scenario. What a connection
// brought stands in a list with a cursor, so that a step finds what came before
// it, and nothing is lost between steps.
//
// Requests which a scenario is not about are answered in the background (serve
// and answer); the steps pass over them unless they name them.
package acceptance
