// Package order holds the words for what is asked of a broker and what comes
// back: Intent, Decision, Order and its state table, Fill and Position.
//
// It promises that an order's state only changes by a legal step of one table
// and that a quantity is never guessed. It does not promise that the broker
// reports in order, once, or at all: outcomes are unknown until it does.
package order
