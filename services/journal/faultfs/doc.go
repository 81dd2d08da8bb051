// Package faultfs is a disk for the journal's safety tests: it fails at a call
// that a test names, and it loses power at any call.
//
// It promises that SQLite reaches the files of a [Disk]'s folder through it,
// and that it knows of each write, truncation, flush, new name and removed name
// in their order. From these it makes what a disk may hold after a power loss,
// see [Disk.Crash]. It is for tests alone; scripts/archtest holds that nothing
// else imports it. A folder belongs to one Disk at a time.
//
// # Design
//
// SQLite's file layer (VFS) "faulty" is a copy of its own "unix", with the calls
// that change something put in front of: opening, removing, writing, truncating
// and flushing. Locks, reading and the log's index in shared memory, which
// does not outlive a crash, stay the originals. So all runs on a real folder,
// with the real SQLite, and what a crash leaves is worked out afterwards from
// the list of calls, as ALICE and CrashMonkey do. One run of a load gives the
// crash at every one of its calls.
//
// The model of a disk: a flush makes durable all that was written to that file
// before it began. What was not flushed may be there or not, sector by sector,
// in any order; so may the length of the file. Names (new, replaced, removed)
// become durable in their order, at the latest by a flush of the folder. After
// a failed flush what was to be flushed stays in doubt for good, even when a
// later flush succeeds, for the kernel forgets it.
package faultfs
