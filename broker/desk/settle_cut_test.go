package desk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// TestAWordWaitsForPositionsThatAreCounted: executions come between each of the
// answers. The word is refused, and what could not be counted is not called seen.
func TestAWordWaitsForPositionsThatAreCounted(t *testing.T) {
	settling(t, true, func(t *testing.T, r *rig, k *knowing) {
		k.fails("positions", broker.ErrNoAnswer)
		time.Sleep(blindAfter + time.Minute)
		if r.desk.sight() == nil {
			t.Fatal("nobody could look for minutes")
		}
		n := 0
		k.venue(func() {
			k.fail["positions"] = nil
			k.between = func(q string) {
				if q == "positions" {
					n++
					f := executed(0, "", fmt.Sprint("e", n), "1")
					f.Fill.OrderID, f.Fill.PermID, f.Fill.At = 0, 0, r.desk.floor.Now(time.Now()).Truncate(time.Second)
					k.fills, k.held = append(slices.Clone(k.fills), f), heldAt(fmt.Sprint(n))
				}
			}
		})
		if _, err := r.settle("a", event.SettleCancelled); !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), "executions came") {
			t.Errorf("%v", err)
		}
		if n == 0 || r.desk.sight() == nil {
			t.Errorf("after %d answers that count nothing the books are called seen", n)
		}
	})
}

// TestAWordWaitsForAGatewayThatHasItsVenue: one that loses it while it is asked
// answers from what it remembers.
func TestAWordWaitsForAGatewayThatHasItsVenue(t *testing.T) {
	settling(t, true, func(t *testing.T, r *rig, k *knowing) {
		k.venue(func() {
			k.between = func(q string) {
				if q == "positions" {
					r.desk.troubled(func(t *trouble) { t.down = "lost" })
				}
			}
		})
		if _, err := r.settle("a", event.SettleCancelled); !errors.Is(err, ErrNotSettled) || !strings.Contains(err.Error(), "link does not stand") {
			t.Errorf("%v", err)
		}
		if o := r.order("a"); o.State != order.Unknown {
			t.Errorf("order is %v (%s)", o.State, o.Note)
		}
	})
}
