// Package crash ends the process at a named place, so that a test can kill it
// at every boundary of the way of an order and not only at random.
//
// It promises that [At] does nothing, and costs nothing, in a program that is
// built without the tag crashpoints, which is every program that is shipped. With the
// tag, CRASH_AT=NAME:N kills the process without any clean-up when it
// comes to NAME for the Nth time.
package crash
