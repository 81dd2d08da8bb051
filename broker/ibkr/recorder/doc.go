// Package recorder keeps what was said between this trader and its gateway:
// every frame of every session, both ways, in a ring of files on disk, and
// reads it back, masks it for other people's eyes, and gives it to the decoder.
//
// It promises that the folder never holds more bytes than [Config.MaxBytes], at
// no instant; that a tap ([Recorder.Frame]) never waits for the disk; that
// whatever was not recorded is counted and, as soon as the disk takes it, told
// in its place by a [Gap]; that no bytes on disk make a reader panic, and that
// what is damaged is skipped and told; and that trading goes on when the disk
// is full. It does not promise that the newest 100 ms survive a kill, nor the
// newest seconds a power cut: nothing is synced, because no order depends on
// it. It does not promise that masking finds what nobody could know to be an
// account: [Masker] says what it looks for.
//
// # Design
//
// Taps copy frames under a mutex into a buffer; the writer, one goroutine,
// exchanges it for an empty one at most every 100 ms (sooner only when it is
// half full, or on [Recorder.Flush]) and appends it to the newest segment. When
// the buffer is full frames are dropped, the newest ones: a wait would hold the
// session's reader, and with it an order's answer.
//
// A segment is <data>/frames/NNNNNNNN.rec: a header, then records, each with
// its length and checksum (record.go). Before one is begun the oldest ones are
// removed until a whole new one fits under the bound. A new process begins a new
// segment, so a torn end is never written behind. Each segment begins with the
// sessions that were open, and their accounts, so that those are known for
// masking after the ring has passed the handshake.
//
// When a write fails, what the segment got of it is cut off again, recording
// stops with one line in the log, and a minute later a new segment is tried.
//
// The folder given to this package's functions is the trader's data folder.
package recorder
