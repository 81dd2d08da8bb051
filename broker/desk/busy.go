package desk

import (
	"hash/maphash"
	"sync"

	"robotrader/broker/desk/books"
	"robotrader/broker/order"
	"robotrader/services/event"
)

// keepAsked bounds the ids that are known without a turn and without the
// journal. Beyond, the oldest is forgotten: the journal has it, and is asked
// whenever it answers.
const keepAsked = 65536

// asked holds the ids of the intents that this life began to handle, and of the
// newest that earlier ones did. It is looked at without the turn: that somebody
// has to wait for it must not make an order that was sent "refused".
type asked struct {
	seed maphash.Seed
	mu   sync.Mutex               // guards what follows
	ids  books.Ring[uint64, bool] // by their hashes; one that is taken for another would be "unknown", not "refused"
}

func newAsked() *asked {
	return &asked{seed: maphash.MakeSeed(), ids: books.NewRing[uint64, bool](keepAsked)}
}

func (a *asked) begin(ids ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.ids.Put(maphash.String(a.seed, id), true)
	}
}

func (a *asked) began(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids.Get(maphash.String(a.seed, id))
}

// busy answers an intent whose turn did not come in time. Refused is said only
// when no byte of it has gone out: it was never begun. One that was asked for
// before may be at the broker.
func (d *Desk) busy(in order.Intent, err error) event.OrderReply {
	if d.begun.began(in.ID) {
		return event.OrderReply{
			IntentID: in.ID, Result: event.Unknown, Rule: "busy",
			Reason: err.Error() + "; it was asked for before, and may have gone out then: ask again with the same id",
		}
	}
	return event.OrderReply{IntentID: in.ID, Result: event.Refused, Rule: "busy", Reason: err.Error()}
}
