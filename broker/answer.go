package broker

import (
	"errors"
	"fmt"
	"time"
)

// Answer is a venue's answer to one question, with how much it proves:
//
//   - confirmed: the list is all that there is, so what is not in it is not there;
//   - partial: what is in the list is so, and what is not in it proves nothing;
//   - failed: nothing is known, which is not the same as "there is none".
//
// The list of one that is not confirmed cannot be had by accident: an empty
// answer of a gateway that failed was read as a flat account before
// (field-lessons §2.14). The zero Answer is a question that was never asked.
type Answer[T any] struct {
	list      []T
	err       error
	confirmed bool
	asked     time.Time
}

// errNeverAsked is why the zero Answer proves nothing.
var errNeverAsked = errors.New("broker: it was never asked")

// Answered makes an Answer of what a source returned to a question that was
// asked at the wall time asked: without an error it is confirmed, with an error
// and a list partial, with an error alone failed.
func Answered[T any](asked time.Time, list []T, err error) Answer[T] {
	return Answer[T]{list: list, err: err, confirmed: err == nil, asked: asked}
}

// Confirmed returns the list when it is all that there is.
func (a Answer[T]) Confirmed() (list []T, ok bool) {
	if !a.confirmed {
		return nil, false
	}
	return a.list, true
}

// Told returns what was told, be it all or not: it may add to what is known
// and never take anything away.
func (a Answer[T]) Told() []T { return a.list }

// Err returns why the answer is not confirmed, nil when it is.
func (a Answer[T]) Err() error {
	if a.err == nil && !a.confirmed {
		return errNeverAsked
	}
	return a.err
}

// Asked returns the wall time before which the question was not yet asked.
func (a Answer[T]) Asked() time.Time { return a.asked }

// String tells how much the answer proves.
func (a Answer[T]) String() string {
	switch {
	case a.confirmed:
		return fmt.Sprintf("confirmed, %d listed", len(a.list))
	case len(a.list) > 0:
		return fmt.Sprintf("partial, %d listed: %v", len(a.list), a.Err())
	}
	return fmt.Sprintf("failed: %v", a.Err())
}
