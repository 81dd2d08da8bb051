// Package bus carries the messages of services/event inside one process, over
// an embedded NATS server that nobody outside can reach. Programs outside take
// part through services/bus/bridge, which is one more listener here.
//
// It promises that a subscriber sees the messages of one publisher in the
// order in which they were published, each once, and that a loss is noticed:
// every message is numbered by publisher and subject, and a gap is counted,
// logged and told. It does not promise durability: a message to nobody is
// gone, and what must outlive the process belongs into the journal. It does
// not promise that a handler is quick; a handler that hangs grows its own
// queue, up to its bound, and nobody else's.
//
// # Design
//
// A [Conn] is two NATS connections, one that only publishes, and one
// that only subscribes. The in-process transport is a pipe without a buffer,
// so a connection that writes while the server delivers to it could wait for
// itself; with two, no circle can close. The publishing connection writes
// through instead of waking a flusher goroutine, which saves one wake-up on
// the way of a tick to its order.
//
// A publication goes two ways. Who takes all of a part's topics in one queue, as
// the runner takes the desk's ([SubscribeAll]), has each put there by the
// publisher itself, before NATS has it: four goroutines fewer stand between a
// tick and its order. A question goes into its one responder's queue, and the
// answer straight to who asked. All others, and the programs outside, get it over NATS.
// Both ways carry the same bytes under the same number, in the same order, with
// the same bounds; numbering and both hand-overs are one step, under one mutex a
// publisher.
//
// Subscriptions have a written [Policy]: [Keep] has a bound that only a handler
// that hangs reaches, [Bounded] drops the newest when its queue is full, and a
// [Paced] one is asked for room by publishers that can hold back. Subscribing waits for the server's word,
// so what is published after Subscribe returned is delivered.
//
// Payloads are [event.Message] in JSON, questions and answers included. A
// payload that does not decode is counted and logged, never a panic. A handler
// that panics is our own broken invariant and takes the process down.
package bus
