// Package indicator holds streaming indicators: one value in, one value out,
// in constant time and without allocation.
//
// It promises that a value is what the naive formula over the same window
// gives, to the precision of float64, however many values came before. It does
// not promise exact decimals: nothing here may become an order's price or
// quantity.
//
// # Design
//
// A running sum drifts: each step adds and takes away with a rounding error of
// its own. The window's sum is therefore made anew whenever the ring has gone
// round once, which costs one addition a value.
package indicator
