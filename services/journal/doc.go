// Package journal keeps what must not be forgotten, in one SQLite file: every
// intent with its decision before its first byte goes out, and after that what
// became of it: orders, executions, commissions, account values, modes and the
// link's timeline.
//
// It promises that an allowed intent is on the disk when [Journal.Intend]
// returns nil, and that one intent id is stored once. It promises that
// records come to the disk in the order in which they were given, within
// moments, and by [Journal.Sync] at once. It promises that a row that is not
// as it was stored, is missing, or was lost with the file's end is noticed: the
// newest 2,000 at every opening, all of them by [Verify]. It does not promise
// that a record outlives a crash in those moments (the broker is the truth
// about orders and tells them again). A disk that lies about its flushes is
// found out only where it loses what the witness knew, and what somebody
// forges on purpose not at all: there is no secret in it.
// A disk that hangs makes Intend hang: a call of the kernel has no deadline.
//
// # Damage
//
// Rows are only added. Each has a check sum of all its columns, and but for
// those of the two tables that are pruned its place in one chain of hashes.
// The tables orders and meta are worked out from them; orders is compared
// with the events. A file beside the journal, journal.witness, tells how far
// the chain was durable at most a second ago; an opening that finds less, or
// another row there, fails. So does one that finds a wrong row. A file that
// is not what it should be is never moved or mended by the program: a person
// restores a backup, which puts it aside. [Backup] copies while a trader
// writes.
//
// # Failure
//
// A full, read-only or failing disk ends Intend, Record and Sync with an error
// of a kind, shown by [Journal.Failure]. What had been queued is kept. When
// the cause can go away the file is opened anew every 5 s and checked like at
// a start; once that works [Journal.Restored] says so. After a failed flush,
// a loss or a damage it takes a person and a new start.
//
// # Design
//
// The store is modernc.org/sqlite, WAL, synchronous FULL. The other one
// considered, ncruces/go-sqlite3, commits at 1.1 times its cost when 20 ms
// apart (729 µs against 663 µs, beside 363 µs for a bare append and
// fdatasync, on 2 busy cores), and would be fine by that; but it compiles
// SQLite at each start of the program: 2.2 s and 68 MB resident, against
// 17 ms and 1 MB, and a trader is to be ready in one second and 80 MB.
//
// There is one connection that writes, and a lock in this process around it,
// because SQLite's own lock is waited for by polling. An intent is one INSERT
// into one table with one index, committed alone: two pages and one fdatasync.
// Everything that the intent's later life needs is worked out behind it, by
// the recorder: one goroutine that writes queued records in groups at
// synchronous NORMAL, which does not flush, gives up the lock in the middle
// of a group when an intent waits for it, and flushes the log afterwards
// without holding the lock. An intent's own flush covers all records written
// before it. Checkpoints run on a connection of their own, so none is ever
// part of an intent's commit.
//
// All that changes a file goes through SQLite's own file layer or a disk of
// three methods. The tests put another one in the place of both (faultfs,
// through openOn, which nothing outside this package can call): it fails at any
// call, and loses power at any call with what was not flushed gone, torn or out
// of order.
//
// The queue holds 65,536 records, 4,096 of them refused intents; when it is
// full Record and Intend wait for their context.
//
// Times are integers, nanoseconds since 1970 in UTC; unknown is NULL. Prices,
// quantities and amounts are the text that JSON has, exact.
package journal
