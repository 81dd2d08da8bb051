package hub

import (
	"testing"
	"time"
)

func TestLag(t *testing.T) {
	r := start(t, Config{Queue: 8, WriteTimeout: patience, Grace: time.Second})
	if waiting, most, sent := r.Lag(); waiting != 0 || most != 8 || sent != 0 {
		t.Errorf("without clients: %d of %d wait, %d sent", waiting, most, sent)
	}
	r.dial(t) // it reads nothing
	body := make([]byte, 1<<20)
	for n := uint64(1); ; n++ { // more than the socket's buffers hold
		r.Broadcast(body)
		waiting, _, sent := r.Lag()
		if sent != n {
			t.Fatalf("%d sent, want %d", sent, n)
		}
		if waiting > 0 {
			return
		}
		if n == 1000 {
			t.Fatal("nothing waits for a client that reads nothing")
		}
	}
}
