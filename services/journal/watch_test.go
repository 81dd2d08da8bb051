package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"robotrader/broker"
	"robotrader/services/journal/faultfs"
)

// A watch tells of the beginning, of another kind, and of the end, each once.
func TestWatchTellsOfEachChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[broker.JournalFailure]
		var told []string
		w := NewWatch(now.Load, func(f *broker.JournalFailure) {
			if f == nil {
				told = append(told, "works")
				return
			}
			told = append(told, f.Kind)
		})
		w.Start()
		turn := func(f *broker.JournalFailure) {
			now.Store(f)
			time.Sleep(3 * watchEvery)
		}
		began := time.Now()
		turn(nil)
		turn(&broker.JournalFailure{Kind: "full", Since: began, Cause: "a", Mends: true})
		turn(&broker.JournalFailure{Kind: "full", Since: began, Cause: "b", Mends: true})
		turn(&broker.JournalFailure{Kind: "disk", Since: began})
		turn(nil)
		turn(&broker.JournalFailure{Kind: "locked", Since: time.Now(), Mends: true})
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{"full", "disk", "works", "locked"}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
	if err := NewWatch(nil, nil).Stop(t.Context()); err != nil {
		t.Errorf("one that never started: %v", err)
	}
}

// Each kind has a word that the metrics know, and advice that says whether a
// person has to start the trader again.
func TestTroubleSaysKindSinceAndAdvice(t *testing.T) {
	words := broker.JournalFailureKinds()
	for i, kind := range kindWords {
		if !slices.Contains(words, kind.word) || kind.advice == "" || !slices.Contains(kinds, kind.kind) {
			t.Errorf("%d: %+v", i, kind)
		}
	}
	if len(kindWords) != len(kinds) || len(words) != len(kinds)+1 {
		t.Errorf("%d kinds, %d words with advice, %d told", len(kinds), len(kindWords), len(words))
	}
	j := &Journal{queue: newQueue()}
	if got := j.Trouble(); got != nil {
		t.Errorf("a journal that works: %+v", got)
	}
	before := time.Now()
	for _, tt := range []struct {
		err          error
		kind, advice string
		mends        bool
	}{
		{fmt.Errorf("x: %w", ErrFull), "full", "goes on by itself", true},
		{fmt.Errorf("x: %w", ErrLost), "lost", "start the trader again", false},
		{errors.New("a novelty"), "other", "start the trader again", false},
	} {
		j.queue = newQueue()
		j.queue.fail(tt.err)
		got := j.Trouble()
		if got.Kind != tt.kind || got.Mends != tt.mends || !strings.Contains(got.Advice, tt.advice) || got.Cause != tt.err.Error() || got.Since.Before(before.Add(-time.Second)) {
			t.Errorf("%v: %+v", tt.err, got)
		}
	}
}

// The trouble of a disk that is full, from the disk to the words.
func TestTroubleOfAFullDisk(t *testing.T) {
	s := newScript(t, still)
	j, err := s.begin()
	must(t, err)
	s.disk.Arm(&faultfs.Fault{At: s.disk.Calls(), Err: syscall.ENOSPC, Last: true})
	if err := s.step(t.Context(), j, 1); !errors.Is(err, ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	if f := j.Trouble(); f == nil || f.Kind != "full" || !f.Mends || !strings.Contains(f.Advice, "free some space") {
		t.Errorf("%+v", f)
	}
	s.disk.Arm(nil)
	_ = j.Close(t.Context()) // it says the same
}
