// Package fault is the language in which the simulated gateway is told to fail,
// and the plan that decides when it does.
//
// A script is lines of the form
//
//	WHEN [, LIMIT]...: WHAT [then WHAT]...
//
// with # comments and, before the first rule, at most one "seed N". README.md
// beside this file is the language for people: every trigger, limit and action.
// Example:
//
//	seed 7
//	on connection 1: wedge
//	on the 3rd orderStatus to client: drop it
//	after 30s of ready, 2 times: error 1100 then silence for 5s
//	at 16:00: restart down 20s
//
// It promises that whatever is not understood is refused, with file, line and
// column, what was expected there and, where a word is a slip of the hand away,
// that word; that a plan is a function of the calls made to it, so that the
// same script, seed and client get the same bytes; and that what a session may
// draw does not depend on other sessions. It does not promise when a real
// gateway fails so. The bounds are [MaxSize], [MaxLines], [MaxRules],
// [MaxCount] and [MaxDuration].
//
// # Design
//
// The language is one table of patterns ([Words]): it is the grammar, the
// source of the error texts, and what the README is checked against. A pattern
// is expanded into its few linear forms, and a line is matched against all of
// them at once, so that an error can name all that would have been right.
//
// The package has no sockets, clocks or goroutines: the gateway tells a [Plan]
// what happened and when, and does what comes back.
package fault
