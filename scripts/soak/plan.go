package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// plan is what is done.
type plan struct {
	bin, folder string
	hours       float64 // simulated
	speed       float64 // market time over wall time
	seed        uint64
	sessions    string // when the market is open, as gatewaysim's flag says it
	quick       bool   // a run of seconds, judged on what that can show
	load        load
	say         func(format string, args ...any)
}

// load is how much the strategies trade.
type load struct {
	fast   int    // minutes of the trader's own strategy's fast average; the slow one has twice as many
	window int    // trades of the mean of the strategy outside
	dip    string // per cent from it, at which that one buys and sells
}

// loads by their names. The memory of a trader holds each execution of three
// market days, about 250 bytes, so that what it grows by on the first of them
// depends on how many there are (broker/desk/books).
var loads = map[string]load{
	// Some hundred executions a day, as of a strategy of minutes: that is what
	// the limit of memory is judged with.
	"usual": {fast: 10, window: 100, dip: "0.1"},
	// Some thousands.
	"heavy": {fast: 2, window: 20, dip: "0.02"},
}

// The gaps between two interruptions, wall time. One and its recovery take some
// ten seconds; in the quick run they are short ones.
const (
	gapLeast = 36 * time.Second
	gapQuick = 5 * time.Second
	mostGaps = 80 // a fault script has 200 rules at most
)

// wall is how long the run takes.
func (p plan) wall() time.Duration {
	return time.Duration(p.hours / p.speed * float64(time.Hour))
}

// start is the market time at the start, in New York: an evening, so that the daily
// restart comes in any 24 hours; and the quick run sees the regular session. Ten
// seconds of this machine are a quarter of a market's hour, so nothing is
// interrupted shortly before midnight: a gateway lists the executions of its own
// day, and what fills in an outage over midnight stays unknown until a person looks.
func (p plan) start() string {
	if p.quick {
		return "2026-11-16T10:00:00"
	}
	return "2026-11-16T20:10:00"
}

// gap is the wall time from one interruption to the next: a simulated hour, where
// that is enough to recover from one. A short run has two at least.
func (p plan) gap() time.Duration {
	if p.quick {
		return gapQuick
	}
	return min(max(gapLeast, time.Duration(float64(time.Hour)/p.speed), p.wall()/mostGaps), p.wall()/3)
}

// interruption is one thing that goes wrong: rules of the fault script, of which
// each begins so long after its own beginning.
type interruption struct {
	rules []rule
	short bool // it is over within a second or two, and may be part of a quick run
	long  bool // it may take more than a gap, and is not for a trader that is restarted
}

type rule struct {
	after time.Duration
	what  string
}

// interruptions are the catalogue, wall time.
var interruptions = []interruption{
	{rules: []rule{{0, "reset"}}, short: true},
	{rules: []rule{{0, "farm usfarm down for 2s"}}, short: true},
	{rules: []rule{{0, "error 1100"}, {time.Second, "error 1102"}}, short: true},
	{rules: []rule{{0, "restart down 1s"}}, short: true},
	{rules: []rule{{0, "close"}}},
	{rules: []rule{{0, "silence for 8s"}}},
	{rules: []rule{{0, "restart down 5s"}}},
	{rules: []rule{{0, "farm usfarm down"}, {time.Second, "farm usfarm up without streams"}}},
	{rules: []rule{{0, "delay everything 150ms for 6s"}}},
	{rules: []rule{{0, "farm ushmds down then farm secdefnj down"}, {4 * time.Second, "farm secdefnj up then farm ushmds up"}}},
	{rules: []rule{{0, "error 1100"}, {2 * time.Second, "error 1101"}}},
	{rules: []rule{{0, "freeze for 6s"}}},
	{rules: []rule{{0, "refuse for 4s then reset"}}},
	{rules: []rule{{0, "stop reading for 5s"}}},
	{rules: []rule{{0, "wedge for 8s"}}},
	{rules: []rule{{0, "drip 300 bytes every 5ms for 4s"}}},
	{rules: []rule{{0, "half close"}}},
	{rules: []rule{{0, "error 2110"}, {2 * time.Second, "error 1102"}}},
	{rules: []rule{{0, "keep client id for 4s then reset"}}},
	{rules: []rule{{0, "silence for 55s"}}, long: true},
}

// manners go wrong with single messages all the time. Answers to questions are
// left alone: a gateway that leaves lines out of a list is none there is.
const manners = `at 22:40: restart down 5s
on every 40th orderStatus to client of client 1: drop it
on every 50th execDetails to client of client 1: duplicate it after 200ms
on every 30th commissionReport to client of client 1: delay it 500ms
`

// script is the fault script of a lane, whose trader is restarted or not.
func (p plan) script(seed uint64, restarted bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\n%s", seed%1_000_000, manners)
	dice := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // no secret
	var deck []interruption
	gap := p.gap()
	// The last one leaves time to recover before all is compared.
	for at := gap; at < p.wall()-gap/2; at += gap {
		if len(deck) == 0 {
			for _, i := range interruptions {
				if p.quick && !i.short || restarted && i.long {
					continue
				}
				deck = append(deck, i)
			}
			dice.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		for _, r := range deck[0].rules {
			fmt.Fprintf(&b, "after %v: %s\n", (at + r.after).Round(time.Millisecond), r.what)
		}
		deck = deck[1:]
	}
	return b.String()
}
