// Package tape holds the sources of market events: what was quoted and what
// was traded, in the order of market time. A [Synthetic] makes a market from a
// seed, a [CSV] replays a file of bars, trades or daily bars, [Merge] plays
// several sources as one, and a [Universe] makes markets in symbols that are
// asked for while it plays.
//
// It promises that a source is deterministic: the same file, or the same seed
// and start, gives the same events and the same history; that events come
// ordered by time; and that a source's [Past] tells the bars that a listener
// who had heard every trade and quote would have built, before the start and at
// any later time, while the source plays on. It does not promise that a price
// is sensible beyond what the header of a file demands, and made-up numbers are
// named where they are made. A fault in a file is the file's, and the error says
// where.
//
// # Design
//
// Sources are pulled: [Source.Next] has no clock, no goroutine and no error.
// Everything that can be wrong is found when a source is made, so that a
// replay does not stop in the middle of a day. Who plays a source decides when
// market time moves.
//
// The price path of the synthetic market is integer arithmetic on hashed
// noise, so it is the same on every machine, and any minute of any year can be
// computed without the minutes before it: history is not a second model beside
// the stream, it is the same minutes generated earlier. Long bars do not look
// at all of it: a minute whose path cannot reach the bar's high or low is only
// counted, with the same dice, and a year of days takes a fraction of a second.
// That is also why more than ten days before the start the made-up tape has
// fewer and larger trades.
package tape
