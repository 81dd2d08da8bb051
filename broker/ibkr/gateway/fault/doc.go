// Package fault is the language in which the simulated gateway is told to fail,
// and the plan that decides when it does.
package fault
