package broker

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestAnEmptyListOfAFailedAnswerIsNoList: only what is confirmed can be read
// as "there is none".
func TestAnEmptyListOfAFailedAnswerIsNoList(t *testing.T) {
	down := errors.New("down")
	for _, tt := range []struct {
		name      string
		answer    Answer[int]
		confirmed bool
		told      int
		word      string
	}{
		{"none, and that is all", Answered(time.Time{}, []int{}, nil), true, 0, "confirmed, 0 listed"},
		{"nil, and that is all", Answered[int](time.Time{}, nil, nil), true, 0, "confirmed, 0 listed"},
		{"two", Answered(time.Time{}, []int{1, 2}, nil), true, 2, "confirmed, 2 listed"},
		{"failed", Answered(time.Time{}, []int{}, down), false, 0, "failed: down"},
		{"the end did not come", Answered(time.Time{}, []int{1}, down), false, 1, "partial, 1 listed: down"},
		{"never asked", Answer[int]{}, false, 0, "failed: broker: it was never asked"},
	} {
		list, ok := tt.answer.Confirmed()
		if ok != tt.confirmed || !ok && list != nil || len(tt.answer.Told()) != tt.told || (tt.answer.Err() == nil) != ok {
			t.Errorf("%s: %v %v, told %v, %v", tt.name, list, ok, tt.answer.Told(), tt.answer.Err())
		}
		if got := tt.answer.String(); !strings.Contains(got, tt.word) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
