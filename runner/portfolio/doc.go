// Package portfolio folds executions into cash, positions, cost, profit and
// loss.
//
// It promises exact amounts, that an execution told twice counts once, and
// that the order in which commissions arrive changes nothing, for the newest
// 65,536 executions: who tells must not tell an older one again. It does not
// promise what it was not told: without a baseline, cash and positions are
// unknown, not 0. Corrections and busts of executions are not handled yet.
//
// # Design
//
// The method is average cost. An execution that adds to a position adds its
// value to the cost. One that reduces it releases cost × quantity / position
// and realises the difference, before commission. One that goes through zero
// does both, with its parts. The cost is an amount with a sign like the
// position's, so that no average is ever rounded on the way; an average is
// made only to be shown.
//
//	cash + cost = cash₀ + cost₀ + realised - commission
//
// holds after every step, to the last decimal.
package portfolio
