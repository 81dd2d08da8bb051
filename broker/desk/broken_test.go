package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"robotrader/broker"
	"robotrader/broker/order"
)

// breaks makes the journal take nothing any more.
func (j *memJournal) breaks(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = err
}

// TestAHaltCancelsOnABrokenDisk: a cancel can only take away, so that what a
// person halts ends also when it cannot be stored.
func TestAHaltCancelsOnABrokenDisk(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("entry"))
		r.journal.breaks(errors.New("disk full"))
		if _, err := r.desk.Halt(context.Background(), "a person", ""); err == nil || !strings.Contains(err.Error(), "holds as long as this program runs, but is not stored") {
			t.Errorf("%v", err)
		}
		if got := r.sent(); !slices.Equal(got, []int64{151}) || r.modeNow().Mode != broker.Halted {
			t.Errorf("cancelled %v, mode %s", got, r.modeNow().Mode)
		}
	}, holds(10))
}

// TestAFlattenOnABrokenDiskSaysWhatHelps: nothing is closed by an order that
// nobody could know again, entries end, and the answer names the way out.
func TestAFlattenOnABrokenDiskSaysWhatHelps(t *testing.T) {
	in(t, func(t *testing.T, r *rig) {
		r.ask(buy("entry"))
		r.journal.breaks(errors.New("disk full"))
		c, err := r.desk.Flatten(context.Background(), "a person", "")
		if err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "traderctl flatten --direct --spare FOLDER") || c.Flatten {
			t.Errorf("%+v, %v", c, err)
		}
		if got := r.sent(); !slices.Equal(got, []int64{151}) || len(r.orders()) != 1 || r.modeNow().Mode != broker.Halted {
			t.Errorf("cancelled %v, %d orders, mode %s", got, len(r.orders()), r.modeNow().Mode)
		}
		r.journal.breaks(nil)
		r.send(status(151, order.CancelDone))
		flatten(t, r)
		if placed := r.orders(); len(placed) != 2 || placed[1].Intent.Side != order.Sell {
			t.Errorf("asked again on a disk that works: %+v", placed)
		}
	}, holds(10), unlooked)
}
