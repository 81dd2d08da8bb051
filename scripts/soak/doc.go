// Command soak runs the built start_trader for simulated days against the built
// gatewaysim, at a raised speed, while all goes wrong that goes wrong in days:
// restarts of the gateway, links that drop, fall silent or are slow, farms that
// break, dashboards that come, go, are slow and stop reading, and a strategy
// outside that trades over the bus. It looks at what the trader holds all the
// while, and judges.
//
// It promises to end with code 1, and the name of what was broken, when memory,
// descriptors or goroutines grow, when a difference between the books is not
// explained, an order is doubled, position or cash are not the simulator's, a
// socket is left over at the gateway's port, or a file outgrows its bound. It does
// not promise that the same seed makes the same run: processes share a machine.
//
// # Design
//
// There are two lanes side by side, each with a gateway, a trader and a folder of
// its own. The trader of the first lives through the whole run, so that its memory
// has one slope; that of the second is ended and killed again and again. What
// goes wrong with the gateway is a fault script, made from the seed.
//
// Market time runs at the speed; this machine does not. Timers, waits between
// attempts, deadlines, probes, pings, the 30 s between two reconciliations and the
// recorder's writes are wall time and see only the wall's minutes: at speed 96 a
// simulated day is 15 of them. What hangs on ticks, bars, orders and days sees all
// of it. What grows with wall time alone shows in a run at speed 1.
//
// Like is compared with like: a look counts for a slope only when the link was
// ready for some seconds and no passing client was there, and the first
// simulated hour is left out, in which caches and lists fill.
//
// Memory is what the process has of its own (RssAnon), and its slope is printed
// with its error: it moves with what collections leave. What the heap holds is told
// by the goal that the newest collection set for the next.
package main
