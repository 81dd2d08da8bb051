package desk

import (
	"context"

	"robotrader/broker"
	"robotrader/broker/order"
)

// A Gate decides whether an intent may become an order. Decide is pure: it
// sees the view, which is taken inside the command loop, and nothing else.
type Gate interface {
	Decide(v broker.View, in order.Intent) order.Decision
}

// A Journal keeps what the desk must not forget. All its methods are safe for
// concurrent use.
type Journal interface {
	// Intend stores an intent, its decision and the order it makes in one
	// transaction. When the decision allows it, Intend returns nil only after
	// all of it is durable; no byte is written to the venue before. A refused
	// one may be queued, as no byte depends on it. An id that is stored
	// already gives a [*broker.DuplicateIntentError] and stores nothing.
	Intend(ctx context.Context, r broker.IntentRecord) error
	// Record queues records, in order, for a writer that commits them in
	// groups. When the queue is full it waits, until ctx ends; nothing is
	// dropped silently. An error means that the journal cannot keep its
	// promise any more, also for records queued before.
	Record(ctx context.Context, rs ...broker.Record) error
	// Lookup returns what is stored for an intent's id, queued records
	// included as far as they are written; ok is false when nothing is.
	Lookup(ctx context.Context, id string) (r broker.IntentRecord, ok bool, err error)
	// HighWater returns the highest order id stored for the account and client
	// id, 0 when there is none.
	HighWater(ctx context.Context, account string, clientID int) (int64, error)
	// Load returns what is needed to go on after a restart, at most limit
	// ended orders and limit fills; besides, every fill of these orders, so that
	// none is counted into its order twice, and all that was sent in the newest
	// market day.
	Load(ctx context.Context, account string, limit int) (broker.Books, error)
	// Sync returns when all that was recorded before it is durable.
	Sync(ctx context.Context) error
}
