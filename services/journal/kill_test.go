package journal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"robotrader/broker"
	"robotrader/broker/order"
)

// victim stores intents and records as fast as it can, telling each intent
// that is acknowledged, until it is killed.
func victim(path string) {
	j, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	for n := 1; ; n++ {
		err := j.Intend(ctx, placed(n))
		if err == nil && n%3 == 0 {
			err = j.Record(ctx, broker.Record{Wall: wall0, Order: became(n, order.Filled)}, broker.Record{Wall: wall0, Fill: execution(n, fmt.Sprint("e", n))})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// TestKilled kills a process in the middle of its writing: what it said to be
// stored is there, for a reader at once and for the next process.
func TestKilled(t *testing.T) {
	for _, after := range []int{1, 40, 333} {
		t.Run(strconv.Itoa(after), func(t *testing.T) {
			path := file(t)
			acked := kill(t, path, after)
			r, err := OpenReadOnly(path)
			must(t, err)
			intents, err := r.Intents(t.Context())
			must(t, err)
			must(t, r.Close())
			if len(intents) < acked || len(intents) > acked+1 {
				t.Errorf("%d intents were acknowledged, a reader sees %d", acked, len(intents))
			}
			j := open(t, path)
			for n := 1; n <= acked; n++ {
				got, ok, err := j.Lookup(t.Context(), fmt.Sprint("t-", n))
				if err != nil || !ok || got.OrderID != int64(n) || got.Order == nil {
					t.Fatalf("intent %d of %d: %v, %v", n, acked, ok, err)
				}
			}
			top, err := j.HighWater(t.Context(), "DU1", 1)
			must(t, err)
			if top < int64(acked) || top > int64(acked)+1 {
				t.Errorf("highest number %d, acknowledged %d", top, acked)
			}
			b, err := j.Load(t.Context(), "DU1", 1<<30)
			must(t, err)
			if len(b.Orders) != len(intents) || len(b.Sent) != len(intents) {
				t.Errorf("%d orders and %d sent of %d intents", len(b.Orders), len(b.Sent), len(intents))
			}
			for i, o := range b.Orders {
				if o.OrderID != int64(i+1) || o.State != order.Intended && o.State != order.Filled {
					t.Fatalf("order %d is number %d, %v", i+1, o.OrderID, o.State)
				}
			}
			for i, f := range b.Fills { // records come in order, so the first ones are there
				if f.ExecID != fmt.Sprint("e", 3*(i+1)) {
					t.Fatalf("execution %d is %s: one is missing in the middle", i, f.ExecID)
				}
			}
			must(t, j.Intend(t.Context(), placed(len(intents)+1)))
			t.Logf("killed after %d acknowledged intents; %d intents, %d executions stored", acked, len(intents), len(b.Fills))
		})
	}
}

// kill runs the victim until it has acknowledged some intents, and returns how
// many it did when it was dead.
func kill(t *testing.T, path string, after int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_VICTIM="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	acked := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the victim says %q", lines.Text())
		}
		if acked = n; acked == after {
			must(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	if acked < after {
		t.Fatalf("the victim ended after %d", acked)
	}
	return acked
}
